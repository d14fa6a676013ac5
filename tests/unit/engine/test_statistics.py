# SPDX-License-Identifier: Apache-2.0
"""The shape of the statistics that `events` prints."""

from ocirun.engine.statistics import document
from ocirun.linux.cgroup.statistics import NO_LIMIT, Statistics


def test_nothing_known() -> None:
    assert document(Statistics()) == {
        "cpu": {"usage": {"kernel": 0, "user": 0}},
        "cpuset": {
            "cpu_exclusive": 0,
            "mem_hardwall": 0,
            "mem_exclusive": 0,
            "memory_migrate": 0,
            "memory_spread_page": 0,
            "memory_spread_slab": 0,
            "memory_pressure": 0,
            "sched_load_balance": 0,
            "sched_relax_domain_level": 0,
        },
        "memory": {},
        "pids": {},
        "blkio": {},
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": None,
    }


def test_names_and_zeros() -> None:
    statistics = Statistics()
    statistics.cpu = {"total": 9, "user": 5, "system": 0, "periods": 3, "throttled": 0}
    statistics.cpu_lists = {"total": [4, 5], "user": [], "system": [1, 2]}
    statistics.cpuset_lists = {"cpus": [0, 1], "mems": []}
    statistics.memory = {
        "memory": {"usage": 7, "peak": 0, "limit": NO_LIMIT, "failures": 0},
        "swap": {"usage": 0, "peak": 0, "limit": 0, "failures": 0},
        "swap_only": {"usage": 1, "peak": 1, "limit": 1, "failures": 1},
    }
    statistics.memory_detail = {"cache": 3}
    statistics.pids = {"current": 2, "limit": 0}
    statistics.io = {"bytes": [(8, 0, "Read", 512)], "sectors": [(8, 16, "", 0)], "time": []}
    statistics.huge_pages = {"2MB": {"usage": 0, "peak": 4, "failures": 0}}
    statistics.pressure = {"cpu": {"some": {"avg10": 0.5, "total": 1}}}
    found = document(statistics)
    assert found["cpu"] == {
        "usage": {
            "total": 9,
            "percpu": [4, 5],
            "percpu_kernel": [1, 2],
            "kernel": 0,
            "user": 5,
        },
        "throttling": {"periods": 3},
        "psi": {
            "some": {"avg10": 0.5, "total": 1},
            "full": {"avg10": 0, "avg60": 0, "avg300": 0, "total": 0},
        },
    }
    assert isinstance(found["cpuset"], dict)
    assert found["cpuset"]["cpus"] == [0, 1]
    assert "mems" not in found["cpuset"]
    assert found["memory"] == {
        "cache": 3,
        "usage": {"limit": NO_LIMIT, "usage": 7, "failcnt": 0},
        "raw": {"cache": 3},
    }
    assert found["pids"] == {"current": 2}
    assert found["blkio"] == {
        "ioServiceBytesRecursive": [{"major": 8, "op": "Read", "value": 512}],
        "sectorsRecursive": [{"major": 8, "minor": 16}],
    }
    assert found["hugetlb"] == {"2MB": {"max": 4, "failcnt": 0}}
