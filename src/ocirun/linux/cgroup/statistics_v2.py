# SPDX-License-Identifier: Apache-2.0
"""Statistics from the files of cgroup v2; see the kernel's admin-guide/cgroup-v2.

The root cgroup has some of the files only; what they lack is taken from /proc.
"""

import errno
import os

from ocirun.linux.cgroup import tree
from ocirun.linux.cgroup.statistics import (
    NO_LIMIT,
    Statistics,
    fill_pids,
    pairs,
    read_number,
    read_rdma,
    read_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.statistics import Pressure

_CPU = (
    ("total", "usage_usec", 1000),
    ("user", "user_usec", 1000),
    ("system", "system_usec", 1000),
    ("periods", "nr_periods", 1),
    ("throttled", "nr_throttled", 1),
    ("throttled_time", "throttled_usec", 1000),
    ("bursts", "nr_bursts", 1),
    ("burst_time", "burst_usec", 1000),
)
_IO = {
    "rbytes": ("bytes", "Read"),
    "wbytes": ("bytes", "Write"),
    "rios": ("operations", "Read"),
    "wios": ("operations", "Write"),
}


def read(directory: str) -> Statistics:
    """Read all that the cgroup can tell."""
    result = Statistics()
    _fill_pids(result, directory)
    _fill_memory(result, directory)
    # cpu.stat is there even without the controller, with fewer lines.
    values = pairs(read_text(directory, "cpu.stat") or "")
    result.cpu = {name: values.get(key, 0) * factor for name, key, factor in _CPU}
    _fill_io(result, read_text(directory, "io.stat") or "")
    _fill_huge_pages(result, directory)
    result.rdma = read_rdma(directory)
    _fill_misc(result, directory)
    for name in ("cpu", "memory", "io"):
        if pressure := _read_pressure(directory, f"{name}.pressure"):
            result.pressure[name] = pressure
    return result


def parse_pressure(text: str) -> "Pressure":
    """Return the lines "some avg10=0.12 avg60=... avg300=... total=..."."""
    found = {}
    for line in text.splitlines():
        kind, *values = line.split()
        numbers: dict[str, float] = {}
        for value in values:
            key, _, number = value.partition("=")
            numbers[key] = int(number) if key == "total" else float(number)
        found[kind] = numbers
    return found


def _fill_pids(result: Statistics, directory: str) -> None:
    fill_pids(result, directory)
    if not result.pids:
        # The controller is not enabled (or this is the root): count.
        count = len(tree.pids(directory, recursive=False))
        result.pids = {"current": count, "limit": 0}


def _fill_memory(result: Statistics, directory: str) -> None:
    text = read_text(directory, "memory.stat")
    if text is None:
        return
    result.memory_detail = pairs(text)
    memory = _memory(directory, "memory") or _memory_of_root(result.memory_detail)
    swap = _memory(directory, "memory.swap")
    if swap is None and not os.path.exists(f"{directory}/cgroup.type"):
        swap = _swap_of_root()
    result.memory["memory"] = memory
    if swap is None:
        swap = {"usage": 0, "peak": 0, "limit": 0, "failures": 0}
    result.memory["swap_only"] = swap
    # v1 counts swap together with memory; no peak can be told of the sum.
    limit = NO_LIMIT if swap["limit"] == NO_LIMIT else swap["limit"] + memory["limit"]
    result.memory["swap"] = {
        "usage": swap["usage"] + memory["usage"],
        "peak": 0,
        "limit": min(limit, NO_LIMIT),
        "failures": 0,
    }


def _memory(directory: str, prefix: str) -> dict[str, int] | None:
    usage = read_number(directory, f"{prefix}.current")
    if usage is None:
        return None
    return {
        "usage": usage,
        "limit": read_number(directory, f"{prefix}.max") or 0,
        # kernel < 5.19, of swap < 6.5: no peak.
        "peak": read_number(directory, f"{prefix}.peak") or 0,
        "failures": 0,
    }


def _memory_of_root(detail: dict[str, int]) -> dict[str, int]:
    usage = detail.get("anon", 0) + detail.get("file", 0)
    return {"usage": usage, "limit": NO_LIMIT, "peak": 0, "failures": 0}


def _swap_of_root() -> dict[str, int]:
    kilobytes = {}
    for line in tree.read("/proc", "meminfo").splitlines():
        name, _, value = line.partition(":")
        if name in ("SwapTotal", "SwapFree"):
            kilobytes[name] = int(value.split()[0])
    usage = (kilobytes.get("SwapTotal", 0) - kilobytes.get("SwapFree", 0)) * 1024
    return {"usage": usage, "limit": NO_LIMIT, "peak": 0, "failures": 0}


def _fill_io(result: Statistics, text: str) -> None:
    for line in text.splitlines():
        device, *values = line.split()
        major, separator, minor = device.partition(":")
        if not separator:
            continue
        for value in values:
            key, _, number = value.partition("=")
            if key in _IO:
                name, operation = _IO[key]
                entry = (int(major), int(minor), operation, int(number))
                result.io.setdefault(name, []).append(entry)


def _fill_huge_pages(result: Statistics, directory: str) -> None:
    for file in os.listdir(directory):
        if not (file.startswith("hugetlb.") and file.endswith("B.current")):
            continue
        size = file.split(".")[1]
        usage = read_number(directory, f"hugetlb.{size}.rsvd.current")
        if usage is None:  # kernel < 5.7
            usage = read_number(directory, file) or 0
        events = pairs(read_text(directory, f"hugetlb.{size}.events") or "")
        result.huge_pages[size] = {"usage": usage, "peak": 0, "failures": events.get("max", 0)}


def _fill_misc(result: Statistics, directory: str) -> None:
    for name, value in pairs(read_text(directory, "misc.current") or "").items():
        result.misc[name] = {"usage": value, "events": 0}
    for name, value in pairs(read_text(directory, "misc.events") or "").items():
        result.misc.setdefault(name.removesuffix(".max"), {"usage": 0})["events"] = value


def _read_pressure(directory: str, file: str) -> "Pressure":
    try:
        return parse_pressure(read_text(directory, file) or "")
    except OSError as error:
        # Some kernels have the files and answer only after booting with psi=1.
        if error.errno != errno.EOPNOTSUPP:
            raise
        return {}
