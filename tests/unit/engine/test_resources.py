# SPDX-License-Identifier: Apache-2.0
"""Device rules of a document, and the words for what cannot be had."""

import errno

import pytest

from ocirun.engine import resources
from ocirun.errors import SpecError
from ocirun.linux.cgroup.devices import ruleset
from ocirun.linux.cgroup.settings import SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import DeviceRule, Resources

DEFAULTS = {
    ("c", -1, -1): frozenset("m"),
    ("b", -1, -1): frozenset("m"),
    ("c", 136, -1): frozenset("rwm"),
    **{
        ("c", major, minor): frozenset("rwm")
        for major, minor in (
            (1, 3),
            (1, 5),
            (1, 7),
            (1, 8),
            (1, 9),
            (5, 0),
            (5, 2),
            (10, 200),
        )
    },
}


def test_default_devices_only() -> None:
    rules = ruleset(resources.device_rules({}))
    assert not rules.allow
    assert rules.exceptions == DEFAULTS


def test_deny_all_is_the_start_even_if_the_list_lacks_it() -> None:
    # GHSA-g54h-m393-cpwq: such a list once left everything else open.
    listed: DeviceRule = {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}
    rules = ruleset(resources.device_rules({"resources": {"devices": [listed]}}))
    assert not rules.allow
    assert rules.exceptions == {**DEFAULTS, ("c", 10, 229): frozenset("rw")}


def test_fields_left_out_mean_any() -> None:
    devices: list[DeviceRule] = [{"allow": True, "access": "rwm"}]
    assert resources.device_rules({"resources": {"devices": devices}})[0] == (
        True,
        "a",
        -1,
        -1,
        "rwm",
    )


def test_allow_all_stays_allow_all() -> None:
    devices: list[DeviceRule] = [{"allow": True, "access": "rwm"}]
    rules = ruleset(resources.device_rules({"resources": {"devices": devices}}))
    assert rules.allow
    assert rules.exceptions == {}


def test_device_of_the_document_takes_the_default_ones_place() -> None:
    rules = resources.device_rules({"devices": [{"path": "/dev/null", "type": "c"}]})
    assert (True, "c", 1, 3, "rwm") not in rules
    assert (True, "c", 1, 5, "rwm") in rules


@pytest.mark.parametrize("access", ["", "x"])
def test_access_must_be_said(access: str) -> None:
    devices: list[DeviceRule] = [{"allow": True, "access": access}]
    with pytest.raises(SpecError, match=r"linux\.resources\.devices\[0\]\.access"):
        resources.device_rules({"resources": {"devices": devices}})


def test_type_must_be_one_of_the_cgroup() -> None:
    devices: list[DeviceRule] = [{"allow": True, "type": "p", "access": "r"}]
    with pytest.raises(SpecError, match=r"linux\.resources\.devices\[0\]\.type"):
        resources.device_rules({"resources": {"devices": devices}})


def test_rules_that_forbid_are_not_optional() -> None:
    assert resources.devices_are_optional([(True, "c", 1, 3, "rwm")])
    assert not resources.devices_are_optional([(False, "a", -1, -1, "rwm")])
    assert not resources.devices_are_optional([(True, "c", 1, 3, "r")])


@pytest.mark.parametrize(
    ("memory", "usage", "words"),
    [
        ({"limit": 10}, 10, "rejecting memory limit 10"),
        ({"limit": 11}, 10, ""),
        ({"limit": 100, "swap": 10}, 10, r"rejecting memory\+swap limit 10"),
        ({"limit": -1}, 10, ""),
        ({"swap": 5}, 4, ""),
    ],
)
def test_check_before_update(memory: dict[str, int], usage: int, words: str) -> None:
    document: Resources = {"memory": {"checkBeforeUpdate": True}}
    document["memory"]["limit"] = memory.get("limit", 0)
    document["memory"]["swap"] = memory.get("swap", 0)
    if words:
        with pytest.raises(SpecError, match=words):
            resources.check_usage(document, usage)
    else:
        resources.check_usage(document, usage)
    document["memory"]["checkBeforeUpdate"] = False
    resources.check_usage(document, usage)


def test_letters_of_access_that_mean_nothing_are_told() -> None:
    devices: list[DeviceRule] = [{"allow": True, "type": "c", "access": "rwa"}]
    assert resources.device_rules({"resources": {"devices": devices}})[0][4] == "rw"
    assert resources.ignored({"devices": devices}, 1) == [
        "linux.resources.devices[0].access: 'a' is ignored"
    ]


def test_what_is_ignored_is_said() -> None:
    document: Resources = {
        "memory": {"kernel": 1, "kernelTCP": 1, "swappiness": 7, "disableOOMKiller": True},
        "network": {"classID": 1},
        "cpu": {"realtimeRuntime": 1, "realtimePeriod": 1},
        "blockIO": {"leafWeight": 10},
    }
    assert len(resources.ignored(document, 1)) == 2
    found = resources.ignored(document, 2)
    assert len(found) == 8
    assert all(line.startswith("linux.resources.") for line in found)
    assert resources.ignored({}, 2) == []


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOENT, "cgroup v2 of this host has no pids.max"),
        (errno.EACCES, "the pids controller is not delegated"),
        (errno.EINVAL, ""),
    ],
)
def test_explanation_names_field_value_and_file(number: int, hint: str) -> None:
    error = SettingError(number, "the kernel's words", "/sys/fs/cgroup/x/pids.max")
    error.setting = ("pids", "pids.max", "9", "linux.resources.pids.limit", 0)
    explained = resources.explain(error, 2)
    assert explained.message == (
        "set linux.resources.pids.limit: write '9' to /sys/fs/cgroup/x/pids.max: the kernel's words"
    )
    assert hint in explained.hint
    assert bool(hint) == bool(explained.hint)
