# SPDX-License-Identifier: Apache-2.0
"""Parses the words of a command line against a table of flags.

The rules are those of Go's flag package, because engines and scripts were written for
them: `-x` and `--x` are one, a value follows as `--x=V` or as the next word, a bool takes
a value only as `--x=V`, short flags do not combine.  Every value is checked here, but kept
as text; the getters convert.
"""

from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # Names (the first one counts), kind, word for the value in the help, help.
    # A flag without help is hidden.
    Flag = tuple[tuple[str, ...], str, str, str]
    Flags = tuple[Flag, ...]

TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")


class Options:
    """The flags of one table, and the values that were given for them."""

    __slots__ = ("_flags", "_values")

    def __init__(self, flags: "Flags") -> None:
        self._flags = {name: flag for flag in flags for name in flag[0]}
        self._values: dict[str, list[str]] = {}

    def find(self, name: str) -> "Flag | None":
        """Look up a flag by name or alias."""
        return self._flags.get(name)

    def add(self, name: str, value: str) -> None:
        """Check a value for a flag of the table, and keep it."""
        names, kind, _, _ = self._flags[name]
        try:
            CHECKS[kind](value)
        except ValueError as error:
            reason = (
                error if kind == "duration" or isinstance(error, OutOfRangeError) else "parse error"
            )
            message = f'invalid value "{value}" for flag -{name}: {reason}'
            raise UsageError(message) from None
        self._values.setdefault(names[0], []).append(value)

    def given(self, name: str) -> bool:
        """Tell whether the flag stood on the command line."""
        return name in self._values

    def switch(self, name: str) -> bool:
        """Tell whether a bool flag is on."""
        return name in self._values and boolean(self._values[name][-1])

    def text(self, name: str, default: str = "") -> str:
        """Return the last value given."""
        return self._values[name][-1] if name in self._values else default

    def texts(self, name: str) -> list[str]:
        """Return all values given, in their order."""
        return self._values.get(name, [])

    def number(self, name: str, default: int = 0) -> int:
        """Return the last number given."""
        return integer(self._values[name][-1]) if name in self._values else default

    def numbers(self, name: str) -> list[int]:
        """Return all numbers given, in their order."""
        return [integer(value) for value in self._values.get(name, [])]


class OutOfRangeError(ValueError):
    """A number that does not fit into 64 bits."""


def boolean(text: str) -> bool:
    """Convert one of Go's words for true and false; ValueError if it is none."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError(text)


def integer(text: str) -> int:
    """Convert a Go integer literal (0x, 0o, 0b, leading 0 = octal); ValueError if it is none."""
    sign, body = (text[0], text[1:]) if text[:1] in {"+", "-"} else ("", text)
    if not text.isascii() or not body.replace("_", "").isalnum():
        raise ValueError(text)
    if body[0] == "0" and body.isdigit():
        body = "0o" + body
    value = int(sign + body, 0)
    if not -(1 << 63) <= value < 1 << 63:
        raise OutOfRangeError("value out of range")
    return value


def _duration(text: str) -> int:
    # Only one command has such a flag, and it is not on the hot path.
    from ocirun.cli.duration import nanoseconds

    return nanoseconds(text)


CHECKS: "dict[str, Callable[[str], object]]" = {
    "bool": boolean,
    "duration": _duration,
    "int": integer,
    "ints": integer,
    "text": str,
    "texts": str,
}


def parse(words: list[str], levels: tuple[Options, ...], stop: int) -> list[str]:
    """Sort words into options and arguments; the arguments are returned.

    A flag is looked up in `levels` in order.  After `stop` arguments all that follows is an
    argument too, so `exec ID ls -l` keeps the `-l`; 0 means that flags may stand anywhere.
    """
    arguments: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            return arguments + words[at:]
        if stop and len(arguments) >= stop:
            return arguments + words[at - 1 :]
        if word[:1] != "-" or word == "-":
            arguments.append(word)
            continue
        if word[1] != "-" and not word[1].isalpha():
            # A negative number, say: neither a flag nor the end of an argument list.
            return arguments + words[at - 1 :]
        at += _take(word, words[at] if at < len(words) else None, levels)
    return arguments


def _take(word: str, following: "str | None", levels: tuple[Options, ...]) -> int:
    """Keep the value of the flag `word`; the number of words used after it is returned."""
    name, equals, value = word[2 if word[1] == "-" else 1 :].partition("=")
    for options in levels:
        flag = options.find(name)
        if flag is not None:
            break
    else:
        raise UsageError(f"flag provided but not defined: -{name}")
    if flag[1] == "bool":
        options.add(name, value or "true")
        return 0
    if equals:
        options.add(name, value)
        return 0
    if following is None:
        raise UsageError(f"flag needs an argument: {word}")
    options.add(name, following)
    return 1
