# SPDX-License-Identifier: Apache-2.0
"""Operations in words, for errors and for printing a plan."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.wire import Argument, Operation

#: name -> words; {0}, {1} ... are the arguments
_WORDS = {
    "FD": "take descriptor {1}",
    "CLOSE": "close a descriptor",
    "WRITE": "join the cgroup",
    "WRITE_AT": "write {2!r} to /proc/{1}",
    "SETNS": "join the namespace",
    "UNSHARE": "make namespaces",
    "CLONE": "make a process there",
    "SYNC": "wait for the parent",
    "EXCHANGE": "wait for the parent",
    "IDMAP": "map the ids of the mount",
    "PRCTL": "prctl",
    "SETSID": "start a session",
    "IDENTITY": "become uid {0}, gid {1}",
    "GROUPS": "set {0} additional groups",
    "HOSTNAME": "set the host name to {0!r}",
    "DOMAINNAME": "set the domain name to {0!r}",
    "OPEN": "open {1}",
    "OPEN_PROC": "open a procfs at {1}",
    "OPEN_TREE": "bind {1}",
    "SOURCE": "bind {1}",
    "CLONE_TREE": "bind the tree",
    "RESOLVE": "find {2} in the root filesystem",
    "TARGET": "make the mount point {2}",
    "FSOPEN": "mount a filesystem of type {1}",
    "FSCONFIG": "set the mount option {1}",
    "FSMODE": "copy the mode of the mount point",
    "FSMOUNT": "mount the filesystem",
    "SETATTR": "set mount attributes",
    "ATTACH": "attach the mount",
    "PARENT_PRIVATE": "make the mount below the root private",
    "MKNOD": "make the device {1}",
    "SYMLINK": "link {2} to {1}",
    "HIDE": "unmount or cover {0}",
    "PERSONALITY": "set the personality",
    "AFFINITY": "set the CPU affinity",
    "SCHEDULER": "set the scheduler",
    "IO_PRIORITY": "set the I/O priority",
    "MEMORY_POLICY": "set the memory policy",
    "READ_AT": "look what /proc/{1} says",
    "SETXATTR": "set the attribute {1}",
    "MKDIR": "make the directory {1}",
    "MASK": "mask the path",
    "PIVOT_ROOT": "pivot_root",
    "MOVE_ROOT": "move the mount to /",
    "CHROOT": "chroot",
    "FCHDIR": "change to the root filesystem",
    "CHDIR": "chdir to cwd ({0!r})",
    "CONSOLE": "make the terminal",
    "STDIO_OWNER": "give the standard streams to uid {0}",
    "NULL_STDIO": "open the container's /dev/null",
    "BOUNDING": "drop capabilities from the bounding set",
    "CAPABILITIES": "set the capabilities",
    "UMASK": "set the umask",
    "KEYRING": "make a session keyring",
    "SECCOMP": "load the seccomp filter",
    "HOME": "find the home directory",
    "PROGRAM": "find the program",
    "START": "wait for the start",
    "HOOK": "run {0}",
    "EXEC": "execute the program",
    "CLOEXEC": "mark descriptors from {0} on close-on-exec",
    "LOOPBACK": "bring up lo",
}

#: operations that finish what TARGET began
_AT_TARGET = ("FSOPEN", "FSCONFIG", "FSMOUNT", "SETATTR", "ATTACH", "OPEN_TREE", "SOURCE")


def describe(operations: "list[Operation]", index: int) -> str:
    """Say what the operation does, and to what."""
    operation = operations[index]
    if operation.name in _AT_TARGET and operation.field.startswith("mounts["):
        where = _first(operations, operation.field, "TARGET", 2)
        if where is not None:
            return f"{alone(operation)} at {where}"
    return alone(operation)


def alone(operation: "Operation") -> str:
    """Say what the operation does, without looking at the others."""
    return _WORDS[operation.name].format(*(_readable(arg) for arg in operation.args))


def mounting(operations: "list[Operation]", field: str) -> str:
    """Say of an entry of `mounts` what goes where, if its operations tell."""
    source = _first(operations, field, "FSCONFIG", 2)
    for name in ("SOURCE", "OPEN", "OPEN_TREE"):
        source = _first(operations, field, name, 1) if source is None else source
    where = _first(operations, field, "TARGET", 2)
    return "" if None in (source, where) else f'"{source}" to rootfs at "{where}"'


def _first(operations: "list[Operation]", field: str, name: str, number: int) -> object:
    """Give an argument of the first operation of this name that a field asked for."""
    for operation in operations:
        if operation.name == name and operation.field == field:
            return _readable(operation.args[number])
    return None


def _readable(value: "Argument") -> object:
    if isinstance(value, bytes):
        return os.fsdecode(value)
    return value


def lines(operations: "list[Operation]") -> list[str]:
    """Give the whole plan, one line for each operation."""
    return [
        f"{index:3} {operation.name:14} {operation.field}: {describe(operations, index)}"
        for index, operation in enumerate(operations)
    ]
