# SPDX-License-Identifier: Apache-2.0
"""The operations of one mount: its mount point, the tree, the attributes, the attaching."""

from ocirun.engine import sources
from ocirun.engine.process import SYNC_IDMAP
from ocirun.engine.wire import NO_SLOT, TARGET_IN_PROC
from ocirun.linux.mount import (
    AT_RECURSIVE,
    ATIME,
    LOCKABLE,
    MS_REC,
    NODIRATIME,
    NOSYMFOLLOW,
    RDONLY,
    Options,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan

#: entries of /proc that may be covered: what lxcfs and its like provide
PROC_ENTRIES = frozenset(
    "/proc/" + name
    for name in (
        "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo"
        " sys/kernel/ns_last_pid sys/crypto/fips_enabled"
    ).split()
)


def add_target(plan: "Plan", setting: "Setting", where: str, like: int, flags: int = 0) -> int:
    """Append what opens the mount point, and give its slot."""
    slot = plan.slot()
    if where in PROC_ENTRIES:
        flags |= TARGET_IN_PROC
    plan.add("TARGET", slot, setting.root_slot, where, like, flags)
    return slot


def add_bind(
    plan: "Plan",
    setting: "Setting",
    source: str,
    where: str,
    options: Options,
    flags: int = 0,
) -> None:
    """Append a bind mount of a path of the host."""
    # The source first: its type decides whether a file or a directory is made.
    target = plan.slot()
    tree = plan.slot()
    if where in PROC_ENTRIES or where == "/proc":
        flags |= TARGET_IN_PROC
    recursive = AT_RECURSIVE if options.recursive else 0
    if plan.field in setting.idmaps:
        plan.add("EXCHANGE", SYNC_IDMAP, NO_SLOT, tree)
    elif sources.needed(setting):
        place = plan.slot()
        sources.add_open(plan, setting, place, source)
        plan.add("CLONE_TREE", tree, place, recursive)
        plan.release(place)
    else:
        plan.add("OPEN_TREE", tree, source, recursive)
    plan.add("TARGET", target, setting.root_slot, where, tree, flags)
    if options.touched:
        # As `mount -o remount,bind` does: attributes that are not named go, unless
        # the kernel has locked them and nobody asked for their removal.
        clear = options.clear | NOSYMFOLLOW & ~options.set
        if options.set & NODIRATIME or clear & ATIME:
            # One word about access times replaces all that the source said of them.
            clear |= ATIME | NODIRATIME & ~options.set
        inherited = LOCKABLE & ~options.set & ~clear
        plan.add("SETATTR", tree, options.set, clear, inherited, 0, 0)
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


def context(setting: "Setting", kind: str) -> list[str]:
    """Give the option that labels all files of a new filesystem, if there is one (SELinux)."""
    label = setting.spec.get("linux", {}).get("mountLabel", "")
    # Their files have labels from the policy; the root of an mqueue gets its own later.
    return [] if not label or kind in ("proc", "sysfs", "mqueue") else [f"context={label}"]


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
