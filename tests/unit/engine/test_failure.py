# SPDX-License-Identifier: Apache-2.0
"""One line for each failure: where, what, to what, what the kernel said; and what to do."""

import errno
import os

import pytest

from ocirun.engine import failure, wire
from ocirun.engine.stub import Message
from ocirun.engine.wire import Argument, Plan
from ocirun.errors import KernelError


def explain(plan: Plan, number: int, text: str = "", index: int = 0, fd: int = -1) -> KernelError:
    return failure.explain(plan.operations, Message(wire.ERROR, index, number, text, fd))


def one(field: str, name: str, *args: Argument) -> Plan:
    plan = Plan()
    plan.field = field
    plan.add(name, *args)
    return plan


def test_the_pattern(plan: Plan) -> None:
    plan.field = "hostname"
    plan.add("HOSTNAME", "x" * 3, 3)
    error = explain(plan, errno.EPERM)
    assert error.message == "hostname: set the host name to 'xxx': operation not permitted"
    assert error.hint == ""


def test_what_the_filesystem_says() -> None:
    plan = one("linux.maskedPaths", "FSCONFIG", 1, "size", "x")
    error = explain(plan, errno.EINVAL, "e tmpfs: Bad value for 'size'\n")
    assert error.message == (
        "linux.maskedPaths: set the mount option size: invalid argument"
        " (tmpfs: Bad value for 'size')"
    )


def test_of_a_mount_what_goes_where(plan: Plan) -> None:
    """Engines, and who reads their logs, look for these very words."""
    plan.field = "mounts[1]"
    plan.add("OPEN_TREE", 1, "/src", 0)
    plan.add("TARGET", 2, 0, "/dst", 1, 0)
    plan.add("SETATTR", 1, 0, 0, 0, 0, 0)
    plan.field = "mounts[2]"
    plan.add("TARGET", 2, 0, "/other", 1, 0)
    plan.add("FSCONFIG", 1, "source", "name")
    said = 'error mounting "/src" to rootfs at "/dst"'
    other = 'error mounting "name" to rootfs at "/other"'
    messages = [explain(plan, errno.EPERM, index=index).message for index in range(5)]
    assert messages == [
        f"mounts[1]: {said}: bind /src: operation not permitted",
        f"mounts[1]: {said}: make the mount point /dst: operation not permitted",
        f"mounts[1]: {said}: set mount attributes: operation not permitted",
        f"mounts[2]: {other}: make the mount point /other: operation not permitted",
        f"mounts[2]: {other}: set the mount option source: operation not permitted",
    ]


@pytest.mark.parametrize("index", [-1, 1, 1 << 31])
def test_index_outside_of_the_plan(index: int) -> None:
    error = explain(one("", "SETSID"), errno.EPROTO, index=index)
    assert error.message == "the stub refused its plan: protocol error"


@pytest.mark.parametrize("number", [0, -5])
def test_number_that_is_none(number: int) -> None:
    assert explain(one("x", "SETSID"), number).message.endswith(": protocol error")


def program(name: str, step: str = "PROGRAM") -> tuple[Plan, int]:
    plan = Plan()
    plan.add("PROGRAM", (b"/bin/" + name.encode(),))
    plan.add("EXEC", (name.encode(), b"arg"), ())
    return plan, 0 if step == "PROGRAM" else 1


@pytest.mark.parametrize(
    ("name", "step", "number", "said"),
    [
        ("sh", "PROGRAM", errno.ENOENT, 'exec: "sh": executable file not found in $PATH'),
        ("sh", "PROGRAM", errno.ENOTDIR, 'exec: "sh": executable file not found in $PATH'),
        ("", "PROGRAM", errno.EACCES, 'exec: "": executable file not found in $PATH'),
        ("/sh", "PROGRAM", errno.ENOENT, 'exec: "/sh": stat /sh: no such file or directory'),
        ("/x/sh", "PROGRAM", errno.ENOTDIR, 'exec: "/x/sh": stat /x/sh: not a directory'),
        ("/sh", "PROGRAM", errno.EACCES, 'exec: "/sh": permission denied'),
        ("/etc", "PROGRAM", errno.EISDIR, 'exec: "/etc": is a directory'),
        ("/sh", "EXEC", errno.ENOENT, "exec /sh: no such file or directory"),
        ("/sh", "EXEC", errno.ENOEXEC, 'exec: "/sh": exec format error'),
    ],
)
def test_program(name: str, step: str, number: int, said: str) -> None:
    """Engines look for these very words."""
    plan, index = program(name, step)
    error = explain(plan, number, index=index)
    assert error.message == said
    if number in (errno.ENOENT, errno.ENOTDIR):
        assert error.hint


