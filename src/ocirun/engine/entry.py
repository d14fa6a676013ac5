# SPDX-License-Identifier: Apache-2.0
"""The way into a running container, for one more process: its cgroups, then its namespaces."""

import os
import select

from ocirun.engine import affinity, kill
from ocirun.engine.namespaces import TYPES
from ocirun.engine.process import SYNC_UNIT
from ocirun.engine.wire import NO_SLOT
from ocirun.errors import KernelError, SpecError, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.exec import Request
    from ocirun.engine.setting import Setting
    from ocirun.engine.state import State
    from ocirun.engine.wire import Plan
    from ocirun.linux.cgroup import Cgroup
    from ocirun.spec.model import Process

_PR_SET_DUMPABLE = 4


def open_cgroups(request: "Request", state: "State") -> tuple[list[int], int]:
    """Open what leads into the cgroups: files to write "0" to, and a directory or -1.

    The caller closes them.
    """
    cgroup = kill.cgroup_of(state)
    if not cgroup:
        if request.cgroups:
            raise StateError(f"--cgroup: container {state.id} has no cgroup")
        return [], -1
    for controller, path in request.cgroups.items():
        if ".." in path.split("/"):
            raise SpecError(f"bad sub cgroup path: {path}", "give it from the container's own on")
        if controller and controller not in cgroup.paths:
            raise SpecError(f"unknown controller {controller} in --cgroup")
    directory = -1
    try:
        cgroup = _wanted(request, state, cgroup)
        if is_moved_by_systemd(state):
            return [], -1
        directory = cgroup.directory_fd()
        files = cgroup.attach_fds(cloned=directory >= 0) if cgroup.version == 1 else []
    except OSError as error:
        if directory >= 0:
            os.close(directory)
        raise KernelError(
            f"exec in {state.id}: adding pid to cgroup {error.filename}:"
            f" {(error.strerror or '').lower()}"
        ) from error
    return files, directory


def is_moved_by_systemd(state: "State") -> bool:
    """Tell whether we may not write to the cgroup above both ours and the container's."""
    return os.geteuid() != 0 and state.has_part("unit")


def have_moved(request: "Request", state: "State", pid: int) -> None:
    """Have systemd move the process."""
    from ocirun.engine import systemd

    cgroup = kill.cgroup_of(state)
    assert cgroup
    wanted = _wanted(request, state, cgroup)
    systemd.attach(state, pid, next(iter(wanted.paths.values())))


def _wanted(request: "Request", state: "State", cgroup: "Cgroup") -> "Cgroup":
    if request.cgroups:
        return cgroup.sub(request.cgroups)
    return _cgroup_for_processes(cgroup, state) if cgroup.version == 2 else cgroup


def _cgroup_for_processes(cgroup: "Cgroup", state: "State") -> "Cgroup":
    """Give the container's cgroup, or, where no process may be in it, that of its first one.

    A container that manages cgroups itself moves its processes further down, for one
    that gives controllers to those below holds none itself (cgroups(7), "no internal
    processes"); or it leaves, and the one that we made is gone.
    """
    try:
        if not cgroup.read("", "cgroup.subtree_control").strip():
            return cgroup
    except FileNotFoundError:
        pass
    from ocirun.linux.cgroup import v2

    return v2.of_process(state.pid) or cgroup


def open_root(state: "State", pidfd: int) -> int:
    """Open the root of the first process, of a container without a mount namespace.

    It is a chroot, to which no namespace leads.  The caller closes it.
    """
    path = f"/proc/{state.pid}/root"
    try:
        root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        said = (error.strerror or "").lower()
        raise KernelError(f"exec in {state.id}: open {path}: {said}") from error
    # Asked after the opening: as long as it lives, the number is of no other process.
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    if waiting.poll(0):
        os.close(root)
        raise StateError(f"cannot exec in a stopped container: {state.id} is not running")
    return root


def add(
    plan: "Plan",
    setting: "Setting",
    process: "Process",
    first: tuple[int, int],
    cgroups: tuple[list[int], int],
) -> None:
    """Append what leads into the container: its cgroups, then its namespaces.

    `first` is the pidfd of its first process, and the root of that or -1.
    """
    pidfd, root = first
    files, directory = cgroups
    namespaces = setting.namespaces
    slot = plan.slot()
    score = process.get("oomScoreAdj")
    affinity.add_initial(plan, process)
    plan.field = "cgroup"
    if setting.in_unit:
        plan.add("SYNC", SYNC_UNIT)
    for fd in files:
        plan.add("FD", slot, fd)
        plan.add("WRITE", slot, "0")
    if score is not None or process.get("apparmorProfile") or process.get("selinuxLabel"):
        # The host's: the container's could be anything.
        plan.field = "/proc"
        plan.add("OPEN_PROC", setting.proc_slot, "/proc")
    if score is not None:
        plan.field = "process.oomScoreAdj"
        plan.add("WRITE_AT", setting.proc_slot, "self/oom_score_adj", str(score))
    plan.field = "namespaces of the container"
    plan.add("PRCTL", _PR_SET_DUMPABLE, 0, 0)
    if directory >= 0:
        plan.field = "container's cgroup"
        plan.add("FD", slot, directory)
        plan.add("CLONE", 0, slot)
        plan.field = "namespaces of the container"
    wanted = 0
    for kind in (*namespaces.made, *namespaces.joined):
        wanted |= TYPES[kind][0]
    if wanted:
        plan.add("FD", slot, pidfd)
        plan.add("SETNS", slot, wanted)
    plan.add("CLONE", 0, NO_SLOT)
    _add_inside(plan, setting, process, root, slot)
    plan.release(slot)


def _add_inside(plan: "Plan", setting: "Setting", process: "Process", root: int, slot: int) -> None:
    """Append what the process does as the first thing where it is now."""
    if root >= 0:
        plan.field = "container's root"
        plan.add("FD", slot, root)
        plan.add("CHROOT", slot)
    affinity.add_final(plan, process)
    plan.field = "namespaces of the container"
    if setting.namespaces.private("user"):
        if setting.may_setgroups:
            plan.add("GROUPS", 0, b"")
        plan.add("IDENTITY", 0, 0)
        # Once more: a change of user makes it what sysctl fs.suid_dumpable says.
        plan.add("PRCTL", _PR_SET_DUMPABLE, 0, 0)
    # Forbidden to the leader of a group, as the first process of a pid namespace is.
    plan.attempt("SETSID")
