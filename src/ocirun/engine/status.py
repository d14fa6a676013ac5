# SPDX-License-Identifier: Apache-2.0
"""What a container is doing now, asked of the kernel and not of a file.

    creating -> created -> running -> stopped        running <-> paused

A process that still goes by the stub's name while its socket is there waits to be
started; one that lives otherwise runs the user's program.
"""

import os

from ocirun.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.state import State

#: by this name, shown by ps(1), a process that waits for its start is known
WAITING_NAME = "ocirun:[init]"

CREATING, CREATED, RUNNING, PAUSED, STOPPED = (
    "creating",
    "created",
    "running",
    "paused",
    "stopped",
)


def is_alive(state: "State") -> bool:
    """Tell whether the container's first process lives: the same, not a later one of its pid."""
    # A start time of zero was never one: the process had ended before it was asked for.
    return state.start_time > 0 and procfs.start_time(state.pid) == state.start_time


def of(state: "State") -> str:
    """Give the status, one of the words of the runtime-spec, or "paused"."""
    if not is_alive(state):
        return STOPPED
    if state.creating:
        return CREATING
    if os.path.exists(state.socket_path) and procfs.command_name(state.pid) == WAITING_NAME:
        return CREATED
    return PAUSED if _is_frozen(state) else RUNNING


def _is_frozen(state: "State") -> bool:
    from ocirun.linux.cgroup import freezer

    try:
        return freezer.is_frozen(state.cgroup_paths)
    except OSError:
        return False


def document(state: "State", status: str = "") -> "dict[str, object]":
    """Give the state as runc's `state` prints it: the spec's fields and some more."""
    status = status or of(state)
    found: dict[str, object] = {
        "ociVersion": state.oci_version,
        "id": state.id,
        "pid": 0 if status == STOPPED else state.pid,
        "status": status,
        "bundle": state.bundle,
        "rootfs": state.rootfs,
        "created": state.created,
    }
    if state.annotations:
        found["annotations"] = state.annotations
    found["owner"] = ""
    return found


def hook_document(state: "State", status: str) -> "dict[str, object]":
    """Give the state as hooks get it: only the spec's own fields."""
    found: dict[str, object] = {
        "ociVersion": state.oci_version,
        "id": state.id,
        "status": status,
        "bundle": state.bundle,
    }
    if status != STOPPED:
        found["pid"] = state.pid
    if state.annotations:
        found["annotations"] = state.annotations
    return found
