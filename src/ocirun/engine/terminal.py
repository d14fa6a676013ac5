# SPDX-License-Identifier: Apache-2.0
"""Handing a descriptor to whoever will look after it (unix(7), SCM_RIGHTS)."""

import _socket
import os

from ocirun.engine import listener
from ocirun.errors import KernelError

_AGENT = "failed to connect with seccomp agent specified in the seccomp profile (listenerPath)"


def send(path: str, fd: int, name: str) -> None:
    """Send the terminal's multiplexer end over the socket at `path`, with its name as text."""
    _send(path, fd, name, "send the terminal to the console socket")


def send_listener(path: str, fd: int, document: str) -> None:
    """Send a seccomp listener over the socket at `path`, with the process's state."""
    _send(path, fd, document, _AGENT)


def send_process(path: str, pid: int, kind: str) -> None:
    """Send a pidfd of our child over the socket at `path`; the text says what it is."""
    pidfd = os.pidfd_open(pid)
    try:
        _send(path, pidfd, kind, "send the pidfd to the pidfd socket")
    finally:
        os.close(pidfd)


def _send(path: str, fd: int, text: str, what: str) -> None:
    try:
        socket = listener.connect(path, _socket.SOCK_STREAM)
        try:
            rights = fd.to_bytes(4, "little")
            socket.sendmsg([text.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        finally:
            socket.close()
    except OSError as error:
        raise KernelError(
            f"{what}: {path}: {(error.strerror or '').lower()}",
            "is a program listening there?",
        ) from error
