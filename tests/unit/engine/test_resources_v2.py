# SPDX-License-Identifier: Apache-2.0
"""Every limit as a value in a file of cgroup v2."""

import pytest

from ocirun.engine.resources_v2 import swap_alone, v2_settings, weight_of_shares
from ocirun.errors import SpecError
from ocirun.linux.cgroup.settings import FALLBACK, OPTIONAL, REQUIRED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Cpu, Memory, Resources


def written(resources: "Resources") -> list[tuple[str, str]]:
    return [(file, value) for _, file, value, _, _ in v2_settings(resources)]


def test_nothing_asked_nothing_written() -> None:
    assert v2_settings({}) == []
    assert v2_settings({"memory": {}, "cpu": {}, "pids": {}, "blockIO": {}, "unified": {}}) == []


@pytest.mark.parametrize(
    ("shares", "weight"),
    [(1, 1), (2, 1), (3, 2), (102, 17), (512, 59), (1024, 100), (2048, 174), (10**9, 10000)],
)
def test_weight_of_shares(shares: int, weight: int) -> None:
    assert weight_of_shares(shares) == weight


def test_weight_never_falls() -> None:
    weights = [weight_of_shares(shares) for shares in range(2, 262145, 97)]
    assert weights == sorted(weights)


@pytest.mark.parametrize(
    ("swap", "limit", "alone"),
    [
        (0, 0, None),
        (0, 100, None),
        (0, -1, -1),
        (-1, 100, -1),
        (-1, 0, -1),
        (100, 100, 0),
        (300, 100, 200),
        (300, -1, 300),
    ],
)
def test_swap_alone(swap: int, limit: int, alone: int | None) -> None:
    assert swap_alone(swap, limit) == alone


@pytest.mark.parametrize(("swap", "limit"), [(100, 0), (100, 200), (100, -5)])
def test_swap_that_makes_no_sense(swap: int, limit: int) -> None:
    with pytest.raises(SpecError, match=r"linux\.resources\.memory\."):
        swap_alone(swap, limit)


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        ({"limit": 100}, [("memory.max", "100", REQUIRED)]),
        (
            {"limit": 100, "swap": 300, "reservation": 50},
            [
                ("memory.swap.max", "200", REQUIRED),
                ("memory.max", "100", REQUIRED),
                ("memory.low", "50", REQUIRED),
            ],
        ),
        (
            {"limit": 100, "swap": 100},
            [("memory.swap.max", "0", OPTIONAL), ("memory.max", "100", REQUIRED)],
        ),
        (
            {"limit": -1},
            [("memory.swap.max", "max", OPTIONAL), ("memory.max", "max", REQUIRED)],
        ),
        ({"reservation": -1}, [("memory.low", "max", REQUIRED)]),
        ({"swappiness": 5, "disableOOMKiller": True, "kernel": 7}, []),
    ],
)
def test_memory(memory: "Memory", expected: list[tuple[str, str, int]]) -> None:
    settings = v2_settings({"memory": memory})
    assert [(file, value, presence) for _, file, value, _, presence in settings] == expected


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        ({"shares": 1024}, [("cpu.weight", "100")]),
        ({"quota": 50000}, [("cpu.max", "50000 100000")]),
        ({"period": 20000}, [("cpu.max", "max 20000")]),
        ({"quota": -1, "period": 20000}, [("cpu.max", "max 20000")]),
        ({"quota": 5, "burst": 0}, [("cpu.max", "5 100000"), ("cpu.max.burst", "0")]),
        ({"idle": 1}, [("cpu.idle", "1")]),
        ({"idle": 0, "shares": 2}, [("cpu.weight", "1"), ("cpu.idle", "0")]),
        ({"cpus": "0-3", "mems": "0"}, [("cpuset.cpus", "0-3"), ("cpuset.mems", "0")]),
        ({"realtimePeriod": 5, "realtimeRuntime": 5}, []),
    ],
)
def test_cpu(cpu: "Cpu", expected: list[tuple[str, str]]) -> None:
    assert written({"cpu": cpu}) == expected


@pytest.mark.parametrize(("limit", "value"), [(-1, "max"), (0, "1"), (1000, "1000")])
def test_pids(limit: int, value: str) -> None:
    assert written({"pids": {"limit": limit}}) == [("pids.max", value)]


def test_block_io() -> None:
    settings = v2_settings(
        {
            "blockIO": {
                "weight": 10,
                "leafWeight": 300,
                "weightDevice": [{"major": 8, "minor": 0, "weight": 100, "leafWeight": 7}],
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
                "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 2}],
                "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 0}],
            }
        }
    )
    assert [(file, value, presence) for _, file, value, _, presence in settings] == [
        ("io.bfq.weight", "10", OPTIONAL),
        ("io.weight", "1", FALLBACK),
        ("io.bfq.weight", "8:0 100", OPTIONAL),
        ("io.max", "8:0 rbps=1", REQUIRED),
        ("io.max", "8:0 wbps=2", REQUIRED),
        ("io.max", "8:0 riops=3", REQUIRED),
        ("io.max", "8:0 wiops=max", REQUIRED),
    ]


@pytest.mark.parametrize(("weight", "converted"), [(10, "1"), (500, "4950"), (1000, "10000")])
def test_weight_of_block_io(weight: int, converted: str) -> None:
    assert written({"blockIO": {"weight": weight}})[1] == ("io.weight", converted)


def test_huge_pages() -> None:
    assert written({"hugepageLimits": [{"pageSize": "1GB", "limit": 0}]}) == [
        ("hugetlb.1GB.rsvd.max", "0"),
        ("hugetlb.1GB.max", "0"),
    ]


def test_unified_comes_last_and_line_by_line() -> None:
    settings = v2_settings(
        {
            "unified": {"io.max": "8:0 rbps=1\n8:16 rbps=2\n", "memory.high": "5", "a.b": ""},
            "memory": {"limit": 100},
        }
    )
    assert [(file, value) for _, file, value, _, _ in settings] == [
        ("memory.max", "100"),
        ("io.max", "8:0 rbps=1"),
        ("io.max", "8:16 rbps=2"),
        ("memory.high", "5"),
        ("a.b", ""),
    ]
    assert settings[1][0] == "io"
    assert settings[1][3] == "linux.resources.unified.io.max"


@pytest.mark.parametrize("file", ["../x.y", "memory/x.y", "noparameter", "memory."])
def test_unified_names_files_of_controllers(file: str) -> None:
    with pytest.raises(SpecError, match=r"linux\.resources\.unified"):
        v2_settings({"unified": {file: "1"}})


def test_network_has_no_place() -> None:
    assert written({"network": {"classID": 1, "priorities": [{"name": "a", "priority": 1}]}}) == []
