# SPDX-License-Identifier: Apache-2.0
"""Each limit of linux.resources, as the kernel tells it from the outside.

On this host's version of cgroups; the lab runs the same file on version 2.
config-linux.md, "Control groups".
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from tests.bundle import Bundles
from tests.cli.changes import put
from tests.cli.conftest import Command

from ocirun.linux.cgroup import layout

pytestmark = pytest.mark.root

HOST = layout.read()
MIB = 1 << 20

#: limit, file and content on version 1, file and content on version 2; no file: no such limit there
Case = tuple[dict[str, object], tuple[str, str], tuple[str, str]]
NONE = ("", "")
CASES: dict[str, Case] = {
    "memory.limit": (
        {"memory": {"limit": 64 * MIB}},
        ("memory.limit_in_bytes", str(64 * MIB)),
        ("memory.max", str(64 * MIB)),
    ),
    "memory.reservation": (
        {"memory": {"reservation": 32 * MIB}},
        ("memory.soft_limit_in_bytes", str(32 * MIB)),
        ("memory.low", str(32 * MIB)),
    ),
    "memory.swap": (
        {"memory": {"limit": 64 * MIB, "swap": 96 * MIB}},
        ("memory.memsw.limit_in_bytes", str(96 * MIB)),
        ("memory.swap.max", str(32 * MIB)),
    ),
    "memory.swappiness": ({"memory": {"swappiness": 17}}, ("memory.swappiness", "17"), NONE),
    "memory.disableOOMKiller": (
        {"memory": {"limit": 64 * MIB, "disableOOMKiller": True}},
        ("memory.oom_control", "oom_kill_disable 1"),
        NONE,
    ),
    "cpu.shares": ({"cpu": {"shares": 2048}}, ("cpu.shares", "2048"), ("cpu.weight", "174")),
    "cpu.quota": (
        {"cpu": {"quota": 50000, "period": 200000}},
        ("cpu.cfs_quota_us", "50000"),
        ("cpu.max", "50000 200000"),
    ),
    "cpu.period": (
        {"cpu": {"quota": 50000, "period": 200000}},
        ("cpu.cfs_period_us", "200000"),
        ("cpu.max", "50000 200000"),
    ),
    "cpu.burst": (
        {"cpu": {"quota": 50000, "burst": 20000}},
        ("cpu.cfs_burst_us", "20000"),
        ("cpu.max.burst", "20000"),
    ),
    "cpu.idle": ({"cpu": {"idle": 1}}, ("cpu.idle", "1"), ("cpu.idle", "1")),
    "cpu.realtime": (
        {"cpu": {"realtimePeriod": 500000, "realtimeRuntime": 0}},
        ("cpu.rt_period_us", "500000"),
        NONE,
    ),
    "cpu.cpus": ({"cpu": {"cpus": "0"}}, ("cpuset.cpus", "0"), ("cpuset.cpus", "0")),
    "cpu.mems": ({"cpu": {"mems": "0"}}, ("cpuset.mems", "0"), ("cpuset.mems", "0")),
    "pids.limit": ({"pids": {"limit": 17}}, ("pids.max", "17"), ("pids.max", "17")),
    "pids.limit of none": ({"pids": {"limit": -1}}, ("pids.max", "max"), ("pids.max", "max")),
    "unified": ({"unified": {"memory.high": str(9 * MIB)}}, NONE, ("memory.high", str(9 * MIB))),
    "unified of several lines": (
        {"unified": {"pids.max": "33\n"}},
        NONE,
        ("pids.max", "33"),
    ),
}


class Limited(Protocol):
    def __call__(self, resources: dict[str, object], file: str) -> str: ...


@pytest.fixture
def limited(command: Command, bundle: Bundles, name: str) -> Iterator[Limited]:
    """Run a container with limits; give what a file of its cgroup holds."""

    def run(resources: dict[str, object], file: str) -> str:
        path = str(bundle("sleep", "1000", change=put(linux__resources=resources)))
        done = command("run", "-d", "-b", path, name)
        assert done.returncode == 0, done
        pid = json.loads(command("state", name).stdout)["pid"]
        return (directory_of(pid, file.partition(".")[0]) / file).read_text().strip()

    yield run
    assert command("delete", "--force", name).returncode == 0


def directory_of(pid: int, controller: str) -> Path:
    """Where a process's cgroup is, by what /proc says of it."""
    own = layout.membership(pid)
    if HOST.version == 2:
        assert HOST.unified
        return Path(HOST.unified.mount + own[""])
    for tree in HOST.v1:
        if controller in tree.controllers:
            return Path(tree.mount + own[controller].removeprefix(tree.root.rstrip("/")))
    pytest.skip(f"controller {controller}")


def place(case: str) -> tuple[str, str]:
    """The file and its content on this host's version."""
    _, v1, v2 = CASES[case]
    return v2 if HOST.version == 2 else v1


@pytest.mark.parametrize("case", [case for case in CASES if HOST.version and place(case) != NONE])
def test_limit(limited: Limited, case: str) -> None:
    resources = CASES[case][0]
    file, wanted = place(case)
    if HOST.version == 2 and not _has(file):
        pytest.skip(f"{file}: this kernel's controllers")
    found = limited(resources, file)
    assert wanted in found if " " in wanted and "oom" in file else found == wanted


def _has(file: str) -> bool:
    assert HOST.unified
    controllers = Path(HOST.unified.mount, "cgroup.controllers").read_text().split()
    return file.partition(".")[0] in controllers


def block_device() -> str:
    """The numbers of some disk, as "major:minor"; a partition takes no limit."""
    for disk in sorted(os.listdir("/sys/block")):
        if (Path("/sys/block") / disk / "size").read_text().strip() != "0":
            return (Path("/sys/block") / disk / "dev").read_text().strip()
    pytest.skip("a block device")


@pytest.mark.parametrize(
    ("field", "v1", "v2"),
    [
        ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"),
        ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"),
        ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"),
        ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"),
    ],
)
def test_throttle(limited: Limited, field: str, v1: str, v2: str) -> None:
    device = block_device()
    major, minor = (int(number) for number in device.split(":"))
    limit = {"blockIO": {field: [{"major": major, "minor": minor, "rate": 4096}]}}
    found = limited({**limit}, v1 if HOST.version == 1 else "io.max")
    if HOST.version == 1:
        assert found == f"{device} 4096"
    else:
        assert found.startswith(f"{device} ")
        assert f"{v2}=4096" in found.split()
