# SPDX-License-Identifier: Apache-2.0
"""The parent's side of the conversation with the stub.

engine                          stub
  spawn ------------------------> first process: joins cgroups and namespaces
  <------------------------ PID   of the container's process, from its CLONE
  <--------------- SYNC n / FD n  it waits
  GO ---------------------------> it goes on
  <------------------- ERROR i e  operation i failed with errno e
  <---------------------- READY   all is done but the start
  GO ---------------------------> exec (run), or listens (create)
  <------------------ end of file exec worked, or all its processes are gone
"""

import _socket
import os

from ocirun import _linux
from ocirun.engine import wire
from ocirun.engine.status import WAITING_NAME
from ocirun.errors import KernelError
from ocirun.linux import file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SEALS = 0x0001 | 0x0002 | 0x0004 | 0x0008
_F_ADD_SEALS = 1033
_MFD_EXEC = 0x0010  # kernel 6.3; an older one has no such flag and makes them all executable


class Message:
    """One packet from the stub."""

    __slots__ = ("fd", "index", "kind", "text", "value")

    def __init__(self, kind: int, index: int, value: int, text: str, fd: int) -> None:
        self.kind = kind
        self.index = index
        self.value = value
        self.text = text
        #: a descriptor that came with it and now belongs to the receiver, or -1
        self.fd = fd


class Channel:
    """A SOCK_SEQPACKET socket to the stub; closing it ends a stub that still waits."""

    __slots__ = ("_socket",)

    def __init__(self, socket: "_socket.socket") -> None:
        self._socket = socket

    def receive(self) -> Message | None:
        """Wait for the next message; None when nobody is left on the other side."""
        space = _socket.CMSG_SPACE(4)
        try:
            data, ancillary, _, _ = self._socket.recvmsg(
                wire.MESSAGE.size + 4096, space, _socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:
            return None
        if len(data) < wire.MESSAGE.size:
            return None
        fds = [int.from_bytes(content[:4], "little") for _, _, content in ancillary]
        kind, index, value, length = wire.MESSAGE.unpack_from(data)
        text = data[wire.MESSAGE.size :][:length].decode("utf-8", "surrogateescape")
        return Message(kind, index, value, text, fds[0] if fds else -1)

    def go(self, text: bytes = b"", fd: int = -1) -> None:
        """Tell the stub to go on, and let it have a descriptor."""
        packet = wire.MESSAGE.pack(wire.GO, 0, 0, len(text)) + text
        if fd < 0:
            self._socket.send(packet, _socket.MSG_NOSIGNAL)
        else:
            rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd.to_bytes(4, "little"))
            self._socket.sendmsg([packet], [rights], _socket.MSG_NOSIGNAL)

    def say_no_more(self) -> None:
        """End a stub that waits, now or later, but still hear what it says."""
        try:
            self._socket.shutdown(_socket.SHUT_WR)
        except OSError:
            pass  # nobody is left on the other side

    def close(self) -> None:
        """Close our end."""
        self._socket.close()


def sealed_memory(name: str, content: bytes) -> int:
    """Give a descriptor of a file in memory that nobody, not even root, can change."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        fd = os.memfd_create(name, flags | _MFD_EXEC)
    except OSError:
        # kernel < 6.3
        fd = os.memfd_create(name, flags)
    from fcntl import fcntl

    os.write(fd, content)
    fcntl(fd, _F_ADD_SEALS, _SEALS)
    return fd


def program_path() -> str:
    """Give the place where the stub was installed."""
    return os.path.join(os.path.dirname(os.path.dirname(__file__)), "stub")


def start(plan: bytes, fds: "Iterable[int]", preserve_fds: int) -> tuple[int, Channel]:
    """Start the stub with a plan and the descriptors that the plan names; give its pid.

    It also inherits the first `preserve_fds` descriptors from 3 on, and nothing else.

    The program is executed from a sealed copy: what /proc/PID/exe leads to cannot be
    written, and is not the file on the host (CVE-2019-5736).
    """
    try:
        ours, theirs = _socket_pair()
    except OSError as error:
        raise _not_started(error) from error
    opened = [theirs.fileno()]
    try:
        try:
            content = file.read(program_path())
        except OSError as error:
            raise KernelError(
                f"read the stub: {program_path()}: {(error.strerror or '').lower()}",
                "install ocirun again",
            ) from error
        opened.append(sealed_memory("ocirun-stub", content))
        opened.append(sealed_memory("ocirun-plan", plan))
        channel_fd, program_fd, plan_fd = opened
        argv = (WAITING_NAME.encode(), b"%d" % channel_fd, b"%d" % plan_fd)
        keep = (channel_fd, plan_fd, *fds)
        pid = _linux.spawn(program_fd, None, argv, (), keep, (-1, -1, -1), -1, 3 + preserve_fds)
    except OSError as error:
        ours.close()
        raise _not_started(error) from error
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        for fd in opened[1:]:
            os.close(fd)
    return pid, Channel(ours)


def _not_started(error: OSError) -> KernelError:
    return KernelError(f"start the stub: {(error.strerror or '').lower()}")


def _socket_pair() -> tuple["_socket.socket", "_socket.socket"]:
    first, second = _socket.socketpair(
        _socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC
    )
    return first, second
