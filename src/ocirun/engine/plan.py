# SPDX-License-Identifier: Apache-2.0
"""The plan for a container's first process: which operations, in which order.

The order is the design.  Cgroups come first, so that everything else is paid for
by the container; then namespaces, the tree of mounts, the change of root, and last
the loss of rights.  Nothing here makes a system call.
"""

from os import fsencode

from ocirun.engine import affinity, devices, hooks, mounts, process as process_steps, rootfs
from ocirun.engine.namespaces import TYPES
from ocirun.engine.wire import NO_SLOT, Plan
from ocirun.linux.mount import NODEV, NOEXEC, NOSUID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.process import Program
    from ocirun.engine.setting import Setting
    from ocirun.linux.seccomp_cache import Program as Filter
    from ocirun.spec.model import Process

_PR_SET_DUMPABLE = 4

# Keyring permissions: what a new session keyring has, and search for its user or, as the
# ids of a user namespace are not those of the caller, for others (keyctl(2), KEYCTL_SETPERM).
_KEYRING_NEW = 0x3F130000
_KEYRING_SEARCH_USER, _KEYRING_SEARCH_OTHER = 0x080000, 0x08


class Fds:
    """The descriptors that the plan refers to; they stay the caller's."""

    __slots__ = ("cgroup_directory", "cgroup_files", "hook_output", "listener", "resctrl_files")

    def __init__(self) -> None:
        #: to be written "0" to, memory first
        self.cgroup_files: list[int] = []
        #: of linux.intelRdt, to be written "0" to as well
        self.resctrl_files: list[int] = []
        #: for CLONE_INTO_CGROUP, or -1
        self.cgroup_directory = -1
        #: where a container that was only created waits for its start, or -1
        self.listener = -1
        #: what hooks print, or -1
        self.hook_output = -1

    def all(self) -> list[int]:
        """Give all of them that are open."""
        singles = (self.cgroup_directory, self.listener, self.hook_output)
        files = [*self.cgroup_files, *self.resctrl_files]
        return [*files, *(fd for fd in singles if fd >= 0)]


def build(
    setting: "Setting",
    fds: Fds,
    program: "Program",
    seccomp: "Filter | None",
    state: tuple[str, str, str],
) -> Plan:
    """Give the whole plan; `state` is the hooks' document before, at and after the status."""
    process = setting.spec["process"]
    plan = Plan()
    plan.field = process_steps.OUR_DESCRIPTORS
    setting.root_slot = plan.slot()
    setting.proc_slot = plan.slot()
    setting.hook_output = _named(plan, fds.hook_output)
    setting.start_slot = _named(plan, fds.listener)
    _add_cgroups(plan, setting, fds)
    _add_namespaces(plan, setting, fds)
    _add_surroundings(plan, setting)
    _add_filesystem(plan, setting, process, state)
    rootfs.add_change(plan, setting)
    plan.field = process_steps.OUR_DESCRIPTORS
    plan.add("CLOSE", setting.root_slot)

    def add_start_hooks() -> None:
        document = _with_status(state, "created")
        # runc gives these the program's environment when they have none, and so must
        # we: hooks in the field depend on it.
        hooks.add_hooks(plan, setting, "startContainer", document, program.env)

    process_steps.add_end(plan, setting, process, program, seccomp, add_start_hooks)
    return plan


def _named(plan: Plan, fd: int) -> int:
    slot = plan.slot()
    if fd >= 0:
        plan.add("FD", slot, fd)
    return slot


def _add_cgroups(plan: Plan, setting: "Setting", fds: Fds) -> None:
    if setting.in_unit:
        plan.field = "linux.cgroupsPath"
        plan.add("SYNC", process_steps.SYNC_UNIT)
    plan.field = "/proc"
    plan.add("OPEN_PROC", setting.proc_slot, "/proc")
    plan.field = "linux.cgroupsPath"
    slot = plan.slot()
    for fd in fds.cgroup_files:
        plan.add("FD", slot, fd)
        plan.add("WRITE", slot, "0")
    if fds.resctrl_files:
        plan.field = "linux.intelRdt"
    for fd in fds.resctrl_files:
        plan.add("FD", slot, fd)
        plan.add("WRITE", slot, "0")
    plan.release(slot)
    score = setting.spec["process"].get("oomScoreAdj")
    if score is not None:
        plan.field = "process.oomScoreAdj"
        plan.add("WRITE_AT", setting.proc_slot, "self/oom_score_adj", str(score))


def _add_namespaces(plan: Plan, setting: "Setting", fds: Fds) -> None:
    namespaces = setting.namespaces
    plan.field = "linux.namespaces"
    may_be_mapped = "user" in namespaces.made and not setting.privileged
    if not may_be_mapped:
        # Before we are seen from anybody's namespace (CVE-2016-9962).
        plan.add("PRCTL", _PR_SET_DUMPABLE, 0, 0)
    directory = cgroup = _named(plan, fds.cgroup_directory)
    if fds.cgroup_directory >= 0 and (not fds.cgroup_files or "cgroup" in namespaces.made):
        # A cgroup namespace has the cgroup of its maker as its root, so be in it first.
        plan.add("CLONE", 0, cgroup)
        cgroup = NO_SLOT
    kinds = sorted(namespaces.fds, key=lambda kind: (kind == "user") == setting.privileged)
    slot = plan.slot()
    for kind in kinds:
        plan.field = f"linux.namespaces ({kind})"
        plan.add("FD", slot, namespaces.fds[kind])
        plan.add("SETNS", slot, TYPES[kind][0])
    plan.release(slot)
    flags = namespaces.flags
    with_time = "time" in namespaces.made
    if with_time and "user" in namespaces.made:
        # The time namespace is to belong to the user namespace, so that one comes first.
        plan.field = "linux.namespaces"
        plan.add("CLONE", TYPES["user"][0], cgroup)
        _add_mapping(plan)
        flags &= ~TYPES["user"][0]
        cgroup = NO_SLOT
    if with_time:
        _add_time(plan, setting)
        flags &= ~TYPES["time"][0]
    plan.field = "linux.namespaces"
    plan.add("CLONE", flags, cgroup)
    plan.add("CLOSE", directory)
    affinity.add_reset(plan)
    if flags & TYPES["user"][0]:
        _add_mapping(plan)
    _add_standing(plan, setting)


