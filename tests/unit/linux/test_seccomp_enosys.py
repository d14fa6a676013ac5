# SPDX-License-Identifier: Apache-2.0
"""What the prologue answers, asked with the interpreter; the filter behind it says ALLOW."""

import errno
import struct

import pytest
from tests.bpf import RET_K, Machine

from ocirun.linux.seccomp_enosys import (
    AUDIT_ARCH_S390,
    AUDIT_ARCH_S390X,
    AUDIT_ARCH_X86_64,
    TOKEN_X32,
    X32_SYSCALL_BIT,
    prologue,
)

ALLOW = 0x7FFF0000
ENOSYS = 0x00050000 | errno.ENOSYS
I386 = 0x40000003
AARCH64 = 0xC00000B7
THE_FILTER = struct.pack("=HBBI", RET_K, 0, 0, ALLOW)


def machine(last: dict[int, int]) -> Machine:
    return Machine(prologue(last) + THE_FILTER)


def test_nothing_known_gives_no_prologue() -> None:
    assert prologue({}) == b""


def test_errno_is_the_generic_one() -> None:
    assert errno.ENOSYS == 38


@pytest.mark.parametrize("architecture", [I386, AARCH64, AUDIT_ARCH_X86_64])
def test_only_numbers_above_the_last_get_enosys(architecture: int) -> None:
    one = machine({architecture: 300})
    assert [one.decide(architecture, n) for n in (0, 299, 300, 301)] == [
        ALLOW,
        ALLOW,
        ALLOW,
        ENOSYS,
    ]


def test_each_architecture_has_its_own_last_number() -> None:
    both = machine({AUDIT_ARCH_X86_64: 300, I386: 400, AARCH64: 200})
    assert both.decide(AUDIT_ARCH_X86_64, 301) == ENOSYS
    assert both.decide(I386, 301) == ALLOW
    assert both.decide(I386, 401) == ENOSYS
    assert both.decide(AARCH64, 201) == ENOSYS


def test_other_architectures_go_to_the_filter() -> None:
    assert machine({I386: 1}).decide(AARCH64, 5000) == ALLOW


def test_x32_goes_to_the_filter_where_the_profile_has_only_x86_64() -> None:
    one = machine({AUDIT_ARCH_X86_64: 300})
    assert one.decide(AUDIT_ARCH_X86_64, X32_SYSCALL_BIT + 5000) == ALLOW


def test_x86_64_goes_to_the_filter_where_the_profile_has_only_x32() -> None:
    one = machine({TOKEN_X32: X32_SYSCALL_BIT + 300})
    assert one.decide(AUDIT_ARCH_X86_64, 5000) == ALLOW
    assert one.decide(AUDIT_ARCH_X86_64, X32_SYSCALL_BIT + 300) == ALLOW
    assert one.decide(AUDIT_ARCH_X86_64, X32_SYSCALL_BIT + 301) == ENOSYS


@pytest.mark.parametrize("first", [AUDIT_ARCH_X86_64, TOKEN_X32])
def test_x86_64_and_x32_together(first: int) -> None:
    last = {AUDIT_ARCH_X86_64: 300, TOKEN_X32: X32_SYSCALL_BIT + 500}
    both = machine({first: last[first], **last})
    assert both.decide(AUDIT_ARCH_X86_64, 300) == ALLOW
    assert both.decide(AUDIT_ARCH_X86_64, 301) == ENOSYS
    assert both.decide(AUDIT_ARCH_X86_64, X32_SYSCALL_BIT + 301) == ALLOW
    assert both.decide(AUDIT_ARCH_X86_64, X32_SYSCALL_BIT + 500) == ALLOW
    assert both.decide(AUDIT_ARCH_X86_64, X32_SYSCALL_BIT + 501) == ENOSYS


@pytest.mark.parametrize("architecture", [AUDIT_ARCH_S390, AUDIT_ARCH_S390X])
def test_s390_reports_an_unknown_number_as_zero(architecture: int) -> None:
    one = machine({architecture: 300})
    assert [one.decide(architecture, n) for n in (0, 1, 300, 301)] == [
        ENOSYS,
        ALLOW,
        ALLOW,
        ENOSYS,
    ]
