# SPDX-License-Identifier: Apache-2.0
"""Which processes are in a container."""

import os

from ocirun.engine import kill, state as states, status


def pids(root: str, container_id: str) -> list[int]:
    """Give the pids of all processes in the container, as the caller sees them."""
    state = states.load_state(root, container_id)
    if state.cgroup_paths:
        return sorted(kill.pids_left(state))
    if not status.is_alive(state):
        return []
    return _in_same_namespace(state.pid) if state.own_pids else [state.pid]


def _in_same_namespace(first: int) -> list[int]:
    """Give the processes of a pid namespace: without a cgroup nothing else lists them."""
    wanted = os.readlink(f"/proc/{first}/ns/pid")
    names = [name for name in os.listdir("/proc") if name.isdigit()]
    return sorted(int(name) for name in names if _namespace(name) == wanted)


def _namespace(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""  # it has ended, or it is somebody else's
