# SPDX-License-Identifier: Apache-2.0
"""The engine and the stub have the same numbers: stub/wire.h and ocirun.engine.wire."""

import re

import pytest
from tests.repository import read

from ocirun.engine import wire

HEADER = read("stub/wire.h")
KINDS = ("PID", "SYNC", "FD", "ERROR", "GO", "READY")


def defined(pattern: str) -> dict[str, int]:
    return {name: int(value, 0) for name, value in re.findall(pattern, HEADER)}


def test_operations() -> None:
    rows = re.findall(r"\b[XY]\((\w+), (\d+), (\d+)[,)]", HEADER)
    assert {name: (int(number), int(count)) for name, number, count in rows} == wire.OPERATIONS


def test_no_number_is_used_twice() -> None:
    numbers = [number for number, _ in wire.OPERATIONS.values()]
    assert len(set(numbers)) == len(numbers)


def test_kinds_of_messages() -> None:
    kinds = defined(r"\bWIRE_(\w+) = (\d+),")
    assert kinds == {name: getattr(wire, name) for name in KINDS}


@pytest.mark.parametrize("name", ["MAGIC", "VERSION", "SLOTS"])
def test_head(name: str) -> None:
    assert defined(r"#define WIRE_(\w+) +(\w+)")[name] == getattr(wire, name)


def test_flags() -> None:
    flags = defined(r"#define ((?:TARGET|RESOLVE|CHDIR)_\w+) +(\d+)")
    assert flags
    assert flags == {name: getattr(wire, name) for name in flags}


def test_size_of_a_message() -> None:
    fields = re.search(r"struct wire_message \{\n(.*?)\n\};", HEADER, re.DOTALL)
    assert fields
    assert fields[1].count(";") * 4 == wire.MESSAGE.size
