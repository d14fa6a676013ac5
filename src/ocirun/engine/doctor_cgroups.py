# SPDX-License-Identifier: Apache-2.0
"""The part of `ocirun doctor` that looks at cgroups: version, controllers, delegation, systemd."""

import os

from ocirun.engine.findings import BAD, GOOD, POOR, Finding
from ocirun.linux.cgroup import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocirun.engine.findings import Host
    from ocirun.linux.cgroup.layout import Layout

#: controller -> what a config cannot limit without it
PURPOSE = {
    "memory": "linux.resources.memory",
    "cpu": "linux.resources.cpu",
    "cpuset": "linux.resources.cpu.cpus, .mems",
    "pids": "linux.resources.pids",
    "io": "linux.resources.blockIO",
    "hugetlb": "linux.resources.hugepageLimits",
    "rdma": "linux.resources.rdma",
}
#: v1 has another name for one of them
_V1_NAMES = {"io": "blkio"}
_DELEGATION = (
    "as root: a drop-in for user@.service with Delegate=cpu cpuset io memory pids;"
    " or run it by systemd-run --user --scope -p Delegate=yes"
)


def hierarchies(_: "Host") -> "Iterator[Finding]":
    """Tell which version of cgroups the host has."""
    found = _layout()
    if found is None or not found.version:
        yield Finding(
            "cgroups", BAD, "none mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup, as root"
        )
    elif found.version == 2:
        yield Finding("cgroups", GOOD, "version 2")
    else:
        beside = ", and a version 2 tree beside them" if found.unified else ""
        yield Finding("cgroups", GOOD, f"version 1: {len(found.v1)} hierarchies{beside}")


def controllers(_: "Host") -> "Iterator[Finding]":
    """Tell which limits can be set."""
    found = _layout()
    if found is None or not found.version:
        return
    for name, purpose in PURPOSE.items():
        if found.version == 2:
            present = name in _v2_controllers(found)
            remedy = "it has to be in the cgroup.controllers of every parent" + (
                f"; {_DELEGATION}" if os.geteuid() else ""
            )
        else:
            own = _V1_NAMES.get(name, name)
            present = any(own in hierarchy.controllers for hierarchy in found.v1)
            remedy = "cgroup v2 may have it, or a kernel with this controller"
        if present:
            yield Finding(f"controller {name}", GOOD, purpose)
        else:
            yield Finding(f"controller {name}", POOR, f"not there: no {purpose}", remedy)


def rights(host: "Host") -> "Iterator[Finding]":
    """Tell whether we may make cgroups."""
    found = _layout()
    if found is None or not found.version:
        return
    trees = found.v1 if found.version == 1 else [found.unified] if found.unified else []
    closed = [
        place
        for tree in trees
        if not os.access(place := tree.own_directory(), os.W_OK, effective_ids=True)
    ]
    if not closed:
        yield Finding("making cgroups", GOOD, "allowed where we are")
    elif host.privileged:
        yield Finding(
            "making cgroups",
            BAD,
            f"{closed[0]} cannot be written",
            "mount -o remount,rw /sys/fs/cgroup",
        )
    else:
        yield Finding("making cgroups", POOR, f"{closed[0]} is not ours: no limits", _DELEGATION)


def systemd(host: "Host") -> "Iterator[Finding]":
    """Tell whether there is a systemd that could make cgroups, and how we reach it."""
    if not os.path.isdir(host.path("/run/systemd/system")):
        yield Finding("systemd", POOR, "not running: --systemd-cgroup cannot work")
        return
    yield Finding("systemd", GOOD, "running")
    if host.privileged:
        return
    bus = f"{os.environ.get('XDG_RUNTIME_DIR', f'/run/user/{host.uid}')}/bus"
    if os.path.exists(host.path(bus)):
        yield Finding("systemd user manager", GOOD, bus)
    else:
        yield Finding(
            "systemd user manager",
            POOR,
            f"no {bus}",
            f"apt-get install dbus-user-session; loginctl enable-linger {host.user}",
        )


CHECKS = (hierarchies, controllers, rights, systemd)


def _layout() -> "Layout | None":
    try:
        return layout.read()
    except OSError:
        return None


def _v2_controllers(found: "Layout") -> list[str]:
    assert found.unified
    try:
        with open(f"{found.unified.own_directory()}/cgroup.controllers", encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []
