# SPDX-License-Identifier: Apache-2.0
"""Starting a created container: the word to its waiting process, and the poststart hooks."""

import os

from ocirun.engine import listener, state as states, status, wire
from ocirun.engine.stub import Channel
from ocirun.errors import KernelError, OcirunError, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.state import State
    from ocirun.engine.stub import Message


def start(root: str, container_id: str) -> None:
    """Start the program of a created container."""
    state = states.load_state(root, container_id)
    lock = states.lock(state.directory)
    try:
        _check_created(state)
        _say_go(state)
        os.unlink(state.socket_path)
        run_poststart(state)
    finally:
        os.close(lock)


def _check_created(state: "State") -> None:
    found = status.of(state)
    if found == status.CREATED:
        return
    if found == status.STOPPED:
        raise StateError(
            f"cannot start a container that has stopped: {state.id}",
            f"ocirun delete {state.id}, and create it again",
        )
    if found == status.CREATING:
        raise StateError(f"container {state.id} is still being created")
    raise StateError(f"cannot start an already running container: {state.id}")


def _say_go(state: "State") -> None:
    try:
        socket = listener.connect(state.socket_path)
        channel = Channel(socket)
    except OSError as error:
        raise KernelError(
            f"start {state.id}: {state.socket_path}: {(error.strerror or '').lower()}",
            "its waiting process has ended",
        ) from error
    try:
        channel.go()
        # The end of the connection is the good news: exec closes it.
        message = channel.receive()
    finally:
        channel.close()
    if message and message.kind == wire.ERROR:
        raise _explain(state, message)


def _explain(state: "State", message: "Message") -> OcirunError:
    from ocirun.engine import explanation

    return explanation.of_start(state, message)


def run_poststart(state: "State") -> None:
    """Run the poststart hooks; one that fails ends the container (runtime-spec 1.3)."""
    if not state.hooks.get("poststart"):
        return
    from ocirun.engine import hooks, kill
    from ocirun.spec import encode

    def document() -> str:
        return encode.dumps(status.hook_document(state, status.RUNNING))

    try:
        hooks.run(state.hooks, "poststart", document, state.bundle)
    except BaseException:
        # Also a signal to us: then the hook has not ended well either.
        kill.kill_all(state)
        raise
