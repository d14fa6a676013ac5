# SPDX-License-Identifier: Apache-2.0
"""The prologue that answers ENOSYS to system calls newer than a seccomp profile.

A profile lists what its author knew.  A C library tries a newer system call
first and falls back only on ENOSYS; the default action of the profile, EPERM or
worse, would look like a final refusal to it.  Numbers grow with time, so a number
above all those that the profile mentions is taken for a newer call.

Pure: numbers in, an array of struct sock_filter out.  See seccomp(2).
"""

import _struct

# Classic BPF, linux/bpf_common.h: loads of a 32-bit word, jumps, and return.
LOAD_WORD = 0x20
JUMP = 0x05
JUMP_EQUAL = 0x15
JUMP_GREATER = 0x25
JUMP_BITS_SET = 0x45
RETURN = 0x06

# struct seccomp_data
OFFSET_NUMBER = 0
OFFSET_ARCHITECTURE = 4

RETURN_ENOSYS = 0x00050000 | 38

AUDIT_ARCH_X86_64 = 0xC000003E
AUDIT_ARCH_S390 = 0x00000016
AUDIT_ARCH_S390X = 0x80000016

# libseccomp's own token for x32.  The kernel reports AUDIT_ARCH_X86_64 for such
# a call and sets a bit in the number.
TOKEN_X32 = 0x4000003E
X32_SYSCALL_BIT = 0x40000000

INSTRUCTION = _struct.Struct("=HBBI")

_TO_FILTER = (JUMP, 0, 0, 0)
_LOAD_NUMBER = (LOAD_WORD, 0, 0, OFFSET_NUMBER)
_ENOSYS = (RETURN, 0, 0, RETURN_ENOSYS)


def _above(number: int) -> "list[tuple[int, int, int, int]]":
    return [_LOAD_NUMBER, (JUMP_GREATER, 0, 1, number), _ENOSYS, _TO_FILTER]


def _s390(number: int) -> "list[tuple[int, int, int, int]]":
    # Numbers above 255 arrive through a register that the kernel copies only for
    # calls it has: an unknown one shows up as 0, the long dead setup(2).
    return [
        _LOAD_NUMBER,
        (JUMP_EQUAL, 1, 0, 0),
        (JUMP_GREATER, 0, 1, number),
        _ENOSYS,
        _TO_FILTER,
    ]


def _x86_64(native: "int | None", x32: "int | None") -> "list[tuple[int, int, int, int]]":
    if native is None:
        # Without the bit: over the comparison and the return, to the filter.
        return [
            _LOAD_NUMBER,
            (JUMP_BITS_SET, 0, 2, X32_SYSCALL_BIT),
            *_above(x32 or 0)[1:],
        ]
    if x32 is None:
        # An x32 number is above all native ones, but it is not a newer call: the
        # filter itself must say what happens to a foreign ABI.
        return [_LOAD_NUMBER, (JUMP_BITS_SET, 2, 0, X32_SYSCALL_BIT), *_above(native)[1:]]
    return [
        _LOAD_NUMBER,
        (JUMP_BITS_SET, 1, 0, X32_SYSCALL_BIT),
        (JUMP_GREATER, 1, 2, native),
        (JUMP_GREATER, 0, 1, x32),
        _ENOSYS,
        _TO_FILTER,
    ]


def _section(token: int, last: "dict[int, int]") -> "list[tuple[int, int, int, int]]":
    if token == AUDIT_ARCH_X86_64:
        return _x86_64(last.get(AUDIT_ARCH_X86_64), last.get(TOKEN_X32))
    if token in (AUDIT_ARCH_S390, AUDIT_ARCH_S390X):
        return _s390(last[token])
    return _above(last[token])


def prologue(last: "dict[int, int]") -> bytes:
    """Return the instructions to put in front of a filter; they fall through to it.

    `last` maps libseccomp's architecture tokens to the largest number mentioned.
    The first architecture is the first one tested for.
    """
    tokens: list[int] = []
    for token in last:
        kernel_token = AUDIT_ARCH_X86_64 if token == TOKEN_X32 else token
        if kernel_token not in tokens:
            tokens.append(kernel_token)
    if not tokens:
        return b""

    program = [(LOAD_WORD, 0, 0, OFFSET_ARCHITECTURE)]
    for token in tokens:
        section = _section(token, last)
        program.append((JUMP_EQUAL, 0, len(section), token))
        program += section

    # Every plain jump leads out, to the first instruction of the filter behind.
    out = bytearray()
    for place, (code, true, false, operand) in enumerate(program):
        k = len(program) - place - 1 if code == JUMP else operand
        out += INSTRUCTION.pack(code, true, false, k)
    return bytes(out)
