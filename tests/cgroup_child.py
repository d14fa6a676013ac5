# SPDX-License-Identifier: Apache-2.0
"""A cgroup for one test, and a process that lives in it."""

import errno
import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NoReturn, Self

from ocirun.linux import cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup import Cgroup

PATH = f"/ocirun-test-{os.getpid()}"


@contextmanager
def fresh(inner: str = "") -> "Iterator[Cgroup]":
    """Make a cgroup, and leave nothing of it behind."""
    group = cgroup.plan(PATH + inner)
    group.create()
    try:
        yield group
    finally:
        group.kill()
        group.remove()


def attempt(action: Callable[[], object]) -> str:
    """Return "ok", or the name of the errno that an action failed with."""
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


class Child:
    """A process that enters a cgroup itself, then carries out one of its actions per request."""

    def __init__(self, group: "Cgroup | None", *actions: Callable[[], str]) -> None:
        theirs, self._requests = os.pipe()
        self._answers, answer = os.pipe()
        fds = group.attach_fds() if group else []
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._requests)
            _serve(fds, theirs, answer, actions)
        for fd in (*fds, theirs, answer):
            os.close(fd)
        self.pidfd = os.pidfd_open(self.pid)
        assert self.receive() == "entered"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        self.reap()
        for fd in (self.pidfd, self._requests, self._answers):
            os.close(fd)

    def ask(self, action: int = 0) -> str:
        """Have an action carried out and return what it returned."""
        self.send(action)
        return self.receive()

    def send(self, action: int = 0) -> None:
        os.write(self._requests, bytes((action,)))

    def receive(self, seconds: float = 30) -> str:
        """Return the next answer; "" when the child is gone, "silent" after so long."""
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        if not poller.poll(seconds * 1000):
            return "silent"
        return os.read(self._answers, 4096).decode()

    def is_gone(self, seconds: float = 30) -> bool:
        """Wait until the process has ended."""
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def reap(self) -> None:
        os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOWAIT)
        os.waitpid(self.pid, 0)


def _serve(
    fds: list[int], requests: int, answer: int, actions: tuple[Callable[[], str], ...]
) -> NoReturn:
    try:
        for fd in fds:
            os.write(fd, b"0")
        os.write(answer, b"entered")
        while request := os.read(requests, 1):
            os.write(answer, actions[request[0]]().encode())
    finally:
        os._exit(0)
