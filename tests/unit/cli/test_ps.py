# SPDX-License-Identifier: Apache-2.0
"""The output of ps(1), cut down to some processes."""

import pytest

from ocirun.cli.ps import only
from ocirun.errors import UsageError

OUTPUT = """\
UID          PID    PPID CMD
root           1       0 init
root          12       1 sleep 1

root         121      12 echo 12
"""


def test_lines_of_the_pids() -> None:
    assert only([12], OUTPUT) == (
        "UID          PID    PPID CMD\nroot          12       1 sleep 1\n"
    )
    assert only([1, 121], OUTPUT).count("\n") == 3


def test_no_processes() -> None:
    assert only([], OUTPUT) == "UID          PID    PPID CMD\n"


@pytest.mark.parametrize("output", ["", "CMD\nsleep\n"])
def test_no_pid_column(output: str) -> None:
    with pytest.raises(UsageError, match="no PID column"):
        only([1], output)
