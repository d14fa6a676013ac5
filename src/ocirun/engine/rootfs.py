# SPDX-License-Identifier: Apache-2.0
"""The operations that turn a directory into the container's "/".

All of it happens below a held descriptor of the root and before the root is
changed, so that the host's own /dev/null and /proc, which no image can forge, are
still at hand.
"""

from os.path import normpath

from ocirun.engine import sources
from ocirun.engine.wire import RESOLVE_OPTIONAL
from ocirun.errors import SpecError
from ocirun.linux.mount import (
    AT_RECURSIVE,
    MS_MOVE,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
    NODEV,
    NOEXEC,
    NOSUID,
    PROPAGATION,
    RDONLY,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan


def _propagation(setting: "Setting") -> int:
    word = setting.spec.get("linux", {}).get("rootfsPropagation", "")
    return PROPAGATION[word] if word else MS_SLAVE | MS_REC


def add_root(plan: "Plan", setting: "Setting") -> None:
    """Append what attaches the root filesystem to itself, and keep it in `root_slot`."""
    plan.field = "linux.rootfsPropagation"
    kind = _propagation(setting)
    top = plan.slot()
    if setting.namespaces.private("mount"):
        plan.add("OPEN", top, "/")
        flags = AT_RECURSIVE if kind & MS_REC else 0
        plan.add("SETATTR", top, 0, 0, 0, kind & ~MS_REC, flags)
    plan.field = "root.path"
    sources.add_open(plan, setting, top, setting.rootfs)
    if setting.namespaces.private("mount"):
        # Whatever the propagation of "/", the root may lie on a mount that is still shared.
        plan.add("PARENT_PRIVATE", top)
    plan.add("CLONE_TREE", setting.root_slot, top, AT_RECURSIVE)
    plan.add("ATTACH", setting.root_slot, top)
    plan.release(top)


def add_protection(plan: "Plan", setting: "Setting") -> None:
    """Append the read-only and the masked paths, and the root's own read-only attribute."""
    linux = setting.spec.get("linux", {})
    for index, path in enumerate(linux.get("readonlyPaths", ())):
        plan.field = f"linux.readonlyPaths[{index}]"
        _add_readonly(plan, setting, path)
    masked = linux.get("maskedPaths", [])
    if masked:
        _add_masks(plan, setting, masked)
    plan.field = "root.readonly"
    if setting.spec["root"].get("readonly"):
        plan.add("SETATTR", setting.root_slot, RDONLY, 0, 0, 0, 0)


def _add_readonly(plan: "Plan", setting: "Setting", path: str) -> None:
    where = plan.slot()
    tree = plan.slot()
    plan.add("RESOLVE", where, setting.root_slot, path, RESOLVE_OPTIONAL)
    plan.add("CLONE_TREE", tree, where, AT_RECURSIVE)
    plan.add("SETATTR", tree, RDONLY, 0, 0, 0, 0)
    plan.add("ATTACH", tree, where)
    plan.release(tree)
    plan.release(where)


def _add_masks(plan: "Plan", setting: "Setting", paths: list[str]) -> None:
    plan.field = "linux.maskedPaths"
    null, empty, context, where = (plan.slot() for _ in range(4))
    # The host's null device, not the container's, which may be a link by now
    # (CVE-2025-31133).
    plan.add("OPEN", null, "/dev/null")
    plan.add("FSOPEN", context, "tmpfs")
    for key, value in (("source", "tmpfs"), ("nr_blocks", "1"), ("nr_inodes", "1")):
        plan.add("FSCONFIG", context, key, value)
    if label := setting.spec.get("linux", {}).get("mountLabel"):
        plan.add("FSCONFIG", context, "context", label)
    plan.add("FSCONFIG", context, "ro", None)
    plan.add("FSMOUNT", empty, context, RDONLY | NOSUID | NODEV | NOEXEC)
    seen = set()
    for index, path in enumerate(paths):
        if (clean := normpath(path)) in seen:
            continue
        seen.add(clean)
        plan.field = f"linux.maskedPaths[{index}]"
        plan.add("RESOLVE", where, setting.root_slot, path, RESOLVE_OPTIONAL)
        plan.add("MASK", where, null, empty)
    for slot in (where, context, empty, null):
        plan.release(slot)


def add_change(plan: "Plan", setting: "Setting") -> None:
    """Append the change of root, after which nothing of the host can be named."""
    plan.field = "root.path"
    kind = _propagation(setting)
    if not setting.namespaces.private("mount"):
        plan.add("CHROOT", setting.root_slot)
    elif setting.no_pivot:
        if kind & MS_PRIVATE:
            raise SpecError(
                "linux.rootfsPropagation: --no-pivot does not go with a private root",
                "set it to slave or rslave, or leave out --no-pivot",
            )
        # They stay below, and a procfs that nothing covers allows a new user namespace
        # to mount another one like it (mount_namespaces(7)).
        for path in setting.bare_mounts:
            plan.add("HIDE", path)
        # For callers in the initramfs, whose root cannot be pivoted.  The old one stays
        # below, out of reach but for CAP_SYS_CHROOT.
        plan.add("FCHDIR", setting.root_slot)
        plan.add("MOVE_ROOT", ".", "/", None, MS_MOVE, None)
        plan.add("CHROOT", setting.root_slot)
    else:
        plan.add("PIVOT_ROOT", setting.root_slot)
    if kind & (MS_SHARED | MS_UNBINDABLE):
        plan.field = "linux.rootfsPropagation"
        flags = AT_RECURSIVE if kind & MS_REC else 0
        plan.add("SETATTR", setting.root_slot, 0, 0, 0, kind & ~MS_REC, flags)
