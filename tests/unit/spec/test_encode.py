# SPDX-License-Identifier: Apache-2.0
import _json
import json

import pytest
from hypothesis import given, strategies as st

from ocirun.spec import encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=20,
)


def test_dumps_is_compact_ascii() -> None:
    value = {"a": [1, -2, True, False, None, 0.5], "ä": {}, "b": [], "c": {"d": "€\n<"}}
    assert encode.dumps(value) == (
        '{"a":[1,-2,true,false,null,0.5],"\\u00e4":{},"b":[],"c":{"d":"\\u20ac\\n<"}}'
    )


def test_dumps_indented_is_what_go_writes() -> None:
    # The expected text is the output of json.MarshalIndent(value, "", "  ").
    value = {"ociVersion": "1.3.0", "n": 1, "a": {}, "l": [], "t": [True, {"x": None}]}
    assert encode.dumps_indented(value) == (
        '{\n  "ociVersion": "1.3.0",\n  "n": 1,\n  "a": {},\n  "l": [],\n'
        '  "t": [\n    true,\n    {\n      "x": null\n    }\n  ]\n}'
    )
    assert encode.dumps_indented({"a": 1}, "\t") == '{\n\t"a": 1\n}'


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("<&>", '"\\u003c\\u0026\\u003e"'),
        ("\u2028\u2029", '"\\u2028\\u2029"'),
        ("é€😀", '"é€😀"'),
        ('"\\/', '"\\"\\\\/"'),
        ("\b\f\n\r\t\x00\x1f\x7f", '"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"'),
        ("/b\udcff/x", '"/b\\ufffd/x"'),
    ],
)
def test_strings_are_escaped_as_go_does(text: str, encoded: str) -> None:
    assert encode.dumps_indented(text) == encoded
    assert encode.dumps_indented({text: 1}) == f"{{\n  {encoded}: 1\n}}"


@given(JSON)
def test_any_document_survives(value: object) -> None:
    assert json.loads(encode.dumps(value)) == value
    assert json.loads(encode.dumps_indented(value, "\t")) == value


@given(st.text())
def test_indented_text_is_always_utf8(text: str) -> None:
    encode.dumps_indented([text]).encode()


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", {"a": object()}])
def test_what_is_not_json_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError, match="not a value of JSON"):
        encode.dumps(value)
    with pytest.raises(TypeError, match="not a value of JSON"):
        encode.dumps_indented(value)


def test_dumps_works_where_the_private_encoder_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_json, "make_encoder")
    assert encode.dumps({"a": [1, "é"]}) == '{"a":[1,"\\u00e9"]}'
