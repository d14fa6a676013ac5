# SPDX-License-Identifier: Apache-2.0
"""Where messages go: standard error, or the file of --log.

Engines read the file line by line, and show the last error line to the user: so one
message is one line, written by one write(2), and the file exists before anything can
fail.  The format is logrus's, as text or JSON, which is what they can parse.
"""

import os
import sys

from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STDERR = 2


class Journal:
    """One place to write messages to."""

    __slots__ = ("_fd", "_send", "debugging", "json", "warnings")

    def __init__(self) -> None:
        self._fd = STDERR
        self._send: Callable[[str, str], None] | None = None
        self.json = False
        self.debugging = False
        self.warnings = True

    def open(self, place: str) -> None:
        """Append to a file from now on; or tell journald:NAME, or syslog:NAME."""
        kind, colon, rest = place.partition(":")
        if colon and kind in {"journald", "syslog"}:
            from ocirun.cli import log_socket

            try:
                self._send = log_socket.connect(kind, rest or "ocirun")
            except OSError as error:
                reason = (error.strerror or "").lower()
                raise UsageError(f"open the log: {error.filename}: {reason}", "see --log") from None
            return
        path = rest if colon and kind == "file" else place
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_SYNC | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o644)
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise UsageError(f"open the log file: {path}: {reason}", "see --log") from None
        if self._fd != STDERR:
            os.close(self._fd)
        self._fd = fd

    def debug(self, message: str) -> None:
        """Say what is done; only after --debug."""
        if self.debugging:
            self._record("debug", message)

    def warning(self, message: str) -> None:
        """Say what did not go well, but did not stop us."""
        if not self.warnings:
            return
        if self._fd == STDERR and not self._send:
            _write(STDERR, f"ocirun: warning: {_visible(_one_line(message))}\n")
        else:
            self._record("warning", message)

    def error(self, message: str, hint: str = "") -> None:
        """Say why we end, and what helps; on standard error too, for whoever has no file.

        A person gets the hint on a line of its own, a program finds all in one.
        """
        whole = f"{message} ({hint})" if hint else message
        if self._fd != STDERR or self._send:
            self._record("error", whole)
        if os.isatty(STDERR):
            from ocirun.cli.colour import remark

            _write(STDERR, remark(_visible(_one_line(message)), _visible(_one_line(hint))))
        else:
            _write(STDERR, f"ocirun: error: {_visible(_one_line(whole))}\n")

    def _record(self, level: str, message: str) -> None:
        if self._send:
            self._send(level, _one_line(message))
            return
        from ocirun.cli.record import json_record, place_of, text_record

        make = json_record if self.json else text_record
        # The frame of whoever called debug, warning or error.
        frame = sys._getframe(2) if self.debugging else None  # noqa: SLF001  documented
        _write(self._fd, make(level, _one_line(message), place_of(frame) if frame else None))


def _one_line(message: str) -> str:
    return "; ".join(line.strip() for line in message.splitlines() if line.strip())


def _visible(text: str) -> str:
    """Escape control characters: the text may come from a container, the reader is a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _write(fd: int, text: str) -> None:
    """Write a message; where it cannot be written there is nobody left to tell."""
    data = text.encode("utf-8", "backslashreplace")
    while data:
        try:
            data = data[os.write(fd, data) :]
        except OSError:
            return
