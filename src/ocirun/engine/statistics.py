# SPDX-License-Identifier: Apache-2.0
"""Statistics in the shape that `events` prints and engines read.

The names are those of the `runc events` documents.  A key that engines expect to be left out
when it is zero is left out.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.statistics import Pressure, Statistics

    Document = dict[str, object]

_CPUSET = (
    "cpus",
    "cpu_exclusive",
    "mems",
    "mem_hardwall",
    "mem_exclusive",
    "memory_migrate",
    "memory_spread_page",
    "memory_spread_slab",
    "memory_pressure",
    "sched_load_balance",
    "sched_relax_domain_level",
)
_IO = {
    "ioServiceBytesRecursive": "bytes",
    "ioServicedRecursive": "operations",
    "ioQueueRecursive": "queued",
    "ioServiceTimeRecursive": "service_time",
    "ioWaitTimeRecursive": "wait_time",
    "ioMergedRecursive": "merged",
    "ioTimeRecursive": "time",
    "sectorsRecursive": "sectors",
}
_NO_PRESSURE = {"avg10": 0, "avg60": 0, "avg300": 0, "total": 0}
_MEMORY = {"usage": "memory", "swap": "swap", "kernel": "kernel", "kernelTCP": "tcp"}


def document(statistics: "Statistics") -> "Document":
    """Return the `data` of a "stats" event."""
    return {
        "cpu": _cpu(statistics),
        "cpuset": _cpuset(statistics),
        "memory": _memory(statistics),
        "pids": _nonzero(statistics.pids),
        "blkio": _block_io(statistics),
        "hugetlb": {
            size: {
                **_nonzero({"usage": pages["usage"], "max": pages["peak"]}),
                "failcnt": pages["failures"],
            }
            for size, pages in statistics.huge_pages.items()
        },
        "intel_rdt": {},
        "network_interfaces": None,
    }


def _cpu(statistics: "Statistics") -> "Document":
    cpu, each = statistics.cpu, statistics.cpu_lists
    lists = {"percpu": "total", "percpu_kernel": "system", "percpu_user": "user"}
    usage: Document = _nonzero({"total": cpu.get("total", 0)})
    usage.update({key: each[name] for key, name in lists.items() if each.get(name)})
    usage["kernel"] = cpu.get("system", 0)
    usage["user"] = cpu.get("user", 0)
    throttling = _nonzero(
        {
            "periods": cpu.get("periods", 0),
            "throttledPeriods": cpu.get("throttled", 0),
            "throttledTime": cpu.get("throttled_time", 0),
        }
    )
    found: Document = {"usage": usage}
    if throttling:
        found["throttling"] = throttling
    return found | _pressure(statistics, "cpu")


def _cpuset(statistics: "Statistics") -> "Document":
    found: Document = {}
    for name in _CPUSET:
        if name not in ("cpus", "mems"):
            found[name] = statistics.cpuset.get(name, 0)
        elif numbers := statistics.cpuset_lists.get(name):
            found[name] = numbers
    return found


def _memory(statistics: "Statistics") -> "Document":
    found: Document = _nonzero({"cache": _cache(statistics.memory_detail)})
    for key, name in _MEMORY.items():
        values = statistics.memory.get(name)
        if values and any(values.values()):
            found[key] = {
                "limit": values["limit"],
                **_nonzero({"usage": values["usage"], "max": values["peak"]}),
                "failcnt": values["failures"],
            }
    if statistics.memory_detail:
        found["raw"] = statistics.memory_detail
    return found | _pressure(statistics, "memory")


def _cache(detail: dict[str, int]) -> int:
    # v1 has "cache"; v2 calls it "file".
    return detail.get("cache", detail.get("file", 0))


def _block_io(statistics: "Statistics") -> "Document":
    found: Document = {}
    for key, name in _IO.items():
        if entries := statistics.io.get(name):
            found[key] = [_operation(*entry) for entry in entries]
    return found | _pressure(statistics, "io")


def _operation(major: int, minor: int, operation: str, value: int) -> "Document":
    entry: Document = _nonzero({"major": major, "minor": minor})
    if operation:
        entry["op"] = operation
    return entry | _nonzero({"value": value})


def _pressure(statistics: "Statistics", name: str) -> "Document":
    pressure: Pressure | None = statistics.pressure.get(name)
    if pressure is None:
        return {}
    # kernel < 5.13: cpu.pressure has no "full".
    return {"psi": {kind: pressure.get(kind, _NO_PRESSURE) for kind in ("some", "full")}}


def _nonzero(values: dict[str, int]) -> "Document":
    return {key: value for key, value in values.items() if value}
