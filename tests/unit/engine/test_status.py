# SPDX-License-Identifier: Apache-2.0
"""What a container is doing, asked of a process that stands in for its first one."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.engine.process_like import Process

from ocirun.engine import status
from ocirun.engine.state import State
from ocirun.linux import procfs


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(str(tmp_path), "box")


@pytest.fixture
def process(state: State) -> Iterator[Process]:
    """Give a process that waits, as the state's first one."""
    made = Process()
    state.pid, state.start_time = made.pid, procfs.start_time(made.pid)
    state.creating = False
    yield made
    made.end()


def listen(state: State) -> socket.socket:
    waiting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    waiting.bind(state.socket_path)
    return waiting


def test_before_there_is_a_process(state: State) -> None:
    assert status.of(state) == "stopped"


@pytest.mark.parametrize("pid", [1, 2, 1 << 22])
def test_process_that_ended_before_its_start_time_was_read(state: State, pid: int) -> None:
    """A time of zero once agreed with that of a process that is not there any more."""
    state.pid = pid
    state.creating = False
    assert status.of(state) == "stopped"


def test_creating(state: State, process: Process) -> None:
    state.creating = True
    assert process.pid == state.pid
    assert status.of(state) == "creating"


def test_created(state: State, process: Process) -> None:
    with listen(state):
        process.call_itself("ocirun:[init]")
        assert status.of(state) == "created"


def test_running(state: State, process: Process) -> None:
    assert status.of(state) == "running"
    # `start` removes the socket a moment after the program has begun.
    with listen(state):
        assert status.of(state) == "running"
    os.unlink(state.socket_path)
    # A program may take our name, but has no socket.
    process.call_itself("ocirun:[init]")
    assert status.of(state) == "running"


def test_stopped(state: State, process: Process) -> None:
    process.end()
    assert status.of(state) == "stopped"


def test_a_zombie_is_stopped(state: State, process: Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert status.of(state) == "stopped"


def test_another_process_of_that_pid(state: State, process: Process) -> None:
    """It started at another time, whatever its name."""
    process.call_itself("ocirun:[init]")
    state.start_time -= 1
    with listen(state):
        assert status.of(state) == "stopped"


@pytest.mark.parametrize("word", ["creating", "created", "running", "paused"])
def test_document(state: State, word: str) -> None:
    state.oci_version, state.bundle, state.rootfs = "1.3.0", "/b", "/b/r"
    state.created, state.pid = "2026-01-02T03:04:05Z", 12
    assert status.document(state, word) == {
        "ociVersion": "1.3.0",
        "id": "box",
        "pid": 12,
        "status": word,
        "bundle": "/b",
        "rootfs": "/b/r",
        "created": "2026-01-02T03:04:05Z",
        "owner": "",
    }


def test_document_of_a_stopped_one(state: State) -> None:
    state.pid = 12
    state.annotations = {"a": "b"}
    found = status.document(state)
    assert found["pid"] == 0
    assert found["annotations"] == {"a": "b"}
    assert found["status"] == "stopped"


def test_document_for_hooks(state: State) -> None:
    """Only what the spec names."""
    state.pid = 12
    assert list(status.hook_document(state, "creating")) == [
        *("ociVersion", "id", "status", "bundle", "pid")
    ]
    assert "pid" not in status.hook_document(state, "stopped")
