# SPDX-License-Identifier: Apache-2.0
"""The socket at which a created container waits for its start.

A socket and not a FIFO: whoever connects learns at once when nobody is there any
more, and gets the error if the program cannot be started (unix(7)).
"""

import _socket
import os

from ocirun.errors import KernelError


def _new_socket() -> "_socket.socket":
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)


def listen(path: str) -> int:
    """Make the socket; the caller closes the descriptor."""
    directory, name = os.path.split(path)
    parent = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    socket = _new_socket()
    try:
        # By a short name: an address holds 107 bytes, a state root may be longer.
        socket.bind(f"/proc/self/fd/{parent}/{name}")
        socket.listen(1)
        return socket.detach()
    except OSError as error:
        said = (error.strerror or "").lower()
        raise KernelError(f"listen for the start: {path}: {said}") from error
    finally:
        os.close(parent)
        socket.close()


def connect(path: str, kind: int = _socket.SOCK_SEQPACKET) -> "_socket.socket":
    """Connect to a socket, whatever the length of its path; raises OSError."""
    directory, name = os.path.split(os.path.abspath(path))
    parent = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    socket = _socket.socket(_socket.AF_UNIX, kind | _socket.SOCK_CLOEXEC)
    try:
        socket.connect(f"/proc/self/fd/{parent}/{name}")
    except BaseException:
        socket.close()
        raise
    finally:
        os.close(parent)
    return socket
