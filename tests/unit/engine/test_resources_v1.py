# SPDX-License-Identifier: Apache-2.0
"""Every limit as a value in a file of cgroup v1."""

import pytest

from ocirun.engine.resources_v1 import v1_settings
from ocirun.errors import SpecError
from ocirun.linux.cgroup.settings import FALLBACK, OPTIONAL, REQUIRED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Resources


def written(resources: "Resources") -> list[tuple[str, str]]:
    return [(file, value) for _, file, value, _, _ in v1_settings(resources)]


def test_nothing_asked_nothing_written() -> None:
    assert v1_settings({}) == []
    assert v1_settings({"memory": {}, "cpu": {}, "pids": {}, "blockIO": {}}) == []


def test_zero_is_not_set() -> None:
    cpu = {"shares": 0, "quota": 0, "period": 0, "realtimeRuntime": 0, "realtimePeriod": 0}
    assert written({"cpu": cpu, "memory": {"limit": 0, "swap": 0, "reservation": 0}}) == []  # type: ignore[typeddict-item]


def test_memory() -> None:
    assert written(
        {
            "memory": {
                "limit": 100,
                "swap": 200,
                "reservation": 50,
                "swappiness": 0,
                "disableOOMKiller": True,
                "kernel": 5,
                "kernelTCP": 5,
            }
        }
    ) == [
        ("memory.limit_in_bytes", "100"),
        ("memory.memsw.limit_in_bytes", "200"),
        ("memory.soft_limit_in_bytes", "50"),
        ("memory.oom_control", "1"),
        ("memory.swappiness", "0"),
    ]


def test_unlimited_memory_lifts_the_limit_with_swap_where_there_is_one() -> None:
    settings = v1_settings({"memory": {"limit": -1}})
    assert settings == [
        ("memory", "memory.limit_in_bytes", "-1", "linux.resources.memory.limit", REQUIRED),
        ("memory", "memory.memsw.limit_in_bytes", "-1", "linux.resources.memory.limit", OPTIONAL),
    ]


def test_swappiness_of_minus_one_is_none() -> None:
    assert v1_settings({"memory": {"swappiness": (1 << 64) - 1}}) == []


def test_swappiness_has_a_range() -> None:
    with pytest.raises(SpecError, match=r"memory\.swappiness"):
        v1_settings({"memory": {"swappiness": 101}})


def test_cpu() -> None:
    assert written(
        {
            "cpu": {
                "shares": 512,
                "quota": -1,
                "period": 50000,
                "burst": 0,
                "idle": 0,
                "realtimeRuntime": 950,
                "realtimePeriod": 1000,
                "cpus": "0-1",
                "mems": "0",
            }
        }
    ) == [
        ("cpu.shares", "512"),
        ("cpu.cfs_period_us", "50000"),
        ("cpu.cfs_quota_us", "-1"),
        ("cpu.cfs_burst_us", "0"),
        ("cpu.idle", "0"),
        ("cpu.rt_period_us", "1000"),
        ("cpu.rt_runtime_us", "950"),
        ("cpuset.cpus", "0-1"),
        ("cpuset.mems", "0"),
    ]


@pytest.mark.parametrize(("shares", "words"), [(1, "minimum"), (262145, "maximum")])
def test_shares_have_a_range(shares: int, words: str) -> None:
    with pytest.raises(SpecError, match=rf"cpu\.shares: {shares}: the {words}"):
        v1_settings({"cpu": {"shares": shares}})


@pytest.mark.parametrize(("limit", "value"), [(-1, "max"), (0, "1"), (1, "1"), (1000, "1000")])
def test_pids(limit: int, value: str) -> None:
    assert written({"pids": {"limit": limit}}) == [("pids.max", value)]


def test_block_io() -> None:
    settings = v1_settings(
        {
            "blockIO": {
                "weight": 500,
                "leafWeight": 300,
                "weightDevice": [
                    {"major": 8, "minor": 0, "weight": 100},
                    {"major": 8, "minor": 16, "leafWeight": 200},
                ],
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
                "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 2}],
                "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 0}],
            }
        }
    )
    assert [(file, value, presence) for _, file, value, _, presence in settings] == [
        ("blkio.weight", "500", OPTIONAL),
        ("blkio.bfq.weight", "500", FALLBACK),
        ("blkio.leaf_weight", "300", REQUIRED),
        ("blkio.weight_device", "8:0 100", OPTIONAL),
        ("blkio.bfq.weight_device", "8:0 100", FALLBACK),
        ("blkio.leaf_weight_device", "8:16 200", REQUIRED),
        ("blkio.throttle.read_bps_device", "8:0 1", REQUIRED),
        ("blkio.throttle.write_bps_device", "8:0 2", REQUIRED),
        ("blkio.throttle.read_iops_device", "8:0 3", REQUIRED),
        ("blkio.throttle.write_iops_device", "8:0 0", REQUIRED),
    ]
    assert settings[-1][3] == "linux.resources.blockIO.throttleWriteIOPSDevice[0]"


def test_huge_pages_network_and_rdma() -> None:
    assert written(
        {
            "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
            "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 5}]},
            "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "mlx4_0": {"hcaObjects": 1}},
        }
    ) == [
        ("hugetlb.2MB.rsvd.limit_in_bytes", "4194304"),
        ("hugetlb.2MB.limit_in_bytes", "4194304"),
        ("net_cls.classid", "1048577"),
        ("net_prio.ifpriomap", "eth0 5"),
        ("rdma.max", "mlx5_1 hca_handle=3 hca_object=10000"),
        ("rdma.max", "mlx4_0 hca_object=1"),
    ]


def test_files_of_v2_are_refused() -> None:
    with pytest.raises(SpecError, match=r"linux\.resources\.unified"):
        v1_settings({"unified": {"memory.max": "1"}})


def test_controllers_are_named_after_the_file() -> None:
    settings = v1_settings({"cpu": {"shares": 2, "cpus": "0"}, "pids": {"limit": 1}})
    assert [setting[0] for setting in settings] == ["cpu", "cpuset", "pids"]
