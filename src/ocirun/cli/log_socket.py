# SPDX-License-Identifier: Apache-2.0
"""The other two places that --log can name, as crun has them: the journal of systemd, and syslog.

    journald:IDENTIFIER     systemd.journal-fields(7), by its native protocol
    syslog:IDENTIFIER       syslog(3), RFC 3164 without the host
Both are datagrams to a socket of this host.
"""

import _socket
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

JOURNALD, SYSLOG = "/run/systemd/journal/socket", "/dev/log"
_PRIORITIES = {"error": 3, "warning": 4, "debug": 7}
_USER = 1 << 3


def connect(kind: str, identifier: str, path: str = "") -> "Callable[[str, str], None]":
    """Give a function that sends (level, message); raises OSError where nobody listens."""
    path = path or (JOURNALD if kind == "journald" else SYSLOG)
    # Not to wait for a daemon that does not read: a container's lock may be held meanwhile.
    kind_of = _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
    socket = _socket.socket(_socket.AF_UNIX, kind_of)
    try:
        socket.connect(path)
    except OSError as error:
        socket.close()
        raise OSError(error.errno, error.strerror, path) from None
    fd = socket.detach()
    encode = journal_entry if kind == "journald" else syslog_line

    def send(level: str, message: str) -> None:
        try:
            os.write(fd, encode(identifier, _PRIORITIES[level], message))
        except OSError:
            pass  # nobody is left to tell

    return send


def journal_entry(identifier: str, priority: int, message: str) -> bytes:
    """Give the fields of one entry; a message is one line, so none needs the binary form."""
    fields = {"MESSAGE": message, "PRIORITY": priority, "SYSLOG_IDENTIFIER": identifier}
    text = "".join(f"{name}={value}\n" for name, value in fields.items())
    return text.encode("utf-8", "backslashreplace")


def syslog_line(identifier: str, priority: int, message: str) -> bytes:
    """Give one line; the daemon adds time and host."""
    text = f"<{_USER | priority}>{identifier}[{os.getpid()}]: {message}"
    return text.encode("utf-8", "backslashreplace")
