# SPDX-License-Identifier: Apache-2.0
"""The operations that fill /dev (runtime-spec, config-linux.md, "Devices")."""

from os import makedev

from ocirun.engine.wire import NO_SLOT, TARGET_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan
    from ocirun.spec.model import Device

_S_IF = {"c": 0o020000, "u": 0o020000, "b": 0o060000, "p": 0o010000}

#: path, major, minor of the devices that every container has
DEFAULT = (
    ("/dev/null", 1, 3),
    ("/dev/random", 1, 8),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/zero", 1, 5),
    ("/dev/urandom", 1, 9),
)

_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
)


def add_devices(plan: "Plan", setting: "Setting") -> None:
    """Append the device nodes and the links of /dev."""
    wanted = setting.spec.get("linux", {}).get("devices", [])
    named = {device["path"] for device in wanted}
    plan.field = "linux.devices"
    for path, major, minor in DEFAULT:
        if path not in named:
            _add_node(plan, setting, path, (0o020666, makedev(major, minor), 0, 0))
    for index, device in enumerate(wanted):
        plan.field = f"linux.devices[{index}]"
        _add_node(plan, setting, device["path"], _node(device))
    plan.field = "/dev"
    plan.add("SYMLINK", setting.root_slot, "pts/ptmx", "/dev/ptmx", 1)
    for target, path in _LINKS:
        plan.add("SYMLINK", setting.root_slot, target, path, 0)


def _node(device: "Device") -> tuple[int, int, int, int]:
    mode = _S_IF[device["type"]] | device.get("fileMode", 0o666) & 0o7777
    number = makedev(device.get("major", 0), device.get("minor", 0))
    return mode, number, device.get("uid", 0), device.get("gid", 0)


def _add_node(plan: "Plan", setting: "Setting", path: str, node: tuple[int, int, int, int]) -> None:
    mode, number, uid, gid = node
    if setting.in_userns and mode & 0o170000 != _S_IF["p"]:
        # The kernel lets no user namespace make devices; the host's own is bound instead.
        target = plan.slot()
        tree = plan.slot()
        plan.add("TARGET", target, setting.root_slot, path, NO_SLOT, TARGET_FILE)
        plan.add("OPEN_TREE", tree, path, 0)
        plan.add("ATTACH", tree, target)
        plan.release(tree)
        plan.release(target)
    else:
        plan.add("MKNOD", setting.root_slot, path, mode, number, uid, gid)
