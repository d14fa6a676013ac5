# SPDX-License-Identifier: Apache-2.0
import pytest

from ocirun.errors import SpecError
from ocirun.spec import load, malformed

BAD = [
    (b"", "the file is empty"),
    (b" \n\t", "the file is empty"),
    (b"\xef\xbb\xbf{}", "line 1, column 1: the file begins with a byte order mark"),
    (b"\xff\xfe{\x00}\x00", "line 1, column 1: not valid UTF-8"),
    (b'{"a":\n "\xff"}', "line 2, column 3: not valid UTF-8"),
    (b'{"a": "\xed\xa0\x80"}', "line 1, column 8: not valid UTF-8"),
    (b'{"a": 1}x', "line 1, column 9: more text after the document"),
    (b'{"a": 1}\n\n  {}', "line 3, column 3: more text after the document"),
    (b'{"a": NaN}', "line 1, column 7: NaN is not JSON"),
    (b'{"a": "NaN",\n "b": NaN, "c', "line 2, column 7: NaN is not JSON"),
    (b'{"\\"Infinity": [-Infinity]}', "line 1, column 17: -Infinity is not JSON"),
    (b'{"a": Infinity}', "line 1, column 7: Infinity is not JSON"),
    (b"{'a': 1}", "line 1, column 2: expecting property name enclosed in double quotes"),
    (b'{"a" 1}', "line 1, column 6: expecting ':' delimiter"),
    (b'{"a": 01}', "line 1, column 8: expecting ',' delimiter"),
    (b'{"a": }', "line 1, column 7: expecting value"),
    (b'{"a": "x\n"}', "line 1, column 9: invalid control character"),
    (b'{"a": "\\x"}', "line 1, column 8: invalid \\escape"),
    (b'{"a": "x', "line 1, column 7: unterminated string starting"),
    (b"// config\n{}", "line 1, column 1: expecting value"),
    (b'{"a": ' + b"1" * 5000 + b"}", "a number has too many digits"),
    (b'{"a": ' * 101 + b"1" + b"}" * 101, "nested too deep"),
    (b'{"a": ' + b"[" * 200_000, "nested too deep"),
    (b'{"a": "\\ud800"}', "a \\u escape is half of a surrogate pair"),
    (b'{"a": [{"\\uDC00": 1}]}', "a \\u escape is half of a surrogate pair"),
]


@pytest.mark.parametrize(("data", "message"), BAD)
def test_message(data: bytes, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        load.parse(data, "/b/config.json")
    assert caught.value.message == f"parse /b/config.json: {message}"


def test_trailing_comma() -> None:
    # The standard library words and places this differently since 3.13.
    with pytest.raises(SpecError, match=r"line 1, column [78]: \w"):
        load.parse(b'{"a":1,}', "config.json")


def test_good_document_is_given_back() -> None:
    assert malformed.parse(b' {"a": 1} ', "config.json") == {"a": 1}
