# SPDX-License-Identifier: Apache-2.0
"""Structures for the scheduler, compared with what util-linux and the man pages say of them."""

from struct import unpack

import pytest

from ocirun.linux import sched


def test_attr() -> None:
    """The layout of sched_setattr(2), with the two fields that kernel 5.3 added."""
    data = sched.attr(6, 0x41, -5, 0, (1, 1 << 40, (1 << 64) - 1))
    assert unpack("=II Q iI QQQ II", data) == (56, 6, 0x41, -5, 0, 1, 1 << 40, 2**64 - 1, 0, 0)


def test_a_priority_below_zero_is_left_to_the_kernel() -> None:
    assert unpack("=II Q iI", sched.attr(1, 0, 0, -1, (0, 0, 0))[:24])[4] == 2**32 - 1


@pytest.mark.parametrize(("io_class", "priority", "value"), [(1, 7, 8199), (2, 4, 16388)])
def test_io_priority(io_class: int, priority: int, value: int) -> None:
    assert sched.io_priority(io_class, priority) == value


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        (set(), bytes(8)),
        ({0}, b"\x01" + bytes(7)),
        ({0, 3, 63}, b"\x09" + bytes(6) + b"\x80"),
        ({64}, bytes(8) + b"\x01" + bytes(7)),
        ({1, 4095}, b"\x02" + bytes(510) + b"\x80"),
        ({65535}, bytes(8191) + b"\x80"),
    ],
)
def test_mask(ids: set[int], wanted: bytes) -> None:
    assert sched.mask(ids) == wanted