@pytest.mark.parametrize(
    ("number", "text", "said"),
    [
        (errno.ECHILD, str(3 << 8), "exit status 3"),
        (errno.ECHILD, str(127 << 8), "exit status 127 (or it could not be executed)"),
        (errno.ECHILD, "9", "signal 9"),
        (errno.ETIMEDOUT, "", "killed after its timeout"),
        (errno.ENOMEM, "", "cannot allocate memory"),
    ],
)
def test_hook(number: int, text: str, said: str) -> None:
    plan = one("hooks.createContainer[2]", "HOOK", "/bin/h", (), (), "", "", 0, 0)
    message = explain(plan, number, text).message
    start = "error running createContainer hook #2: /bin/h: "
    assert message.startswith(start)
    assert said in message


def test_output_of_a_hook() -> None:
    output = os.memfd_create("output")
    os.write(output, b"first\nsecond \xff\n")
    plan = one("hooks.startContainer[0]", "HOOK", "/h", (), (), "", "", 0, 0)
    message = explain(plan, errno.ECHILD, str(1 << 8), fd=output).message
    os.close(output)
    assert message.endswith("exit status 1, stderr: first; second \ufffd")
    assert "\n" not in message


def test_place_that_is_no_ordinary_directory(plan: Plan) -> None:
    plan.field = "mounts[1]"
    plan.add("TARGET", 1, 0, "/proc", 64, 2)
    plan.add("FSOPEN", 2, "proc")
    error = explain(plan, errno.ELOOP)
    said = 'mounts[1]: filesystem "proc" must be mounted on ordinary directory, and /proc is none'
    assert error.message == said
    assert error.hint
    # Of other filesystems nothing of the kind is asked.
    plan.operations[1].args = (2, "tmpfs")
    assert "ordinary" not in explain(plan, errno.ENOTDIR).message


@pytest.mark.parametrize(
    ("name", "args", "number", "hint"),
    [
        ("CLONE", (0x10000000, 64), errno.EPERM, "user.max_user_namespaces"),
        ("CLONE", (0, 64), errno.ENOSPC, "user.max_user_namespaces"),
        ("CLONE", (0, 64), errno.ENOMEM, ""),
        ("TARGET", (0, 0, "/proc/x", 64, 0), errno.EXDEV, "/proc"),
        ("OPEN", (0, "/x"), errno.EACCES, "searchable"),
        ("OPEN_TREE", (0, "/x", 0), errno.ENOENT, "has to exist on the host"),
        ("CONSOLE", (0, 0, 0, 0), errno.ENOENT, "devpts"),
        ("FSOPEN", (0, "zfs"), errno.ENODEV, "/proc/filesystems"),
        ("SETSID", (), errno.EPERM, ""),
        ("FSCONFIG", (0, "context", "x"), errno.EINVAL, "linux.mountLabel"),
        ("AFFINITY", (0, 8, b""), errno.EINVAL, "cpu/online"),
        ("SCHEDULER", (0, b"", 0), errno.EPERM, "CAP_SYS_NICE"),
        ("SCHEDULER", (0, b"", 0), errno.EBUSY, "SCHED_DEADLINE"),
        ("IO_PRIORITY", (1, 0, 1), errno.EPERM, "IOPRIO_CLASS_RT"),
        ("MEMORY_POLICY", (2, b"", 65), errno.EINVAL, "node/online"),
    ],
)
def test_hints(name: str, args: tuple[Argument, ...], number: int, hint: str) -> None:
    found = explain(one("mounts[0]", name, *args), number).hint
    assert hint in found
    assert bool(hint) == bool(found)


@pytest.mark.parametrize(
    ("field", "number", "hint"),
    [
        ("process.apparmorProfile", errno.ENOENT, "apparmor_parser"),
        ("process.apparmorProfile", errno.EACCES, "our own profile"),
        ("process.selinuxLabel", errno.EINVAL, "does not know it"),
        ("process.selinuxLabel", errno.EACCES, "does not allow it"),
        ("process.scheduler (with linux.resources.cpu.cpus)", errno.EPERM, "AllowedCPUs"),
    ],
)
def test_hints_by_the_field(field: str, number: int, hint: str) -> None:
    name = "SCHEDULER" if "scheduler" in field else "WRITE_AT"
    assert hint in explain(one(field, name, 0, "self/attr/exec", "x"), number).hint


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (9, "signal 9", "memory"),
        (11, "signal 11", ""),
        (0, "ended", ""),
        (256, "exit status 1", ""),
    ],
)
def test_died(status: int, said: str, hint: str) -> None:
    error = failure.died(status)
    assert error.message.startswith("the container's first process died before its start: ")
    assert said in error.message
    assert hint in error.hint


@pytest.mark.parametrize("name", wire.OPERATIONS)
def test_every_operation_can_fail(name: str) -> None:
    plan = one("field", name, *range(wire.OPERATIONS[name][1]))
    if name in ("PROGRAM", "EXEC"):
        plan.operations[0].args = ((b"x",), ())
        plan.add("EXEC", (b"x",), ())
    message = explain(plan, errno.EIO).message
    assert message.endswith("input/output error")
    assert "\n" not in message
