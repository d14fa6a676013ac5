# SPDX-License-Identifier: Apache-2.0
"""CONSOLE and NULL_STDIO: only what is really a terminal, or a null device, is taken for one."""

import errno
import fcntl
import os
import signal
import struct
import termios
from pathlib import Path

import pytest
from tests.stub.dialogue import Begin

from ocirun.engine import wire
from ocirun.engine.wire import NO_SLOT, Plan

pytestmark = pytest.mark.root

CLONE_NEWNS = 0x00020000
MS_PRIVATE = 1 << 18
AT_RECURSIVE = 0x8000
ROOT, TARGET, CONTEXT, TREE = range(4)


def add_root(plan: Plan, root: Path) -> None:
    """Append what puts the root into a slot, in a mount namespace that nobody else sees."""
    plan.add("UNSHARE", CLONE_NEWNS)
    plan.add("OPEN", TARGET, "/")
    plan.add("SETATTR", TARGET, 0, 0, 0, MS_PRIVATE, AT_RECURSIVE)
    plan.add("OPEN", TARGET, str(root))
    plan.add("CLONE_TREE", ROOT, TARGET, AT_RECURSIVE)
    plan.add("ATTACH", ROOT, TARGET)
    plan.add("SETSID")


def add_mount(plan: Plan, kind: str, where: str, *options: tuple[str, str]) -> None:
    plan.add("FSOPEN", CONTEXT, kind)
    for key, value in options:
        plan.add("FSCONFIG", CONTEXT, key, value)
    plan.add("FSMOUNT", TREE, CONTEXT, 0)
    plan.add("TARGET", TARGET, ROOT, where, NO_SLOT, wire.TARGET_ORDINARY | wire.TARGET_IN_PROC)
    plan.add("ATTACH", TREE, TARGET)


def add_console(plan: Plan) -> None:
    add_mount(plan, "devpts", "/dev/pts", ("ptmxmode", "0666"))
    plan.add("CONSOLE", ROOT, 1, 80, 25)


def test_terminal(begin: Begin, plan: Plan, tmp_path: Path) -> None:
    add_root(plan, tmp_path)
    add_console(plan)
    plan.add("SYNC", 1)
    plan.add("PROGRAM", (b"/bin/sh",))
    plan.add("EXEC", (b"sh", b"-c", b'read line; echo "[$line]"; read end'), ())
    stub = begin(plan)
    message = stub.expect(wire.FD)
    assert message.text == "/dev/pts/0"
    size = fcntl.ioctl(message.fd, termios.TIOCGWINSZ, bytes(8))
    assert struct.unpack("4H", size)[:2] == (25, 80)
    stub.go()
    stub.expect(wire.SYNC)
    links = {os.readlink(f"/proc/{stub.pid}/fd/{fd}") for fd in range(3)}
    assert links == {f"{tmp_path}/dev/pts/0"}
    fields = Path(f"/proc/{stub.pid}/stat").read_text().rpartition(")")[2].split()
    assert int(fields[4]) != 0  # tty_nr: it is the controlling terminal
    mounts = Path(f"/proc/{stub.pid}/mountinfo").read_text()
    assert f" {tmp_path}/dev/console " in mounts
    stub.go()
    os.write(message.fd, b"word\n")
    said = b""
    while b"[word]" not in said:
        said += os.read(message.fd, 100)
    # Only now may it end: what is still on its way is lost when the terminal goes.
    os.write(message.fd, b"\n")
    assert stub.end() == 0
    os.close(message.fd)


def test_terminal_and_nobody_to_take_it(begin: Begin, plan: Plan, tmp_path: Path) -> None:
    add_root(plan, tmp_path)
    add_console(plan)
    stub = begin(plan)
    os.close(stub.expect(wire.FD).fd)
    # By itself, or of the hang-up of its terminal.
    assert stub.hang_up() in (1, -signal.SIGHUP)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("nothing", errno.ENOTTY),
        ("file", errno.ENOTTY),
        ("null device", errno.ENOTTY),
        ("link to the host's", errno.ENOTTY),
        ("multiplexer without a devpts", errno.ENOTTY),
    ],
)
def test_forged_multiplexer(
    begin: Begin, plan: Plan, tmp_path: Path, kind: str, error: int
) -> None:
    """CVE-2025-52565: the image, or a neighbour, decides what lies at /dev/pts."""
    forged = tmp_path / "dev/pts/ptmx"
    forged.parent.mkdir(parents=True)
    if kind == "file":
        forged.touch()
    elif kind == "null device":
        os.mknod(forged, 0o020666, os.makedev(1, 3))
    elif kind.startswith("link"):
        forged.symlink_to("/dev/ptmx")
    elif kind.startswith("multiplexer"):
        os.mknod(forged, 0o020666, os.makedev(5, 2))
    add_root(plan, tmp_path)
    plan.add("CONSOLE", ROOT, 1, 80, 25)
    assert begin(plan).failure() == (len(plan.operations) - 1, error)


