# SPDX-License-Identifier: Apache-2.0
"""The bytes of a plan, read back as the stub reads them."""

from struct import Struct, unpack_from

import pytest

from ocirun.engine import wire
from ocirun.engine.wire import NO_SLOT, Entry, Plan
from ocirun.errors import OcirunError

HEADER = Struct("<6I")


def text_at(data: bytes, offset: int) -> bytes:
    return data[offset : data.index(b"\0", offset)]


def table_at(data: bytes, offset: int) -> list[bytes]:
    found = []
    assert offset % 8 == 0
    while entry := unpack_from("<Q", data, offset)[0]:
        found.append(text_at(data, entry))
        offset += 8
    return found


def read(data: bytes) -> list[tuple[int, ...]]:
    """Each operation as its number and its arguments, as numbers."""
    magic, version, size, count, _, unused = HEADER.unpack_from(data)
    assert (magic, version, size, unused) == (wire.MAGIC, wire.VERSION, len(data), 0)
    found, at = [], HEADER.size
    for _ in range(count):
        code, _, argc = unpack_from("<HHI", data, at)
        found.append((code, *unpack_from(f"<{argc}Q", data, at + 8)))
        at += 8 + 8 * argc
    assert data[-1] == 0
    return found


def test_empty() -> None:
    data = Plan().encode()
    assert read(data) == []
    assert HEADER.unpack_from(data)[4] == wire.NEVER


def test_failure_on_demand() -> None:
    assert HEADER.unpack_from(Plan().encode(7))[4] == 7


def test_numbers(plan: Plan) -> None:
    plan.add("SETATTR", 1, 2, 1 << 63, -1, NO_SLOT, None)
    assert read(plan.encode()) == [(25, 1, 2, 1 << 63, (1 << 64) - 1, 64, 0)]


def test_optional(plan: Plan) -> None:
    plan.add("SETSID")
    plan.attempt("SETSID")
    assert unpack_from("<HHIHHI", plan.encode(), HEADER.size) == (10, 0, 0, 10, 1, 0)


def test_texts(plan: Plan) -> None:
    plan.add("SYMLINK", 0, "ünder", b"\xff\xfe", 1)
    plan.add("HOSTNAME", "", 0)
    plan.add("OPEN", 0, "\udcff")
    data = plan.encode()
    first, second, third = read(data)
    assert text_at(data, first[2]) == "ünder".encode()
    assert text_at(data, first[3]) == b"\xff\xfe"
    assert text_at(data, second[1]) == b""
    assert second[1] != 0, "0 means that there is no text"
    assert text_at(data, third[2]) == b"\xff", "a name that is no UTF-8 stays what it is"


def test_same_text_only_once(plan: Plan) -> None:
    plan.add("OPEN", 0, "/usr/share")
    plan.add("OPEN", 1, b"/usr/share")
    data = plan.encode()
    assert data.count(b"/usr/share") == 1
    first, second = read(data)
    assert first[2] == second[2]


def test_packed_data_keeps_its_length(plan: Plan) -> None:
    groups = bytes(range(13))
    plan.add("GROUPS", 3, groups)
    data = plan.encode()
    ((_, _, at),) = read(data)
    assert data[at : at + 13] == groups


def test_tables(plan: Plan) -> None:
    argv = (b"sh", b"-c", b"")
    plan.add("EXEC", argv, ())
    data = plan.encode()
    ((_, first, second),) = read(data)
    assert table_at(data, first) == list(argv)
    assert table_at(data, second) == []


def test_entry_of_a_table_that_another_operation_has(plan: Plan) -> None:
    env = (b"A=1", b"HOME=/", b"B=2")
    plan.add("HOME", 4, Entry(env, 1))
    plan.add("EXEC", (b"sh",), env)
    data = plan.encode()
    home, run = read(data)
    assert home[2] == run[2] + 8
    assert table_at(data, home[2]) == [b"HOME=/", b"B=2"]


def test_wrong_number_of_arguments(plan: Plan) -> None:
    plan.add("OPEN", 0)
    with pytest.raises(OcirunError, match="OPEN takes 2 arguments"):
        plan.encode()


def test_slots(plan: Plan) -> None:
    first, second = plan.slot(), plan.slot()
    assert (first, second) == (0, 1)
    plan.release(second)
    assert plan.slot() == second
    plan.release(first)
    assert plan.slot() == 2, "only the newest is used again: no other can be mistaken for it"
    assert [operation.name for operation in plan.operations] == ["CLOSE", "CLOSE"]


def test_too_many_slots(plan: Plan) -> None:
    for _ in range(wire.SLOTS):
        plan.slot()
    with pytest.raises(OcirunError, match="too many descriptors"):
        plan.slot()


def test_field(plan: Plan) -> None:
    plan.add("SETSID")
    plan.field = "process.cwd"
    plan.add("SETSID")
    assert [operation.field for operation in plan.operations] == ["", "process.cwd"]
