# SPDX-License-Identifier: Apache-2.0
"""The operations that make a process what `process` says, for the first one and for exec."""

from os.path import normpath

from ocirun.engine import capabilities
from ocirun.engine.wire import CHDIR_IF_ALLOWED, CHDIR_IF_NEEDED, Entry
from ocirun.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan
    from ocirun.linux.seccomp_cache import Program as Filter
    from ocirun.spec.model import Process, User

PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS = 4, 8, 38
_LAST_FD, _CLOSE_RANGE_CLOEXEC = 0xFFFFFFFF, 4

#: points at which the stub waits for the parent; the first is what CONSOLE sends
SYNC_CONSOLE, SYNC_MAPPINGS, SYNC_HOOKS = 0, 1, 2
SYNC_HOME, SYNC_SECCOMP, SYNC_RLIMITS, SYNC_SOURCE = 4, 5, 6, 7
SYNC_IDMAP, SYNC_COPY_FROM, SYNC_COPY_TO, SYNC_DEVICE = 8, 9, 10, 11
SYNC_LABEL, SYNC_NET_DEVICES, SYNC_UNIT = 15, 16, 17

# What attributes.py is for; it is not loaded for the many that ask for none of it.
_RARE = frozenset(("scheduler", "ioPriority"))
_RARE_OF_LINUX = frozenset(("personality", "memoryPolicy"))

#: what a step is for that no field of the config asks for
OUR_DESCRIPTORS = "descriptors of the runtime"


class Program:
    """What is executed: arguments, environment, and the files that it could be."""

    __slots__ = ("args", "candidates", "env", "home")

    def __init__(self, process: "Process") -> None:
        self.args = tuple(_bytes(arg) for arg in process["args"])
        values = _environment(process.get("env", []))
        self.candidates = tuple(_candidates(self.args[0], values.get(b"PATH")))
        entries = [name + b"=" + value for name, value in values.items()]
        #: the place of a HOME that is yet to be found
        self.home = -1
        if not values.get(b"HOME"):
            entries = [entry for entry in entries if not entry.startswith(b"HOME=")]
            self.home = len(entries)
            entries.append(b"HOME=/")
        self.env = tuple(entries)


