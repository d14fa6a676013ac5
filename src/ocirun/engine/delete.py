# SPDX-License-Identifier: Apache-2.0
"""Removing a container: its processes, its cgroups, its state, and then the poststop hooks."""

import os

from ocirun.engine import kill, state as states, status
from ocirun.errors import KernelError, OcirunError, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.state import State

#: how many seconds --force waits for another command to end
_PATIENCE = 5.0


def _silent(_: str) -> None:
    pass


def delete(
    root: str, container_id: str, *, force: bool, warn: "Callable[[str], None]" = _silent
) -> None:
    """Remove a stopped or only created container; with `force` any, and even a damaged one."""
    directory = states.directory_of(root, container_id)
    try:
        # For its words, should something be wrong: they say more than those of the lock.
        states.load_state(root, container_id)
    except StateError:
        if not force:
            raise
        if not os.path.isdir(directory):
            return
    lock = _lock(directory, container_id, patient=force)
    try:
        if os.fstat(lock).st_nlink:
            _delete_locked(root, container_id, force=force, warn=warn)
        elif not force:
            # Who had the lock has removed it; ours is on what is gone.
            raise _missing(container_id)
    finally:
        os.close(lock)


def _delete_locked(
    root: str, container_id: str, *, force: bool, warn: "Callable[[str], None]"
) -> None:
    try:
        state = states.load_state(root, container_id)
    except StateError:
        if not force:
            raise
        from ocirun.engine import remains

        remains.remove(states.directory_of(root, container_id), container_id, warn)
        return
    found = status.of(state)
    if found in (status.RUNNING, status.PAUSED) and not force:
        raise StateError(
            f"cannot delete container {container_id} that is not stopped: {found}",
            f"ocirun kill {container_id} KILL, or delete it with --force",
        )
    destroy(state, warn)


def destroy(state: "State", warn: "Callable[[str], None]" = _silent) -> None:
    """End what still runs and remove all that create made; the caller holds the lock."""
    kill.kill_all(state)
    if state.has_part("unit"):
        from ocirun.engine import systemd

        systemd.stop(state)
    cgroup = kill.cgroup_of(state)
    if cgroup:
        try:
            cgroup.remove()
        except OSError as error:
            raise KernelError(
                f"remove the cgroup of {state.id}: {error.filename}:"
                f" {(error.strerror or '').lower()}"
            ) from error
    if state.host_mounts >= 0:
        from ocirun.engine import host_mounts

        host_mounts.remove(state)
    if state.has_part("intelRdt"):
        from ocirun.engine import intel_rdt

        intel_rdt.remove(state)
    states.remove_directory(state.directory)
    run_poststop(state, warn)


def run_poststop(state: "State", warn: "Callable[[str], None]") -> None:
    """Run the poststop hooks of a container that is gone; one that fails only warns."""
    wanted = state.hooks.get("poststop", [])
    if not wanted:
        return
    from ocirun.engine import hooks
    from ocirun.spec import encode

    document = encode.dumps(status.hook_document(state, status.STOPPED))
    for hook in wanted:
        # Each of them gets its turn: they clean up (runtime-spec, "Lifecycle", step 13).
        try:
            hooks.run({"poststop": [hook]}, "poststop", lambda: document, state.bundle)
        except OcirunError as error:
            warn(error.message)


def _lock(directory: str, container_id: str, *, patient: bool) -> int:
    try:
        try:
            return states.lock(directory, wait=False)
        except BlockingIOError:
            if not patient:
                raise
        from ocirun.engine.interruption import Deadline

        # A command that was killed has not let go of it yet, or another one is about to end.
        with Deadline(_PATIENCE):
            return states.lock(directory)
    except (BlockingIOError, TimeoutError, ValueError):
        # ValueError: only the main thread can set an alarm, so any other does not wait.
        raise StateError(
            f"container {container_id} is in use by another ocirun command", "try again"
        ) from None
    except FileNotFoundError:
        raise _missing(container_id) from None


def _missing(container_id: str) -> StateError:
    return StateError(f"container {container_id} does not exist")
