# SPDX-License-Identifier: Apache-2.0
"""Freezing a container's processes, and letting them go on (the cgroup freezer)."""

from ocirun.engine import kill, state as states, status
from ocirun.errors import KernelError, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup import Cgroup


def pause(root: str, container_id: str) -> None:
    """Freeze all processes of a running container."""
    cgroup = _cgroup(root, container_id, (status.RUNNING, status.CREATED), "pause")
    try:
        cgroup.freeze()
    except OSError as error:
        raise _failed("pause", container_id, error) from error


def resume(root: str, container_id: str) -> None:
    """Let the processes of a paused container go on."""
    cgroup = _cgroup(root, container_id, (status.PAUSED,), "resume")
    try:
        cgroup.thaw()
    except OSError as error:
        raise _failed("resume", container_id, error) from error


def _cgroup(root: str, container_id: str, allowed: tuple[str, ...], verb: str) -> "Cgroup":
    state = states.load_state(root, container_id)
    found = status.of(state)
    if found not in allowed:
        # runc's words, which engines look for.
        words = {"pause": "container not running", "resume": "container not paused"}
        raise StateError(f"{words[verb]}: {container_id} is {found}")
    cgroup = kill.cgroup_of(state)
    if cgroup is None:
        raise StateError(
            f"cannot {verb} container {container_id}: it has no cgroup",
            "create it where cgroups can be made",
        )
    return cgroup


def _failed(verb: str, container_id: str, error: OSError) -> KernelError:
    return KernelError(f"{verb} {container_id}: {error.filename}: {(error.strerror or '').lower()}")
