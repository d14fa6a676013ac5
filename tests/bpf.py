# SPDX-License-Identifier: Apache-2.0
"""Runs a seccomp filter on a made-up system call: a second opinion on what it decides.

Only the instructions that seccomp(2) accepts and filters use; anything else is a
KeyError or ValueError, so that nothing is decided by accident.
"""

import operator
import struct
from collections.abc import Callable

# linux/bpf_common.h
LD_W_ABS, LD_IMM, LD_MEM, LDX_IMM, LDX_MEM = 0x20, 0x00, 0x60, 0x01, 0x61
ST, STX, TAX, TXA = 0x02, 0x03, 0x07, 0x87
JA, RET_K, RET_A = 0x05, 0x06, 0x16
CLASS_MASK, ALU, JMP = 0x07, 0x04, 0x05
SOURCE_X = 0x08

COMPARE: dict[int, Callable[[int, int], bool]] = {
    0x10: operator.eq,
    0x20: operator.gt,
    0x30: operator.ge,
    0x40: lambda a, b: a & b != 0,
}
COMPUTE: dict[int, Callable[[int, int], int]] = {
    0x00: operator.add,
    0x10: operator.sub,
    0x20: operator.mul,
    0x40: operator.or_,
    0x50: operator.and_,
    0x60: operator.lshift,
    0x70: operator.rshift,
    0xA0: operator.xor,
}
WORD = 0xFFFFFFFF

NO_ARGUMENTS = (0, 0, 0, 0, 0, 0)


def words(architecture: int, number: int, arguments: tuple[int, ...]) -> tuple[int, ...]:
    """Return struct seccomp_data as the words that a filter can load."""
    given = (*arguments, *NO_ARGUMENTS)[:6]
    data = struct.pack("=IIQ6Q", number & WORD, architecture, 0, *given)
    return struct.unpack("=16I", data)


class Machine:
    """One program; `decide` gives its 32-bit answer, and `steps` what that took."""

    def __init__(self, program: bytes) -> None:
        self.instructions = list(struct.iter_unpack("=HBBI", program))

    def decide(self, architecture: int, number: int, arguments: tuple[int, ...] = ()) -> int:
        data = words(architecture, number, arguments)
        self.a = self.x = 0
        self.memory = [0] * 16
        self.steps = 0
        place = 0
        while True:
            self.steps += 1
            code, true, false, k = self.instructions[place]
            place += 1
            if code == RET_K:
                return int(k)
            if code == RET_A:
                return self.a
            if code == JA:
                place += k
            elif code & CLASS_MASK == JMP:
                right = self.x if code & SOURCE_X else k
                place += true if COMPARE[code & 0xF0](self.a, right) else false
            elif code & CLASS_MASK == ALU:
                right = self.x if code & SOURCE_X else k
                self.a = COMPUTE[code & 0xF0](self.a, right) & WORD
            else:
                self.move(code, k, data)

    def move(self, code: int, k: int, data: tuple[int, ...]) -> None:
        if code == LD_W_ABS:
            if k % 4:
                raise ValueError(f"unaligned load at {k}")
            self.a = data[k // 4]
        elif code in (LD_IMM, LDX_IMM):
            self.a, self.x = (k, self.x) if code == LD_IMM else (self.a, k)
        elif code == LD_MEM:
            self.a = self.memory[k]
        elif code == LDX_MEM:
            self.x = self.memory[k]
        elif code in (ST, STX):
            self.memory[k] = self.a if code == ST else self.x
        elif code == TAX:
            self.x = self.a
        elif code == TXA:
            self.a = self.x
        else:
            raise ValueError(f"instruction {code:#x}")
