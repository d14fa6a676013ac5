# SPDX-License-Identifier: Apache-2.0
"""Say what is wrong with a document that is not good JSON, and where.

Never imported for a good one: it needs `json`, which is dear.  RFC 8259.
"""

import _json
import json

from ocirun.errors import SpecError

WHITESPACE = " \t\r\n"  # as in load.py, which imports this module

BOM = b"\xef\xbb\xbf"


class _Constant(Exception):  # noqa: N818 - never leaves this module
    """NaN or Infinity, which are Python's extension of JSON."""


def _refuse_constant(name: str) -> object:
    raise _Constant(name)


def parse(data: bytes, name: str) -> object:
    """Raise SpecError with line and column; or give the value, if nothing is wrong.

    The second is for an interpreter whose `_json` does not work as load.py needs it.
    """
    if data.startswith(BOM):
        raise SpecError(
            f"parse {name}: line 1, column 1: the file begins with a byte order mark",
            "save it as UTF-8 without a byte order mark",
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise _error(name, before, len(before), "not valid UTF-8") from None
    if not text.strip(WHITESPACE):
        raise SpecError(f"parse {name}: the file is empty")
    try:
        # The type of the value is for the caller to check.
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise _error(name, text, error.pos, _plain(error.msg)) from None
    except RecursionError:
        raise SpecError(f"parse {name}: nested too deep") from None
    except _Constant as error:
        constant = str(error)
        position = _find_outside_strings(text, constant)
        raise _error(name, text, position, f"{constant} is not JSON") from None
    except ValueError:  # int() bounds the digits that it takes, against quadratic time
        raise SpecError(f"parse {name}: a number has too many digits") from None


def refuse_deep_nesting(value: object, limit: int, name: str) -> None:
    """Refuse lists and objects more than `limit` deep."""
    level = [value]
    for _ in range(limit + 1):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = below
        if not level:
            return
    raise SpecError(f"parse {name}: nested too deep")


def refuse_lone_surrogate(value: object, name: str) -> None:
    """Refuse half a surrogate pair: no such string has a UTF-8 form for the kernel."""
    level = [value]
    while level:
        item = level.pop()
        if isinstance(item, dict):
            level.extend(item)
            level.extend(item.values())
        elif isinstance(item, list):
            level.extend(item)
        elif isinstance(item, str):
            try:
                item.encode()
            except UnicodeEncodeError:
                raise SpecError(f"parse {name}: a \\u escape is half of a surrogate pair") from None


def _error(name: str, text: str, position: int, what: str) -> SpecError:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return SpecError(f"parse {name}: line {line}, column {column}: {what}")


def _plain(message: str) -> str:
    """Word the standard library's message as ours are: lower case, no full stop."""
    if message == "Extra data":
        return "more text after the document"
    return message[:1].lower() + message[1:].rstrip(".: ").removesuffix(" at")


def _find_outside_strings(text: str, word: str) -> int:
    """Find a word that the parser met, so that all strings before it are well formed."""
    start = 0
    while (quote := text.find('"', start)) >= 0:
        found = text.find(word, start, quote)
        if found >= 0:
            return found
        _, start = _json.scanstring(text, quote + 1)
    return text.find(word, start)
