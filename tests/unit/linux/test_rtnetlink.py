# SPDX-License-Identifier: Apache-2.0
"""The bytes of netlink, as the kernel sends them."""

import struct

import pytest

from ocirun.linux.rtnetlink import Address, _raise_if_failed

PERMANENT, TENTATIVE = 0x80, 0x40


def attribute(kind: int, value: bytes) -> bytes:
    raw = struct.pack("=HH", 4 + len(value), kind) + value
    return raw + bytes(-len(raw) % 4)


def test_no_error() -> None:
    _raise_if_failed(struct.pack("=i", 0) + bytes(16), 0)


def test_an_error_alone() -> None:
    with pytest.raises(OSError, match="No such device") as caught:
        _raise_if_failed(struct.pack("=i", -19) + bytes(16), 0)
    assert (caught.value.errno, caught.value.strerror) == (19, "No such device")


def test_an_error_with_a_message() -> None:
    answer = struct.pack("=i", -22) + bytes(16) + attribute(1, b"netns is immutable\0")
    with pytest.raises(OSError, match="Invalid") as caught:
        _raise_if_failed(answer, 0x200)
    assert caught.value.strerror == "Invalid argument (netns is immutable)"


@pytest.mark.parametrize(
    ("flags", "scope", "lasting"),
    [
        (PERMANENT, 0, True),
        (PERMANENT | TENTATIVE, 0, True),
        (0, 0, False),
        (PERMANENT, 253, False),
        (PERMANENT, 254, False),
    ],
)
def test_which_addresses_last(flags: int, scope: int, *, lasting: bool) -> None:
    address = Address(struct.pack("=BBBBi", 2, 24, flags, scope, 7) + attribute(2, bytes(4)))
    assert (address.family, address.prefix, address.index) == (2, 24, 7)
    assert address.is_lasting == lasting


def test_flags_that_do_not_fit_into_a_byte() -> None:
    more = attribute(8, struct.pack("=I", 0x200 | PERMANENT))
    assert Address(struct.pack("=BBBBi", 10, 64, 0, 0, 7) + more).is_lasting
