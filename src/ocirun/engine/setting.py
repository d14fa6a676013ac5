# SPDX-License-Identifier: Apache-2.0
"""What the parts of a plan need to know of each other."""

from ocirun.engine.wire import NO_SLOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.idmapped import Idmap
    from ocirun.engine.namespaces import Namespaces
    from ocirun.linux.cgroup import Cgroup
    from ocirun.linux.cgroup.layout import Layout
    from ocirun.spec.model import Spec


class Setting:
    """The facts on which a plan is built; filled in before, and never changed by running it."""

    __slots__ = (
        "apparmor_file",
        "bare_mounts",
        "bundle",
        "cgroup",
        "covered_sysctls",
        "foreign",
        "has_own_dev",
        "hook_output",
        "host",
        "id",
        "idmaps",
        "in_unit",
        "in_userns",
        "late_readonly",
        "may_setgroups",
        "namespaces",
        "no_keyring",
        "no_pivot",
        "preserve_fds",
        "privileged",
        "proc_slot",
        "root_slot",
        "rootfs",
        "spec",
        "start_slot",
        "warnings",
    )

    def __init__(self, spec: "Spec", bundle: str, namespaces: "Namespaces", host: "Layout") -> None:
        self.spec = spec
        #: where this host has its cgroups
        self.host = host
        self.bundle = bundle
        self.namespaces = namespaces
        self.id = ""
        #: absolute path of the root filesystem
        self.rootfs = ""
        self.cgroup: Cgroup | None = None
        #: systemd makes the cgroup, and moves the stub there
        self.in_unit = False
        #: the caller has the rights of root in the initial user namespace
        self.privileged = True
        #: the container, or we ourselves, live in a user namespace that is not the host's
        self.in_userns = False
        self.may_setgroups = True
        #: kinds of namespaces, "pid" and "network", that the container has no power over:
        #: it may not mount their filesystems
        self.foreign: frozenset[str] = frozenset()
        #: a mount of the host lies over /proc/sys
        self.covered_sysctls = False
        self.no_pivot = False
        #: where the host has procfs and sysfs, the innermost first; for --no-pivot
        self.bare_mounts: list[str] = []
        #: below the directory of a process in /proc: what takes its AppArmor profile
        self.apparmor_file = ""
        self.no_keyring = False
        self.preserve_fds = 0
        #: /dev is ours to fill, not a bind mount from the host
        self.has_own_dev = True
        self.root_slot = 0
        self.proc_slot = 0
        self.hook_output = 0
        #: where a container that is only created waits for its start; empty: the parent tells
        self.start_slot = NO_SLOT
        #: found while planning, for the caller to print
        self.warnings: list[str] = []
        self.late_readonly: dict[str, str] = {}
        #: field -> what the engine makes of it when the stub gets there
        self.idmaps: dict[str, Idmap] = {}
