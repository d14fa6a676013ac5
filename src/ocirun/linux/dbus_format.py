# SPDX-License-Identifier: Apache-2.0
"""D-Bus messages as bytes, and back; pure.

A value comes with its type, as a signature: "s" a string, "a(ss)" a list of pairs ...
A variant is the pair (signature, value).  D-Bus specification, "Marshaling".
"""

from _struct import pack, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: type -> code of the struct module; the size is the alignment too
_NUMBERS = {
    "y": "B",
    "n": "h",
    "q": "H",
    "i": "i",
    "u": "I",
    "x": "q",
    "t": "Q",
    "d": "d",
    "b": "I",
}
_SIZES = {"y": 1, "n": 2, "q": 2, "i": 4, "u": 4, "x": 8, "t": 8, "d": 8, "b": 4}
_ALIGNMENT = {**_SIZES, "s": 4, "o": 4, "a": 4, "g": 1, "v": 1, "(": 8, "{": 8}
_CLOSING = {"(": ")", "{": "}"}
_LITTLE, _PROTOCOL = ord("l"), 1
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY, _DESTINATION, _SIGNATURE = 1, 2, 3, 4, 5, 6, 8
_FIXED = 16
#: the specification's own limit
_MOST = 1 << 27


class Message:
    """A message that came in; what it lacks is empty or 0."""

    __slots__ = ("body", "error", "kind", "member", "path", "reply_to")

    def __init__(self, kind: int, fields: "dict[int, object]", body: list[object]) -> None:
        self.kind = kind
        self.path = fields.get(_PATH, "")
        self.member = fields.get(_MEMBER, "")
        self.error = str(fields.get(_ERROR_NAME, ""))
        self.reply_to = fields.get(_REPLY, 0)
        self.body = body


def message(
    header: tuple[int, int, str, str, str, str], signature: str, args: "Sequence[object]"
) -> bytes:
    """Give a message; `header` is kind, serial, destination, object, interface, member."""
    kind, serial, destination, path, interface, member = header
    body = bytearray()
    for each, value in zip(split(signature), args, strict=True):
        put(body, each, value)
    fields: list[tuple[int, tuple[str, str]]] = [
        (_PATH, ("o", path)),
        (_DESTINATION, ("s", destination)),
        (_INTERFACE, ("s", interface)),
        (_MEMBER, ("s", member)),
    ]
    if signature:
        fields.append((_SIGNATURE, ("g", signature)))
    data = bytearray(pack("<BBBBII", _LITTLE, kind, 0, _PROTOCOL, len(body), serial))
    put(data, "a(yv)", fields)
    _pad(data, 8)
    return bytes(data + body)


def split(signature: str) -> list[str]:
    """Give the complete types that a signature is made of; ValueError if it is none."""
    found = []
    while signature:
        end = _end(signature)
        found.append(signature[:end])
        signature = signature[end:]
    return found


def _end(signature: str, depth: int = 0) -> int:
    """Give the length of the first complete type."""
    first = signature[:1]
    if first not in _ALIGNMENT or not first or depth > 64:
        raise ValueError(signature)
    if first == "a":
        return 1 + _end(signature[1:], depth + 1)
    if first not in _CLOSING:
        return 1
    at = 1
    while signature[at : at + 1] != _CLOSING[first]:
        at += _end(signature[at:], depth + 1)
    return at + 1


def put(data: bytearray, signature: str, value: object) -> None:
    """Append a value of one complete type; its first byte must be where a message body's is."""
    kind = signature[0]
    _pad(data, _ALIGNMENT[kind])
    # What fits the signature is up to who gives both: they stand beside each other everywhere.
    if kind in _NUMBERS:
        data += pack("<" + _NUMBERS[kind], value)
    elif kind in "sog":
        text = str(value).encode("utf-8", "surrogateescape")
        data += pack("<B" if kind == "g" else "<I", len(text)) + text + b"\0"
    elif kind == "v":
        pair: tuple[str, object] = value  # type: ignore[assignment]
        put(data, "g", pair[0])
        put(data, pair[0], pair[1])
    elif kind == "a":
        _put_array(data, signature[1:], value)  # type: ignore[arg-type]
    else:
        members: Sequence[object] = value  # type: ignore[assignment]
        for inner, content in zip(split(signature[1:-1]), members, strict=True):
            put(data, inner, content)


def _put_array(data: bytearray, inner: str, values: "Sequence[object]") -> None:
    place = len(data)
    data += b"\0\0\0\0"
    # The padding before the first element does not count, and is there even without one.
    _pad(data, _ALIGNMENT[inner[0]])
    start = len(data)
    for value in values:
        put(data, inner, value)
    data[place : place + 4] = pack("<I", len(data) - start)


def _pad(data: bytearray, alignment: int) -> None:
    data += bytes(-len(data) % alignment)


def parse(data: "bytes | bytearray") -> tuple[Message | None, int]:
    """Give the first message and its length, or None if it is not there in full.

    ValueError or IndexError says that it is none.
    """
    if len(data) < _FIXED:
        return None, 0
    if data[0] not in b"lB" or data[3] != _PROTOCOL:
        raise ValueError(data[0])
    order = "<" if data[0] == _LITTLE else ">"
    size, _, fields_size = unpack_from(order + "III", data, 4)
    start = _FIXED + fields_size + -fields_size % 8
    if start + size > _MOST:
        raise ValueError(size)
    if len(data) < start + size:
        return None, 0
    reader = _Reader(bytes(data[: start + size]), order)
    reader.at = 12
    fields: dict[int, object] = {}
    for code, (_, value) in reader.get("a(yv)"):  # type: ignore[attr-defined]
        fields[code] = value
    reader.at = start
    body = [reader.get(each) for each in split(str(fields.get(_SIGNATURE, "")))]
    return Message(data[1], fields, body), start + size


class _Reader:
    """A place in a message."""

    __slots__ = ("_data", "_order", "at")

    def __init__(self, data: bytes, order: str) -> None:
        self._data = data
        self._order = order
        self.at = 0

    def get(self, signature: str, depth: int = 0) -> object:
        """Read a value of one complete type."""
        kind = signature[0]
        if depth > 64:
            raise ValueError(signature)
        self.at += -self.at % _ALIGNMENT[kind]
        if kind in _NUMBERS:
            return self._number(kind)
        if kind in "sog":
            size = self._number("y" if kind == "g" else "u")
            return self._take(size + 1)[:-1].decode("utf-8", "surrogateescape")
        if kind == "v":
            inner = str(self.get("g"))
            if len(split(inner)) != 1:
                raise ValueError(inner)
            return inner, self.get(inner, depth + 1)
        if kind == "a":
            return self._array(signature[1:], depth + 1)
        return tuple(self.get(inner, depth + 1) for inner in split(signature[1:-1]))

    def _array(self, inner: str, depth: int) -> list[object]:
        size = self._number("u")
        self.at += -self.at % _ALIGNMENT[inner[0]]
        end = self.at + size
        if end > len(self._data):
            raise ValueError(size)
        found = []
        while self.at < end:
            found.append(self.get(inner, depth))
        return found

    def _number(self, kind: str) -> int:
        raw = self._take(_SIZES[kind])
        number: int = unpack_from(self._order + _NUMBERS[kind], raw)[0]
        return number

    def _take(self, size: int) -> bytes:
        if self.at + size > len(self._data):
            raise ValueError(size)
        self.at += size
        return self._data[self.at - size : self.at]
