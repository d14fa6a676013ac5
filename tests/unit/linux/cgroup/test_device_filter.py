# SPDX-License-Identifier: Apache-2.0
"""The eBPF device program, run here by a small interpreter and compared with the rules."""

import struct

import pytest
from hypothesis import given, strategies as st

from ocirun.linux.cgroup.device_filter import program
from ocirun.linux.cgroup.devices import ANY, Ruleset, ruleset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.devices import Rule

TYPES = {"b": 1, "c": 2}
ACCESS = {"m": 1, "r": 2, "w": 4}


def run(code: bytes, kind: str, major: int, minor: int, access: str) -> int:
    """Execute the few eBPF instructions that the generator uses, and no others."""
    wanted = sum(ACCESS[letter] for letter in access)
    context = struct.pack("=III", wanted << 16 | TYPES[kind], major, minor)
    instructions = list(struct.iter_unpack("=BBhI", code))
    registers: list[int | None] = [None] * 11
    registers[1] = 0  # an offset into the context
    at = 0
    while True:
        opcode, names, offset, value = instructions[at]
        to, source = names & 15, names >> 4
        at += 1
        if opcode == 0x61:
            base = registers[source]
            assert base == 0
            registers[to] = struct.unpack_from("=I", context, base + offset)[0]
        elif opcode == 0xB4:
            registers[to] = value
        elif opcode == 0xBC:
            registers[to] = known(registers[source])
        elif opcode == 0x54:
            registers[to] = known(registers[to]) & value
        elif opcode == 0x74:
            registers[to] = known(registers[to]) >> value
        elif opcode == 0x95:
            return known(registers[0])
        else:
            other = known(registers[source]) if opcode & 8 else value
            equal = known(registers[to]) == other
            assert opcode & 0xF7 in (0x56, 0x16)
            assert offset >= 0
            if equal == (opcode & 0xF7 == 0x16):
                at += offset


def known(value: int | None) -> int:
    assert value is not None, "register read before it was written"
    return value


def allowed(rules: Ruleset, kind: str, major: int, minor: int, access: str) -> bool:
    """Decide as the kernel's v1 controller: one exception must hold all, or any to deny."""
    for node, letters in rules.exceptions.items():
        if node[0] == kind and node[1] in (ANY, major) and node[2] in (ANY, minor):
            if not rules.allow and set(access) <= letters:
                return True
            if rules.allow and set(access) & letters:
                return False
    return rules.allow


def test_no_rules_allow_nothing() -> None:
    assert run(program(ruleset([])), "c", 1, 3, "r") == 0


@pytest.mark.parametrize(
    ("node", "access", "verdict"),
    [
        (("c", 1, 3), "rw", 1),
        (("c", 1, 3), "m", 0),
        (("c", 1, 3), "rwm", 0),
        (("b", 1, 3), "r", 0),
        (("c", 1, 4), "r", 0),
        (("c", 136, 77), "rwm", 1),
        (("b", 8, 0), "m", 1),
        (("b", 8, 0), "r", 0),
    ],
)
def test_allow_list(node: tuple[str, int, int], access: str, verdict: int) -> None:
    rules: list[Rule] = [
        (True, "c", 1, 3, "rw"),
        (True, "c", 136, ANY, "rwm"),
        (True, "b", ANY, ANY, "m"),
    ]
    assert run(program(ruleset(rules)), *node, access) == verdict


def test_deny_list_refuses_a_mixed_request() -> None:
    code = program(ruleset([(True, "a", ANY, ANY, "rwm"), (False, "c", 1, 3, "w")]))
    assert run(code, "c", 1, 3, "r") == 1
    assert run(code, "c", 1, 3, "w") == 0
    assert run(code, "c", 1, 3, "rw") == 0
    assert run(code, "c", 1, 5, "rw") == 1


def test_numbers_of_32_bits() -> None:
    code = program(ruleset([(True, "c", 0xFFFFFFFF, 0x80000000, "r")]))
    assert run(code, "c", 0xFFFFFFFF, 0x80000000, "r") == 1
    assert run(code, "c", 1, 0x80000000, "r") == 0


letters = st.sets(st.sampled_from("rwm"), min_size=1).map(lambda found: "".join(sorted(found)))
small = st.integers(0, 2)
rule = st.tuples(
    st.booleans(), st.sampled_from("abbcc"), small | st.just(ANY), small | st.just(ANY), letters
)


@given(st.lists(rule, max_size=6), st.sampled_from("bc"), small, small, letters)
def test_program_decides_as_the_rules_do(
    rules: "list[Rule]", kind: str, major: int, minor: int, access: str
) -> None:
    try:
        result = ruleset(rules)
    except OSError:
        return
    verdict = run(program(result), kind, major, minor, access)
    assert verdict == allowed(result, kind, major, minor, access)