def _add_standing(plan: Plan, setting: "Setting") -> None:
    """Append what the process is in its new namespaces: root, unseen, the first of a session."""
    if setting.namespaces.private("user"):
        # Not before the time namespace has its offsets: a change of user takes away
        # the right to our own files in /proc.
        plan.field = "linux.uidMappings (root of the user namespace)"
        if setting.may_setgroups:
            plan.add("GROUPS", 0, b"")
        plan.add("IDENTITY", 0, 0)
        # For the first time where an ordinary user maps us: that needs a dumpable process.
        # Else once more: a change of user makes it what sysctl fs.suid_dumpable says.
        plan.add("PRCTL", _PR_SET_DUMPABLE, 0, 0)
    plan.field = "linux.namespaces"
    # Forbidden to the leader of a group, as the first process of a pid namespace is.
    plan.attempt("SETSID")


def _add_mapping(plan: Plan) -> None:
    """Append the wait for the mappings of a new user namespace, which the parent writes."""
    plan.field = "linux.uidMappings"
    plan.add("SYNC", process_steps.SYNC_MAPPINGS)


def _add_time(plan: Plan, setting: "Setting") -> None:
    """Append a new time namespace, which the next process will live in (time_namespaces(7))."""
    plan.field = "linux.timeOffsets"
    plan.add("UNSHARE", TYPES["time"][0])
    offsets = setting.spec.get("linux", {}).get("timeOffsets", {})
    if offsets:
        lines = [
            f"{clock} {offset.get('secs', 0)} {offset.get('nanosecs', 0)}\n"
            for clock, offset in offsets.items()
        ]
        plan.add("WRITE_AT", setting.proc_slot, "self/timens_offsets", "".join(lines))


def _add_surroundings(plan: Plan, setting: "Setting") -> None:
    spec = setting.spec
    if not setting.no_keyring:
        own = setting.namespaces.private("user")
        search = _KEYRING_SEARCH_OTHER if own else _KEYRING_SEARCH_USER
        process_steps.add_keyring(plan, setting, spec["process"], _KEYRING_NEW | search)
    if "network" in setting.namespaces.made:
        plan.field = "loopback interface"
        plan.add("LOOPBACK")
    if spec.get("linux", {}).get("netDevices"):
        plan.field = "linux.netDevices"
        plan.add("SYNC", process_steps.SYNC_NET_DEVICES)
    for key in ("hostname", "domainname"):
        if spec.get(key):
            plan.field = key
            name = fsencode(spec[key])
            plan.add(key.upper(), name, len(name))


def _add_filesystem(
    plan: Plan, setting: "Setting", process: "Process", state: tuple[str, str, str]
) -> None:
    spec = setting.spec
    rootfs.add_root(plan, setting)
    mounts.add_mounts(plan, setting)
    if setting.has_own_dev:
        devices.add_devices(plan, setting)
    wanted = spec.get("hooks", {})
    if wanted.get("prestart") or wanted.get("createRuntime"):
        plan.field = "hooks"
        plan.add("SYNC", process_steps.SYNC_HOOKS)
    if wanted.get("createContainer"):
        plan.add("FCHDIR", setting.root_slot)
        document = _with_status(state, "creating")
        hooks.add_hooks(plan, setting, "createContainer", document, ())
    cwd = process_steps.directory_to_make(process)
    if cwd:
        plan.field = "process.cwd"
        plan.add("MKDIR", setting.root_slot, cwd)
    if process.get("terminal"):
        _add_console(plan, setting, process)
    plan.field = "/dev/null"
    if setting.has_own_dev:
        plan.add("NULL_STDIO", setting.root_slot, setting.proc_slot)
    mounts.add_readonly_mounts(plan, setting)
    _add_sysctls(plan, setting)
    rootfs.add_protection(plan, setting)


def _add_sysctls(plan: Plan, setting: "Setting") -> None:
    wanted = setting.spec.get("linux", {}).get("sysctl")
    if not wanted:
        return
    from ocirun.spec import sysctl

    proc = setting.proc_slot
    if setting.covered_sysctls:
        # A mount lies over /proc/sys, and no mount is ever crossed there: so a procfs
        # that nobody else sees, of this pid namespace.
        plan.field = "linux.sysctl"
        proc, context = plan.slot(), plan.slot()
        plan.add("FSOPEN", context, "proc")
        plan.add("FSMOUNT", proc, context, NOSUID | NODEV | NOEXEC)
        plan.release(context)
    for key, value in wanted.items():
        plan.field = f'linux.sysctl["{key}"]'
        plan.add("WRITE_AT", proc, f"sys/{sysctl.file_of(key)}", value)
    if proc != setting.proc_slot:
        plan.release(proc)


def _add_console(plan: Plan, setting: "Setting", process: "Process") -> None:
    plan.field = "process.terminal"
    size = process.get("consoleSize", {})
    mount = int(setting.namespaces.private("mount"))
    plan.add("CONSOLE", setting.root_slot, mount, size.get("width", 0), size.get("height", 0))


def _with_status(state: tuple[str, str, str], status: str) -> tuple[str, str]:
    before, between, after = state
    return before + status + between, after
