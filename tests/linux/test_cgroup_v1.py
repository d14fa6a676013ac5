# SPDX-License-Identifier: Apache-2.0
"""What only cgroup v1 has, against the kernel."""

import os
from pathlib import Path

import pytest
from tests.cgroup_child import PATH, Child, fresh

from ocirun.linux.cgroup import layout, v1
from ocirun.linux.cgroup.settings import OPTIONAL, REQUIRED

HOST = layout.read()
MOUNTED = [name for hierarchy in HOST.v1 for name in hierarchy.controllers]

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(HOST.version != 1, reason="needs cgroup v1 hierarchies"),
]


def set_memory(limit: int, swap: int) -> list[tuple[str, str, str, str, int]]:
    return [
        ("memory", "memory.limit_in_bytes", str(limit), "limit", REQUIRED),
        ("memory", "memory.memsw.limit_in_bytes", str(swap), "swap", OPTIONAL),
    ]


@pytest.mark.skipif("memory" not in MOUNTED, reason="needs the memory controller")
def test_memory_with_swap_moves_both_ways() -> None:
    # Never may the one be above the other, so the order depends on the direction.
    mega = 1 << 20
    with fresh() as group:
        for limit, swap in ((10, 20), (40, 80), (10, 20), (20, 20), (5, 5), (-1, -1)):
            factor = mega if limit > 0 else 1
            group.write(set_memory(limit * factor, swap * factor))
            if limit > 0:
                assert group.read("memory", "memory.limit_in_bytes") == f"{limit * mega}\n"
                file = f"{group.paths['memory']}/memory.memsw.limit_in_bytes"
                if Path(file).exists():
                    assert Path(file).read_text() == f"{swap * mega}\n"


@pytest.mark.skipif("cpu" not in MOUNTED, reason="needs the cpu controller")
def test_quota_and_period_below_a_limited_parent() -> None:
    def cpu(quota: int, period: int) -> list[tuple[str, str, str, str, int]]:
        return [
            ("cpu", "cpu.cfs_period_us", str(period), "period", REQUIRED),
            ("cpu", "cpu.cfs_quota_us", str(quota), "quota", REQUIRED),
        ]

    with fresh() as outer, fresh("/inner") as inner:
        outer.write(cpu(50000, 100000))
        for quota, period in ((50000, 100000), (5000, 10000), (50000, 100000)):
            inner.write(cpu(quota, period))
            assert inner.read("cpu", "cpu.cfs_quota_us") == f"{quota}\n"
            assert inner.read("cpu", "cpu.cfs_period_us") == f"{period}\n"
        inner.remove()


@pytest.mark.skipif("cpuset" not in MOUNTED, reason="needs the cpuset controller")
def test_cpuset_is_taken_over_from_above() -> None:
    top = next(one for one in HOST.v1 if "cpuset" in one.controllers)
    cpus = Path(top.mount, "cpuset.cpus").read_text()
    with fresh("/a/b/c") as group:
        with Child(group):
            pass
        path = Path(group.paths["cpuset"])
        for directory in (path, path.parent, path.parent.parent):
            assert Path(directory, "cpuset.cpus").read_text() == cpus
            assert Path(directory, "cpuset.mems").read_text() != "\n"


@pytest.mark.skipif("cpuset" not in MOUNTED, reason="needs the cpuset controller")
def test_cpuset_below_parents_that_nobody_filled() -> None:
    top = next(one for one in HOST.v1 if "cpuset" in one.controllers)
    parent = Path(top.mount + PATH)
    parent.mkdir()
    try:
        with fresh("/a") as group, Child(group) as child:
            assert group.pids() == [child.pid]
    finally:
        parent.rmdir()


@pytest.mark.skipif("cpuset" not in MOUNTED, reason="needs the cpuset controller")
def test_cpuset_of_the_settings_is_kept() -> None:
    with fresh() as group:
        group.write([("cpuset", "cpuset.cpus", "0", "cpus", REQUIRED)])
        with Child(group) as child:
            assert group.read("cpuset", "cpuset.cpus") == "0\n"
            assert "Cpus_allowed_list:\t0\n" in Path(f"/proc/{child.pid}/status").read_text()


def test_v2_tree_beside_is_left_to_the_clone() -> None:
    if HOST.unified is None:
        pytest.skip("needs a v2 tree beside the v1 hierarchies")
    with fresh() as group:
        fds, fewer = group.attach_fds(), group.attach_fds(cloned=True)
        directory = group.directory_fd()
        assert len(fds) == len(fewer) + 1
        assert os.readlink(f"/proc/self/fd/{directory}") == group.paths[""]
        for fd in (*fds, *fewer, directory):
            os.close(fd)


def test_memory_is_entered_first() -> None:
    with fresh() as group:
        fds = group.attach_fds()
        names = [os.readlink(f"/proc/self/fd/{fd}") for fd in fds]
        for fd in fds:
            os.close(fd)
    if "memory" in MOUNTED:
        assert names[0].startswith(f"{group.paths['memory']}/")
    assert {os.path.basename(name) for name in names} <= {"tasks", "cgroup.procs"}


def test_controllers_mounted_together_share_a_directory() -> None:
    together = layout.Hierarchy(["cpu", "cpuacct"], "/m", "/", "/")
    group = v1.plan(layout.Layout([together], None), "/a")
    assert group.paths == {"cpu": "/m/a", "cpuacct": "/m/a"}
    assert list(group._directories()) == ["/m/a"]


def test_sub_cgroup_by_controller() -> None:
    with fresh() as group:
        found = group.sub({"pids": "x"}).paths
        assert found["pids"] == group.paths["pids"] + "/x"
        assert found["devices"] == group.paths["devices"]
