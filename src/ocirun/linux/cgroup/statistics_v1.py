# SPDX-License-Identifier: Apache-2.0
"""Statistics from the files of cgroup v1; see the kernel's admin-guide/cgroup-v1."""

import os

from ocirun.linux.cgroup import tree
from ocirun.linux.cgroup.statistics import (
    Statistics,
    cpu_list,
    fill_pids,
    pairs,
    read_number,
    read_rdma,
    read_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.statistics import Operations

# cpuacct.stat counts in USER_HZ, which is 100 on every architecture that Linux runs on now.
_TICK = 1_000_000_000 // 100
_MEMORY = {"memory": "", "swap": ".memsw", "kernel": ".kmem", "tcp": ".kmem.tcp"}
_CPUSET_FLAGS = (
    "cpu_exclusive",
    "mem_hardwall",
    "mem_exclusive",
    "memory_migrate",
    "memory_spread_page",
    "memory_spread_slab",
    "memory_pressure",
    "sched_load_balance",
    "sched_relax_domain_level",
)
# The first family that the kernel has counts: the BFQ scheduler, the CFQ of old kernels, or the
# throttling layer that all requests pass.
_IO_FAMILIES = ("blkio.bfq.{}_recursive", "blkio.{}_recursive", "blkio.throttle.{}_recursive")
_IO_FILES = {
    "operations": "io_serviced",
    "bytes": "io_service_bytes",
    "queued": "io_queued",
    "service_time": "io_service_time",
    "wait_time": "io_wait_time",
    "merged": "io_merged",
    "time": "time",
    "sectors": "sectors",
}


def read(paths: dict[str, str]) -> Statistics:
    """Read all that these directories, by controller, can tell."""
    result = Statistics()
    for controller, fill in (
        ("cpuacct", _fill_cpuacct),
        ("cpu", _fill_cpu),
        ("cpuset", _fill_cpuset),
        ("memory", _fill_memory),
        ("pids", fill_pids),
        ("blkio", _fill_io),
        ("hugetlb", _fill_huge_pages),
    ):
        if controller in paths:
            fill(result, paths[controller])
    if "rdma" in paths:
        result.rdma = read_rdma(paths["rdma"])
    return result


def parse_io(text: str) -> "Operations":
    """Return the lines "major:minor [operation] value"; sums over all devices are left out."""
    found: Operations = []
    for line in text.splitlines():
        device, *operation, value = line.split()
        major, separator, minor = device.partition(":")
        if separator:
            found.append((int(major), int(minor), operation[0] if operation else "", int(value)))
    return found


def _fill_cpuacct(result: Statistics, directory: str) -> None:
    ticks = pairs(tree.read(directory, "cpuacct.stat"))
    result.cpu["user"] = ticks["user"] * _TICK
    result.cpu["system"] = ticks["system"] * _TICK
    result.cpu["total"] = read_number(directory, "cpuacct.usage") or 0
    each = tree.read(directory, "cpuacct.usage_percpu").split()
    result.cpu_lists["total"] = [int(value) for value in each]
    # kernel < 4.8: no cpuacct.usage_all.
    lines = (read_text(directory, "cpuacct.usage_all") or "").splitlines()[1:]
    result.cpu_lists["user"] = [int(line.split()[1]) for line in lines]
    result.cpu_lists["system"] = [int(line.split()[2]) for line in lines]


def _fill_cpu(result: Statistics, directory: str) -> None:
    values = pairs(tree.read(directory, "cpu.stat"))
    result.cpu["periods"] = values.get("nr_periods", 0)
    result.cpu["throttled"] = values.get("nr_throttled", 0)
    result.cpu["throttled_time"] = values.get("throttled_time", 0)
    result.cpu["bursts"] = values.get("nr_bursts", 0)
    result.cpu["burst_time"] = values.get("burst_time", 0)


def _fill_cpuset(result: Statistics, directory: str) -> None:
    for name in ("cpus", "mems"):
        result.cpuset_lists[name] = cpu_list(tree.read(directory, f"cpuset.{name}"))
    for name in _CPUSET_FLAGS:
        value = read_number(directory, f"cpuset.{name}")
        if value is not None:
            result.cpuset[name] = value


def _fill_memory(result: Statistics, directory: str) -> None:
    result.memory_detail = pairs(tree.read(directory, "memory.stat"))
    for name, infix in _MEMORY.items():
        usage = read_number(directory, f"memory{infix}.usage_in_bytes")
        # Swap is only counted where the kernel was told to; other files came and went.
        if usage is not None:
            result.memory[name] = {
                "usage": usage,
                "peak": read_number(directory, f"memory{infix}.max_usage_in_bytes") or 0,
                "limit": read_number(directory, f"memory{infix}.limit_in_bytes") or 0,
                "failures": read_number(directory, f"memory{infix}.failcnt") or 0,
            }
    if "swap" in result.memory:
        memory, swap = result.memory["memory"], result.memory["swap"]
        # Read one after the other, so the difference can fall below zero.
        result.memory["swap_only"] = {
            "usage": max(swap["usage"] - memory["usage"], 0),
            "peak": 0,
            "limit": 0,
            "failures": max(swap["failures"] - memory["failures"], 0),
        }


def _fill_io(result: Statistics, directory: str) -> None:
    for family in _IO_FAMILIES:
        for name, file in _IO_FILES.items():
            text = read_text(directory, family.format(file))
            if text is not None:
                result.io[name] = parse_io(text)
        if any(result.io.values()):
            return


def _fill_huge_pages(result: Statistics, directory: str) -> None:
    for file in os.listdir(directory):
        if not file.endswith("B.usage_in_bytes"):
            continue
        size = file.split(".")[1]
        prefix = f"hugetlb.{size}"
        # Reserved pages are what makes a mapping fail; kernel < 5.7 counts only those in use.
        if read_text(directory, f"{prefix}.rsvd.usage_in_bytes") is not None:
            prefix += ".rsvd"
        result.huge_pages[size] = {
            "usage": read_number(directory, f"{prefix}.usage_in_bytes") or 0,
            "peak": read_number(directory, f"{prefix}.max_usage_in_bytes") or 0,
            "failures": read_number(directory, f"{prefix}.failcnt") or 0,
        }
