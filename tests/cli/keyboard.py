# SPDX-License-Identifier: Apache-2.0
"""A person at a terminal: types, reads the screen, changes the size of the window (pty(7))."""

import errno
import fcntl
import os
import select
import struct
import subprocess
import termios
from types import TracebackType
from typing import Self

#: seconds after which somebody at a terminal gives up; nothing here waits for it to pass
PATIENCE = 20


class Keyboard:
    """A command on a terminal of its own, which it controls as a login shell would."""

    def __init__(
        self, *words: str, env: dict[str, str] | None = None, size: tuple[int, int] = (24, 80)
    ) -> None:
        self.screen = b""
        self._fd, other = os.openpty()
        self.resize(*size)
        self.mode_before = termios.tcgetattr(self._fd)
        try:
            # A child of subprocess leads no group, so that setsid(1) does not fork.
            self.process = subprocess.Popen(
                ["setsid", "--ctty", *words], stdin=other, stdout=other, stderr=other, env=env
            )
        finally:
            os.close(other)
        self._pidfd = os.pidfd_open(self.process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._pidfd)
        self.hang_up()

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._fd, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def mode(self) -> "list[int | list[bytes | int]]":
        """Give the mode that the terminal is in (termios(3))."""
        return termios.tcgetattr(self._fd)

    def is_raw(self) -> bool:
        """Tell whether keys go to the program at once and without echo."""
        local = self.mode()[3]
        assert isinstance(local, int)
        return not local & (termios.ICANON | termios.ECHO | termios.ISIG)

    def read_until(self, text: str) -> str:
        """Read the screen up to and with a text, and give what came before it."""
        wanted = text.encode()
        while wanted not in self.screen:
            if not self._read():
                raise AssertionError(f"no {text!r} on the screen but {self.screen!r}")
        before, _, self.screen = self.screen.partition(wanted)
        return before.decode()

    def _read(self) -> bool:
        """Read some of the screen; False if the command has ended."""
        waiting = select.poll()
        waiting.register(self._fd, select.POLLIN)
        waiting.register(self._pidfd, select.POLLIN)
        ready = dict(waiting.poll(PATIENCE * 1000))
        assert ready, f"silence after {self.screen!r}"
        if not ready.get(self._fd, 0) & select.POLLIN:
            return False
        try:
            # The shell of busybox asks where the cursor is, and goes on without an answer.
            self.screen = (self.screen + os.read(self._fd, 1 << 16)).replace(b"\x1b[6n", b"")
        except OSError as error:
            # The last program has closed its end.
            assert error.errno == errno.EIO  # noqa: PT017
            return False
        return True

    def end(self) -> int:
        """Read the screen until the command ends, and give its exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def hang_up(self) -> None:
        """Close the window."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
