# SPDX-License-Identifier: Apache-2.0
"""Standing in for a container in the foreground: its signals, its terminal, its exit code.

This changes the signal handlers of the whole process: it is for the command line.
"""

import os
import select
from _signal import pidfd_send_signal

from ocirun._linux import prctl
from ocirun.engine.interruption import Interruptible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Self

    from ocirun.engine.tty import Terminal

_PR_SET_CHILD_SUBREAPER = 36
_SIGKILL, _SIGPIPE, _SIGCHLD, _SIGSTOP, _SIGURG, _SIGWINCH = 9, 13, 17, 19, 23, 28

#: not the container's business, or not ours to catch; 32 and 33 belong to the C library
_OURS = frozenset((_SIGKILL, _SIGSTOP, _SIGCHLD, _SIGPIPE, _SIGURG, _SIGWINCH, 32, 33))
#: of a fault in our own code
_FAULTS = frozenset((4, 5, 6, 7, 8, 11, 31))


class Foreground(Interruptible):
    """The signals and the terminal of this process, for as long as a container has them."""

    __slots__ = ("_pid", "_pidfd", "_subreaper", "_terminal")

    def __init__(self, *, subreaper: bool) -> None:
        super().__init__()
        self._pid = 0
        self._pidfd = -1
        self._subreaper = subreaper
        self._terminal: Terminal | None = None

    def __enter__(self) -> "Self":
        super().__enter__()
        if self._subreaper:
            # Orphans of a container without a pid namespace come to us, not to init.
            prctl(_PR_SET_CHILD_SUBREAPER, 1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            self._terminal.restore()
        super().__exit__()
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def take(self, pid: int, terminal_fd: int) -> None:
        """From now on signals go to the container, and so does what is typed."""
        self._pid = pid
        self._pidfd = os.pidfd_open(pid)
        for number in range(1, 65):
            if number not in _OURS and number not in _FAULTS:
                self.handle(number, self._forward)
        if terminal_fd >= 0:
            from ocirun.engine import tty

            self._terminal = tty.Terminal(terminal_fd)
            self.handle(_SIGWINCH, lambda *_: self._resize())

    def _resize(self) -> None:
        if self._terminal:
            self._terminal.resize()

    def _forward(self, number: int, _: "FrameType | None") -> None:
        try:
            pidfd_send_signal(self._pidfd, number)
        except OSError:
            pass  # it has just ended; wait() will see that

    def _reap(self, *_: object) -> None:
        """Wait for orphans that came to us; the container's own process is left to wait()."""
        flags = os.WEXITED | os.WNOHANG
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, flags | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None or found.si_pid == self._pid:
                return
            os.waitpid(found.si_pid, 0)

    def wait(self) -> int:
        """Serve the terminal until the container's process ends; give its exit code."""
        if self._subreaper:
            # Not before: the hooks that run until then have somebody who waits for them.
            self.handle(_SIGCHLD, self._reap)
            self._reap()
        if self._terminal:
            self._terminal.serve(self._pidfd)
        else:
            waiting = select.poll()
            waiting.register(self._pidfd, select.POLLIN)
            waiting.poll()
        if self._subreaper:
            # Not SIG_DFL: a signal that is under way then is an error to Python.
            self.handle(_SIGCHLD, lambda *_: None)
        status = os.waitpid(self._pid, 0)[1]
        if self._terminal:
            self._terminal.restore()
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
