# SPDX-License-Identifier: Apache-2.0
"""GVariant text, by value."""

import pytest
from hypothesis import given, strategies as st

from ocirun.linux.gvariant import parse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("true", ("b", True)),
        (" 5 ", ("i", 5)),
        ("-0x10", ("i", -16)),
        ("010", ("i", 8)),
        ("1.5", ("d", 1.5)),
        ("-2e3", ("d", -2000.0)),
        ("uint64 18446744073709551615", ("t", 18446744073709551615)),
        ("byte 0xff", ("y", 255)),
        ("int16 -5", ("n", -5)),
        ("double 5", ("d", 5.0)),
        ("'inactive-or-failed'", ("s", "inactive-or-failed")),
        ('"it\'s"', ("s", "it's")),
        (r"'a\n\'\u0041\\'", ("s", "a\n'A\\")),
        ("objectpath '/a'", ("o", "/a")),
        ("['a', 'b']", ("as", ["a", "b"])),
        ("[uint64 5, 6]", ("at", [5, 6])),
        ("@as []", ("as", [])),
        ("@a(ss) []", ("a(ss)", [])),
        ("@at [5]", ("at", [5])),
        ("[('/dev/x', 'rw'), ('y', 'r')]", ("a(ss)", [("/dev/x", "rw"), ("y", "r")])),
        ("(1,)", ("(i)", (1,))),
        ("(true, 'a', [1])", ("(bsai)", (True, "a", [1]))),
        ("<uint32 5>", ("v", ("u", 5))),
    ],
)
def test_what_is_a_value(text: str, found: tuple[str, object]) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a value is missing"),
        ("abc", "a text needs quotes"),
        ("'abc", "no ' at the end"),
        ("5 6", "at its end"),
        ("byte 256", "out of the range of type y"),
        ("uint32 -1", "out of the range of type u"),
        ("2147483648", "out of the range of type i"),
        ("string 5", "where a value of type s belongs"),
        ("uint32 'a'", "where a value of type u belongs"),
        ("boolean 1", "where a value of type b belongs"),
        ("[]", "an empty list of what"),
        ("[1, 'a']", "type i"),
        ("[1 2]", "no comma"),
        ("[1", "no ] and no comma"),
        ("()", "a tuple"),
        ("<1", "no >"),
        ("@zz 5", "is no type"),
        ("@ss 5", "is no type"),
        ("'\\uzzzz'", "no letter has the number"),
        ("[" * 50, "too deep"),
    ],
)
def test_what_is_none(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        parse(text)
    assert why in str(caught.value)


@given(st.text(alphabet="[]()<>@'\"\\,. 0159abdinstuxe+-", max_size=20))
def test_anything_is_a_value_or_none(text: str) -> None:
    try:
        signature, _ = parse(text)
    except ValueError:
        return
    assert signature
