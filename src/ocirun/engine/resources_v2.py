# SPDX-License-Identifier: Apache-2.0
"""The limits of `linux.resources` as settings for cgroup v2; pure.

The fields were made for v1: some are converted, some have no place on v2, and `unified`
names v2's own files.  runtime-spec, config-linux.md; the kernel's admin-guide/cgroup-v2.
"""

from ocirun.engine.limits import Limits
from ocirun.errors import SpecError
from ocirun.linux.cgroup.settings import FALLBACK, OPTIONAL, REQUIRED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.settings import Setting
    from ocirun.spec.model import BlockIo, Cpu, Memory, Resources

UNLIMITED = -1
_DEFAULT_PERIOD = 100000


def v2_settings(resources: "Resources") -> "list[Setting]":
    """Translate all limits but the device rules; `unified` comes last and so wins."""
    limits = Limits()
    limits.add_pids(resources.get("pids", {}))
    _add_memory(limits, resources.get("memory", {}))
    _add_block_io(limits, resources.get("blockIO", {}))
    _add_cpu(limits, resources.get("cpu", {}))
    limits.add_cpuset(resources.get("cpu", {}))
    limits.add_huge_pages(resources, "max")
    limits.add_rdma(resources)
    for file, text in resources.get("unified", {}).items():
        if "/" in file or not file.partition(".")[2]:
            raise SpecError(f"linux.resources.unified.{file}: must be CONTROLLER.FILE")
        for line in text.rstrip("\n").split("\n"):
            limits.add(file, line, f"unified.{file}")
    return limits.settings


def weight_of_shares(shares: int) -> int:
    """Convert cpu.shares (2 to 262144, by default 1024) to cpu.weight (1 to 10000, 100)."""
    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    from math import ceil, log2

    # The curve through minimum, default and maximum of both: quadratic in the logarithm.
    log = log2(shares)
    return ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))


def swap_alone(swap: int, limit: int) -> int | None:
    """Convert v1's limit of memory plus swap to a limit of swap; None is "leave it"."""
    if swap == 0:
        return UNLIMITED if limit == UNLIMITED else None
    if UNLIMITED in (swap, limit):
        return swap
    field = "linux.resources.memory.swap"
    if limit == 0:
        raise SpecError(f"{field}: unable to set a swap limit without memory.limit")
    if limit < 0:
        raise SpecError(f"linux.resources.memory.limit: {limit}: must be -1 or more")
    if swap < limit:
        raise SpecError(f"{field}: memory plus swap must not be less than memory.limit")
    return swap - limit


def without_place(resources: "Resources") -> list[str]:
    """Return the fields that are set and have no meaning on v2."""
    found = []
    memory, cpu = resources.get("memory", {}), resources.get("cpu", {})
    if "swappiness" in memory:
        found.append("memory.swappiness")
    if memory.get("disableOOMKiller"):
        found.append("memory.disableOOMKiller")
    if cpu.get("realtimePeriod"):
        found.append("cpu.realtimePeriod")
    if cpu.get("realtimeRuntime"):
        found.append("cpu.realtimeRuntime")
    if resources.get("blockIO", {}).get("leafWeight"):
        found.append("blockIO.leafWeight")
    network = resources.get("network", {})
    if network.get("classID") or network.get("priorities"):
        found.append("network")
    return found


def _add_memory(limits: Limits, memory: "Memory") -> None:
    limit = memory.get("limit", 0)
    swap = swap_alone(memory.get("swap", 0), limit)
    if swap is not None:
        # A kernel without swap has no such file; there "none" and "any" are true already.
        presence = OPTIONAL if swap in (0, UNLIMITED) else REQUIRED
        limits.add("memory.swap.max", _max(swap), "memory.swap", presence)
    if limit:
        limits.add("memory.max", _max(limit), "memory.limit")
    if reservation := memory.get("reservation"):
        limits.add("memory.low", _max(reservation), "memory.reservation")


def _add_cpu(limits: Limits, cpu: "Cpu") -> None:
    if shares := cpu.get("shares"):
        limits.add("cpu.weight", weight_of_shares(shares), "cpu.shares")
    idle = cpu.get("idle")
    if idle is not None:
        limits.add("cpu.idle", idle, "cpu.idle")
    quota, period = cpu.get("quota", 0), cpu.get("period", 0)
    if quota or period:
        value = f"{quota if quota > 0 else 'max'} {period or _DEFAULT_PERIOD}"
        limits.add("cpu.max", value, "cpu.quota" if quota else "cpu.period")
    burst = cpu.get("burst")
    if burst is not None:
        limits.add("cpu.max.burst", burst, "cpu.burst")


def _add_block_io(limits: Limits, block: "BlockIo") -> None:
    if weight := block.get("weight"):
        limits.add("io.bfq.weight", weight, "blockIO.weight", OPTIONAL)
        # From 10..1000 to 1..10000.
        converted = 1 + (weight - 10) * 9999 // 990
        limits.add("io.weight", converted, "blockIO.weight", FALLBACK)
    for index, device in enumerate(block.get("weightDevice", [])):
        if weight := device.get("weight"):
            value = f"{device['major']}:{device['minor']} {weight}"
            limits.add("io.bfq.weight", value, f"blockIO.weightDevice[{index}]", OPTIONAL)
    for name, key, devices in (
        ("throttleReadBpsDevice", "rbps", block.get("throttleReadBpsDevice", [])),
        ("throttleWriteBpsDevice", "wbps", block.get("throttleWriteBpsDevice", [])),
        ("throttleReadIOPSDevice", "riops", block.get("throttleReadIOPSDevice", [])),
        ("throttleWriteIOPSDevice", "wiops", block.get("throttleWriteIOPSDevice", [])),
    ):
        for index, throttle in enumerate(devices):
            # A rate of 0 takes a limit away, which v2 spells "max".
            rate = throttle["rate"] or "max"
            value = f"{throttle['major']}:{throttle['minor']} {key}={rate}"
            limits.add("io.max", value, f"blockIO.{name}[{index}]")


def _max(value: int) -> str:
    return "max" if value == UNLIMITED else str(value)
