# SPDX-License-Identifier: Apache-2.0
"""Network devices and their addresses, in this network namespace or in another (rtnetlink(7)).

Only what it takes to move a device.  A request waits for its answer; what the kernel says
beside the errno is part of the error.
"""

import _socket
import _struct
import os

from ocirun import _linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    Attributes = dict[int, bytes]

_NETLINK_ROUTE = 0
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _ACK, _DUMP, _CREATE, _EXCLUSIVE = 0x1, 0x4, 0x300, 0x400, 0x200
_MESSAGE_OF_KERNEL, _ACK_TLVS = 1, 0x200
_NEWLINK, _GETLINK, _NEWADDR, _GETADDR = 16, 18, 20, 22
_IFLA_IFNAME, _IFLA_NET_NS_FD = 3, 28
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
_IFF_UP = 1
_IFA_F_NODAD, _IFA_F_PERMANENT, _IFA_F_NOPREFIXROUTE = 0x02, 0x80, 0x200

_HEADER = _struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, number, port
_LINK = _struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ADDRESS = _struct.Struct("=BBBBi")  # ifaddrmsg: family, prefix, flags, scope, index


class Address:
    """An address as the kernel tells it, to be given to a device again."""

    __slots__ = ("attributes", "family", "flags", "index", "prefix", "scope")

    def __init__(self, payload: bytes) -> None:
        self.family, self.prefix, flags, self.scope, self.index = _ADDRESS.unpack_from(payload)
        self.attributes = dict(_attributes(payload[_ADDRESS.size :]))
        more = self.attributes.get(_IFA_FLAGS)
        self.flags: int = int.from_bytes(more, "little") if more else flags

    @property
    def is_lasting(self) -> bool:
        """Whether somebody gave it for good, and it means the same everywhere (scope global)."""
        return bool(self.flags & _IFA_F_PERMANENT) and self.scope == 0


class Routing:
    """A netlink socket; what is asked of it is about the namespace it was made in."""

    __slots__ = ("_number", "_socket")

    def __init__(self, netns_fd: int = -1) -> None:
        kind = _socket.SOCK_RAW
        if netns_fd < 0:
            self._socket = _socket.socket(_socket.AF_NETLINK, kind | _socket.SOCK_CLOEXEC)
        else:
            fd = _linux.socket_in(netns_fd, _socket.AF_NETLINK, kind, _NETLINK_ROUTE)
            self._socket = _socket.socket(fileno=fd)
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._number = 0

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def devices(self) -> dict[str, int]:
        """Map the name of each device to its index."""
        found = {}
        for payload in self._ask(_GETLINK, _DUMP, _LINK.pack(0, 0, 0, 0, 0)):
            name = dict(_attributes(payload[_LINK.size :])).get(_IFLA_IFNAME, b"")
            found[os.fsdecode(name.rstrip(b"\0"))] = _LINK.unpack_from(payload)[2]
        return found

    def addresses(self, index: int) -> list[Address]:
        """Give the addresses of a device."""
        answers = self._ask(_GETADDR, _DUMP, _ADDRESS.pack(0, 0, 0, 0, 0))
        return [address for address in map(Address, answers) if address.index == index]

    def move(self, index: int, name: str, netns_fd: int) -> None:
        """Move a device to another namespace, where it has this name, in one step.

        The kernel takes it down, and takes its addresses away.
        """
        request = _LINK.pack(0, 0, index, 0, 0)
        request += _attribute(_IFLA_IFNAME, os.fsencode(name) + b"\0")
        request += _attribute(_IFLA_NET_NS_FD, _struct.pack("=I", netns_fd))
        self._ask(_NEWLINK, _ACK, request)

    def add_address(self, index: int, address: Address) -> None:
        """Give a device an address that another one had."""
        flags = address.flags & (_IFA_F_NODAD | _IFA_F_NOPREFIXROUTE)
        request = _ADDRESS.pack(address.family, address.prefix, 0, address.scope, index)
        # Not its label, which begins with the name of the device.
        for kind in (_IFA_LOCAL, _IFA_ADDRESS, _IFA_BROADCAST):
            if kind in address.attributes:
                request += _attribute(kind, address.attributes[kind])
        request += _attribute(_IFA_FLAGS, _struct.pack("=I", flags))
        self._ask(_NEWADDR, _ACK | _CREATE | _EXCLUSIVE, request)

    def set_up(self, index: int) -> None:
        """Let a device work."""
        self._ask(_NEWLINK, _ACK, _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP))

    def _ask(self, kind: int, flags: int, payload: bytes) -> list[bytes]:
        self._number += 1
        size = _HEADER.size + len(payload)
        header = _HEADER.pack(size, kind, flags | _REQUEST, self._number, 0)
        self._socket.send(header + payload)
        answers: list[bytes] = []
        while True:
            for got, got_flags, number, answer in _messages(self._socket.recv(1 << 16)):
                if number != self._number:
                    continue
                if got == _NLMSG_ERROR:
                    _raise_if_failed(answer, got_flags)
                    return answers
                if got == _NLMSG_DONE:
                    return answers
                answers.append(answer)


def _messages(data: bytes) -> "Iterator[tuple[int, int, int, bytes]]":
    """Split what one read gave: type, flags, number, payload."""
    while len(data) >= _HEADER.size:
        size, kind, flags, number, _ = _HEADER.unpack_from(data)
        yield kind, flags, number, data[_HEADER.size : size]
        data = data[_aligned(size) :]


def _attributes(data: bytes) -> "Iterator[tuple[int, bytes]]":
    while len(data) >= 4:
        size, kind = _struct.unpack_from("=HH", data)
        if size < 4:
            return
        yield kind & 0x3FFF, data[4:size]
        data = data[_aligned(size) :]


def _attribute(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return _struct.pack("=HH", size, kind) + value + bytes(_aligned(size) - size)


def _aligned(size: int) -> int:
    return (size + 3) & ~3


def _raise_if_failed(answer: bytes, flags: int) -> None:
    number = -int.from_bytes(answer[:4], "little", signed=True)
    if not number:
        return
    said = b""
    if flags & _ACK_TLVS:
        # Behind the header of what we asked.
        said = dict(_attributes(answer[4 + _HEADER.size :])).get(_MESSAGE_OF_KERNEL, b"")
    text = os.strerror(number)
    if said:
        text += f" ({said.rstrip(bytes(1)).decode(errors='replace')})"
    raise OSError(number, text)