def check_terminal(process: "Process", console_socket: str, *, detach: bool) -> None:
    """Refuse a terminal that nobody would look after, and a socket that nobody would use."""
    terminal = bool(process.get("terminal"))
    if terminal and detach and not console_socket:
        raise SpecError(
            "cannot allocate tty if ocirun will detach without setting console socket",
            "give --console-socket, or do without a terminal (process.terminal, --tty)",
        )
    if console_socket and not (terminal and detach):
        raise SpecError(
            "cannot use console socket if ocirun will not detach or allocate tty",
            "leave out --console-socket, or detach and ask for a terminal"
            " (process.terminal, --tty)",
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _environment(entries: list[str]) -> dict[bytes, bytes]:
    # A name that comes twice: the last one wins, as with every shell and with runc.
    values: dict[bytes, bytes] = {}
    for entry in entries:
        name, _, value = _bytes(entry).partition(b"=")
        values.pop(name, None)
        values[name] = value
    return values


def _candidates(name: bytes, path: bytes | None) -> list[bytes]:
    if b"/" in name:
        return [name]
    # An empty entry of PATH means the working directory to a shell, which no image
    # should get to decide; Go's exec.LookPath, and so runc, refuses it too.
    return [entry + b"/" + name for entry in (path or b"").split(b":") if entry]


def add_end(
    plan: "Plan",
    setting: "Setting",
    process: "Process",
    program: Program,
    seccomp: "Filter | None",
    add_hooks: "Callable[[], None]",
) -> None:
    """Append the loss of rights, the start, the hooks that belong after it, and the program."""
    if process.get("apparmorProfile") or process.get("selinuxLabel"):
        from ocirun.engine import labels

        labels.add(plan, setting, process, SYNC_LABEL)
    plan.field = OUR_DESCRIPTORS
    plan.add("CLOSE", setting.proc_slot)
    # Everything of ours is that already; but a descriptor of the host in the container
    # would be the end of it (CVE-2024-21626), so it is said once more.
    plan.add("CLOEXEC", 3 + setting.preserve_fds, _LAST_FD, _CLOSE_RANGE_CLOEXEC)
    plan.field = "process.user.umask"
    plan.add("UMASK", process.get("user", {}).get("umask", 0o022))
    sealed = process.get("noNewPrivileges", False)
    # The listener must be sent while the parent is there, so before the start.
    late = seccomp and sealed and not seccomp.listener
    if sealed:
        plan.field = "process.noNewPrivileges"
        plan.add("PRCTL", PR_SET_NO_NEW_PRIVS, 1, 0)
    if not (_RARE.isdisjoint(process) and _RARE_OF_LINUX.isdisjoint(setting.spec.get("linux", ()))):
        from ocirun.engine import attributes

        attributes.add(plan, setting, process)
    if seccomp and not sealed:
        # Without no_new_privs only CAP_SYS_ADMIN may load a filter (seccomp(2)).
        _add_filter(plan, seccomp)
    _add_identity(plan, setting, process, program)
    plan.field = "process.args[0]"
    plan.add("PROGRAM", program.candidates)
    if seccomp and sealed and not late:
        _add_filter(plan, seccomp)
    plan.field = "start"
    plan.add("START", setting.start_slot)
    if seccomp and late:
        # As late as can be: the filter has to allow execve(2), and what hooks need.
        _add_filter(plan, seccomp)
    add_hooks()
    add_exec(plan, program)


def _add_identity(plan: "Plan", setting: "Setting", process: "Process", program: Program) -> None:
    cwd = process["cwd"]
    user: User = process.get("user", {})
    own_userns = setting.namespaces.private("user")
    masks, warnings = capabilities.masks(process, own_userns=own_userns)
    setting.warnings += warnings
    plan.field = "process.cwd"
    # First with our own rights, then, if those do not reach, with the user's: it may
    # be a directory of the user on a filesystem that does not trust root.
    plan.add("CHDIR", cwd, CHDIR_IF_ALLOWED)
    plan.field = "process.user"
    plan.add("STDIO_OWNER", user.get("uid", 0))
    if program.home >= 0:
        plan.field = "process.env"
        plan.add("HOME", SYNC_HOME, Entry(program.env, program.home))
    elif process.get("rlimits"):
        # Set from outside, before we stop being root; the answer to HOME does it too.
        plan.field = "process.rlimits"
        plan.add("SYNC", SYNC_RLIMITS)
    plan.field = "process.capabilities"
    plan.add("BOUNDING", masks.get("bounding", 0))
    plan.add("PRCTL", PR_SET_KEEPCAPS, 1, 0)
    plan.field = "process.user"
    _add_groups(plan, setting, user)
    plan.add("IDENTITY", user.get("uid", 0), user.get("gid", 0))
    plan.field = "process.cwd"
    plan.add("CHDIR", cwd, CHDIR_IF_NEEDED)
    plan.field = "process.capabilities"
    plan.add("PRCTL", PR_SET_KEEPCAPS, 0, 0)
    kinds = ("effective", "permitted", "inheritable", "ambient")
    plan.add("CAPABILITIES", *(masks.get(kind, 0) for kind in kinds))
    # The change of user has made it what sysctl fs.suid_dumpable says, and it may wait long now.
    plan.add("PRCTL", PR_SET_DUMPABLE, 0, 0)


def _add_groups(plan: "Plan", setting: "Setting", user: "User") -> None:
    groups = user.get("additionalGids", [])
    if setting.may_setgroups:
        packed = b"".join(gid.to_bytes(4, "little") for gid in groups)
        plan.add("GROUPS", len(groups), packed)
    elif groups:
        raise SpecError(
            "process.user.additionalGids: this user namespace may not set groups",
            "map more than one gid, with newgidmap and /etc/subgid",
        )


def _add_filter(plan: "Plan", seccomp: "Filter") -> None:
    plan.field = "linux.seccomp"
    plan.add(
        "SECCOMP", seccomp.flags, seccomp.instructions, len(seccomp.instructions) // 8, SYNC_SECCOMP
    )


def add_exec(plan: "Plan", program: Program) -> None:
    """Append the last operation."""
    plan.field = "process.args"
    plan.add("EXEC", program.args, program.env)


def directory_to_make(process: "Process") -> str:
    """Give the working directory if it may have to be made, else ""."""
    cwd = normpath(process["cwd"])
    return "" if cwd == "/" else cwd


def add_keyring(plan: "Plan", setting: "Setting", process: "Process", permissions: int = 0) -> None:
    """Append the joining of the container's session keyring, which is made if need be."""
    if process.get("selinuxLabel"):
        from ocirun.engine import labels

        labels.add_of_keys(plan, setting, process["selinuxLabel"])
    plan.field = "session keyring (--no-new-keyring)"
    plan.add("KEYRING", f"_ses.{setting.id}", permissions)
