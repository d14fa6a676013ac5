# SPDX-License-Identifier: Apache-2.0
"""The last steps: directory, home, program, and what the program inherits."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from tests.stub.dialogue import Begin, Stub

from ocirun.engine import wire
from ocirun.engine.wire import CHDIR_IF_ALLOWED, CHDIR_IF_NEEDED, Entry, Plan

CLONE_NEWNS = 0x00020000
MS_PRIVATE = 1 << 18
AT_RECURSIVE = 0x8000
CLOSE_RANGE_CLOEXEC = 4
ENV = b"/usr/bin/env"


def add_exec(plan: Plan, script: str, env: tuple[bytes, ...] = ()) -> None:
    plan.add("PROGRAM", (b"/bin/sh",))
    plan.add("EXEC", (b"sh", b"-c", script.encode()), env or (b"PATH=/usr/bin:/bin",))


def add_pivot(plan: Plan, root: str) -> None:
    """Append what makes `root` the root directory, with a procfs in it."""
    plan.add("UNSHARE", CLONE_NEWNS)
    plan.add("OPEN", 0, "/")
    plan.add("SETATTR", 0, 0, 0, 0, MS_PRIVATE, AT_RECURSIVE)
    plan.add("OPEN", 1, root)
    plan.add("CLONE_TREE", 0, 1, AT_RECURSIVE)
    plan.add("ATTACH", 0, 1)
    plan.add("FSOPEN", 2, "proc")
    plan.add("FSMOUNT", 3, 2, 0)
    plan.add("TARGET", 1, 0, "/proc", wire.NO_SLOT, wire.TARGET_ORDINARY)
    plan.add("ATTACH", 3, 1)
    plan.add("PIVOT_ROOT", 0)
    plan.add("CLOSE", 0)


@pytest.mark.root
@pytest.mark.parametrize("below", ["", "/", "/etc", "/../../.."])
def test_directory_through_a_descriptor_of_the_host(
    begin: Begin, plan: Plan, tmp_path: Path, below: str
) -> None:
    """CVE-2024-21626: the working directory is where /proc/self/fd/N of the runtime leads."""
    host = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    add_pivot(plan, str(tmp_path))
    plan.add("CHDIR", f"/proc/self/fd/{host}{below}", 0)
    stub = begin(plan, host)
    os.close(host)
    assert stub.failure() == (len(plan.operations) - 1, errno.EXDEV)
    assert stub.end() == 1


@pytest.mark.root
def test_root_after_the_change(begin: Begin, plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    add_pivot(plan, str(tmp_path))
    plan.add("CHDIR", "/only", 0)
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    root = Path(f"/proc/{stub.pid}/root")
    assert sorted(os.listdir(root)) == ["only", "proc"]
    assert Path(f"/proc/{stub.pid}/cwd").samefile(tmp_path / "only")
    mounts = Path(f"/proc/{stub.pid}/mountinfo").read_text().splitlines()
    assert [line.split()[4] for line in mounts] == ["/", "/proc"]


def cwd(begin: Begin, plan: Plan) -> str:
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    return os.readlink(f"/proc/{stub.pid}/cwd")


@pytest.mark.parametrize(
    ("path", "error"),
    [("/nothing", errno.ENOENT), ("/etc/passwd", errno.ENOTDIR), ("", errno.ENOENT)],
)
def test_no_directory(begin: Begin, plan: Plan, path: str, error: int) -> None:
    plan.add("CHDIR", path, CHDIR_IF_ALLOWED)
    assert begin(plan).failure() == (0, error)


def test_directory_that_is_gone(begin: Begin, plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    fd = os.open(tmp_path / "gone", os.O_RDONLY)
    (tmp_path / "gone").rmdir()
    plan.add("CHDIR", f"/proc/self/fd/{fd}", 0)
    stub = begin(plan, fd)
    os.close(fd)
    assert stub.failure() == (0, errno.ENOENT)


@pytest.mark.root
def test_directory_of_the_user_alone(begin: Begin, plan: Plan, open_directory: Path) -> None:
    """What one identity may not enter the other may; who could is not asked twice."""
    closed = open_directory / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, 4321, 4321)
    plan.add("CAPABILITIES", 1 << 6 | 1 << 7, 1 << 6 | 1 << 7, 0, 0)
    plan.add("CHDIR", str(closed), CHDIR_IF_ALLOWED)
    plan.add("IDENTITY", 4321, 4321)
    plan.add("CHDIR", str(closed), CHDIR_IF_NEEDED)
    plan.add("CHDIR", "/nothing", CHDIR_IF_NEEDED)
    try:
        assert cwd(begin, plan) == str(closed)
        other = Plan()
        other.add("IDENTITY", 4322, 4322)
        other.add("CHDIR", str(closed), CHDIR_IF_ALLOWED)
        other.add("CHDIR", str(closed), CHDIR_IF_NEEDED)
        assert begin(other).failure() == (2, errno.EACCES)
    finally:
        closed.rmdir()


def begin_home(begin: Begin) -> Stub:
    plan = Plan()
    env = (b"A=1", b"HOME=/", b"B=2")
    plan.add("HOME", 4, Entry(env, 1))
    plan.add("PROGRAM", (ENV,))
    plan.add("EXEC", (b"env",), env)
    stub = begin(plan)
    message = stub.expect(wire.FD)
    assert message.value == 4
    assert os.readlink(f"/proc/self/fd/{message.fd}") == "/etc/passwd"
    # By its path alone: whoever gets it looks at the type before it is opened.
    assert fcntl.fcntl(message.fd, fcntl.F_GETFL) & os.O_PATH
    os.close(message.fd)
    return stub


@pytest.mark.parametrize("text", [b"", b"HOME=/home/me", b"HOME=/" + b"x" * 4089])
def test_home(begin: Begin, text: bytes) -> None:
    stub = begin_home(begin)
    stub.go(text)
    assert stub.end() == 0
    home = text.decode() or "HOME=/"
    assert stub.printed().splitlines() == ["A=1", home, "B=2"]


def test_home_that_is_too_long(begin: Begin) -> None:
    stub = begin_home(begin)
    stub.go(b"HOME=/" + b"x" * 4090)
    assert stub.failure() == (0, errno.EPROTO)


def test_home_and_nobody_to_say_it(begin: Begin) -> None:
    assert begin_home(begin).hang_up() == 1


@pytest.mark.parametrize(
    ("candidates", "error"),
    [
        ((), errno.ENOENT),
        (("/nothing",), errno.ENOENT),
        (("/etc/passwd/x", "/nothing"), errno.ENOTDIR),
        (("/nothing", "/etc/passwd/x"), errno.ENOTDIR),
        (("/etc",), errno.EISDIR),
        (("/etc/passwd", "/nothing"), errno.EACCES),
        (("/nothing", "/etc/passwd"), errno.EACCES),
    ],
)
def test_no_program(begin: Begin, plan: Plan, candidates: tuple[str, ...], error: int) -> None:
    plan.add("PROGRAM", tuple(name.encode() for name in candidates))
    assert begin(plan).failure() == (0, error)


def test_first_program_that_can_be_executed(begin: Begin, plan: Plan) -> None:
    candidates = (b"/nothing/env", b"/etc", b"/etc/passwd", ENV, b"/bin/false")
    plan.add("PROGRAM", candidates)
    plan.add("EXEC", (b"env",), (b"A=1",))
    stub = begin(plan)
    assert stub.receive() is None  # the channel ends with the exec
    assert stub.end() == 0
    assert stub.printed() == "A=1\n"


def test_program_without_a_loader(begin: Begin, plan: Plan, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/nothing\n")
    script.chmod(0o755)
    plan.add("PROGRAM", (os.fsencode(script),))
    plan.add("EXEC", (b"script",), ())
    assert begin(plan).failure() == (1, errno.ENOENT)


def test_exec_without_a_program(begin: Begin, plan: Plan) -> None:
    plan.add("EXEC", (b"x",), ())
    assert begin(plan).failure() == (0, errno.EPROTO)


@pytest.mark.parametrize("kept", [0, 1])
def test_files_that_are_inherited(begin: Begin, plan: Plan, kept: int) -> None:
    plan.add("OPEN", 0, "/etc")
    plan.add("OPEN", 1, "/usr")
    read, write = os.pipe()
    plan.add("CLOEXEC", read + kept, 0xFFFFFFFF, CLOSE_RANGE_CLOEXEC)
    add_exec(plan, "for fd in /proc/$$/fd/*; do readlink $fd; done; true")
    stub = begin(plan, read)
    os.close(read)
    os.close(write)
    assert stub.end() == 0
    names = {line.partition(":")[0] for line in stub.printed().splitlines()}
    assert ("pipe" in names) == bool(kept)
    assert not {"/etc", "/usr", "socket"} & names


def test_session(begin: Begin, plan: Plan) -> None:
    plan.attempt("SETSID")
    plan.attempt("SETSID")
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    assert os.getsid(stub.pid) == stub.pid


def test_name_of_the_process(begin: Begin, plan: Plan) -> None:
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    assert Path(f"/proc/{stub.pid}/comm").read_text() == "ocirun:[init]\n"


@pytest.mark.root
def test_write_below_proc(begin: Begin, plan: Plan) -> None:
    plan.add("OPEN_PROC", 0, "/proc")
    plan.add("WRITE_AT", 0, "self/oom_score_adj", "321")
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    assert Path(f"/proc/{stub.pid}/oom_score_adj").read_text() == "321\n"


@pytest.mark.parametrize("length", [0, 5, 5000])
def test_what_a_file_of_proc_says(begin: Begin, plan: Plan, length: int) -> None:
    """As the process itself sees it, and no more than fits into a message."""
    path = {0: "self/timers", 5: "self/oom_score_adj", 5000: "kallsyms"}[length]
    plan.add("OPEN_PROC", 0, "/proc")
    plan.add("READ_AT", 0, path, 9)
    plan.add("SYNC", 10)
    stub = begin(plan)
    message = stub.expect(wire.SYNC)
    assert message.value == 9
    if length == 5:
        assert message.text == Path("/proc/self/oom_score_adj").read_text()
    else:
        assert len(message.text) <= min(length, 4095)
        assert bool(message.text) == bool(length)
    stub.go()
    assert stub.expect(wire.SYNC).value == 10


def test_no_answer_to_what_a_file_says(begin: Begin, plan: Plan) -> None:
    plan.add("OPEN_PROC", 0, "/proc")
    plan.add("READ_AT", 0, "self/comm", 9)
    plan.add("SYNC", 10)
    stub = begin(plan)
    assert stub.expect(wire.SYNC).text == "ocirun:[init]\n"
    stub.channel.close()
    assert stub.end() == 1


@pytest.mark.root
def test_attribute_of_a_directory(begin: Begin, plan: Plan) -> None:
    """Of the root of a mount that is nowhere yet; five arguments, two of them in one text."""
    plan.add("UNSHARE", 0x00020000)
    plan.add("FSOPEN", 0, "tmpfs")
    plan.add("FSMOUNT", 1, 0, 0)
    plan.add("FCHDIR", 1)
    plan.add("SETXATTR", ".", "trusted.ocirun", b"a\0b", 3, 0)
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    assert os.getxattr(f"/proc/{stub.pid}/cwd", "trusted.ocirun") == b"a\0b"


@pytest.mark.parametrize(
    ("path", "errors"),
    [
        ("../etc/passwd", {errno.EXDEV}),
        ("/etc/passwd", {errno.EXDEV}),
        ("self/root/etc/passwd", {errno.ELOOP, errno.EXDEV}),
        ("self/cwd", {errno.ELOOP, errno.EXDEV}),
        ("sys/fs/binfmt_misc/../../../../etc/passwd", {errno.EXDEV, errno.ENOENT}),
    ],
)
def test_write_that_would_leave_proc(begin: Begin, path: str, errors: set[int]) -> None:
    """CVE-2025-52881: a write that is led somewhere else."""
    plan = Plan()
    plan.add("OPEN_PROC", 0, "/proc")
    plan.add("WRITE_AT", 0, path, "x")
    index, error = begin(plan).failure()
    assert index == 1
    assert error in errors


@pytest.mark.parametrize("path", ["/", "/dev", "/proc/self", "/proc/sys"])
def test_what_is_no_procfs(begin: Begin, plan: Plan, path: str) -> None:
    plan.add("OPEN_PROC", 0, path)
    assert begin(plan).failure() == (0, errno.ENODEV)
