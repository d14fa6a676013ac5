# SPDX-License-Identifier: Apache-2.0
"""`ocirun top`: true numbers, as JSON and as a table that stays on its screen."""

import json
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest
from tests.bundle import Bundles
from tests.cli.changes import put
from tests.cli.conftest import Command

pytestmark = pytest.mark.root

LIMIT = 64 << 20
BUSY = "while :; do :; done"


@pytest.fixture
def busy(command: Command, bundle: Bundles, name: str) -> Iterator[str]:
    """A container that keeps one CPU busy, below a limit of memory and of processes."""
    limits = {"memory": {"limit": LIMIT}, "pids": {"limit": 9}}
    path = bundle("sh", "-c", BUSY, change=put(linux__resources=limits))
    assert command("run", "-d", "-b", str(path), name).returncode == 0
    yield name
    assert command("delete", "--force", name).returncode == 0


def test_json(command: Command, busy: str) -> None:
    done = command("top", "--once", "--format", "json", "--interval", "300ms")
    assert done.stderr == ""
    (found,) = json.loads(done.stdout)
    assert found["id"] == busy
    assert found["status"] == "running"
    assert 0 < found["cpuPercent"] < 150
    assert 0 < found["memory"] < found["memoryLimit"] == LIMIT
    assert (found["pids"], found["pidsLimit"]) == (1, 9)


def test_table(command: Command, busy: str) -> None:
    done = command("top", "--once", "--interval", "100ms")
    title, line = done.stdout.splitlines()
    assert title.split()[:5] == ["ID", "STATUS", "CPU%", "MEMORY", "LIMIT"]
    assert line.split()[:2] == [busy, "running"]
    assert "64M" in line
    assert "\x1b" not in done.stdout


def test_no_containers(command: Command) -> None:
    done = command("top", "--once", "--format", "json", "--interval", "1ms")
    assert (done.returncode, done.stdout) == (0, "[]\n")


def test_interval_of_nothing(command: Command) -> None:
    done = command("top", "--interval", "0s")
    assert done.returncode == 1
    assert "must be more than zero" in done.stderr


@pytest.mark.parametrize("columns", [80, 200])
def test_on_a_terminal(command: Command, busy: str, columns: int) -> None:
    """Redrawn in place, no wider than the terminal; q ends it, and the terminal is as before."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    before = termios.tcgetattr(theirs)
    with subprocess.Popen(
        command.words("top", "--interval", "200ms"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"TERM": "xterm-256color"},
    ) as process:
        shown = _until(ours, busy.encode() if columns > 80 else b"running", times=3)
        os.write(ours, b"q")
        shown += _until(ours, b"\x1b[?1049l")
        assert process.wait(timeout=20) == 0
    assert shown.count(b"\x1b[?1049h") == 1, "the alternate screen, once"
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def _until(fd: int, wanted: bytes, times: int = 1) -> bytes:
    shown = b""
    end = time.monotonic() + 20
    while shown.count(wanted) < times:
        assert select.select([fd], [], [], max(0, end - time.monotonic()))[0], shown
        shown += os.read(fd, 65536)
    return shown
