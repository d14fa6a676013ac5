# SPDX-License-Identifier: Apache-2.0
"""The operations for the `mounts` of a config, in the order of the list.

Each mount is made detached, gets its attributes, and only then is attached to a
mount point that the stub holds open; see `stub/mount.c` and `stub/path.c`.
"""

from os.path import normpath

from ocirun.engine import cgroup_mounts, sources
from ocirun.engine.wire import NO_SLOT, TARGET_FILE, TARGET_IN_PROC, TARGET_ORDINARY
from ocirun.errors import SpecError
from ocirun.linux.mount import (
    AT_RECURSIVE,
    LOCKABLE,
    MS_REC,
    RDONLY,
    Options,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan
    from ocirun.spec.model import Mount

#: entries of /proc that may be covered: what lxcfs and its like provide
PROC_ENTRIES = frozenset(
    "/proc/" + name
    for name in (
        "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo"
        " sys/kernel/ns_last_pid sys/crypto/fips_enabled"
    ).split()
)


def destination_of(mount: "Mount") -> str:
    """Give the mount point as an absolute path without `..`."""
    return normpath("/" + mount["destination"].lstrip("/"))


def add_mounts(plan: "Plan", setting: "Setting") -> None:
    """Append the operations for all mounts, and at the end what makes them read-only."""
    late: list[tuple[str, str]] = []
    for index, mount in enumerate(setting.spec.get("mounts", ())):
        plan.field = f"mounts[{index}]"
        options = Options(mount.get("options", []))
        where = destination_of(mount)
        if where == "/":
            raise SpecError(
                f"{plan.field}.destination: / is the root filesystem itself",
                "put it into root.path",
            )
        if options.bind:
            _add_bind(plan, setting, mount, options)
        elif mount.get("type") in ("cgroup", "cgroup2"):
            cgroup_mounts.add_cgroup(plan, setting, where, options)
        else:
            if options.set & RDONLY and (mount.get("type") == "tmpfs" or where == "/dev"):
                # Later mounts and devices need directories in it; see add_readonly.
                late.append((where, plan.field))
                options.set &= ~RDONLY
            _add_filesystem(plan, setting, mount, options)
    setting.late_readonly = late


def add_target(plan: "Plan", setting: "Setting", where: str, like: int, flags: int = 0) -> int:
    """Append what opens the mount point, and give its slot."""
    slot = plan.slot()
    if where in PROC_ENTRIES:
        flags |= TARGET_IN_PROC
    plan.add("TARGET", slot, setting.root_slot, where, like, flags)
    return slot


def finish(plan: "Plan", tree: int, target: int, options: Options) -> None:
    """Append the attributes, the attaching and the propagation of a mount, and let it go."""
    if options.recursive_set or options.recursive_clear:
        plan.add(
            "SETATTR", tree, options.recursive_set, options.recursive_clear, 0, 0, AT_RECURSIVE
        )
    plan.add("ATTACH", tree, target)
    for kind in options.propagation:
        flags = AT_RECURSIVE if kind & MS_REC else 0
        plan.add("SETATTR", tree, 0, 0, 0, kind & ~MS_REC, flags)
    plan.release(tree)
    plan.release(target)


def _add_bind(plan: "Plan", setting: "Setting", mount: "Mount", options: Options) -> None:
    if options.data:
        raise SpecError(
            f"{plan.field}.options: a bind mount takes no options of a filesystem,"
            f" found {options.data[0]!r}"
        )
    source = mount.get("source", "")
    if not source.startswith("/"):
        source = f"{setting.bundle}/{source}"
    add_bind(plan, setting, source, destination_of(mount), options)


def add_bind(plan: "Plan", setting: "Setting", source: str, where: str, options: Options) -> None:
    """Append a bind mount of a path of the host."""
    # The source first: its type decides whether a file or a directory is made.
    target = plan.slot()
    tree = plan.slot()
    flags = TARGET_IN_PROC if where in PROC_ENTRIES else 0
    if where == "/proc":
        flags = TARGET_IN_PROC
    recursive = AT_RECURSIVE if options.recursive else 0
    if sources.needed(setting):
        place = plan.slot()
        sources.add_open(plan, setting, place, source)
        plan.add("CLONE_TREE", tree, place, recursive)
        plan.release(place)
    else:
        plan.add("OPEN_TREE", tree, source, recursive)
    plan.add("TARGET", target, setting.root_slot, where, tree, flags)
    if options.set or options.clear:
        # As `mount -o remount,bind` does: attributes that are not named go, unless
        # the kernel has locked them and nobody asked for their removal.
        inherited = LOCKABLE & ~options.set & ~options.clear
        plan.add("SETATTR", tree, options.set, options.clear, inherited, 0, 0)
    finish(plan, tree, target, options)


def _add_filesystem(plan: "Plan", setting: "Setting", mount: "Mount", options: Options) -> None:
    kind = mount.get("type", "")
    where = destination_of(mount)
    if not kind or kind in ("none", "bind"):
        raise SpecError(
            f"{plan.field}.type: {kind!r} is no filesystem", "for a bind mount add the option bind"
        )
    flags = 0
    if kind in ("proc", "sysfs"):
        flags = TARGET_ORDINARY | TARGET_IN_PROC
    target = add_target(plan, setting, where, NO_SLOT, flags)
    tree = plan.slot()
    add_new_filesystem(plan, tree, target, kind, mount.get("source", kind), options)
    finish(plan, tree, target, options)


def add_new_filesystem(  # noqa: PLR0913
    plan: "Plan",
    tree: int,
    target: int,
    kind: str,
    source: str,
    options: Options,
    *,
    shared: bool = False,
) -> None:
    """Append what makes a filesystem and leaves it, not yet attached, in the slot `tree`.

    A `shared` one has its instance on the host too, and read-only is then said of
    the mount alone.
    """
    context = plan.slot()
    plan.add("FSOPEN", context, kind)
    plan.add("FSCONFIG", context, "source", source or "none")
    if kind == "tmpfs" and not any(word.startswith("mode=") for word in options.data):
        plan.add("FSMODE", context, target)
    if options.set & RDONLY and not shared:
        plan.add("FSCONFIG", context, "ro", None)
    for word in options.superblock:
        plan.add("FSCONFIG", context, word, None)
    for word in options.data:
        key, equals, value = word.partition("=")
        plan.add("FSCONFIG", context, key, value if equals else None)
    plan.add("FSMOUNT", tree, context, options.set)
    plan.release(context)


def add_readonly_mounts(plan: "Plan", setting: "Setting") -> None:
    """Append what makes those mounts read-only in which mount points had to be made first."""
    for where, field in setting.late_readonly:
        plan.field = field
        slot = plan.slot()
        plan.add("RESOLVE", slot, setting.root_slot, where, 0)
        plan.add("SETATTR", slot, RDONLY, 0, 0, 0, 0)
        plan.release(slot)


__all__ = ["TARGET_FILE", "add_bind", "add_mounts", "add_readonly_mounts", "destination_of"]
