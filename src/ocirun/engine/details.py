# SPDX-License-Identifier: Apache-2.0
"""The arguments of operations in words: what `ocirun explain` adds to `words`.

Pure.  An operation without an entry here is said completely by its words.
"""

from ocirun.engine import process
from ocirun.engine.namespaces import TYPES
from ocirun.engine.wire import NO_SLOT, Entry
from ocirun.linux import mount
from ocirun.linux.capability import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocirun.engine.wire import Argument, Operation

_PRCTL = {
    4: "hide this process from the container (PR_SET_DUMPABLE)",
    8: "capabilities survive the change of user (PR_SET_KEEPCAPS)",
    38: "no new privileges from here on (PR_SET_NO_NEW_PRIVS)",
}
_POINTS = {
    process.SYNC_MAPPINGS: "write the id mappings",
    process.SYNC_HOOKS: "run hooks on the host",
    process.SYNC_RLIMITS: "set resource limits",
}
_MOST = 6


def of(operation: "Operation") -> str:
    """Say what the words of an operation leave out, or ""."""
    make = _DETAILS.get(operation.name)
    return make(operation.args) if make else ""


def _prctl(args: "Sequence[Argument]") -> str:
    option, value = _number(args[0]), _number(args[1])
    off = ", no longer" if option == process.PR_SET_KEEPCAPS and not value else ""
    return _PRCTL.get(option, "") + off


def _number(value: "Argument") -> int:
    return value if isinstance(value, int) else 0


def namespaces_of(flags: int) -> list[str]:
    """Give the kinds of namespaces that clone flags stand for."""
    return [kind for kind, (flag, _) in TYPES.items() if flags & flag]


def _kinds(value: "Argument") -> str:
    return ", ".join(namespaces_of(_number(value)))


def _clone(args: "Sequence[Argument]") -> str:
    kinds = _kinds(args[0])
    where = "" if args[1] == NO_SLOT else " in its cgroup"
    return (f"new: {kinds}" if kinds else "") + where


def attributes(value: int) -> list[str]:
    """Give the mount options that set these attributes."""
    found = []
    for word, (new, _) in mount.ATTRIBUTES.items():
        alone = new & value if new & mount.ATIME == 0 else new * int(value & mount.ATIME == new)
        if new and alone == new and word not in found:
            found.append(word)
    return found


def _setattr(args: "Sequence[Argument]") -> str:
    given, cleared, _, propagation = (_number(value) for value in args[1:5])
    parts = attributes(given)
    if gone := attributes(cleared & ~given):
        parts.append("not " + ", ".join(gone))
    parts += [word for word, kind in mount.PROPAGATION.items() if kind == propagation]
    deep = ", all below too" if _number(args[5]) & mount.AT_RECURSIVE else ""
    return ", ".join(parts) + deep


def _capabilities(mask: "Argument") -> str:
    names = [name for bit, name in enumerate(NAMES) if _number(mask) >> bit & 1]
    if not names:
        return "none"
    return ", ".join(names) if len(names) <= _MOST else f"{len(names)} of {len(NAMES)}"


def _fsconfig(args: "Sequence[Argument]") -> str:
    return f"to {args[2]}" if isinstance(args[2], str) else ""


def _groups(args: "Sequence[Argument]") -> str:
    packed = args[1] if isinstance(args[1], bytes) else b""
    numbers = [packed[at : at + 4] for at in range(0, 4 * _number(args[0]), 4)]
    return ", ".join(str(int.from_bytes(number, "little")) for number in numbers)


def _texts(value: "Argument") -> str:
    if isinstance(value, Entry):
        value = value.table
    if not isinstance(value, tuple):
        return ""
    return " ".join(text.decode("utf-8", "backslashreplace") for text in value)


_DETAILS: "dict[str, Callable[[Sequence[Argument]], str]]" = {
    "CLONE": _clone,
    "UNSHARE": lambda args: _kinds(args[0]),
    "SETNS": lambda args: _kinds(args[1]),
    "SYNC": lambda args: _POINTS.get(_number(args[0]), ""),
    "PRCTL": _prctl,
    "SETATTR": _setattr,
    "FSMOUNT": lambda args: ", ".join(attributes(_number(args[2]))),
    "FSCONFIG": _fsconfig,
    "BOUNDING": lambda args: "keep " + _capabilities(args[0]),
    "CAPABILITIES": lambda args: _capabilities(args[0]),
    "UMASK": lambda args: f"{_number(args[0]):03o}",
    "GROUPS": _groups,
    "SECCOMP": lambda args: f"{_number(args[2])} instructions",
    "PROGRAM": lambda args: _texts(args[0]),
    "EXEC": lambda args: _texts(args[0]),
}
