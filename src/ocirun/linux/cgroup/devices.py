# SPDX-License-Identifier: Apache-2.0
"""Device rules: what a list of them, applied in order to "deny all", amounts to.

A rule is (allow, type 'a' | 'b' | 'c', major, minor, access), -1 for any number, access a
string of 'r', 'w', 'm'.  The outcome follows the kernel's v1 device controller, which keeps
a default and exceptions to it: an exception can be taken back only as it was made.
"""

import errno

from ocirun.linux.cgroup import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Rule = tuple[bool, str, int, int, str]
    Node = tuple[str, int, int]
    Exceptions = dict[Node, frozenset[str]]

ANY = -1


class Ruleset:
    """The default, and the exceptions to it, that a list of rules leads to."""

    __slots__ = ("allow", "exceptions")

    def __init__(self, *, allow: bool = False) -> None:
        self.allow = allow
        self.exceptions: Exceptions = {}

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Ruleset)
            and self.allow == other.allow
            and self.exceptions == other.exceptions
        )

    __hash__ = None  # type: ignore[assignment]  # it changes

    def apply(self, rule: "Rule") -> None:
        """Apply one more rule; EINVAL if no device controller can express the result."""
        allow, kind, major, minor, access = rule
        if kind == "a":
            self.allow = allow
            self.exceptions = {}
            return
        node = (kind, major, minor)
        if allow != self.allow:
            self.exceptions[node] = self.exceptions.get(node, frozenset()) | frozenset(access)
            return
        self._check_no_hole(rule)
        left = self.exceptions.get(node, frozenset()) - frozenset(access)
        if left:
            self.exceptions[node] = left
        else:
            self.exceptions.pop(node, None)

    def _check_no_hole(self, rule: "Rule") -> None:
        # The v1 kernel ignores such a rule without a word, and devices would stay open (or
        # shut) against what was asked for.  Better none than half of the rules.
        _, kind, major, minor, access = rule
        for wider in ((kind, ANY, minor), (kind, major, ANY), (kind, ANY, ANY)):
            if wider == (kind, major, minor):
                continue
            if self.exceptions.get(wider, frozenset()) & frozenset(access):
                part = _text(kind, major, minor, access)
                raise OSError(errno.EINVAL, f"cannot take {part} out of a wider rule before it")


def ruleset(rules: "Iterable[Rule]") -> Ruleset:
    """Return what the rules, applied in order to "deny all", amount to."""
    result = Ruleset()
    for rule in rules:
        result.apply(rule)
    return result


def parse_v1(text: str) -> Ruleset:
    """Return the rules of a devices.list; behind "allow all" it does not show the exceptions."""
    result = Ruleset()
    for line in text.splitlines():
        kind, numbers, access = line.split(" ")
        major, minor = (ANY if part == "*" else int(part) for part in numbers.split(":"))
        result.apply((True, kind, major, minor, access))
    return result


def changes(old: Ruleset, new: Ruleset) -> "list[Rule]":
    """Return the fewest rules that lead from one to the other, shutting nothing meanwhile."""
    rules: list[Rule] = []
    before = old.exceptions
    if old.allow or new.allow != old.allow:
        rules.append((new.allow, "a", ANY, ANY, "rwm"))
        before = {}
    for node in sorted(before):
        gone = before[node] - new.exceptions.get(node, frozenset())
        if gone:
            rules.append((new.allow, *node, _letters(gone)))
    for node in sorted(new.exceptions):
        gained = new.exceptions[node] - before.get(node, frozenset())
        if gained:
            rules.append((not new.allow, *node, _letters(gained)))
    return rules


def write_v1(directory: str, rules: "Iterable[Rule]") -> None:
    """Bring a v1 cgroup's device rules to those of the list."""
    # Nobody should be in the cgroup yet: between "deny all" and the exceptions even mknod of
    # /dev/null is refused.
    target = ruleset(rules)
    allowed: list[str] = []
    for allow, kind, major, minor, access in changes(_read_v1(directory), target):
        if kind == "a":
            tree.write(directory, "devices.allow" if allow else "devices.deny", "a")
        elif allow:
            allowed.append(_text(kind, major, minor, access))
        else:
            tree.write(directory, "devices.deny", _text(kind, major, minor, access))
    if allowed:
        tree.write(directory, "devices.allow", *allowed)
    # Exceptions to "allow all" are not listed, so there is only the default to compare.
    result = _read_v1(directory)
    if result.allow != target.allow or (not target.allow and result != target):
        path = f"{directory}/devices.list"
        raise OSError(errno.EPERM, "the kernel did not take the device rules as asked", path)


def _read_v1(directory: str) -> Ruleset:
    return parse_v1(tree.read(directory, "devices.list"))


def _letters(access: "frozenset[str]") -> str:
    return "".join(letter for letter in "rwm" if letter in access)


def _text(kind: str, major: int, minor: int, access: str) -> str:
    numbers = ":".join("*" if number == ANY else str(number) for number in (major, minor))
    return f"{kind} {numbers} {access}"