def test_console_is_not_mounted_over_proc(begin: Begin, plan: Plan, tmp_path: Path) -> None:
    """/dev/console can be a link; it once led the mount to a file of the kernel's."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/console").symlink_to("/proc/version")
    add_root(plan, tmp_path)
    add_mount(plan, "proc", "/proc")
    add_console(plan)
    assert begin(plan).failure() == (len(plan.operations) - 1, errno.EXDEV)


@pytest.mark.parametrize("target", ["/elsewhere", "../../../outside"])
def test_console_that_is_a_link(begin: Begin, plan: Plan, tmp_path: Path, target: str) -> None:
    root = tmp_path / "root"
    (root / "dev").mkdir(parents=True)
    (root / "dev/console").symlink_to(target)
    (tmp_path / "outside").touch()
    add_root(plan, root)
    add_console(plan)
    stub = begin(plan)
    message = stub.expect(wire.FD)
    mounts = Path(f"/proc/{stub.pid}/mountinfo").read_text()
    os.close(message.fd)
    assert f" {root}/{Path(target).name} " in mounts


def test_null_device_becomes_the_container_s(begin: Begin, plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    os.mknod(tmp_path / "dev/null", 0o020666, os.makedev(1, 3))
    plan.add("OPEN", ROOT, str(tmp_path))
    plan.add("OPEN_PROC", CONTEXT, "/proc")
    plan.add("NULL_STDIO", ROOT, CONTEXT)
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    links = [os.readlink(f"/proc/{stub.pid}/fd/{fd}") for fd in range(3)]
    assert links[0] == f"{tmp_path}/dev/null"
    # The others were no null device, and stay what they were.
    assert "memfd:output" in links[1]
    assert "memfd:output" in links[2]


@pytest.mark.parametrize("kind", ["file", "link", "zero", "fifo"])
def test_what_is_no_null_device(begin: Begin, plan: Plan, tmp_path: Path, kind: str) -> None:
    null = tmp_path / "null"
    null.parent.mkdir(exist_ok=True)
    (tmp_path / "dev").symlink_to(".")
    if kind == "file":
        null.touch()
    elif kind == "link":
        null.symlink_to("/null2")
    elif kind == "zero":
        os.mknod(null, 0o020666, os.makedev(1, 5))
    else:
        os.mkfifo(null)
    plan.add("OPEN", ROOT, str(tmp_path))
    plan.add("OPEN_PROC", CONTEXT, "/proc")
    plan.add("NULL_STDIO", ROOT, CONTEXT)
    index, error = begin(plan).failure()
    assert index == 2
    assert error in (errno.ENODEV, errno.ELOOP)


def test_masks(begin: Begin, plan: Plan, tmp_path: Path) -> None:
    """A file goes behind the null device, each directory behind the same empty one."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret").touch()
    (tmp_path / "file").write_text("secret")
    add_root(plan, tmp_path)
    null, empty, where = 4, 5, 6
    plan.add("OPEN", null, "/dev/null")
    plan.add("FSOPEN", CONTEXT, "tmpfs")
    plan.add("FSMOUNT", empty, CONTEXT, 1)
    for name in ("one", "two", "file", "nothing"):
        plan.add("RESOLVE", where, ROOT, f"/{name}", wire.RESOLVE_OPTIONAL)
        plan.add("MASK", where, null, empty)
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    inside = Path(f"/proc/{stub.pid}/root{tmp_path}")
    assert os.listdir(inside / "one") == os.listdir(inside / "two") == []
    assert (inside / "file").stat().st_rdev == os.makedev(1, 3)
    with pytest.raises(OSError, match="Read-only"):
        (inside / "one" / "new").touch()
    assert (inside / "one").stat().st_dev == (inside / "two").stat().st_dev
