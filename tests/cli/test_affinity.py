# SPDX-License-Identifier: Apache-2.0
"""Which CPUs a process may use, whatever its caller was bound to."""

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import put, refused
from tests.cli.inside import status

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.cli.inside import Exec, Look

pytestmark = pytest.mark.root

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


def test_affinity_that_exec_asks_for(container: "Exec", bound: set[int]) -> None:
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


def test_initial_affinity_is_before_the_cgroup(command: "Command", look: "Look") -> None:
    """What cannot be seen any more when the program runs is in the log of --debug."""
    look.start(put(process__execCPUAffinity={"initial": "0", "final": "0"}))
    done = command("--debug", "exec", look.name, "true")
    steps = [line for line in done.stderr.splitlines() if "level=debug" in line]
    order = [
        next(at for at, line in enumerate(steps) if word in line)
        for word in ("execCPUAffinity.initial", "join the cgroup", "execCPUAffinity.final", "EXEC")
    ]
    assert order == sorted(order)
    look.end()


@pytest.mark.parametrize("field", ["initial", "final"])
def test_affinity_to_cpus_that_are_not_there(container: "Exec", field: str) -> None:
    container.look.start()
    file = container.write("true", execCPUAffinity={field: "8000"})
    done = container.command("exec", "--process", file, container.look.name)
    refused(done, f"process.execCPUAffinity.{field}: ", "invalid argument", "online", code=255)
    container.look.end()
