# SPDX-License-Identifier: Apache-2.0
"""The container's unit: started around the stub, changed with the limits, stopped at the end.

A unit needs a process, and who may not write to the cgroup files of others has to have
systemd move it there.  So the stub waits as its plan begins (SYNC_UNIT), until it is in the
unit; from then on all is as without systemd, but the cgroup is not ours to make.
"""

import os

from ocirun.engine import cgroups, resources, unit_properties
from ocirun.engine.unit import PART, Unit, parse
from ocirun.errors import KernelError, StateError
from ocirun.linux import dbus, procfs, systemd
from ocirun.linux.cgroup import devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.create import Creation
    from ocirun.engine.state import State
    from ocirun.linux.cgroup import Cgroup
    from ocirun.linux.cgroup.layout import Layout
    from ocirun.linux.systemd import Manager, Property
    from ocirun.spec.model import Linux, Resources

_BOOTED = "/run/systemd/system"
#: for taking back what failed, perhaps because systemd does not answer
_LAST_SECONDS = 5.0
_SIGKILL = 9


def plan(creation: "Creation") -> "Cgroup | None":
    """Say which unit it will be, and keep that; give its cgroups as far as they are known."""
    request = creation.request
    user = is_of_user()
    if not os.path.isdir(_BOOTED):
        raise KernelError(
            "--systemd-cgroup: systemd is not the init of this host",
            "leave it out: ocirun then makes the cgroups itself",
        )
    unit = parse(creation.spec.get("linux", {}), request.id, user=user)
    properties_of_annotations(creation.state.annotations)
    creation.unit = unit
    creation.state.save_part(PART, {"name": unit.name, "user": user})
    return None if user else _locate(unit, creation.host)


def is_of_user() -> bool:
    """Tell whether our unit belongs to the manager of a user: we are not the host's root."""
    # Root of a user namespace is still the user who made it.
    for line in procfs.read("self/uid_map").decode().splitlines():
        first, outside, size = map(int, line.split())
        if first <= os.geteuid() < first + size:
            return outside + os.geteuid() - first != 0
    return True


def enter(creation: "Creation") -> None:
    """Start the unit with the waiting stub in it, and give its cgroups their limits."""
    unit, state, linux = creation.unit, creation.state, creation.spec.get("linux", {})
    assert unit
    version = creation.host.version
    planned = creation.planned
    if planned and all(map(os.path.isdir, planned.paths.values())):
        cgroups.check_existing(planned)
    manager = _connect(unit)
    try:
        wanted = unit_properties.of_unit(unit, state.id, state.pid, version)
        wanted += _devices(linux, version, user=unit.user, warn=creation.request.warn)
        limits = linux.get("resources", {})
        wanted += unit_properties.of_limits(limits, version, manager.version)
        wanted += properties_of_annotations(state.annotations)
        # Before it is there, so that even after a crash it is known whose it is.
        state.own_cgroup()
        try:
            _start(manager, unit, wanted)
        except dbus.RefusedError as error:
            state.disown_cgroup()
            raise _refused(unit, error) from error
        except OSError as error:
            raise _failed(f"start {unit.name}", error) from error
    finally:
        manager.close()
    limits = unit_properties.in_percents(limits)
    creation.take_cgroup(_fill(creation, {**linux, "resources": limits}))


def _fill(creation: "Creation", linux: "Linux") -> "Cgroup":
    pid, version = creation.state.pid, creation.host.version
    cgroup: Cgroup | None = creation.planned
    if version == 2:
        from ocirun.linux.cgroup import v2

        # The kernel knows where it is, whichever way the manager's slices are named.
        cgroup = v2.of_process(pid)
    if cgroup is None:
        raise KernelError("find the cgroup of the unit: it cannot be seen from here")
    # All of them go with the unit, or are ours: also if the next step fails.
    cgroup.made = list(cgroup.paths.values())
    creation.cgroup = cgroup
    cgroups.fill(cgroup, linux, rootless=creation.request.rootless)
    cgroup.made = sorted({*cgroup.made, *cgroup.paths.values()}, key=len)
    if version == 1:
        # systemd knows some hierarchies only.  The stub is one thread: see Cgroup.attach_fds.
        for fd in cgroup.attach_fds():
            try:
                os.write(fd, b"%d" % pid)
            finally:
                os.close(fd)
    return cgroup


def limit_processes(creation: "Creation") -> None:
    """Set the limit of processes, which holds for the container's own only."""
    linux = creation.spec.get("linux", {})
    wanted = unit_properties.of_processes(linux.get("resources", {}))
    if not wanted or not creation.unit or not creation.cgroup:
        return
    _set(creation.unit, wanted)
    # It has just written the limits that it knows of again, a period without a quota as
    # the default one.
    limits = unit_properties.in_percents(linux.get("resources", {}))
    cgroups.rewrite(creation.cgroup, limits)


def update(state: "State", limits: "Resources", cgroup_version: int) -> None:
    """Tell systemd new limits, lest it writes the old ones again; device rules stay."""
    unit = of_state(state)
    if not unit:
        return
    manager = _connect(unit)
    try:
        wanted = unit_properties.of_limits(limits, cgroup_version, manager.version)
        wanted += unit_properties.of_processes(limits)
        if wanted:
            manager.set_properties(unit.name, wanted)
    except OSError as error:
        raise _failed(f"set the limits of {unit.name}", error) from error
    finally:
        manager.close()


