# SPDX-License-Identifier: Apache-2.0
"""Changing the limits of a container while it runs.

Only what is asked for is written, with the other half of what belongs together (quota and
period, memory and swap).  Device rules are left alone: somebody may have added to them since.
"""

import os

from ocirun.engine import cgroups, intel_rdt, kill, resources, state as states, status
from ocirun.errors import KernelError, StateError
from ocirun.linux.cgroup.settings import SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.state import State
    from ocirun.linux.cgroup import Cgroup
    from ocirun.linux.cgroup.settings import Setting
    from ocirun.spec.model import Resources

_PART = "limits"


def update(
    root: str,
    container_id: str,
    wanted: "Resources",
    warn: "Callable[[str], None]",
    schemas: tuple[str, str] = ("", ""),
) -> None:
    """Change these limits; if one is refused, those changed before are set back.

    `schemas` are those of the L3 cache and of the memory bandwidth (Intel RDT).
    """
    state = states.load_state(root, container_id)
    if status.of(state) == status.STOPPED:
        raise StateError(f"container not running: {container_id}")
    cgroup = kill.cgroup_of(state)
    if cgroup is None:
        raise StateError(
            f"cannot update container {container_id}: it has no cgroup",
            "create it where cgroups can be made",
        )
    if any(schemas):
        intel_rdt.check_update(state, *schemas)
    for warning in cgroups.ignored(cgroup, {"resources": wanted}):
        warn(warning)
    # Not the lock of the container: a hook may update it while `create` holds that.
    lock = states.lock(f"{state.directory}/config.json")
    try:
        recorded = _recorded(state)
        whole = _as_written(state, complete(wanted, recorded))
        settings = resources.settings(whole, cgroup.version)
        if cgroup.version == 2:
            # The v1 kernel refuses such a limit itself.
            _check_usage(cgroup, whole)
        before = _values_now(cgroup, settings)
        try:
            cgroup.write(settings)
            if state.has_part("unit"):
                _tell_systemd(state, whole, cgroup)
                cgroup.write(settings)
            if any(schemas):
                intel_rdt.update(state, *schemas)
        except (OSError, KernelError) as error:
            _set_back(cgroup, before, warn)
            if isinstance(error, SettingError):
                raise resources.explain(error, cgroup.version) from error
            raise
        state.save_part(_PART, merge(recorded, wanted))
    finally:
        os.close(lock)


def complete(wanted: "Resources", recorded: "Resources") -> "Resources":
    """Give what is wanted, with what it has to be written together with; pure."""
    whole = wanted.copy()
    memory, memory_before = wanted.get("memory", {}).copy(), recorded.get("memory", {})
    if memory.get("limit") or memory.get("swap"):
        if not memory.get("limit") and memory_before.get("limit"):
            memory["limit"] = memory_before["limit"]
        if "swap" not in memory and memory.get("limit") != -1 and memory_before.get("swap"):
            memory["swap"] = memory_before["swap"]
        whole["memory"] = memory
    cpu, cpu_before = wanted.get("cpu", {}).copy(), recorded.get("cpu", {})
    if cpu.get("quota") or cpu.get("period"):
        # On v2 they share a file.
        if not cpu.get("quota") and cpu_before.get("quota"):
            cpu["quota"] = cpu_before["quota"]
        if not cpu.get("period") and cpu_before.get("period"):
            cpu["period"] = cpu_before["period"]
        whole["cpu"] = cpu
    return whole


def merge(recorded: "Resources", wanted: "Resources") -> "Resources":
    """Give what complete() will need next time: these two sections as they are now; pure."""
    memory = recorded.get("memory", {}).copy()
    if wanted.get("memory", {}).get("limit") == -1:
        memory.pop("swap", None)
    memory.update(wanted.get("memory", {}))
    cpu = recorded.get("cpu", {}).copy()
    new = wanted.get("cpu", {})
    # A zero is "not set", and leaves what was set before.
    if quota := new.get("quota"):
        cpu["quota"] = quota
    if period := new.get("period"):
        cpu["period"] = period
    return {"memory": memory, "cpu": cpu}


def _as_written(state: "State", limits: "Resources") -> "Resources":
    if not state.has_part("unit"):
        return limits
    from ocirun.engine import unit_properties

    return unit_properties.in_percents(limits)


def _tell_systemd(state: "State", limits: "Resources", cgroup: "Cgroup") -> None:
    """Have systemd know the limits, which writes all of them, and on v1 the device rules."""
    from ocirun.engine import systemd

    # On v1 it shuts all devices before it opens those that are allowed.
    held = cgroup.version == 1 and not cgroup.frozen()
    if held:
        cgroup.freeze()
    try:
        systemd.update(state, limits, cgroup.version)
    finally:
        if held:
            cgroup.thaw()


def _recorded(state: "State") -> "Resources":
    found = state.part(_PART)
    if found is None:
        return state.config().get("linux", {}).get("resources", {})
    return found  # type: ignore[return-value]  # merge() made it


def _check_usage(cgroup: "Cgroup", wanted: "Resources") -> None:
    if not wanted.get("memory", {}).get("checkBeforeUpdate"):
        return
    try:
        usage = int(cgroup.read("memory", "memory.current"))
    except FileNotFoundError:
        return  # no memory controller: the limit itself will be refused
    resources.check_usage(wanted, usage)


def _set_back(cgroup: "Cgroup", before: "list[Setting]", warn: "Callable[[str], None]") -> None:
    try:
        cgroup.write(before)
    except OSError as error:
        warn(f"set back {error.filename}: {(error.strerror or '').lower()}")


def _values_now(cgroup: "Cgroup", settings: "list[Setting]") -> "list[Setting]":
    """Read what the files hold; those of several lines, each for a device, cannot be set back."""
    found: list[Setting] = []
    for controller, file, _, field, presence in settings:
        try:
            text = cgroup.read(controller, file).removesuffix("\n")
        except OSError:
            continue
        if text and "\n" not in text:
            found.append((controller, file, text, field, presence))
    return found
