# SPDX-License-Identifier: Apache-2.0
"""From the numbers that the stub reports to one line that a person can act on.

Loaded only when something has failed.
"""

import errno
import os

from ocirun.engine import hooks
from ocirun.engine.namespaces import TYPES
from ocirun.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.stub import Message
    from ocirun.engine.wire import Operation

_HINTS = {
    ("AFFINITY", errno.EINVAL): (
        "none of these CPUs is in /sys/devices/system/cpu/online and in the cpuset"
    ),
    ("SCHEDULER", errno.EINVAL): (
        "a policy or flag that this kernel does not have; SCHED_FIFO and SCHED_RR take a"
        " priority from 1 to 99, SCHED_DEADLINE a runtime <= deadline <= period"
    ),
    ("SCHEDULER", errno.EPERM): (
        "it needs CAP_SYS_NICE on the host, and on cgroup v1 perhaps cpu.realtimeRuntime"
    ),
    ("SCHEDULER", errno.EBUSY): "the CPUs have not that much time left for SCHED_DEADLINE",
    ("IO_PRIORITY", errno.EPERM): "IOPRIO_CLASS_RT needs CAP_SYS_NICE on the host",
    ("MEMORY_POLICY", errno.EINVAL): (
        "a mode or flag that this kernel does not have, flags that exclude each other, or no"
        " node of those in /sys/devices/system/node/online and in the cpuset"
    ),
    ("TARGET", errno.EXDEV): (
        "entries of /proc cannot be mounted over, but for a few that only inform"
    ),
    ("FSOPEN", errno.ENODEV): (
        "this kernel does not know the type: see /proc/filesystems, or load its module"
    ),
    ("CLONE_TREE", errno.EINVAL): (
        "a user namespace may not uncover what is mounted below the source: use rbind"
    ),
    ("SETATTR", errno.EPERM): (
        "a user namespace may not take away what the mount of the host has: ro, nosuid, nodev,"
        " noexec, and how access times are kept"
    ),
    ("MKNOD", errno.EEXIST): "the root filesystem has something else at that path",
    ("ATTACH", errno.ENOTDIR): "a directory goes on a directory, a file on a file",
}


_LABEL_HINTS = {
    ("process.apparmorProfile", errno.ENOENT): (
        "load the profile first: apparmor_parser --replace FILE"
    ),
    ("process.apparmorProfile", errno.EACCES): "our own profile does not allow the change to it",
    ("process.selinuxLabel", errno.EINVAL): "the policy of this host does not know it",
    ("process.selinuxLabel", errno.EACCES): "the policy of this host does not allow it to us",
}


def explain(operations: "list[Operation]", message: "Message") -> KernelError:
    """Give the error for a failed operation."""
    if not 0 <= message.index < len(operations):
        return KernelError(f"the stub refused its plan: {_said(message.value)}")
    operation = operations[message.index]
    if operation.name in {"PROGRAM", "EXEC"}:
        return _no_program(operations, message)
    if operation.name == "HOOK":
        return _failed_hook(operation, message)
    if operation.name == "TARGET" and message.value in (errno.ELOOP, errno.ENOTDIR):
        kind = _filesystem(operations, operation.field)
        if kind:
            return KernelError(
                f'{operation.field}: filesystem "{kind}" must be mounted on ordinary'
                f" directory, and {operation.args[2]!s} is none",
                "remove the link or the file from the root filesystem",
            )
    if operation.name == "ATTACH" and message.value == errno.EINVAL and _is_mount(operation):
        # mount(2) says it so, and engines know what these words mean; move_mount(2) does not.
        message.value = errno.ENOTDIR
    what = f"{operation.field}: {describe(operations, message.index)}: {_said(message.value)}"
    if message.text:
        # fsconfig(2) puts a letter for the level before its words.
        what += f" ({message.text.strip().removeprefix('e ')})"
    return KernelError(what, _hint(operation, message.value))


def _filesystem(operations: "list[Operation]", field: str) -> str:
    """Give the type of the filesystem that a field mounts, if it is one of the special ones."""
    for operation in operations:
        if operation.name == "FSOPEN" and operation.field == field:
            kind = str(operation.args[1])
            return kind if kind in ("proc", "sysfs") else ""
    return ""


def died(status: int) -> KernelError:
    """Give the error for a stub that ended without a report."""
    how = hooks.ending(status) if status else "ended"
    hint = ""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9:
        hint = "the memory limit (linux.resources.memory.limit) could be too low"
    return KernelError(f"the container's first process died before its start: {how}", hint)


