# SPDX-License-Identifier: Apache-2.0
"""`run`: create and start in one go, and in the foreground stay until the program ends."""

import os

from ocirun.engine.create import Creation
from ocirun.engine.interruption import Interruptible
from ocirun.engine.request import Request
from ocirun.errors import OcirunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.foreground import Foreground


def run(
    request: Request, *, detach: bool = False, keep: bool = False, no_subreaper: bool = False
) -> int:
    """Run a container; give its exit code, or 0 at once if it is detached."""
    if detach:
        with Interruptible():
            creation = Creation(request, detach=True)
            creation.make(listen=False)
            _start(creation)
            creation.release()
        return 0
    with Interruptible():
        creation = Creation(request, detach=False)
        creation.make(listen=False, meanwhile=_load_what_follows)
        from ocirun.engine.foreground import Foreground

        with Foreground(subreaper=not no_subreaper) as foreground:
            return _stay(creation, foreground, keep=keep)


def _load_what_follows() -> None:
    """Import what is needed from now on, while the stub mounts: that costs no time then."""
    from ocirun.engine import answers, foreground, passwd
    from ocirun.linux import rlimit

    _ = answers, foreground, passwd, rlimit


def _start(creation: Creation) -> None:
    conversation = creation.conversation_now()
    creation.step("start the program", "process.args")
    try:
        conversation.go()
        conversation.until_executed()
        if creation.state.hooks.get("poststart"):
            from ocirun.engine import start

            start.run_poststart(creation.state)
    except BaseException:
        creation.undo()
        raise
    conversation.close()
    if creation.request.trace:
        creation.request.trace.save(creation.state.id, creation.request.warn)


def _stay(creation: Creation, foreground: "Foreground", *, keep: bool) -> int:
    foreground.take(creation.state.pid, creation.terminal_fd)
    _start(creation)
    return wait(creation, foreground, keep=keep)


def wait(creation: Creation, foreground: "Foreground", *, keep: bool) -> int:
    """Wait for the end of what runs now, and remove the container; give its exit code."""
    creation.release()
    # Now and not after its end: the container runs meanwhile.
    from ocirun.engine import delete

    try:
        code = foreground.wait()
    finally:
        if creation.terminal_fd >= 0:
            os.close(creation.terminal_fd)
    if not keep:
        try:
            delete.destroy(creation.state, creation.request.warn)
        except FileNotFoundError:
            pass  # somebody deleted it by force: that is why we came to the end
        except OcirunError as error:
            creation.request.warn(error.message)
    return code
