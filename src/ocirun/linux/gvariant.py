# SPDX-License-Identifier: Apache-2.0
"""Values in GVariant's text format, with the D-Bus signature that each has; pure.

What has no type of its own is an int32, a string or a double.  Left out: dictionaries, maybe
types, and type annotations before a whole array (`@as []`) but for the empty one.
https://docs.gtk.org/glib/gvariant-text-format.html
"""

from ocirun.linux.dbus_format import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    Value = tuple[str, object]

_WORDS = {"boolean": "b", "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "uint32": "u",
          "int64": "x", "uint64": "t", "double": "d", "string": "s", "objectpath": "o",
          "signature": "g"}  # fmt: skip
_RANGES = {
    "y": (0, 8), "n": (1, 16), "q": (0, 16), "i": (1, 32), "u": (0, 32), "x": (1, 64), "t": (0, 64)
}  # fmt: skip
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DEPTH = 16


def parse(text: str) -> "Value":
    """Give signature and value; ValueError, which says what is wrong, if it is none."""
    reader = _Reader(text)
    found = reader.value()
    reader.skip()
    if reader.at != len(text):
        raise ValueError(f"what is {text[reader.at :]!r} at its end?")
    return found


class _Reader:
    __slots__ = ("_text", "at")

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def skip(self) -> None:
        while self._text[self.at : self.at + 1].isspace():
            self.at += 1

    def value(self, wanted: str = "", depth: int = 0) -> "Value":
        """Read a value; of the type `wanted`, if there is one."""
        if depth > _DEPTH:
            raise ValueError("too deep")
        self.skip()
        first = self._text[self.at : self.at + 1]
        if first == "@":
            return self._annotated(depth)
        if first == "[":
            return self._array(wanted, depth)
        if first == "(":
            return self._tuple(wanted, depth)
        if first == "<":
            return self._variant(depth)
        if first in ("'", '"') and first:
            return self._typed(wanted or "s", self._string(first))
        return self._word(wanted, depth)

    def _word(self, wanted: str, depth: int) -> "Value":
        word = ""
        while self.at < len(self._text) and (
            self._text[self.at].isalnum() or self._text[self.at] in "+-._"
        ):
            word += self._text[self.at]
            self.at += 1
        if word in _WORDS:
            return self.value(_WORDS[word], depth + 1)
        if word in ("true", "false"):
            return self._typed(wanted or "b", word == "true")
        return _number(word, wanted)

    def _annotated(self, depth: int) -> "Value":
        end = self.at + 1
        while end < len(self._text) and not self._text[end].isspace():
            end += 1
        signature = self._text[self.at + 1 : end]
        try:
            whole = len(split(signature)) == 1
        except ValueError:
            whole = False
        if not whole:
            raise ValueError(f"{signature!r} is no type")
        self.at = end
        return self.value(signature, depth + 1)

    def _array(self, wanted: str, depth: int) -> "Value":
        if wanted and wanted[0] != "a":
            raise ValueError(f"a list where a value of type {wanted} belongs")
        inner = wanted[1:]
        values: list[object] = []
        while self._goes_on("]", first=not values):
            kind, value = self.value(inner, depth + 1)
            # The first one decides, if nothing else did.
            inner = inner or kind
            if kind != inner:
                raise ValueError(f"a list of values of types {inner} and {kind}")
            values.append(value)
        if not inner:
            raise ValueError("an empty list of what? write for instance @as []")
        return "a" + inner, values

    def _tuple(self, wanted: str, depth: int) -> "Value":
        types = split(wanted[1:-1]) if wanted[:1] == "(" else []
        if wanted and not types:
            raise ValueError(f"a tuple where a value of type {wanted} belongs")
        signature = "("
        values: list[object] = []
        while self._goes_on(")", first=not values):
            inner = types[len(values)] if len(values) < len(types) else ""
            kind, value = self.value(inner, depth + 1)
            signature += kind
            values.append(value)
        signature += ")"
        if not values or wanted not in ("", signature):
            raise ValueError(f"a tuple of type {signature}")
        return signature, tuple(values)

    def _goes_on(self, closing: str, *, first: bool) -> bool:
        """Tell whether another element follows, and step over what is before it."""
        if first:
            self.at += 1
        self.skip()
        if self._text[self.at : self.at + 1] == "," and not first:
            self.at += 1
            self.skip()
        elif not first and self._text[self.at : self.at + 1] != closing:
            raise ValueError(f"no {closing} and no comma before {self._text[self.at :]!r}")
        if self._text[self.at : self.at + 1] == closing:
            self.at += 1
            return False
        return True

    def _variant(self, depth: int) -> "Value":
        self.at += 1
        inner = self.value("", depth + 1)
        self.skip()
        if self._text[self.at : self.at + 1] != ">":
            raise ValueError("no > at the end of a variant")
        self.at += 1
        return "v", inner

    def _string(self, quote: str) -> str:
        self.at += 1
        found = ""
        while self.at < len(self._text):
            letter = self._text[self.at]
            self.at += 1
            if letter == quote:
                return found
            if letter == "\\":
                found += self._escape()
            else:
                found += letter
        raise ValueError(f"no {quote} at the end")

    def _escape(self) -> str:
        letter = self._text[self.at : self.at + 1]
        self.at += 1
        size = {"u": 4, "U": 8}.get(letter, 0)
        if not size:
            return _ESCAPES.get(letter, letter)
        digits = self._text[self.at : self.at + size]
        self.at += size
        try:
            return chr(int(digits, 16))
        except (ValueError, OverflowError):
            raise ValueError(f"no letter has the number {digits!r}") from None

    def _typed(self, wanted: str, value: object) -> "Value":
        fits = {bool: "b", str: "sog"}[type(value)]
        if wanted not in fits:
            raise ValueError(f"{value!r} where a value of type {wanted} belongs")
        return wanted, value


def _number(word: str, wanted: str) -> "Value":
    if not word:
        raise ValueError("a value is missing")
    if wanted in ("", "d") and (wanted or any(letter in word for letter in ".eEin")):
        try:
            if wanted or not word.lower().lstrip("+-").startswith("0x"):
                return "d", float(word)
        except ValueError:
            raise ValueError(f"{word!r} is no value") from None
    kind = wanted or "i"
    if kind not in _RANGES:
        raise ValueError(f"{word!r} where a value of type {wanted} belongs")
    body = word.lstrip("+-")
    try:
        # As in C: a leading zero means octal.
        octal = len(body) > 1 and body[0] == "0" and body.isdigit()
        number = int(body, 8 if octal else 0) * (-1 if word[0] == "-" else 1)
    except ValueError:
        raise ValueError(f"{word!r} is no value; a text needs quotes") from None
    signed, bits = _RANGES[kind]
    low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    if not low <= number < high:
        raise ValueError(f"{number} is out of the range of type {kind}")
    return kind, number