def _said(number: int) -> str:
    return os.strerror(number).lower() if number > 0 else "protocol error"


def _no_program(operations: "list[Operation]", message: "Message") -> KernelError:
    args = next(found.args[0] for found in operations if found.name == "EXEC")
    assert isinstance(args, tuple)
    name = os.fsdecode(args[0])
    # The engines look for these very words, to choose between the codes 126 and 127.
    if message.value in (errno.ENOENT, errno.ENOTDIR) and operations[message.index].name == "EXEC":
        return KernelError(
            f"exec {name}: no such file or directory",
            "does the script's #! line, or the program's loader, exist in the root filesystem?",
        )
    if not name or ("/" not in name and message.value in (errno.ENOENT, errno.ENOTDIR)):
        return KernelError(
            f'exec: "{name}": executable file not found in $PATH',
            "name the program by its path in the container, or set PATH in process.env"
            if name
            else "process.args[0] is empty",
        )
    if message.value in (errno.ENOENT, errno.ENOTDIR):
        return KernelError(
            f'exec: "{name}": stat {name}: {_said(message.value)}',
            "it has to be in the root filesystem, or in one of the mounts",
        )
    hint = "is it executable for process.user? chmod a+x" if message.value == errno.EACCES else ""
    return KernelError(f'exec: "{name}": {_said(message.value)}', hint)


def _failed_hook(operation: "Operation", message: "Message") -> KernelError:
    path = str(operation.args[0])
    if message.value == errno.ECHILD and message.text.isdigit():
        how = hooks.ending(int(message.text))
        if how == "exit status 127":
            how = "exit status 127 (or it could not be executed)"
    elif message.value == errno.ETIMEDOUT:
        how = "killed after its timeout"
    else:
        how = _said(message.value)
    output = hooks.printed(message.fd) if message.fd >= 0 else ""
    kind, _, index = operation.field.removeprefix("hooks.").partition("[")
    return KernelError(f"error running {kind} hook #{index.rstrip(']')}: {path}: {how}{output}")


def describe(operations: "list[Operation]", index: int) -> str:
    """Say what an operation does, and to what; of a mount, in the words that engines know."""
    from ocirun.engine import words

    operation = operations[index]
    mounting = words.mounting(operations, operation.field) if _is_mount(operation) else ""
    if not mounting:
        return words.describe(operations, index)
    return f"error mounting {mounting}: {words.alone(operation)}"


def _is_mount(operation: "Operation") -> bool:
    return operation.field.startswith("mounts[")


def _hint(operation: "Operation", number: int) -> str:
    if operation.name == "SCHEDULER" and number == errno.EPERM and "cpus" in operation.field:
        # sched_setattr(2): a process with a deadline must be allowed all CPUs.
        return "process scheduler can't be used together with AllowedCPUs: leave out one of them"
    if operation.name == "CLONE" and number == errno.EPERM and not _makes_userns(operation):
        if os.geteuid() != 0:
            return "an ordinary user needs a user namespace: see ocirun spec --rootless"
        return "root lacks CAP_SYS_ADMIN here"
    if operation.name == "CLONE" and number in (errno.EPERM, errno.ENOSPC):
        return (
            "namespaces are forbidden here: see sysctl user.max_user_namespaces,"
            " kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns"
        )
    if operation.name == "CONSOLE" and number in (errno.ENOENT, errno.ENOTTY):
        return "a terminal needs a mount of type devpts at /dev/pts"
    return _mount_hint(operation, number)


def _makes_userns(operation: "Operation") -> bool:
    flags = operation.args[0]
    return isinstance(flags, int) and bool(flags & TYPES["user"][0])


def _mount_hint(operation: "Operation", number: int) -> str:
    hint = _HINTS.get((operation.name, number)) or _LABEL_HINTS.get((operation.field, number), "")
    if operation.name == "FSCONFIG" and operation.args[1] == "context":
        hint = "the policy of this host does not know the label (linux.mountLabel)"
    if hint or operation.name not in ("OPEN", "OPEN_TREE", "SOURCE"):
        return hint
    if number == errno.EACCES:
        return "in a user namespace every directory on the way must be searchable for its root"
    if number == errno.ENOENT and _is_mount(operation):
        return "the source of a mount has to exist on the host"
    if number == errno.ENOENT and operation.field.startswith("linux.devices"):
        return "a user namespace can only have devices of the host, at the same paths"
    return ""
