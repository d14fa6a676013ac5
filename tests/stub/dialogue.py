# SPDX-License-Identifier: Apache-2.0
"""A stub of our own to talk to: any bytes for a plan, and every message by hand."""

import array
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ocirun.engine import wire

#: no wait in these tests is longer: a stub that hangs is a failure, not a hang
SECONDS = 20.0

#: the sanitizers end the program on the first finding; a leak of a process that ends is none
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


@dataclass
class Message:
    kind: int
    index: int
    value: int
    text: str
    fd: int


class Stub:
    """A running stub, the channel to it, and what it prints (which must be nothing)."""

    def __init__(
        self,
        program: str,
        plan: "wire.Plan | bytes",
        *fds: int,
        fail_at: int = wire.NEVER,
        before: Callable[[], None] | None = None,
    ) -> None:
        content = plan if isinstance(plan, bytes) else plan.encode(fail_at)
        self.output = os.memfd_create("output")
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        memory = os.memfd_create("plan")
        os.write(memory, content)
        self._process = subprocess.Popen(
            [program, str(theirs.fileno()), str(memory)],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            pass_fds=(theirs.fileno(), memory, *fds),
            env=SANITIZERS,
            preexec_fn=before,  # noqa: PLW1509  (unshares and the like; pytest has one thread here)
        )
        theirs.close()
        os.close(memory)
        self.pid = self._process.pid
        self.clones: list[int] = []
        self.channel.settimeout(SECONDS)

    def receive(self) -> Message | None:
        """The next message; None when nobody has the other end any more."""
        try:
            data, ancillary, _, _ = self.channel.recvmsg(8192, socket.CMSG_SPACE(64))
        except ConnectionResetError:
            return None
        if not data:
            return None
        fds = array.array("i")
        for _, _, content in ancillary:
            fds.frombytes(content)
        kind, index, value, length = wire.MESSAGE.unpack_from(data)
        text = data[wire.MESSAGE.size :]
        assert len(text) == length
        if kind == wire.PID:
            self.clones.append(value)
        return Message(kind, index, value, text.decode(), fds[0] if fds else -1)

    def expect(self, kind: int) -> Message:
        """The next message, which must be of this kind."""
        message = self.receive()
        assert message, f"ended instead: {self.printed()}"
        assert message.kind == kind, message
        return message

    def failure(self) -> tuple[int, int]:
        """Which operation fails, and with which errno."""
        message = self.expect(wire.ERROR)
        if message.fd >= 0:
            os.close(message.fd)
        return message.index, message.value

    def say(self, data: bytes) -> None:
        self.channel.send(data)

    def go(self, text: bytes = b"") -> None:
        self.say(wire.MESSAGE.pack(wire.GO, 0, 0, len(text)) + text)

    def end(self) -> int:
        """Wait for the end of the process, without helping; give its exit code."""
        code = self._process.wait(SECONDS)
        printed = self.printed()
        assert "Sanitizer" not in printed, printed
        assert "runtime error" not in printed, printed
        return code

    def end_of_clone(self, pid: int) -> int:
        """The same of a process that the stub made."""
        assert is_gone(pid)
        self.clones.remove(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def hang_up(self) -> int:
        """Go away; give the exit code of the stub, which then must end by itself."""
        self.channel.close()
        return self.end()

    def printed(self) -> str:
        size = os.fstat(self.output).st_size
        return os.pread(self.output, size, 0).decode(errors="replace")

    def open_files(self) -> set[str]:
        """What the process has open, by its names in /proc."""
        return open_files(self.pid)

    def descriptors(self) -> list[int]:
        return [int(name) for name in os.listdir(f"/proc/{self.pid}/fd")]

    def flags(self, fd: int) -> int:
        """How a file was opened, close-on-exec included."""
        for line in Path(f"/proc/{self.pid}/fdinfo/{fd}").read_text().splitlines():
            if line.startswith("flags:"):
                return int(line.split()[1], 8)
        raise AssertionError(fd)

    def close(self) -> None:
        self.channel.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pid in self.clones:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(self.output)


class Begin(Protocol):
    """Starts a stub with a plan, and descriptors for it to inherit."""

    def __call__(
        self,
        plan: "wire.Plan | bytes",
        *fds: int,
        fail_at: int = wire.NEVER,
        before: Callable[[], None] | None = None,
    ) -> Stub: ...


def open_files(pid: int) -> set[str]:
    directory = Path(f"/proc/{pid}/fd")
    return {os.readlink(entry) for entry in directory.iterdir()}


def is_gone(pid: int, seconds: float = SECONDS) -> bool:
    """Wait until a child of ours has ended."""
    pidfd = os.pidfd_open(pid)
    try:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        return bool(poller.poll(seconds * 1000))
    finally:
        os.close(pidfd)
