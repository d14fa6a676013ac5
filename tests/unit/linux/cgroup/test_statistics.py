# SPDX-License-Identifier: Apache-2.0
"""Statistics from files as kernels write them."""

from pathlib import Path

import pytest

from ocirun.linux.cgroup import statistics, statistics_v1, statistics_v2
from ocirun.linux.cgroup.statistics import NO_LIMIT


def fill(directory: Path, **files: str) -> str:
    """Write files; a double underscore in the name stands for a dot."""
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)
    return str(directory)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("\n", []), ("0\n", [0]), ("0-2,7\n", [0, 1, 2, 7]), ("3,1\n", [3, 1])],
)
def test_cpu_list(text: str, numbers: list[int]) -> None:
    assert statistics.cpu_list(text) == numbers


def test_no_limit_is_the_largest_number() -> None:
    assert statistics.number("max\n") == NO_LIMIT
    assert statistics.pairs("a 1\nb max\nodd\n") == {"a": 1, "b": NO_LIMIT}


def test_v1(tmp_path: Path) -> None:
    directory = fill(
        tmp_path,
        cpuacct__stat="user 3\nsystem 4\n",
        cpuacct__usage="70000001\n",
        cpuacct__usage_percpu="30 40 \n",
        cpuacct__usage_all="cpu user system\n0 10 20\n1 15 25\n",
        cpu__stat="nr_periods 5\nnr_throttled 2\nthrottled_time 900\n",
        cpuset__cpus="0-1\n",
        cpuset__mems="0\n",
        cpuset__cpu_exclusive="1\n",
        cpuset__sched_relax_domain_level="-1\n",
        pids__current="3\n",
        pids__max="max\n",
        blkio__throttle__io_serviced_recursive="8:0 Read 4\n8:0 Total 4\nTotal 4\n",
        blkio__throttle__io_service_bytes_recursive="8:0 Read 4096\nTotal 4096\n",
    )
    found = statistics_v1.read(
        dict.fromkeys(("cpu", "cpuacct", "cpuset", "pids", "blkio", "hugetlb"), directory)
    )
    assert found.cpu["user"] == 30_000_000
    assert found.cpu["system"] == 40_000_000
    assert found.cpu["total"] == 70_000_001
    assert found.cpu_lists == {"total": [30, 40], "user": [10, 15], "system": [20, 25]}
    assert found.cpu["throttled_time"] == 900
    assert found.cpuset_lists == {"cpus": [0, 1], "mems": [0]}
    assert found.cpuset == {"cpu_exclusive": 1, "sched_relax_domain_level": -1}
    assert found.pids == {"current": 3, "limit": 0}
    assert found.io["operations"] == [(8, 0, "Read", 4), (8, 0, "Total", 4)]
    assert found.io["bytes"] == [(8, 0, "Read", 4096)]


def test_v1_memory(tmp_path: Path) -> None:
    directory = fill(
        tmp_path,
        memory__stat="cache 5\nrss 6\n",
        memory__usage_in_bytes="100\n",
        memory__max_usage_in_bytes="200\n",
        memory__limit_in_bytes="300\n",
        memory__failcnt="4\n",
    )
    found = statistics_v1.read({"memory": directory})
    assert found.memory == {"memory": {"usage": 100, "peak": 200, "limit": 300, "failures": 4}}
    fill(tmp_path, memory__memsw__usage_in_bytes="90\n", memory__memsw__failcnt="9\n")
    found = statistics_v1.read({"memory": directory})
    assert found.memory["swap"]["usage"] == 90
    assert found.memory["swap_only"] == {"usage": 0, "peak": 0, "limit": 0, "failures": 5}


def test_v1_huge_pages(tmp_path: Path) -> None:
    directory = fill(
        tmp_path,
        hugetlb__2MB__usage_in_bytes="1\n",
        hugetlb__2MB__max_usage_in_bytes="2\n",
        hugetlb__2MB__failcnt="3\n",
    )
    pages = {"usage": 1, "peak": 2, "failures": 3}
    assert statistics_v1.read({"hugetlb": directory}).huge_pages == {"2MB": pages}
    fill(
        tmp_path,
        hugetlb__2MB__rsvd__usage_in_bytes="10\n",
        hugetlb__2MB__rsvd__max_usage_in_bytes="20\n",
        hugetlb__2MB__rsvd__failcnt="30\n",
    )
    pages = {"usage": 10, "peak": 20, "failures": 30}
    assert statistics_v1.read({"hugetlb": directory}).huge_pages == {"2MB": pages}


def test_v2(tmp_path: Path) -> None:
    directory = fill(
        tmp_path,
        cgroup__type="domain\n",
        cgroup__procs="1\n",
        pids__current="3\n",
        pids__max="10\n",
        cpu__stat="usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_throttled 2\nthrottled_usec 7\n",
        memory__stat="anon 5\nfile 6\n",
        memory__current="100\n",
        memory__max="max\n",
        memory__peak="200\n",
        memory__swap__current="50\n",
        memory__swap__max="70\n",
        io__stat="8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16 \n",
        hugetlb__2MB__current="1\n",
        hugetlb__2MB__rsvd__current="2\n",
        hugetlb__2MB__events="max 3\n",
        rdma__current="mlx4_0 hca_handle=2 hca_object=2000\n",
        rdma__max="mlx4_0 hca_handle=3 hca_object=max\n",
        misc__current="res_a 5\n",
        misc__events="res_a.max 6\n",
        cpu__pressure="some avg10=0.25 avg60=0.00 avg300=0.00 total=12\n",
    )
    found = statistics_v2.read(directory)
    assert found.cpu["total"] == 9000
    assert found.cpu["throttled"] == 2
    assert found.cpu["throttled_time"] == 7000
    assert found.pids == {"current": 3, "limit": 10}
    assert found.memory["memory"] == {
        "usage": 100,
        "limit": NO_LIMIT,
        "peak": 200,
        "failures": 0,
    }
    assert found.memory["swap_only"]["usage"] == 50
    assert found.memory["swap"] == {"usage": 150, "peak": 0, "limit": NO_LIMIT, "failures": 0}
    assert found.io == {
        "bytes": [(8, 0, "Read", 1), (8, 0, "Write", 2)],
        "operations": [(8, 0, "Read", 3), (8, 0, "Write", 4)],
    }
    assert found.huge_pages == {"2MB": {"usage": 2, "peak": 0, "failures": 3}}
    assert found.rdma == {
        "current": {"mlx4_0": {"hca_handle": 2, "hca_object": 2000}},
        "max": {"mlx4_0": {"hca_handle": 3, "hca_object": NO_LIMIT}},
    }
    assert found.misc == {"res_a": {"usage": 5, "events": 6}}
    assert found.pressure == {
        "cpu": {"some": {"avg10": 0.25, "avg60": 0.0, "avg300": 0.0, "total": 12}}
    }


def test_v2_without_any_controller(tmp_path: Path) -> None:
    directory = fill(tmp_path, cgroup__type="domain\n", cgroup__procs="1\n2\n")
    found = statistics_v2.read(directory)
    assert found.pids == {"current": 2, "limit": 0}
    assert found.memory == {}
    assert found.io == {}


def test_v2_root(tmp_path: Path) -> None:
    directory = fill(tmp_path, cgroup__procs="1\n", memory__stat="anon 5\nfile 6\n")
    memory = statistics_v2.read(directory).memory
    assert memory["memory"] == {"usage": 11, "limit": NO_LIMIT, "peak": 0, "failures": 0}
    assert memory["swap"]["limit"] == NO_LIMIT
