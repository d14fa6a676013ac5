# SPDX-License-Identifier: Apache-2.0
"""The operations that fill /dev (runtime-spec, config-linux.md, "Devices")."""

from os import fstat, major, makedev, minor
from os.path import normpath

from ocirun.engine import sources
from ocirun.engine.process import SYNC_DEVICE
from ocirun.engine.wire import NO_SLOT, TARGET_FILE
from ocirun.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan
    from ocirun.spec.model import Device

_S_IFMT = 0o170000
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
    # The multiplexer is always the one of the container's own devpts, and a link.
    paths = [normpath(device["path"]) for device in wanted]
    plan.field = "linux.devices"
    for path, *numbers in DEFAULT:
        if path not in paths:
            _add_node(plan, setting, path, (0o020666, makedev(*numbers), 0, 0))
    for index, device in enumerate(wanted):
        plan.field = f"linux.devices[{index}]"
        if paths[index] != "/dev/ptmx":
            _add_node(plan, setting, device["path"], _node(device), checked=True)
    plan.field = "/dev"
    plan.add("SYMLINK", setting.root_slot, "pts/ptmx", "/dev/ptmx", 1)
    for target, path in _LINKS:
        plan.add("SYMLINK", setting.root_slot, target, path, 0)


def _node(device: "Device") -> tuple[int, int, int, int]:
    mode = _S_IF[device["type"]] | device.get("fileMode", 0o666) & 0o7777
    number = makedev(device.get("major", 0), device.get("minor", 0))
    return mode, number, device.get("uid", 0), device.get("gid", 0)


def _add_node(
    plan: "Plan",
    setting: "Setting",
    path: str,
    node: tuple[int, int, int, int],
    *,
    checked: bool = False,
) -> None:
    mode, number, uid, gid = node
    if not setting.in_userns or mode & _S_IFMT == _S_IF["p"]:
        plan.add("MKNOD", setting.root_slot, path, mode, number, uid, gid)
        return
    # The kernel lets no user namespace make devices; the host's own is bound instead.
    target, tree, place = plan.slot(), plan.slot(), plan.slot()
    plan.add("TARGET", target, setting.root_slot, path, NO_SLOT, TARGET_FILE)
    sources.add_open(plan, setting, place, path)
    if checked:
        plan.add("EXCHANGE", SYNC_DEVICE, place, NO_SLOT)
    plan.add("CLONE_TREE", tree, place, 0)
    plan.add("ATTACH", tree, target)
    for slot in (place, tree, target):
        plan.release(slot)


def check(field: str, device: "Device", fd: int) -> None:
    """Refuse what the host has at the path of a device, if it is another one."""
    found = fstat(fd)
    mode, number, *_ = _node(device)
    if (found.st_mode & _S_IFMT, found.st_rdev) == (mode & _S_IFMT, number):
        return
    raise KernelError(
        f"{field}: the host has {_words(found.st_mode, found.st_rdev)} at {device['path']},"
        f" wanted {_words(mode, number)}",
        "a user namespace can only have devices of the host, at the same paths",
    )


def _words(mode: int, number: int) -> str:
    for letter, kind in _S_IF.items():
        if letter in "cb" and mode & _S_IFMT == kind:
            return f"{letter} {major(number)}:{minor(number)}"
    return "no device"
