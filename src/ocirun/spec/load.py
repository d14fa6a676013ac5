# SPDX-License-Identifier: Apache-2.0
"""Bytes of JSON to a document, or a SpecError with file name, line and column.

The scanner of CPython's `_json` is called directly: importing `json` costs as
much as the rest of `ocirun state`.  What is wrong with a document that the
scanner refuses is for malformed.py to say.  What the fields mean is not known
here: see validate.py.  RFC 8259.
"""

import _json

from ocirun.errors import SpecError

WHITESPACE = " \t\r\n"
# Real configurations nest about 8 deep.  A bound of our own, since what the
# interpreter bears differs by version, and what was read is written again later.
MAX_DEPTH = 100


def _refuse_constant(name: str) -> object:
    """Take the place of float() for NaN and Infinity, which are no JSON."""
    raise ValueError(name)


class _Context:
    """What the scanner asks for: a strict decoder without hooks."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse_constant)


# A key twice: the last one wins.
def parse(data: bytes, name: str) -> "dict[str, object]":
    """Decode one JSON object; `name` is the file's name for the error message."""
    value: object = None
    try:
        text = data.decode()
        start = len(text) - len(text.lstrip(WHITESPACE))
        value, end = _json.make_scanner(_Context)(text, start)  # type: ignore[arg-type] # see above
        complete = not text[end:].strip(WHITESPACE)
    except Exception:  # noqa: BLE001 - whatever it was, a slower parser words it below
        complete = False
    if not complete:
        from ocirun.spec import malformed

        value = malformed.parse(data, name)
    if type(value) is not dict:
        raise SpecError(f"parse {name}: the document is not a JSON object")
    # Both cheap tests are false for nearly every document there is.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH or b"\\ud" in data or b"\\uD" in data:
        from ocirun.spec import malformed

        malformed.refuse_deep_nesting(value, MAX_DEPTH, name)
        malformed.refuse_lone_surrogate(value, name)
    return value
