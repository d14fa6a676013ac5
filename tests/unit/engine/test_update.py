# SPDX-License-Identifier: Apache-2.0
"""What is written together with what an update asks for, and what is remembered of it."""

import pytest

from ocirun.engine.update import complete, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Cpu, Memory


@pytest.mark.parametrize(
    ("wanted", "before", "whole"),
    [
        ({"limit": 1}, {}, {"limit": 1}),
        ({"limit": 1}, {"limit": 5, "swap": 9}, {"limit": 1, "swap": 9}),
        ({"swap": 7}, {"limit": 5, "swap": 9}, {"limit": 5, "swap": 7}),
        ({"swap": -1}, {"limit": 5}, {"limit": 5, "swap": -1}),
        ({"limit": 1, "swap": 2}, {"limit": 5, "swap": 9}, {"limit": 1, "swap": 2}),
        # Without a limit of memory there is none of memory and swap either.
        ({"limit": -1}, {"limit": 5, "swap": 9}, {"limit": -1}),
        ({"reservation": 3}, {"limit": 5, "swap": 9}, {"reservation": 3}),
    ],
)
def test_memory_goes_with_swap(wanted: "Memory", before: "Memory", whole: "Memory") -> None:
    assert complete({"memory": wanted}, {"memory": before}) == {"memory": whole}


@pytest.mark.parametrize(
    ("wanted", "before", "whole"),
    [
        ({"quota": 1}, {}, {"quota": 1}),
        ({"quota": 1}, {"quota": 3, "period": 4}, {"quota": 1, "period": 4}),
        ({"period": 2}, {"quota": 3, "period": 4}, {"quota": 3, "period": 2}),
        ({"period": 0, "shares": 5}, {"quota": 3}, {"period": 0, "shares": 5}),
        ({"idle": 1}, {"quota": 3, "shares": 4}, {"idle": 1}),
    ],
)
def test_quota_goes_with_period(wanted: "Cpu", before: "Cpu", whole: "Cpu") -> None:
    assert complete({"cpu": wanted}, {"cpu": before}) == {"cpu": whole}


def test_what_stays_is_not_written() -> None:
    assert complete({"pids": {"limit": 1}}, {"memory": {"limit": 5}, "cpu": {"shares": 2}}) == {
        "pids": {"limit": 1}
    }


def test_what_is_remembered() -> None:
    first = merge({"memory": {"limit": 5, "swap": 9}, "cpu": {"quota": 3}}, {})
    assert first == {"memory": {"limit": 5, "swap": 9}, "cpu": {"quota": 3}}
    second = merge(first, {"memory": {"limit": 6}, "cpu": {"period": 7, "quota": 0}})
    assert second == {"memory": {"limit": 6, "swap": 9}, "cpu": {"quota": 3, "period": 7}}
    third = merge(second, {"memory": {"limit": -1}})
    assert third["memory"] == {"limit": -1}
