# SPDX-License-Identifier: Apache-2.0
"""Limits and devices by chance.  Reference: config-linux.md, Control groups and Devices."""

import os
from collections.abc import Callable

from hypothesis import strategies as st
from tests.peer.runtime import Config, Json

MIB = 1 << 20
DENY_ALL: Config = {"allow": False, "access": "rwm"}


@st.composite
def resources(
    draw: st.DrawFn, knows: Callable[[str], bool], chosen: set[str], linux: Config
) -> None:
    """Add `resources` and `devices` to a `linux`, whichever were chosen."""
    wanted: Config = {}
    if "resources" in chosen:
        for build in draw(st.lists(st.sampled_from(BUILDERS), max_size=4, unique=True)):
            wanted.update(draw(build(knows)))
    if draw(st.booleans()):
        rules: list[Json] = [DENY_ALL] if draw(st.integers(0, 3)) else []
        rules += draw(st.lists(_device_rule(), max_size=4))
        wanted["devices"] = rules
    if "devices" in chosen:
        linux["devices"] = list(draw(st.lists(_device(), max_size=3, unique_by=_path)))
    linux["resources"] = wanted


def _path(device: Json) -> str:
    assert isinstance(device, dict)
    return str(device["path"])


@st.composite
def _device(draw: st.DrawFn) -> Config:
    kind = draw(st.sampled_from("ccbpu"))
    paths = "/dev/first /dev/below/second /dev/fuse /dev/net/tun /third".split()
    device: Config = {"type": kind, "path": draw(st.sampled_from(paths))}
    if kind != "p" or draw(st.booleans()):
        major, minor = draw(st.sampled_from(((1, 3), (10, 229), (10, 200), (7, 0), (1, 11))))
        device["major"], device["minor"] = major, minor
    if draw(st.booleans()):
        device["fileMode"] = draw(st.sampled_from((0o600, 0o666, 0o640, 0o777, 0)))
    if draw(st.booleans()):
        device["uid"], device["gid"] = draw(st.sampled_from(((0, 5), (1000, 1000), (5, 0))))
    return device


@st.composite
def _device_rule(draw: st.DrawFn) -> Config:
    access = draw(st.sampled_from(("r", "rw", "rwm", "m", "w", "mr")))
    rule: Config = {"allow": draw(st.booleans()), "access": access}
    if draw(st.booleans()):
        rule["type"] = draw(st.sampled_from("ccba"))
    if draw(st.booleans()):
        rule["major"] = draw(st.sampled_from((1, 5, 7, 10, 136)))
        if draw(st.booleans()):
            rule["minor"] = draw(st.sampled_from((0, 3, 5, 8)))
    return rule


@st.composite
def _memory(draw: st.DrawFn, _: Callable[[str], bool]) -> Config:
    memory: Config = {}
    limit = draw(st.sampled_from((0, 100 * MIB, 300 * MIB, -1)))
    if limit:
        memory["limit"] = limit
    if draw(st.booleans()):
        memory["reservation"] = draw(st.sampled_from((50 * MIB, 99 * MIB, -1)))
    if "limit" in memory and draw(st.booleans()):
        memory["swap"] = draw(st.sampled_from((-1, 300 * MIB, 400 * MIB) if limit > 0 else (-1,)))
    if draw(st.booleans()):
        memory["swappiness"] = draw(st.sampled_from((0, 60, 100)))
    if draw(st.booleans()):
        memory["disableOOMKiller"] = draw(st.booleans())
    if draw(st.booleans()):
        memory["checkBeforeUpdate"] = draw(st.booleans())
    if draw(st.booleans()):
        memory["useHierarchy"] = draw(st.booleans())
    if draw(st.booleans()):
        memory["kernel"] = draw(st.sampled_from((100 * MIB, -1)))
        memory["kernelTCP"] = 100 * MIB
    return {"memory": memory}


@st.composite
def _cpu(draw: st.DrawFn, knows: Callable[[str], bool]) -> Config:
    values: tuple[tuple[str, tuple[Json, ...]], ...] = (
        ("shares", (0, 2, 100, 1024, 262144)),
        ("quota", (50000, 200000, -1, 0)),
        ("period", (100000, 50000, 1000000)),
        ("cpus", ("0", "0-1", "1", "")),
        ("mems", ("0", "")),
        ("burst", (0, 1000)),
        ("idle", (0, 1)),
        ("realtimePeriod", (1000000,)),
        ("realtimeRuntime", (0,)),
    )
    values = tuple(entry for entry in values if knows(entry[0]))
    chosen = draw(st.lists(st.sampled_from(values), max_size=5, unique=True))
    return {"cpu": {name: draw(st.sampled_from(known)) for name, known in chosen}}


@st.composite
def _pids(draw: st.DrawFn, knows: Callable[[str], bool]) -> Config:
    limits = (-1, 100, 5000, *((0,) if knows("a limit of no processes") else ()))
    return {"pids": {"limit": draw(st.sampled_from(limits))}}


@st.composite
def _block_io(draw: st.DrawFn, __: Callable[[str], bool]) -> Config:
    devices: list[str] = sorted(os.listdir("/sys/dev/block"))
    block: Config = {}
    if draw(st.booleans()):
        block["weight"] = draw(st.sampled_from((0, 10, 500, 1000)))
    for field in ("ReadBps", "WriteBps", "ReadIOPS", "WriteIOPS"):
        if draw(st.booleans()) and devices:
            device = draw(st.sampled_from(devices))
            major, minor = device.split(":")
            rate = draw(st.sampled_from((0, 1000, 1 << 20)))
            entry: Config = {"major": int(major), "minor": int(minor), "rate": rate}
            block[f"throttle{field}Device"] = [entry]
    return {"blockIO": block}


@st.composite
def _rest(draw: st.DrawFn, _: Callable[[str], bool]) -> Config:
    known: tuple[Config, ...] = (
        {"hugepageLimits": []},
        {"network": {}},
        {"network": {"priorities": []}},
        {"unified": {}},
        {"rdma": {}},
    )
    return draw(st.sampled_from(known))


BUILDERS = (_memory, _cpu, _pids, _block_io, _rest)
