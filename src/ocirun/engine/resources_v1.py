# SPDX-License-Identifier: Apache-2.0
"""The limits of `linux.resources` as settings for cgroup v1; pure.

Zero means "not set" wherever the kernel has no use for a zero.
runtime-spec, config-linux.md; the kernel's admin-guide/cgroup-v1.
"""

from ocirun.engine.limits import Limits
from ocirun.errors import SpecError
from ocirun.linux.cgroup.settings import FALLBACK, OPTIONAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.settings import Setting
    from ocirun.spec.model import BlockIo, Cpu, Memory, Resources

UNLIMITED = -1
NOT_SET = (1 << 64) - 1  # what some engines make of a -1


def v1_settings(resources: "Resources") -> "list[Setting]":
    """Translate all limits but the device rules."""
    if resources.get("unified"):
        raise SpecError(
            "linux.resources.unified: invalid configuration: cannot be used on cgroup v1"
        )
    limits = Limits()
    _add_memory(limits, resources.get("memory", {}))
    _add_cpu(limits, resources.get("cpu", {}))
    limits.add_cpuset(resources.get("cpu", {}))
    limits.add_pids(resources.get("pids", {}))
    _add_block_io(limits, resources.get("blockIO", {}))
    limits.add_huge_pages(resources, "limit_in_bytes")
    _add_network(limits, resources)
    limits.add_rdma(resources)
    return limits.settings


def _add_memory(limits: Limits, memory: "Memory") -> None:
    limit, swap = memory.get("limit", 0), memory.get("swap", 0)
    if limit:
        limits.add("memory.limit_in_bytes", limit, "memory.limit")
    if swap:
        limits.add("memory.memsw.limit_in_bytes", swap, "memory.swap")
    elif limit == UNLIMITED:
        # An old limit of memory plus swap would hold the memory below "unlimited".
        limits.add("memory.memsw.limit_in_bytes", limit, "memory.limit", OPTIONAL)
    if reservation := memory.get("reservation"):
        limits.add("memory.soft_limit_in_bytes", reservation, "memory.reservation")
    if memory.get("disableOOMKiller"):
        limits.add("memory.oom_control", 1, "memory.disableOOMKiller")
    swappiness = memory.get("swappiness")
    if swappiness is not None and swappiness != NOT_SET:
        if swappiness > 100:
            raise SpecError("linux.resources.memory.swappiness: must be 0 to 100")
        limits.add("memory.swappiness", swappiness, "memory.swappiness")


def _add_cpu(limits: Limits, cpu: "Cpu") -> None:
    if shares := cpu.get("shares"):
        # The scheduler would take the nearest value in the range without a word.
        if not 2 <= shares <= 262144:
            bound = "minimum allowed cpu-shares is 2" if shares < 2 else ""
            bound = bound or "maximum allowed cpu-shares is 262144"
            raise SpecError(f"linux.resources.cpu.shares: {shares}: the {bound}")
        limits.add("cpu.shares", shares, "cpu.shares")
    if period := cpu.get("period"):
        limits.add("cpu.cfs_period_us", period, "cpu.period")
    if quota := cpu.get("quota"):
        limits.add("cpu.cfs_quota_us", quota, "cpu.quota")
    burst = cpu.get("burst")
    if burst is not None:
        # kernel < 5.14: no burst.
        limits.add("cpu.cfs_burst_us", burst, "cpu.burst", OPTIONAL)
    idle = cpu.get("idle")
    if idle is not None:
        limits.add("cpu.idle", idle, "cpu.idle")
    if period := cpu.get("realtimePeriod"):
        limits.add("cpu.rt_period_us", period, "cpu.realtimePeriod")
    if runtime := cpu.get("realtimeRuntime"):
        limits.add("cpu.rt_runtime_us", runtime, "cpu.realtimeRuntime")


def _add_block_io(limits: Limits, block: "BlockIo") -> None:
    if weight := block.get("weight"):
        # kernel >= 5.0: only the BFQ scheduler has weights.
        limits.add("blkio.weight", weight, "blockIO.weight", OPTIONAL)
        limits.add("blkio.bfq.weight", weight, "blockIO.weight", FALLBACK)
    if weight := block.get("leafWeight"):
        limits.add("blkio.leaf_weight", weight, "blockIO.leafWeight")
    for index, device in enumerate(block.get("weightDevice", [])):
        field = f"blockIO.weightDevice[{index}]"
        number = f"{device['major']}:{device['minor']}"
        if weight := device.get("weight"):
            value = f"{number} {weight}"
            limits.add("blkio.weight_device", value, field, OPTIONAL)
            limits.add("blkio.bfq.weight_device", value, field, FALLBACK)
        if weight := device.get("leafWeight"):
            limits.add("blkio.leaf_weight_device", f"{number} {weight}", field)
    for name, file, devices in (
        ("throttleReadBpsDevice", "read_bps", block.get("throttleReadBpsDevice", [])),
        ("throttleWriteBpsDevice", "write_bps", block.get("throttleWriteBpsDevice", [])),
        ("throttleReadIOPSDevice", "read_iops", block.get("throttleReadIOPSDevice", [])),
        ("throttleWriteIOPSDevice", "write_iops", block.get("throttleWriteIOPSDevice", [])),
    ):
        for index, throttle in enumerate(devices):
            value = f"{throttle['major']}:{throttle['minor']} {throttle['rate']}"
            limits.add(f"blkio.throttle.{file}_device", value, f"blockIO.{name}[{index}]")


def _add_network(limits: Limits, resources: "Resources") -> None:
    network = resources.get("network", {})
    if class_id := network.get("classID"):
        limits.add("net_cls.classid", class_id, "network.classID")
    for index, priority in enumerate(network.get("priorities", [])):
        value = f"{priority['name']} {priority['priority']}"
        limits.add("net_prio.ifpriomap", value, f"network.priorities[{index}]")
