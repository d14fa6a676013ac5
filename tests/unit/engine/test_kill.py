# SPDX-License-Identifier: Apache-2.0
"""A signal reaches the container's process, and never another one that has its pid now."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.engine.process_like import Process

from ocirun.engine import kill, state as states
from ocirun.engine.state import State
from ocirun.errors import StateError
from ocirun.linux import procfs


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.end()


@pytest.fixture
def state(process: Process, tmp_path: Path) -> State:
    """Give the saved state of a container with this process and without a cgroup."""
    state, lock = states.claim(str(tmp_path), "box")
    os.close(lock)
    state.pid, state.start_time = process.pid, procfs.start_time(process.pid)
    state.creating = False
    state.save()
    return state


def ended_by(process: Process) -> int:
    found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    return found.si_status if found else 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, 0])
def test_signal(state: State, process: Process, tmp_path: Path, number: int) -> None:
    kill.kill(str(tmp_path), state.id, number)
    if number:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ended_by(process) == number


def reused(state: State) -> State:
    """As if the process had ended and another one had got its pid."""
    state.start_time -= 1
    state.save()
    return state


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, 0])
def test_pid_that_was_used_again(
    state: State, process: Process, tmp_path: Path, number: int
) -> None:
    reused(state)
    with pytest.raises(StateError, match=r"^container not running: box$"):
        kill.kill(str(tmp_path), "box", number)
    assert ended_by(process) == 0


def test_pid_that_was_used_again_and_all_processes(
    state: State, process: Process, tmp_path: Path
) -> None:
    reused(state)
    kill.kill(str(tmp_path), "box", signal.SIGKILL, all_=True)
    kill.kill_all(state)
    assert ended_by(process) == 0


def test_all_processes(state: State, process: Process, tmp_path: Path) -> None:
    kill.kill(str(tmp_path), state.id, signal.SIGKILL, all_=True)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    kill.kill(str(tmp_path), "box", signal.SIGKILL, all_=True)


def test_kill_all_waits(state: State, process: Process) -> None:
    kill.kill_all(state)
    assert ended_by(process) == signal.SIGKILL
    kill.kill_all(state)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_process_that_has_ended(
    state: State, process: Process, tmp_path: Path, number: int
) -> None:
    process.end()
    with pytest.raises(StateError, match=r"^container not running: box$"):
        kill.kill(str(tmp_path), state.id, number)


def test_no_process_at_all(tmp_path: Path) -> None:
    assert kill.open_first(State(str(tmp_path), "box")) == -1


def test_descriptor_is_of_the_first_process(state: State, process: Process) -> None:
    pidfd = kill.open_first(state)
    os.set_inheritable(pidfd, False)  # noqa: FBT003
    found = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    os.close(pidfd)
    assert f"\nPid:\t{process.pid}\n" in found
    assert kill.open_first(reused(state)) == -1
