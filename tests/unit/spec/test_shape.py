# SPDX-License-Identifier: Apache-2.0
import pytest

from ocirun.errors import SpecError
from ocirun.spec import shape
from ocirun.spec.schema import TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.schema import Kind

OBJECT: "Kind" = {None: ("a",), "a": str, "b": {"c": [range(3)]}, "m": {str: TEXT}}

ACCEPTED: list[tuple["Kind", object]] = [
    (str, "x"),
    (str, ""),
    (TEXT, "a\0"),
    (bool, True),
    (range(5), 4),
    (("a", "b"), "b"),
    ([str], []),
    ([str], ["a", "b"]),
    (OBJECT, {"a": "x", "unknown": 1.5}),
    (OBJECT, {"a": "x", "m": {"k\0": "v\0"}}),
    ({}, {"any": [None, 1.5]}),
]

REFUSED: list[tuple["Kind", object, str]] = [
    (str, "a\0", "f: contains a NUL byte"),
    (str, 1, "f: expected a string, found 1"),
    (TEXT, [], "f: expected a string, found a list"),
    (bool, 0, "f: expected true or false, found 0"),
    (range(5), 5, "f: expected an integer between 0 and 4, found 5"),
    (range(5), 1.0, "f: expected an integer, found 1.0"),
    (range(5), True, "f: expected an integer, found true"),
    (range(5), "1", 'f: expected an integer, found "1"'),
    (("a", "b"), "c", 'f: unknown value "c"'),
    (("a", "b"), 1, "f: expected a string, found 1"),
    ([str], ["a", 1], "f[1]: expected a string, found 1"),
    ([str], {}, "f: expected a list of strings, found an object"),
    ([[str]], [["a"], "b"], "f[1]: expected a list of strings, found a string"),
    (OBJECT, {}, "f.a: required, but missing"),
    (OBJECT, {"a": None}, "f.a: required, but missing"),
    (OBJECT, {"a": "x", "b": {"c": [3]}}, "f.b.c[0]: expected an integer between 0 and 2, found 3"),
    (OBJECT, {"a": "x", "b": []}, "f.b: expected an object, found a list"),
    (OBJECT, {"a": "x", "m": {"k.l": 1}}, 'f.m["k.l"]: expected a string, found 1'),
    ({str: str}, {"k\0": "v"}, "f: a key contains a NUL byte"),
    ({str: {}}, {"k": None}, 'f["k"]: expected an object, found null'),
]


@pytest.mark.parametrize(("kind", "value"), ACCEPTED)
def test_accepted(kind: "Kind", value: object) -> None:
    shape.check(value, kind, "f")


@pytest.mark.parametrize(("kind", "value", "message"), REFUSED)
def test_refused(kind: "Kind", value: object, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        shape.check(value, kind, "f")
    assert caught.value.message == message


def test_null_fields_are_dropped_where_they_are_known() -> None:
    value: dict[str, object] = {"a": "x", "b": None, "unknown": None, "m": {}}
    shape.check(value, OBJECT, "")
    assert value == {"a": "x", "unknown": None, "m": {}}


def test_whole_document_has_no_path() -> None:
    with pytest.raises(SpecError) as caught:
        shape.check([], OBJECT, "")
    assert caught.value.message == "expected an object, found a list"
    with pytest.raises(SpecError) as caught:
        shape.check({"a": 1}, OBJECT, "")
    assert caught.value.message == "a: expected a string, found 1"


def test_require_absolute() -> None:
    shape.require_absolute("/", "p")
    with pytest.raises(SpecError) as caught:
        shape.require_absolute("a", "p")
    assert caught.value.message == 'p: expected an absolute path, found "a"'
