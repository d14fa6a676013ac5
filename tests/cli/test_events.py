# SPDX-License-Identifier: Apache-2.0
"""`events`: lines of JSON, until the container ends."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import put, refused

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = pytest.mark.root

SWAP = Path("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")


def _watches(pid: int) -> bool:
    """Wait until a process of `events` has opened the container's, which is the last it does before."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            if any("pidfd" in os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()):
                return True
        select.poll().poll(10)
    return False


def test_statistics_once(look: "Look", name: str) -> None:
    look.start(put(linux__resources={"pids": {"limit": 20}}))
    done = look.command("events", "--stats", name)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert done.stdout.startswith(f'{{"type":"stats","id":"{name}","data":{{"cpu":')
    data = json.loads(done.stdout)["data"]
    assert data["pids"] == {"current": 1, "limit": 20}
    assert data["memory"]["usage"]["usage"] > 0
    assert data["cpu"]["usage"]["total"] > 0
    look.end()


def test_statistics_again_and_again_until_the_end(look: "Look", name: str) -> None:
    look.start()
    words = look.command.words("events", "--interval", "50ms", name)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        lines = [running.stdout.readline() for _ in range(3)]
        assert look.command("kill", name, "KILL").returncode == 0
        assert running.wait(10) == 0
    assert {json.loads(line)["type"] for line in lines} == {"stats"}
    look.end()


def test_the_end_does_not_wait_for_the_next_statistics(look: "Look", name: str) -> None:
    look.start()
    words = look.command.words("events", "--interval", "1h", name)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert _watches(running.pid)
        look.end()
        assert running.wait(10) == 0
        assert running.stdout
        assert running.stdout.read() == ""


@pytest.mark.skipif(not SWAP.exists(), reason=f"{SWAP}; v2 is in tests/lab")
def test_memory_runs_out(look: "Look", name: str) -> None:
    look.start(put(linux__resources={"memory": {"limit": 16 << 20, "swap": 16 << 20}}))
    words = look.command.words("events", "--interval", "10ms", name)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert json.loads(running.stdout.readline())["type"] == "stats"
        hungry = "x=$(dd if=/dev/zero bs=1M count=64 2>/dev/null | tr '\\0' x)"
        assert look.command("exec", name, "sh", "-c", hungry).returncode == 137
        lines = iter(running.stdout.readline, "")
        assert next(line for line in lines if "stats" not in line) == (
            f'{{"type":"oom","id":"{name}"}}\n'
        )
        look.end()
        running.stdout.read()
        assert running.wait(10) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--interval", "0"), "duration interval must be greater than 0"),
        (("--interval", "-1s"), "duration interval must be greater than 0"),
        (("--interval", "1"), "missing unit in duration"),
        (("--stats",), "does not exist"),
        ((), "does not exist"),
    ],
)
def test_bad_input(command: "Command", name: str, words: tuple[str, ...], said: str) -> None:
    refused(command("events", *words, name), said)


def test_a_container_that_has_ended(look: "Look", name: str) -> None:
    pid = look.start()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    refused(look.command("events", name), f"container with id {name} is not running")
    refused(look.command("events", "--stats", name), "is not running")
    assert look.command("delete", name).returncode == 0
