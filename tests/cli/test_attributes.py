# SPDX-License-Identifier: Apache-2.0
"""What a process has beside its ids and rights, as /proc and other programs see it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import put, refused
from tests.cli.inside import status

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = pytest.mark.root


def keyring(name: str) -> list[str]:
    """Give id, permissions and uid of the session keyring of a container (keyrings(7))."""
    lines = [line.split() for line in Path("/proc/keys").read_text().splitlines()]
    (found,) = (line for line in lines if line[8] == f"_ses.{name}:")
    return [found[0], found[4], found[5]]


def test_session_keyring(command: "Command", look: "Look") -> None:
    """Its user may search it, and a process of exec has the same one."""
    look.start()
    made = keyring(look.name)
    assert made[1:] == ["3f1b0000", "0"]
    assert command("exec", look.name, "true").returncode == 0
    assert keyring(look.name) == made
    look.end()


CPUS = "grep Cpus_allowed_list /proc/self/status | cut -f 2"


@pytest.fixture
def bound() -> Iterator[set[int]]:
    """Bind us to one CPU, as taskset(1) does, and give those that we had."""
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("a second CPU")
    os.sched_setaffinity(0, {min(before)})
    yield before
    os.sched_setaffinity(0, before)


def cpus(text: str) -> set[int]:
    """Read the list of CPUs that a script printed."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_affinity_of_the_caller_is_not_the_container_s(look: "Look", bound: set[int]) -> None:
    assert cpus(look(CPUS)) == bound


def test_affinity_is_that_of_the_cpuset(look: "Look", bound: set[int]) -> None:
    """Also one that has nothing in common with the caller's."""
    for wanted in (max(bound), min(bound)):
        assert look(CPUS, put(linux__resources__cpu={"cpus": str(wanted), "mems": "0"})) == str(
            wanted
        )


@pytest.mark.parametrize("limited", [False, True])
def test_affinity_of_exec(
    command: "Command", look: "Look", bound: set[int], *, limited: bool
) -> None:
    last = str(max(bound))
    changes = [put(linux__resources__cpu={"cpus": last, "mems": "0"})] if limited else []
    look.start(*changes)
    os.sched_setaffinity(0, {min(bound)})
    done = command("exec", look.name, "sh", "-c", CPUS)
    assert (done.returncode, done.stderr) == (0, "")
    assert cpus(done.stdout) == ({max(bound)} if limited else bound)
    look.end()


class Exec:
    """A running container, and processes in it that a JSON file describes."""

    def __init__(self, command: "Command", look: "Look", directory: Path) -> None:
        self.command = command
        self.look = look
        self.file = directory / "process.json"
        self.pid_file = directory / "pid"

    def __call__(self, *args: str, **fields: object) -> str:
        """Run a process that must succeed, and give what it prints."""
        done = self.command("exec", "--process", self.write(*args, **fields), self.look.name)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.removesuffix("\n")

    def write(self, *args: str, **fields: object) -> str:
        document = {"cwd": "/", "args": args, "env": ["PATH=/bin:/usr/bin"], **fields}
        self.file.write_text(json.dumps(document))
        return str(self.file)


@pytest.fixture
def container(command: "Command", look: "Look", tmp_path: Path) -> Exec:
    return Exec(command, look, tmp_path)


def test_affinity_that_exec_asks_for(container: Exec, bound: set[int]) -> None:
    first, last = str(min(bound)), str(max(bound))
    container.look.start()
    for wanted, found in [
        ({"initial": last}, last),
        ({"final": last}, last),
        ({"initial": first, "final": last}, last),
        ({"initial": last, "final": first}, first),
        ({"initial": f" {first}, ,{last}"}, None),
    ]:
        got = container("sh", "-c", CPUS, execCPUAffinity=wanted)
        assert cpus(got) == (cpus(found) if found else bound)
    container.look.end()


def test_affinity_of_exec_from_the_config(command: "Command", look: "Look") -> None:
    """The first process has nothing of it."""
    look.start(put(process__execCPUAffinity={"initial": "0", "final": "0"}))
    pid = json.loads(command("state", look.name).stdout)["pid"]
    assert cpus(status(pid)["Cpus_allowed_list"]) == os.sched_getaffinity(0)
    assert command("exec", look.name, "sh", "-c", CPUS).stdout == "0\n"
    look.end()


@pytest.mark.parametrize("field", ["initial", "final"])
def test_affinity_to_cpus_that_are_not_there(container: Exec, field: str) -> None:
    container.look.start()
    file = container.write("true", execCPUAffinity={field: "8000"})
    done = container.command("exec", "--process", file, container.look.name)
    refused(done, f"process.execCPUAffinity.{field}: ", "invalid argument", "online", code=255)
    container.look.end()
