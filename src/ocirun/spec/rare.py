# SPDX-License-Identifier: Apache-2.0
"""The rules about those fields of `linux` that few containers have.

Apart from linux.py so that the many do not pay for them.  References:
config-linux.md; time_namespaces(7), set_mempolicy(2), the kernel's resctrl.rst.
"""

from ocirun.errors import SpecError
from ocirun.spec.shape import unexpected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import IntelRdt, Linux, MemoryPolicy, NetDevice, TimeOffset

CLOCKS = ("boottime", "monotonic")
IFNAMSIZ = 16


def check(linux: "Linux", namespaces: "dict[str, str]") -> None:
    """Refuse what cannot work; `namespaces` has the path of each namespace by its type."""
    if "timeOffsets" in linux:
        _check_time_offsets(linux["timeOffsets"], namespaces)
    if linux.get("netDevices"):
        _check_net_devices(linux["netDevices"], namespaces)
    if "intelRdt" in linux:
        _check_intel_rdt(linux["intelRdt"])
    if "memoryPolicy" in linux:
        _check_memory_policy(linux["memoryPolicy"])


def _check_time_offsets(offsets: "dict[str, TimeOffset]", namespaces: "dict[str, str]") -> None:
    for clock in offsets:
        if clock not in CLOCKS:
            raise SpecError(
                f'linux.timeOffsets["{clock}"]: unknown clock', "known are boottime and monotonic"
            )
    if "time" not in namespaces:
        raise SpecError("linux.timeOffsets: needs a time namespace")
    if namespaces["time"]:
        raise SpecError("linux.timeOffsets: a time namespace given by path keeps its own offsets")


def _check_net_devices(devices: "dict[str, NetDevice]", namespaces: "dict[str, str]") -> None:
    if "network" not in namespaces:
        raise SpecError("linux.netDevices: needs a network namespace")
    seen: dict[str, str] = {}
    for name, device in devices.items():
        path = f'linux.netDevices["{name}"]'
        if not _is_device_name(name):
            raise SpecError(f"{path}: not a valid name of a network device")
        inside = device.get("name", "")
        if inside and not _is_device_name(inside):
            raise unexpected(inside, "a valid name of a network device", f"{path}.name")
        inside = inside or name
        if inside in seen and "%d" not in inside:
            raise SpecError(f"{path}: {seen[inside]} is to be called {inside} already")
        seen[inside] = name


def _is_device_name(name: str) -> bool:
    """Tell what the kernel's dev_valid_name() tells."""
    if name in ("", ".", "..") or len(name.encode()) >= IFNAMSIZ:
        return False
    return not any(character in "/:" or character.isspace() for character in name)


def _check_intel_rdt(rdt: "IntelRdt") -> None:
    closid = rdt.get("closID", "")
    # It becomes a directory below /sys/fs/resctrl; "/" alone is that root itself.
    if closid in (".", "..") or (closid != "/" and "/" in closid):
        raise unexpected(closid, "a plain file name or /", "linux.intelRdt.closID")
    bandwidth = rdt.get("memBwSchema", "")
    if bandwidth and not bandwidth.startswith("MB:"):
        raise unexpected(bandwidth, "MB: at its start", "linux.intelRdt.memBwSchema")
    lines = {"memBwSchema": bandwidth, "l3CacheSchema": rdt.get("l3CacheSchema", "")}
    lines.update((f"schemata[{i}]", line) for i, line in enumerate(rdt.get("schemata", ())))
    for field, line in lines.items():
        if "\n" in line:
            raise SpecError(f"linux.intelRdt.{field}: must be one line")


def _check_memory_policy(policy: "MemoryPolicy") -> None:
    from ocirun.spec import features, idlist, mismatch

    mode = policy.get("mode", "")
    if mode not in features.MEMORY_POLICY_MODES:
        raise SpecError(
            f"linux.memoryPolicy.mode: invalid memory policy mode {mismatch.show(mode)}",
            f"known are {', '.join(features.MEMORY_POLICY_MODES)}",
        )
    for index, flag in enumerate(policy.get("flags", ())):
        if flag not in features.MEMORY_POLICY_FLAGS:
            raise SpecError(
                f"linux.memoryPolicy.flags[{index}]: invalid memory policy flag"
                f" {mismatch.show(flag)}",
                f"known are {', '.join(features.MEMORY_POLICY_FLAGS)}",
            )
    field = "linux.memoryPolicy.nodes"
    count = len(idlist.parse(policy.get("nodes", ""), f"{field}: invalid memory policy nodes"))
    # set_mempolicy(2); MPOL_PREFERRED takes both.
    if count and mode in ("MPOL_DEFAULT", "MPOL_LOCAL"):
        raise SpecError(f"{field}: {mode} mode requires 0 nodes but got {count}")
    if not count and mode not in ("MPOL_DEFAULT", "MPOL_LOCAL", "MPOL_PREFERRED"):
        raise SpecError(f"{field}: {mode} mode requires at least one node but got 0")
