# SPDX-License-Identifier: Apache-2.0
"""One conversation with a stub, from its start to the end of its plan.

The arrows are drawn in `ocirun.engine.stub`.
"""

import os

from ocirun.engine import stub, wire
from ocirun.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocirun.engine.wire import Plan


class Conversation:
    """A running stub: its processes, which are our children, and the channel to it."""

    __slots__ = ("_channel", "_clones", "_early", "_found", "_plan", "_waited_for", "pid")

    def __init__(
        self,
        plan: "Plan",
        fds: "Iterable[int]",
        *,
        preserve_fds: int = 0,
        fail_at: int = wire.NEVER,
    ) -> None:
        self._plan = plan
        steps = enumerate(plan.operations)
        self._clones = [index for index, operation in steps if operation.name == "CLONE"]
        #: index of the CLONE operation -> pid that it reported
        self._found: dict[int, int] = {}
        self._early: list[stub.Message] = []
        self._waited_for: set[int] = set()
        #: the process that sent the message which next() gave last
        self.pid, self._channel = stub.start(plan.encode(fail_at), fds, preserve_fds)
        self._found[-1] = self.pid

    def next(self) -> stub.Message:
        """Wait for a message that wants an answer; raise what the stub reports."""
        while True:
            message = self._take_early()
            if message:
                return message
            message = self._channel.receive()
            if message is None:
                raise self._died()
            if message.kind == wire.PID:
                self._found[message.index] = message.value
            else:
                # A new process can be faster than the old one that tells its pid.
                self._early.append(message)

    def _take_early(self) -> stub.Message | None:
        """Give the oldest message if it is known who sent it; raise it if it is an error."""
        if not self._early or not self._knows_sender(self._early[0]):
            return None
        message = self._early.pop(0)
        if message.kind == wire.ERROR:
            # Not before the sender is known: kill() must find it.
            raise self._failed(message)
        return message

    def _knows_sender(self, message: stub.Message) -> bool:
        """Whether every clone before the message has told its pid; the others have ended then."""
        before = [index for index in self._clones if index < message.index]
        if any(index not in self._found for index in before):
            return False
        *ended, self.pid = (self._found[index] for index in (-1, *before))
        for pid in ended:
            if pid not in self._waited_for:
                self._wait(pid)
        return True

    def operation(self, message: stub.Message) -> wire.Operation:
        """Give the operation that sent the message."""
        return self._plan.operations[message.index]

    def go(self, text: bytes = b"", fd: int = -1) -> None:
        """Answer the message that came last; a descriptor may go along."""
        try:
            self._channel.go(text, fd)
        except OSError:
            raise self._died() from None

    def until_executed(self) -> None:
        """Wait for the last operation, after which the channel ends; raise if it failed."""
        message = self._channel.receive()
        if message and message.kind == wire.ERROR:
            raise self._failed(message)

    def close(self) -> None:
        """Close the channel; a stub that still waits for us then ends."""
        self._channel.close()

    def kill(self) -> None:
        """End all processes that are left, and wait for them."""
        self._channel.say_no_more()
        # One that is killed just after its clone could not tell us whom we have to wait
        # for.  So let them come to the last clone; on the way they do not stay anywhere.
        while len(self._found) <= len(self._clones):
            message = self._channel.receive()
            if message is None:
                break
            if message.kind == wire.PID:
                self._found[message.index] = message.value
            else:
                self._early.append(message)
        for message in self._early:
            if message.fd >= 0:
                os.close(message.fd)
        self._early = []
        self._channel.close()
        for pid in self._found.values():
            if pid not in self._waited_for:
                # Our own children, not waited for: the pids are still theirs.
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
                self._wait(pid)

    def _wait(self, pid: int) -> int:
        self._waited_for.add(pid)
        try:
            return os.waitpid(pid, 0)[1]
        except ChildProcessError:
            return 0

    def _failed(self, message: stub.Message) -> KernelError:
        from ocirun.engine import failure

        try:
            return failure.explain(self._plan.operations, message)
        finally:
            if message.fd >= 0:
                os.close(message.fd)

    def _died(self) -> KernelError:
        from ocirun.engine import failure

        newest = self._found[max(self._found)]
        return failure.died(self._wait(newest))
