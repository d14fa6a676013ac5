# SPDX-License-Identifier: Apache-2.0
"""What lists of device rules amount to."""

import errno

import pytest

from ocirun.linux.cgroup.devices import ANY, changes, parse_v1, ruleset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.devices import Rule

DENY_ALL: "Rule" = (False, "a", ANY, ANY, "rwm")
ALLOW_ALL: "Rule" = (True, "a", ANY, ANY, "rwm")
NULL: "Rule" = (True, "c", 1, 3, "rwm")


def test_nothing_is_allowed_by_default() -> None:
    rules = ruleset([NULL])
    assert not rules.allow
    assert rules.exceptions == {("c", 1, 3): frozenset("rwm")}


def test_all_forgets_what_came_before() -> None:
    assert ruleset([NULL, DENY_ALL]).exceptions == {}
    assert ruleset([NULL, ALLOW_ALL]).allow
    assert ruleset([ALLOW_ALL, (False, "c", 1, 3, "r")]).exceptions == {("c", 1, 3): frozenset("r")}


def test_access_adds_up_and_is_taken_back() -> None:
    rules = ruleset([(True, "c", 1, 3, "r"), (True, "c", 1, 3, "w"), (False, "c", 1, 3, "r")])
    assert rules.exceptions == {("c", 1, 3): frozenset("w")}
    assert ruleset([NULL, (False, "c", 1, 3, "rwm")]).exceptions == {}


@pytest.mark.parametrize("wider", [("c", ANY, ANY), ("c", 1, ANY), ("c", ANY, 3)])
def test_hole_in_a_wider_rule_is_refused(wider: tuple[str, int, int]) -> None:
    with pytest.raises(OSError, match=r"c 1:3 r out of a wider rule") as caught:
        ruleset([(True, *wider, "rw"), (False, "c", 1, 3, "r")])
    assert caught.value.errno == errno.EINVAL


def test_hole_for_other_access_is_none() -> None:
    ruleset([(True, "c", ANY, ANY, "m"), (False, "c", 1, 3, "rw")])


def test_list_of_v1() -> None:
    assert parse_v1("a *:* rwm\n").allow
    rules = parse_v1("c 1:3 rwm\nb *:* m\n")
    assert not rules.allow
    assert rules.exceptions == {
        ("c", 1, 3): frozenset("rwm"),
        ("b", ANY, ANY): frozenset("m"),
    }


def test_changes_from_a_fresh_v1_cgroup() -> None:
    fresh = parse_v1("a *:* rwm\n")
    assert changes(fresh, ruleset([NULL])) == [DENY_ALL, NULL]


def test_changes_shut_nothing_that_stays_open() -> None:
    old = ruleset([NULL, (True, "c", 5, 0, "rw")])
    new = ruleset([NULL, (True, "c", 5, 0, "r"), (True, "b", 8, 0, "r")])
    assert changes(old, new) == [(False, "c", 5, 0, "w"), (True, "b", 8, 0, "r")]
    assert changes(new, new) == []


def test_changes_between_defaults() -> None:
    open_but_one = ruleset([ALLOW_ALL, (False, "c", 1, 3, "w")])
    assert changes(ruleset([NULL]), open_but_one) == [ALLOW_ALL, (False, "c", 1, 3, "w")]
