# SPDX-License-Identifier: Apache-2.0
"""D-Bus messages, compared with those of another implementation, and what is none."""

import jeepney  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings, strategies as st

from ocirun.linux.dbus_format import message, parse, split

HEADER = (1, 7, "org.example.Name", "/org/example", "org.example.Face", "Call")

BODIES = [
    ("", ()),
    ("s", ("text",)),
    ("s", ("zażółć",)),
    ("ssb", ("", "b", True)),
    ("ynqiuxtd", (1, -2, 3, -4, 5, -6, 1 << 63, 1.5)),
    ("ay", (b"\1\2\3",)),
    ("au", ([1, 2],)),
    ("at", ([],)),
    ("ya(ss)", (1, [("a", "b"), ("cc", "")])),
    ("a{sv}", ({"k": ("t", 5)},)),
    ("og", ("/a/b", "a(sv)")),
    (
        "ssa(sv)a(sa(sv))",
        ("u.scope", "replace", [("PIDs", ("au", [5])), ("D", ("a(ss)", [("/dev/x", "r")]))], []),
    ),
    ("v", (("v", ("ay", b"12")),)),
]


def theirs(signature: str, body: tuple[object, ...]) -> bytes:
    address = jeepney.DBusAddress(HEADER[3], HEADER[2], HEADER[4])
    made = jeepney.new_method_call(address, HEADER[5], signature or None, body)
    data: bytes = made.serialise(serial=HEADER[1])
    return data


@pytest.mark.parametrize(("signature", "body"), BODIES)
def test_another_implementation_reads_the_same(signature: str, body: tuple[object, ...]) -> None:
    values = [list(v.items()) if isinstance(v, dict) else v for v in body]
    data = message(HEADER, signature, values)
    (found,) = jeepney.Parser().feed(data)
    fields = found.header.fields
    assert found.header.serial == HEADER[1]
    assert fields[jeepney.HeaderFields.path] == HEADER[3]
    assert fields[jeepney.HeaderFields.destination] == HEADER[2]
    assert fields[jeepney.HeaderFields.interface] == HEADER[4]
    assert fields[jeepney.HeaderFields.member] == HEADER[5]
    assert found.body == body


@pytest.mark.parametrize(("signature", "body"), BODIES)
def test_what_another_implementation_writes_is_read(
    signature: str, body: tuple[object, ...]
) -> None:
    data = theirs(signature, body)
    found, used = parse(data + b"more")
    assert found
    assert used == len(data)
    assert (found.kind, found.path, found.member) == (1, HEADER[3], HEADER[5])
    values = [
        list(v.items()) if isinstance(v, dict) else list(v) if isinstance(v, bytes) else v
        for v in body
    ]
    assert len(found.body) == len(values)
    if signature != "v":
        assert found.body == values
    for length in range(len(data)):
        assert parse(data[:length]) == (None, 0)


def test_the_other_byte_order() -> None:
    call = jeepney.new_method_call(jeepney.DBusAddress("/a", "b.c", "d.e"), "F", "su", ("x", 9))
    call.header.endianness = jeepney.Endianness.big
    found, _ = parse(call.serialise(serial=1))
    assert found
    assert found.body == ["x", 9]


def test_complete_types() -> None:
    assert split("sa(sv)a{s(ay)}v") == ["s", "a(sv)", "a{s(ay)}", "v"]
    for wrong in ("z", "(s", "a", "a(s", "s)", "(" * 70 + "s" + ")" * 70):
        with pytest.raises(ValueError, match=r".*"):
            split(wrong)


@settings(deadline=None)  # the machine may be busy
@given(st.data())
def test_a_damaged_message_is_refused_or_read(data: st.DataObject) -> None:
    whole = bytearray(theirs("sa(sv)", ("text", [("k", ("au", [1, 2]))])))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found, used = parse(whole)
    except (ValueError, IndexError):
        return
    assert used == 0 if found is None else used <= len(whole)
