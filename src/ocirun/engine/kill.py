# SPDX-License-Identifier: Apache-2.0
"""Signals to a container's processes, each by a descriptor that cannot mean another (pidfd)."""

import errno
import os
import select
from _signal import pidfd_send_signal

from ocirun.engine import state as states, status
from ocirun.errors import KernelError, StateError
from ocirun.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.state import State
    from ocirun.linux.cgroup import Cgroup

SIGKILL = 9


def kill(root: str, container_id: str, signal: int, *, all_: bool = False) -> None:
    """Send a signal to the container's first process, or to all of them."""
    state = states.load_state(root, container_id)
    if all_:
        signal_all(state, signal)
        return
    alive = status.is_alive(state)
    if signal == SIGKILL and not state.own_pids and (alive or cgroup_of(state)):
        # Nothing else would take the other processes along.
        if not alive and not pids_left(state):
            raise StateError(f"container not running: {container_id}")
        kill_all(state)
        return
    pidfd = open_first(state)
    if pidfd < 0:
        raise StateError(f"container not running: {container_id}")
    try:
        _send(pidfd, signal, container_id)
        if signal == SIGKILL:
            thaw(state)
    finally:
        os.close(pidfd)


def _send(pidfd: int, signal: int, container_id: str) -> None:
    try:
        pidfd_send_signal(pidfd, signal)
    except ProcessLookupError:
        raise StateError(f"container not running: {container_id}") from None
    except OSError as error:
        said = (error.strerror or "").lower()
        raise KernelError(f"send signal {signal} to {container_id}: {said}") from error


def open_first(state: "State") -> int:
    """Open the container's first process; -1 if it is gone.  The caller closes it."""
    if not state.pid:
        return -1
    try:
        pidfd = os.pidfd_open(state.pid)
    except OSError:
        return -1
    # Compared after the opening: now the descriptor is of that process for good.
    if procfs.start_time(state.pid) != state.start_time:
        os.close(pidfd)
        return -1
    return pidfd


def cgroup_of(state: "State") -> "Cgroup | None":
    """Give the container's cgroups, or None if it has none."""
    if not state.cgroup_paths:
        return None
    from ocirun.linux import cgroup

    return cgroup.from_paths(state.cgroup_paths, state.cgroups_made)


def pids_left(state: "State") -> list[int]:
    """Give the processes in the container's cgroup, without those of a cgroup that is gone."""
    cgroup = cgroup_of(state)
    try:
        return cgroup.pids() if cgroup else []
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV):
            return []
        raise


def signal_all(state: "State", signal: int) -> None:
    """Send a signal to all processes; that there are none any more is no error."""
    pidfd = open_first(state)
    cgroup = cgroup_of(state)
    if cgroup and (pidfd >= 0 or not state.own_pids) and pids_left(state):
        try:
            cgroup.signal(signal)
        finally:
            if pidfd >= 0:
                os.close(pidfd)
        return
    if pidfd >= 0:
        try:
            pidfd_send_signal(pidfd, signal)
        except ProcessLookupError:
            pass
        finally:
            os.close(pidfd)


def thaw(state: "State") -> None:
    """Let a paused container run, for a frozen process does not even die."""
    cgroup = cgroup_of(state)
    if cgroup and cgroup.frozen():
        cgroup.thaw()


def kill_all(state: "State", seconds: float = 10.0) -> None:
    """End all of the container's processes, and wait until the first one is gone."""
    cgroup = cgroup_of(state)
    pidfd = open_first(state)
    try:
        if pidfd >= 0:
            try:
                pidfd_send_signal(pidfd, SIGKILL)
            except ProcessLookupError:
                pass
        if pidfd >= 0:
            thaw(state)
        # A pid namespace ends with its first process.  Who is in the cgroup after that
        # is somebody else, perhaps a later container with the same cgroupsPath.
        if cgroup and not state.own_pids and state.owns_cgroup and pids_left(state):
            cgroup.kill()
        if pidfd >= 0 and not _wait(pidfd, seconds):
            raise KernelError(
                f"kill {state.id}: process {state.pid} does not end",
                "it may be waiting for a device or a network file system; see /proc/PID/stack",
            )
    finally:
        if pidfd >= 0:
            os.close(pidfd)


def _wait(pidfd: int, seconds: float) -> bool:
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))
