# SPDX-License-Identifier: Apache-2.0
"""A document to JSON text, without importing `json`, which is dear.

Compact for sockets and files of our own; indented exactly as Go's
json.MarshalIndent for what people and engines compare with runc's output.
Values are dict, list, str, int, float, bool and None; anything else is a TypeError.
"""

import _json

# Go writes these so that its output may stand inside HTML and JavaScript.
GO_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def dumps(value: object) -> str:
    """Encode on one line, in ASCII, without spaces."""
    try:
        encoder = _json.make_encoder(
            markers=None,  # no check for cycles: what came as JSON has none
            default=_refuse,
            encoder=_json.encode_basestring_ascii,
            indent=None,
            key_separator=":",
            item_separator=",",
            sort_keys=False,
            skipkeys=False,
            allow_nan=False,
        )
    except (AttributeError, TypeError):  # an interpreter whose private module is another
        import json

        return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_refuse)
    return "".join(encoder(value, 0))


def dumps_indented(value: object, indent: str = "  ") -> str:
    """Encode as Go's MarshalIndent with an empty prefix: no newline at the end."""
    return _indented(value, "\n", indent)


def _refuse(value: object) -> object:
    raise TypeError(f"not a value of JSON: {type(value).__name__}")


def _indented(value: object, newline: str, indent: str) -> str:
    """Encode a value whose lines after the first begin with `newline`."""
    inner = newline + indent
    if type(value) is str:
        return _string(value)
    if type(value) is dict and value:
        members = [
            f"{_string(key)}: {_indented(item, inner, indent)}" for key, item in value.items()
        ]
        return f"{{{inner}{f',{inner}'.join(members)}{newline}}}"
    if type(value) is list and value:
        items = [_indented(item, inner, indent) for item in value]
        return f"[{inner}{f',{inner}'.join(items)}{newline}]"
    return dumps(value)


def _string(text: str) -> str:
    encoded = _json.encode_basestring(text).translate(GO_ESCAPES)
    if encoded.isascii():
        return encoded
    # A path that is not UTF-8 came as surrogates from os.fsdecode(); Go has U+FFFD for each byte.
    # No surrogate in a constant: the interpreter needs a codec to load the module then.
    return "".join("\\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in encoded)
