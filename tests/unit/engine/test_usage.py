# SPDX-License-Identifier: Apache-2.0
"""From a cgroup's statistics to what `top` shows."""

import pytest

from ocirun.engine import usage
from ocirun.engine.usage import Usage
from ocirun.linux.cgroup.statistics import NO_LIMIT, Statistics


def filled(change: Statistics) -> Usage:
    found = Usage("box", "running", 0)
    usage.fill(found, change)
    return found


def test_nothing_known() -> None:
    found = filled(Statistics())
    assert (found.cpu, found.memory, found.pids, found.read, found.pressure) == (
        *(None, None, None, None),
        {},
    )


@pytest.mark.parametrize(
    ("limit", "shown"),
    [(1 << 20, 1 << 20), (NO_LIMIT, None), (0x7FFFFFFFFFFFF000, None)],
)
def test_memory(limit: int, shown: int | None) -> None:
    statistics = Statistics()
    statistics.memory["memory"] = {"usage": 4096, "peak": 0, "limit": limit, "failures": 0}
    assert filled(statistics).memory_limit == shown


def test_transfers_of_all_devices_are_added() -> None:
    statistics = Statistics()
    statistics.io["bytes"] = [(8, 0, "Read", 5), (8, 16, "Read", 7), (8, 0, "Write", 1)]
    found = filled(statistics)
    assert (found.read, found.written) == (12, 1)


def test_pressure() -> None:
    statistics = Statistics()
    statistics.pressure = {"cpu": {"some": {"avg10": 1.5, "avg60": 0.1}}, "io": {}}
    assert filled(statistics).pressure == {"cpu": 1.5}


@pytest.mark.parametrize(
    ("before", "now", "passed", "found"),
    [
        (0, 500, 500_000_000, 1000.0),
        (None, 5, 1, None),
        (5, None, 1, None),
        (1, 2, 0, None),
        (9, 1, 1, 0.0),
    ],
)
def test_rate(before: int | None, now: int | None, passed: int, found: float | None) -> None:
    assert usage.rate(before, now, passed) == found


def test_percent_of_one_processor() -> None:
    first, second = Usage("box", "running", 0), Usage("box", "running", 2_000_000_000)
    first.cpu, second.cpu = 0, 3_000_000_000
    assert usage.document(second, first)["cpuPercent"] == 150.0
    assert usage.document(second, None)["cpuPercent"] is None