def attach(state: "State", pid: int, directory: str) -> None:
    """Move a process of exec into the unit, or into a cgroup below the unit's own."""
    unit = of_state(state)
    assert unit
    top = next(iter(state.cgroup_paths.values()))
    inner = directory.removeprefix(top)
    if inner == directory and inner:
        raise StateError(f"exec in {state.id}: its processes are not in {unit.name} any more")
    manager = _connect(unit)
    try:
        manager.attach(unit.name, inner or "/", pid)
    except OSError as error:
        raise _failed(f"exec in {state.id}: have {unit.name} take the process", error) from error
    finally:
        manager.close()


def stop(state: "State") -> None:
    """Stop the unit, and let systemd forget it; one that is gone is no error."""
    unit = of_state(state)
    if not unit or not state.owns_cgroup:
        return
    manager = _connect(unit)
    try:
        _stop(manager, unit)
    except OSError as error:
        raise _failed(f"stop {unit.name}", error) from error
    finally:
        manager.close()


def undo(state: "State", warn: "Callable[[str], None]") -> None:
    """Take the unit back, in a time that is short: what failed may be systemd itself."""
    unit = of_state(state)
    if not unit or not state.owns_cgroup:
        return
    try:
        manager = systemd.connect(user=unit.user, seconds=_LAST_SECONDS)
        try:
            _stop(manager, unit)
        finally:
            manager.close()
    except OSError as error:
        warn(_failed(f"stop {unit.name}", error).message)


def of_state(state: "State") -> Unit | None:
    """Give the unit of a container, or None if it was made without systemd."""
    if not state.has_part(PART):
        return None
    found = state.part(PART) or {}
    return Unit(str(found.get("name", "")), "", user=bool(found.get("user")))


def properties_of_annotations(annotations: dict[str, str]) -> "list[Property]":
    """Give the properties that org.systemd.property.* ask for."""
    if not any(name.startswith("org.systemd.property.") for name in annotations):
        return []
    from ocirun.engine import unit_annotations

    return unit_annotations.properties(annotations)


def _locate(unit: Unit, host: "Layout") -> "Cgroup":
    from ocirun.linux import cgroup

    try:
        return cgroup.plan(unit.path(), host)
    except OSError as error:
        raise KernelError(
            f"find the cgroups of this host: {(error.strerror or '').lower()}",
            "mount cgroup2 on /sys/fs/cgroup",
        ) from error


def _devices(
    linux: "Linux", version: int, *, user: bool, warn: "Callable[[str], None]"
) -> "list[Property]":
    if user:
        # A user's manager has no right to filter devices, nor the user to make any.
        return []
    rules = devices.ruleset(resources.device_rules(linux))
    found, missing = unit_properties.of_devices(rules, version)
    for rule in missing:
        warn(
            f"linux.resources.devices: systemd has no words for {rule}:"
            " after a systemctl daemon-reload it is refused"
        )
    return found


def _start(manager: "Manager", unit: Unit, wanted: "list[Property]") -> None:
    try:
        manager.start_unit(unit.name, wanted)
    except dbus.RefusedError as error:
        if error.name != systemd.UNIT_EXISTS:
            raise
        # Perhaps one that failed, and that nobody has looked at.
        manager.reset_failed(unit.name)
        manager.start_unit(unit.name, wanted)


def _refused(unit: Unit, error: dbus.RefusedError) -> KernelError:
    hint = ""
    if error.name == systemd.UNIT_EXISTS:
        hint = f"systemctl status {unit.name} tells whose it is; or choose another cgroupsPath"
    return KernelError(f"linux.cgroupsPath: start {unit.name}: {error.strerror}".rstrip("."), hint)


def _stop(manager: "Manager", unit: Unit) -> None:
    # systemd itself would ask the first process to end, which need not hear it.
    manager.kill_unit(unit.name, _SIGKILL)
    manager.stop_unit(unit.name)
    manager.reset_failed(unit.name)


def _set(unit: Unit, wanted: "list[Property]") -> None:
    manager = _connect(unit)
    try:
        manager.set_properties(unit.name, wanted)
    except OSError as error:
        raise _failed(f"set properties of {unit.name}", error) from error
    finally:
        manager.close()


def _connect(unit: Unit) -> "Manager":
    try:
        return systemd.connect(user=unit.user)
    except OSError as error:
        whose = "of this user" if unit.user else "of the system"
        hint = "is systemd well? see systemctl is-system-running"
        if unit.user:
            hint = (
                "log in with a user session (XDG_RUNTIME_DIR), or loginctl enable-linger;"
                " the package dbus-user-session may be missing"
            )
        raise KernelError(f"reach the systemd {whose}: {_said(error)}", hint) from error


def _failed(what: str, error: OSError) -> KernelError:
    hint = ""
    if not isinstance(error, dbus.RefusedError):
        hint = "systemctl list-jobs shows what it waits for; journalctl -b _PID=1, what it says"
    return KernelError(f"{what}: {_said(error)}".rstrip("."), hint)


def _said(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
