# SPDX-License-Identifier: Apache-2.0
"""Handing a container's terminal to whoever will look after it (unix(7), SCM_RIGHTS)."""

import _socket

from ocirun.engine import listener
from ocirun.errors import KernelError


def send(path: str, fd: int, name: str) -> None:
    """Send the terminal's multiplexer end over the socket at `path`, with its name as text."""
    try:
        socket = listener.connect(path, _socket.SOCK_STREAM)
        try:
            rights = fd.to_bytes(4, "little")
            socket.sendmsg([name.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        finally:
            socket.close()
    except OSError as error:
        raise KernelError(
            f"send the terminal to the console socket: {path}: {(error.strerror or '').lower()}",
            "is a program listening there?",
        ) from error
