# SPDX-License-Identifier: Apache-2.0
"""The layout of the table, and names of users."""

from ocirun.cli.list import table, user_name


def test_columns_are_at_least_twelve_wide_and_three_apart() -> None:
    rows = [["ID", "PID", "OWNER"], ["a" * 10, "1", "root"]]
    assert table(rows) == ("ID           PID         OWNER\naaaaaaaaaa   1           root\n")


def test_the_titles_alone() -> None:
    assert table([["ID", "PID", "OWNER"]]) == "ID          PID         OWNER\n"


def test_user_name() -> None:
    assert user_name(0) == "root"
    assert user_name(4_294_967_294) == "#4294967294"
