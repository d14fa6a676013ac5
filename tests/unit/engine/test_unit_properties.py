# SPDX-License-Identifier: Apache-2.0
"""Limits and device rules as properties of a unit, by value."""

from typing import TYPE_CHECKING

import pytest

from ocirun.engine.unit import Unit
from ocirun.engine.unit_properties import (
    INFINITY,
    in_percents,
    of_devices,
    of_limits,
    of_processes,
    of_unit,
)
from ocirun.errors import SpecError
from ocirun.linux.cgroup.devices import ruleset

if TYPE_CHECKING:
    from ocirun.linux.cgroup.devices import Rule
    from ocirun.spec.model import Resources


def limits(resources: "Resources", cgroup: int = 2, version: int = 252) -> dict[str, object]:
    return {name: value for name, _, value in of_limits(resources, cgroup, lambda: version)}


def test_the_unit() -> None:
    unit = Unit("p-n.scope", "a.slice", user=False)
    found = {name: (kind, value) for name, kind, value in of_unit(unit, "ID", 77, 2)}
    assert found["Slice"] == ("s", "a.slice")
    assert found["Delegate"] == ("b", True)
    assert found["PIDs"] == ("au", [77])
    assert found["DefaultDependencies"] == ("b", False)
    for name in ("CPUAccounting", "MemoryAccounting", "IOAccounting", "TasksAccounting"):
        assert found[name] == ("b", True)
    old = {name for name, _, _ in of_unit(unit, "ID", 77, 1)}
    assert "BlockIOAccounting" in old
    assert "IOAccounting" not in old


def test_limits_of_version_2() -> None:
    found = limits(
        {
            "memory": {"limit": 100, "swap": 150, "reservation": 50},
            "cpu": {"quota": 50000, "period": 100000, "shares": 1024, "cpus": "0-1,9", "mems": "0"},
            "blockIO": {"weight": 1000},
        }
    )
    assert found == {
        "MemoryMax": 100,
        "MemoryLow": 50,
        "MemorySwapMax": 50,
        "CPUWeight": 100,
        "CPUQuotaPeriodUSec": 100000,
        "CPUQuotaPerSecUSec": 500000,
        "AllowedCPUs": bytes((0b11, 0b10)),
        "AllowedMemoryNodes": b"\1",
        "IOWeight": 10000,
    }


def test_limits_of_version_1() -> None:
    found = limits(
        {
            "memory": {"limit": 100, "swap": 150},
            "cpu": {"quota": 10000, "shares": 1024},
            "blockIO": {"weight": 500},
        },
        1,
    )
    assert found == {
        "MemoryLimit": 100,
        "CPUShares": 1024,
        "CPUQuotaPerSecUSec": 100000,
        "BlockIOWeight": 500,
    }


def test_nothing_asked_is_nothing_said_and_systemd_not_asked() -> None:
    def version() -> int:
        raise AssertionError

    assert of_limits({}, 2, version) == []
    assert of_limits({"memory": {"limit": 5}}, 2, version) == [("MemoryMax", "t", 5)]
    assert of_processes({}) == []


def test_no_limit() -> None:
    found = limits({"memory": {"limit": -1, "reservation": -1}, "cpu": {"quota": -1}})
    assert found == dict.fromkeys(
        ("MemoryMax", "MemoryLow", "MemorySwapMax", "CPUQuotaPerSecUSec"), INFINITY
    )


@pytest.mark.parametrize(
    ("quota", "period", "per_second", "rounded"),
    [
        (50000, 100000, 500000, 50000),
        (41234, 100000, 420000, 42000),
        (1, 100000, 10000, 1000),
        (33333, 50000, 670000, 33500),
        (250000, 0, 2500000, 250000),
    ],
)
def test_a_quota_is_in_whole_percents(
    quota: int, period: int, per_second: int, rounded: int
) -> None:
    cpu: Resources = {"cpu": {"quota": quota, "period": period}}
    assert limits(cpu)["CPUQuotaPerSecUSec"] == per_second
    assert in_percents(cpu)["cpu"]["quota"] == rounded
    assert in_percents(in_percents(cpu)) == in_percents(cpu)


def test_what_an_older_systemd_does_not_know() -> None:
    wanted: Resources = {"cpu": {"period": 5000, "cpus": "0", "idle": 1, "shares": 1024}}
    assert limits(wanted, version=239) == {"CPUQuotaPerSecUSec": INFINITY, "CPUWeight": 100}
    assert limits(wanted, version=252)["CPUWeight"] == 0


def test_files_of_unified() -> None:
    found = limits(
        {
            "memory": {"limit": 5},
            "unified": {
                "memory.max": "7\n",
                "memory.high": "max",
                "memory.swap.max": "0",
                "cpu.max": "max 50000",
                "cpu.weight": "77",
                "cpuset.cpus": "1",
                "io.latency": "whatever",
            },
        }
    )
    assert found == {
        "MemoryMax": 7,
        "MemoryHigh": INFINITY,
        "MemorySwapMax": 0,
        "CPUQuotaPeriodUSec": 50000,
        "CPUQuotaPerSecUSec": INFINITY,
        "CPUWeight": 77,
        "AllowedCPUs": b"\2",
    }
    assert limits({"unified": {"cpu.idle": "1", "cpu.weight": "5"}}) == {"CPUWeight": 0}
    with pytest.raises(SpecError, match=r"linux\.resources\.unified\.memory\.max: 'much'"):
        limits({"unified": {"memory.max": "much"}})


@pytest.mark.parametrize(("limit", "most"), [(5, 5), (0, 1), (-1, INFINITY)])
def test_processes(limit: int, most: int) -> None:
    assert of_processes({"pids": {"limit": limit}}) == [("TasksMax", "t", most)]
    text = "max" if limit < 0 else str(limit)
    assert of_processes({"unified": {"pids.max": text}}) == [("TasksMax", "t", most)]


def test_devices() -> None:
    rules: list[Rule] = [
        (True, "c", -1, -1, "m"),
        (True, "c", 1, 3, "rwm"),
        (True, "c", 136, -1, "wr"),
        (True, "b", 8, 0, "r"),
        (True, "c", -1, 5, "r"),
    ]
    found, missing = of_devices(ruleset(rules), 2)
    assert found == [
        ("DevicePolicy", "s", "strict"),
        ("DeviceAllow", "a(ss)", [
            ("/dev/block/8:0", "r"), ("char-*", "m"), ("/dev/char/1:3", "rwm"), ("char-136", "rw"),
        ]),
    ]  # fmt: skip
    assert missing == ["c *:5 r"]


def test_devices_that_are_all_allowed_but_some() -> None:
    everything = ruleset([(True, "a", -1, -1, "rwm")])
    but_one = ruleset([(True, "a", -1, -1, "rwm"), (False, "c", 1, 3, "r")])
    auto = [("DevicePolicy", "s", "auto")]
    assert of_devices(everything, 2) == of_devices(everything, 1) == (auto, [])
    assert of_devices(but_one, 2) == (auto, [])
    # On v1 systemd would write "allow all" over our rules: rather too little than too much.
    assert of_devices(but_one, 1) == ([("DevicePolicy", "s", "strict")], ["all but some"])
