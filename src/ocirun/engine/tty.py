# SPDX-License-Identifier: Apache-2.0
"""Passing bytes between our terminal and a container's (pty(7), termios(3))."""

import os
import select
import termios
from fcntl import ioctl

_CHUNK = 16384
#: milliseconds of silence after which output of a dead program counts as complete
_SILENCE = 100

_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6


class Terminal:
    """Our standard streams, bound to the other end of a container's terminal."""

    __slots__ = ("_fd", "_input_open", "_is_tty", "_last", "_saved", "_unwritten")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._is_tty = os.isatty(0)
        self._saved: list[object] | None = None
        self._input_open = True
        #: the last byte of our input, if there was any
        self._last = b""
        self._unwritten = b""
        # Our own terminal turns "\n" into "\r\n"; a file or a pipe must not get "\r".
        mode = termios.tcgetattr(fd)
        mode[_OFLAG] &= ~termios.ONLCR
        termios.tcsetattr(fd, termios.TCSANOW, mode)
        if self._is_tty:
            self._saved = termios.tcgetattr(0)
            self.resize()
            _make_raw(0)

    def restore(self) -> None:
        """Give our terminal back as it was."""
        if self._saved is not None:
            saved, self._saved = self._saved, None
            try:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)  # type: ignore[arg-type]
            except termios.error:
                pass  # it was hung up meanwhile

    def resize(self) -> None:
        """Give the container's terminal the size of ours."""
        try:
            ioctl(self._fd, termios.TIOCSWINSZ, ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))
        except OSError:
            pass

    def serve(self, pidfd: int) -> None:
        """Pass bytes both ways until the process ends and all its output is here."""
        ended = False
        while True:
            waiting = select.poll()
            waiting.register(self._fd, select.POLLIN | (select.POLLOUT if self._unwritten else 0))
            if not ended:
                waiting.register(pidfd, select.POLLIN)
                if self._input_open and not self._unwritten:
                    waiting.register(0, select.POLLIN)
            ready = dict(waiting.poll(_SILENCE if ended else None))
            if ended and not ready:
                return
            if self._fd in ready and not self._output(ready[self._fd]):
                # Every process has closed the terminal; the first one may live on.
                if not ended:
                    waiting = select.poll()
                    waiting.register(pidfd, select.POLLIN)
                    waiting.poll()
                return
            if 0 in ready:
                self._input()
            ended = ended or pidfd in ready

    def _output(self, events: int) -> bool:
        if events & select.POLLOUT and self._unwritten:
            self._unwritten = self._unwritten[os.write(self._fd, self._unwritten) :]
        if not events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            return True
        try:
            data = os.read(self._fd, _CHUNK)
        except OSError:
            return False  # EIO: the last process has closed its end
        while data:
            try:
                data = data[os.write(1, data) :]
            except OSError:
                return True  # nobody reads us any more; the program is not to be held up by that
        return True

    def _end_of_input(self) -> bytes:
        """Give what tells the program that nothing more will come (termios(3), VEOF)."""
        if self._is_tty:
            return b""  # hung up: the kernel tells it
        end = termios.tcgetattr(self._fd)[_CC][termios.VEOF]
        assert isinstance(end, bytes)
        # The first one only hands over a line that is not complete.
        return end if self._last in (b"", b"\n") else end * 2

    def _input(self) -> None:
        try:
            data = os.read(0, _CHUNK)
        except OSError:
            data = b""
        if not data:
            self._input_open = False
            data = self._end_of_input()
        self._last = data[-1:]
        # Never blocks: what does not fit waits until the program has read.
        self._unwritten += data
        waiting = select.poll()
        waiting.register(self._fd, select.POLLOUT)
        if waiting.poll(0):
            self._unwritten = self._unwritten[os.write(self._fd, self._unwritten) :]


def _make_raw(fd: int) -> None:
    """As cfmakeraw(3), but for OPOST: every key goes to the container unchanged."""
    mode = termios.tcgetattr(fd)
    mode[_IFLAG] &= ~(
        termios.IGNBRK
        | termios.BRKINT
        | termios.PARMRK
        | termios.ISTRIP
        | termios.INLCR
        | termios.IGNCR
        | termios.ICRNL
        | termios.IXON
    )
    mode[_CFLAG] = mode[_CFLAG] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    mode[_LFLAG] &= ~(
        termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN
    )
    mode[_CC][termios.VMIN] = 1
    mode[_CC][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSADRAIN, mode)
