# SPDX-License-Identifier: Apache-2.0
"""The operations for the `mounts` of a config, in the order of the list.

Each mount is made detached, gets its attributes, and only then is attached to a
mount point that the stub holds open; see `stub/mount.c` and `stub/path.c`.
"""

from os.path import normpath

from ocirun.engine import cgroup_mounts, mount_steps
from ocirun.engine.process import SYNC_COPY_FROM, SYNC_COPY_TO
from ocirun.engine.wire import NO_SLOT, TARGET_IN_PROC, TARGET_ORDINARY
from ocirun.errors import SpecError
from ocirun.linux.mount import (
    RDONLY,
    Options,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan
    from ocirun.spec.model import Mount, Spec


_ORDINARY = TARGET_ORDINARY | TARGET_IN_PROC

#: filesystems that show a namespace -> which, and where the host has it
_OWNERS = {"proc": ("pid", "/proc"), "sysfs": ("network", "/sys")}


def destination_of(mount: "Mount", rootfs: str) -> str:
    """Give the mount point as an absolute path without `..`, in the container.

    Some say it as a path of the host, below the root filesystem; runc takes both.
    """
    where = normpath("/" + mount["destination"].lstrip("/"))
    return where.removeprefix(rootfs) if where.startswith(rootfs + "/") else where


def binds_dev(spec: "Spec", rootfs: str) -> bool:
    """Tell whether /dev is bound from the host, and so not ours to fill."""
    for mount in spec.get("mounts", ()):
        if destination_of(mount, rootfs) == "/dev":
            return Options(mount.get("options", [])).bind
    return False


def add_mounts(plan: "Plan", setting: "Setting") -> None:
    """Append the operations for all mounts, and at the end what makes them read-only."""
    late = setting.late_readonly
    for index, mount in enumerate(setting.spec.get("mounts", ())):
        plan.field = f"mounts[{index}]"
        options = Options(mount.get("options", []))
        where = destination_of(mount, setting.rootfs)
        if not mount["destination"].startswith("/"):
            setting.warnings.append(
                f"{plan.field}.destination: {mount['destination']} is relative, which is"
                f" deprecated; taken as {where}"
            )
        if where == "/":
            raise SpecError(
                f"{plan.field}.destination: / is the root filesystem itself",
                "put it into root.path",
            )
        if late:
            # What this mount covers has no name afterwards.
            covered = [place for place in late if f"{place}/".startswith(f"{where}/")]
            _add_readonly(plan, setting, {place: late.pop(place) for place in covered})
            plan.field = f"mounts[{index}]"
        if options.bind:
            _add_bind(plan, setting, mount, options)
        elif mount.get("type") in ("cgroup", "cgroup2"):
            cgroup_mounts.add_cgroup(plan, setting, where, options)
        else:
            if options.set & RDONLY and (mount.get("type") == "tmpfs" or where == "/dev"):
                # Later mounts and devices need directories in it; see add_readonly.
                late[where] = plan.field
                options.set &= ~RDONLY
            _add_filesystem(plan, setting, mount, options)


def _add_bind(plan: "Plan", setting: "Setting", mount: "Mount", options: Options) -> None:
    if options.data:
        raise SpecError(
            f"{plan.field}.options: a bind mount takes no options of a filesystem,"
            f" found {options.data[0]!r}"
        )
    source = mount.get("source", "")
    if not source.startswith("/"):
        source = f"{setting.bundle}/{source}"
    where = destination_of(mount, setting.rootfs)
    if options.idmap or mount.get("uidMappings"):
        from ocirun.engine.idmapped import Idmap

        idmap = Idmap(plan.field, source, mount, options)
        if "=" in options.idmap:
            from ocirun.engine.idmap_option import parse

            parse(idmap, options.idmap, setting.spec.get("linux", {}))
        setting.idmaps[plan.field] = idmap
    mount_steps.add_bind(plan, setting, source, where, options)


def _add_filesystem(plan: "Plan", setting: "Setting", mount: "Mount", options: Options) -> None:
    kind = mount.get("type", "")
    where = destination_of(mount, setting.rootfs)
    namespace, at_host = _OWNERS.get(kind, ("", ""))
    if namespace in setting.foreign:
        # Only who owns the namespace may mount a new one; the host's shows the same.
        mount_steps.add_bind(plan, setting, at_host, where, options.bound(), _ORDINARY)
        return
    if not kind or kind in ("none", "bind"):
        raise SpecError(
            f"{plan.field}.type: {kind!r} is no filesystem", "for a bind mount add the option bind"
        )
    if options.idmap:
        raise SpecError(f"{plan.field}: only a bind mount can be id-mapped")
    if options.copy_up and kind != "tmpfs":
        raise SpecError(f"{plan.field}.options: tmpcopyup is for the type tmpfs, found {kind!r}")
    flags = _ORDINARY if kind in _OWNERS else 0
    options.data += mount_steps.context(setting, kind)
    target = mount_steps.add_target(plan, setting, where, NO_SLOT, flags)
    tree = plan.slot()
    mount_steps.add_new_filesystem(plan, tree, target, kind, mount.get("source", kind), options)
    if options.copy_up:
        plan.add("EXCHANGE", SYNC_COPY_FROM, target, NO_SLOT)
        plan.add("EXCHANGE", SYNC_COPY_TO, tree, NO_SLOT)
    if kind == "mqueue" and (label := setting.spec.get("linux", {}).get("mountLabel")):
        from ocirun.engine import labels

        labels.add_of_directory(plan, setting, tree, label)
    mount_steps.finish(plan, tree, target, options)


def add_readonly_mounts(plan: "Plan", setting: "Setting") -> None:
    """Append what makes those mounts read-only in which mount points had to be made first."""
    _add_readonly(plan, setting, setting.late_readonly)


def _add_readonly(plan: "Plan", setting: "Setting", places: dict[str, str]) -> None:
    for where, field in places.items():
        plan.field = field
        slot = plan.slot()
        plan.add("RESOLVE", slot, setting.root_slot, where, 0)
        plan.add("SETATTR", slot, RDONLY, 0, 0, 0, 0)
        plan.release(slot)
