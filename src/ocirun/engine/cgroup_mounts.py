# SPDX-License-Identifier: Apache-2.0
"""Mounts of the type `cgroup`: the container's view of its own cgroups (cgroups(7)).

On v2 it is one filesystem.  On v1 it is a tmpfs with a directory for each hierarchy:
mounted anew inside a cgroup namespace, otherwise bound from the container's cgroup.
"""

import os

from ocirun.engine import mount_steps
from ocirun.engine.wire import NO_SLOT
from ocirun.linux.mount import NODEV, NOEXEC, NOSUID, RDONLY, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan
    from ocirun.linux.cgroup.layout import Hierarchy

_USUAL = NOSUID | NODEV | NOEXEC


def add_cgroup(plan: "Plan", setting: "Setting", where: str, options: Options) -> None:
    """Append the mount of the cgroups at `where`."""
    if setting.host.version == 2:
        _add_v2(plan, setting, where, options)
    else:
        _add_v1(plan, setting, where, options, setting.host.v1)


def _add_v2(plan: "Plan", setting: "Setting", where: str, options: Options) -> None:
    if setting.namespaces.private("user") and not setting.namespaces.private("cgroup"):
        # The kernel mounts cgroup2 only for the owner of the cgroup namespace.
        mount_steps.add_bind(plan, setting, "/sys/fs/cgroup", where, options.bound())
        return
    target = mount_steps.add_target(plan, setting, where, NO_SLOT)
    tree = plan.slot()
    # Read-only as a mount: the filesystem itself is the host's.
    mount_steps.add_new_filesystem(plan, tree, target, "cgroup2", "cgroup", options, shared=True)
    mount_steps.finish(plan, tree, target, options)


def _add_v1(
    plan: "Plan",
    setting: "Setting",
    where: str,
    options: Options,
    hierarchies: "list[Hierarchy]",
) -> None:
    target = mount_steps.add_target(plan, setting, where, NO_SLOT)
    tree = plan.slot()
    top = Options(["nosuid", "nodev", "noexec", "mode=755"])
    top.data += mount_steps.context(setting, "tmpfs")
    top.propagation = options.propagation
    mount_steps.add_new_filesystem(plan, tree, target, "tmpfs", "tmpfs", top)
    mount_steps.finish(plan, tree, target, top)
    for hierarchy in hierarchies:
        name = os.path.basename(hierarchy.mount)
        if "cgroup" in setting.namespaces.made:
            _add_hierarchy(plan, setting, f"{where}/{name}", name, options)
        else:
            source = hierarchy.own_directory()
            if setting.cgroup:
                source = setting.cgroup.paths.get(hierarchy.controllers[0], source)
            mount_steps.add_bind(plan, setting, source, f"{where}/{name}", options.bound())
        if "," in name:
            for single in name.split(","):
                plan.add("SYMLINK", setting.root_slot, name, f"{where}/{single}", 0)
    if options.set & RDONLY:
        # Only now: the directories above had to be made in it.
        late = plan.slot()
        plan.add("RESOLVE", late, setting.root_slot, where, 0)
        plan.add("SETATTR", late, RDONLY, 0, 0, 0, 0)
        plan.release(late)


def _add_hierarchy(
    plan: "Plan", setting: "Setting", where: str, name: str, options: Options
) -> None:
    inner = Options([])
    inner.set = _USUAL | options.set & RDONLY
    inner.data = [f"name={name}"] if name == "systemd" else name.split(",")
    target = mount_steps.add_target(plan, setting, where, NO_SLOT)
    tree = plan.slot()
    # Read-only as a mount: the filesystem itself is the host's.
    mount_steps.add_new_filesystem(plan, tree, target, "cgroup", "cgroup", inner, shared=True)
    mount_steps.finish(plan, tree, target, inner)
