# SPDX-License-Identifier: Apache-2.0
"""`linux.resources` as properties of a systemd unit; pure.

systemd writes to a unit's cgroup again whenever it likes, at a daemon-reload for one: what
it does not know of is lost then.  So it is told all that it has a property for, and the
files are written besides.  systemd.resource-control(5).
"""

from ocirun.engine.resources_v2 import swap_alone, weight_of_shares
from ocirun.errors import SpecError
from ocirun.spec import idlist

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.unit import Unit
    from ocirun.linux.cgroup.devices import Ruleset
    from ocirun.linux.systemd import Property
    from ocirun.spec.model import Cpu, Resources

INFINITY = (1 << 64) - 1
ANY = -1
#: the first versions of systemd with CPUQuotaPeriodUSec, with AllowedCPUs, with CPUWeight=idle
_WITH_PERIOD, _WITH_CPUSET, _WITH_IDLE = 242, 244, 252
_PERIOD = 100000
#: systemd keeps a quota in whole percents of a CPU
_PERCENT = 10000
_CPUS = {"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}
_MEMORY = {
    "memory.high": "MemoryHigh",
    "memory.low": "MemoryLow",
    "memory.max": "MemoryMax",
    "memory.min": "MemoryMin",
    "memory.swap.max": "MemorySwapMax",
}


def of_unit(unit: "Unit", container_id: str, pid: int, cgroup_version: int) -> "list[Property]":
    """Give what every scope has, whatever its limits."""
    block = "IOAccounting" if cgroup_version == 2 else "BlockIOAccounting"
    return [
        ("Description", "s", f"ocirun container {container_id}"),
        ("Slice", "s", unit.slice),
        ("Delegate", "b", True),
        ("PIDs", "au", [pid]),
        ("MemoryAccounting", "b", True),
        ("CPUAccounting", "b", True),
        (block, "b", True),
        ("TasksAccounting", "b", True),
        ("DefaultDependencies", "b", False),
    ]


def of_devices(rules: "Ruleset", cgroup_version: int) -> tuple["list[Property]", list[str]]:
    """Give what allows these devices, and the rules that systemd has no words for."""
    if rules.allow:
        if cgroup_version == 2 or not rules.exceptions:
            # It has no words for exceptions, but leaves our own program alone.
            return [("DevicePolicy", "s", "auto")], []
        return [("DevicePolicy", "s", "strict")], ["all but some"]
    entries, missing = [], []
    for (kind, major, minor), letters in sorted(rules.exceptions.items()):
        access = "".join(letter for letter in "rwm" if letter in letters)
        word = "block" if kind == "b" else "char"
        if major == ANY != minor:
            missing.append(f"{kind} *:{minor} {access}")
        elif major == ANY:
            entries.append((f"{word}-*", access))
        elif minor == ANY:
            entries.append((f"{word}-{major}", access))
        else:
            # By number: there may be no node of it yet.
            entries.append((f"/dev/{word}/{major}:{minor}", access))
    return [("DevicePolicy", "s", "strict"), ("DeviceAllow", "a(ss)", entries)], missing


def of_limits(
    resources: "Resources", cgroup_version: int, version: "Callable[[], int]"
) -> "list[Property]":
    """Give the limits but that of processes; `version` asks systemd for its own."""
    found: dict[str, Property] = {}
    if cgroup_version == 2:
        for each in (*_v2(resources, version), *_unified(resources, version)):
            found[each[0]] = each
    else:
        for each in _v1(resources, version):
            found[each[0]] = each
    return list(found.values())


def of_processes(resources: "Resources") -> "list[Property]":
    """Give the limit of processes."""
    limit = resources.get("pids", {}).get("limit")
    text = resources.get("unified", {}).get("pids.max", "").strip()
    if text:
        limit = -1 if text == "max" else _number("pids.max", text)
    if limit is None:
        return []
    # 0 is refused, and 1 is the same: see Limits.add_pids.
    return [("TasksMax", "t", INFINITY if limit < 0 else max(limit, 1))]


def in_percents(resources: "Resources") -> "Resources":
    """Give the limits with the quota rounded up as systemd has it, so that both write the same."""
    cpu = resources.get("cpu", {})
    quota, period = cpu.get("quota", 0), cpu.get("period", 0) or _PERIOD
    if quota <= 0:
        return resources
    return {**resources, "cpu": {**cpu, "quota": _per_second(quota, period) * period // 1000000}}


def _v2(resources: "Resources", version: "Callable[[], int]") -> "list[Property]":
    found: list[Property] = []
    memory, cpu = resources.get("memory", {}), resources.get("cpu", {})
    limit = memory.get("limit", 0)
    if limit:
        found.append(("MemoryMax", "t", _unlimited(limit)))
    if reservation := memory.get("reservation"):
        found.append(("MemoryLow", "t", _unlimited(reservation)))
    swap = swap_alone(memory.get("swap", 0), limit)
    if swap is not None:
        found.append(("MemorySwapMax", "t", _unlimited(swap)))
    if cpu.get("idle") == 1 and version() >= _WITH_IDLE:
        found.append(("CPUWeight", "t", 0))
    elif shares := cpu.get("shares"):
        found.append(("CPUWeight", "t", weight_of_shares(shares)))
    found += _quota(cpu.get("quota", 0), cpu.get("period", 0), version)
    found += _cpuset(cpu, version)
    if weight := resources.get("blockIO", {}).get("weight"):
        found.append(("IOWeight", "t", 1 + (weight - 10) * 9999 // 990))
    return found


def _v1(resources: "Resources", version: "Callable[[], int]") -> "list[Property]":
    found: list[Property] = []
    cpu = resources.get("cpu", {})
    if limit := resources.get("memory", {}).get("limit"):
        found.append(("MemoryLimit", "t", _unlimited(limit)))
    if shares := cpu.get("shares"):
        found.append(("CPUShares", "t", shares))
    found += _quota(cpu.get("quota", 0), cpu.get("period", 0), version)
    found += _cpuset(cpu, version)
    if weight := resources.get("blockIO", {}).get("weight"):
        found.append(("BlockIOWeight", "t", weight))
    return found


def _unified(resources: "Resources", version: "Callable[[], int]") -> "list[Property]":
    found: list[Property] = []
    files = resources.get("unified", {})
    for file in sorted(files):
        text = files[file].strip()
        if file in _MEMORY:
            found.append((_MEMORY[file], "t", _unlimited_text(file, text)))
        elif file == "cpu.max":
            quota, _, period = text.partition(" ")
            amount = -1 if quota == "max" else _number(file, quota)
            found += _quota(amount, _number(file, period or str(_PERIOD)), version)
        elif file == "cpu.weight" and files.get("cpu.idle", "").strip() != "1":
            found.append(("CPUWeight", "t", _number(file, text)))
        elif file == "cpu.idle" and text == "1" and version() >= _WITH_IDLE:
            found.append(("CPUWeight", "t", 0))
        elif file in _CPUS and text and version() >= _WITH_CPUSET:
            found.append((_CPUS[file], "ay", _bits(f"unified.{file}", text)))
    return found


def _quota(quota: int, period: int, version: "Callable[[], int]") -> "list[Property]":
    found: list[Property] = []
    if period and version() >= _WITH_PERIOD:
        found.append(("CPUQuotaPeriodUSec", "t", period))
    if quota > 0:
        found.append(("CPUQuotaPerSecUSec", "t", _per_second(quota, period or _PERIOD)))
    elif quota or period:
        found.append(("CPUQuotaPerSecUSec", "t", INFINITY))
    return found


def _per_second(quota: int, period: int) -> int:
    return -(-(quota * 1000000 // period) // _PERCENT) * _PERCENT


def _cpuset(cpu: "Cpu", version: "Callable[[], int]") -> "list[Property]":
    wanted = (
        ("AllowedCPUs", "cpus", cpu.get("cpus")),
        ("AllowedMemoryNodes", "mems", cpu.get("mems")),
    )
    return [
        (name, "ay", _bits(f"cpu.{field}", text))
        for name, field, text in wanted
        if text and version() >= _WITH_CPUSET
    ]


def _bits(field: str, text: str) -> bytes:
    """Give a list such as 0-2,7 as a bit for each number, the lowest first."""
    value = 0
    for number in idlist.parse(text, f"linux.resources.{field}"):
        value |= 1 << number
    return value.to_bytes(value.bit_length() // 8 + 1, "little")


def _unlimited(value: int) -> int:
    return INFINITY if value < 0 else value


def _unlimited_text(file: str, text: str) -> int:
    return INFINITY if text == "max" else _number(file, text)


def _number(file: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > INFINITY:
        raise SpecError(f"linux.resources.unified.{file}: {text!r}: must be a number")
    return int(text)
