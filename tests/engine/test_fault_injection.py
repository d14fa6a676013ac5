# SPDX-License-Identifier: Apache-2.0
"""Whatever fails, wherever the engine is killed: nothing of the container stays.

The stub refuses each operation of a plan in turn.  What may be left is looked for in the
kernel's own lists: processes, zombies included, mounts, cgroups, descriptors, directories.
"""

import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import leak
from tests.engine.everything import Place, wait_for

from ocirun.engine import answers, delete, failure, start, wire
from ocirun.engine.create import Creation, create
from ocirun.engine.request import Request
from ocirun.engine.run import run
from ocirun.errors import KernelError, OcirunError

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]


def wrong_message(operations: list[wire.Operation], index: int, message: str) -> str:
    """What is wrong with the message for a failed operation; nothing if it names the step."""
    operation = operations[index]
    if "\n" in message or message[0] == ":" or not message.endswith("input/output error"):
        return message
    if operation.name in ("PROGRAM", "EXEC"):
        wanted = 'exec: "sh"'
    elif operation.name == "HOOK":
        wanted = f"hook #0: {operation.args[0]!s}"
    else:
        wanted = f"{operation.field}: {failure.describe(operations, index)}"
    return "" if wanted in message else message


def wrong_at(
    place: Place, operations: list[wire.Operation], index: int, begin: Callable[[Request], object]
) -> str:
    """Let an operation fail; say what is wrong afterwards."""
    try:
        begin(place.request(index))
    except KernelError as error:
        wrong = wrong_message(operations, index, error.message)
    else:
        wrong = "no error"
    left = place.left()
    return f"{index} {operations[index].name}: {wrong} {left}" if wrong or left else ""


def position(operations: list[wire.Operation], name: str) -> int:
    (found,) = (at for at, operation in enumerate(operations) if operation.name == name)
    return found


def test_create_fails(place: Place) -> None:
    operations = place.operations(listen=True)
    assert len(operations) > 100
    assert place.left() == {}
    upto = range(position(operations, "START"))
    wrong = [wrong_at(place, operations, index, create) for index in upto]
    assert [line for line in wrong if line] == []


#: where something new begins, or somebody else takes a part
TURNS = (
    "CLONE",
    "SYNC",
    "SOURCE",
    "EXCHANGE",
    "CONSOLE",
    "HOME",
    "HOOK",
    "SECCOMP",
    "PROGRAM",
    "START",
    "EXEC",
)


def turns(operations: list[wire.Operation]) -> list[int]:
    return [at for at, operation in enumerate(operations) if operation.name in TURNS]


def test_run_fails(place: Place) -> None:
    """Up to the change of root it does what create does."""
    operations = place.operations(listen=False)
    names = [operation.name for operation in operations]
    changed = names.index("CHROOT" if "CHROOT" in names else "PIVOT_ROOT")
    points = sorted({*turns(operations), *range(changed, len(operations))})
    wrong = [wrong_at(place, operations, index, run_detached) for index in points]
    assert [line for line in wrong if line] == []


def run_detached(request: Request) -> None:
    run(request, detach=True)


def test_run_in_the_foreground_fails(place: Place) -> None:
    operations = place.operations(listen=False)
    place.terminal = False
    wrong = [wrong_at(place, operations, index, run) for index in turns(operations)]
    assert [line for line in wrong if line] == []


def test_start_fails(place: Place) -> None:
    """What is after the START of a created container fails the start, and delete removes it."""
    operations = place.operations(listen=True)
    for index in range(position(operations, "START") + 1, len(operations)):
        pid = create(place.request(index))
        with pytest.raises(OcirunError) as raised:
            start.start(str(place.root), place.name)
        assert wrong_message(operations, index, raised.value.message) == ""
        assert wait_for([pid]) == []
        delete.delete(str(place.root), place.name, force=False)
        # In a program that is no subreaper of its own, a container is its child to wait for.
        leak.inventory()
        assert place.left() == {}


def test_start_itself_is_refused(place: Place) -> None:
    operations = place.operations(listen=True)
    at = position(operations, "START")
    assert wrong_at(place, operations, at, create) == ""


def reached(place: Place, point: int, report: int) -> None:
    """Create a container up to a point, say so, and stay there for good; else say it is past."""
    creation = Creation(place.request(), detach=True)
    steps: list[Callable[[], object]] = [creation._claim, creation._make_cgroup]
    steps += [creation.namespaces.open, creation._start_stub]
    for step in steps:
        if not point:
            stay(report)
        step()
        point -= 1
    conversation = creation.conversation_now()
    while True:
        message = conversation.next()
        creation.adopt(conversation.pid)
        if not point:
            stay(report)
        point -= 1
        if message.kind == wire.READY:
            os.write(report, b"past")
            stay(report)
        answers.answer(creation, message)


def stay(report: int) -> None:
    os.write(report, b"here")
    while True:
        signal.pause()


def kill_engine_at(place: Place, point: int) -> bool:
    """Kill an engine when it has come to a point; false if there is no such point."""
    ours, report = os.pipe()
    engine = os.fork()
    if not engine:
        try:
            reached(place, point, report)
        finally:
            os._exit(1)
    os.close(report)
    said = os.read(ours, 8)
    os.kill(engine, signal.SIGKILL)
    os.waitpid(engine, 0)
    os.close(ours)
    assert said, "the engine failed"
    return not said.startswith(b"past")


def test_engine_is_killed(place: Place) -> None:
    """kill -9 of the engine, at each point where the stub waits for it."""
    points = 0
    before = set(leak.children())
    more = True
    while more:
        more = kill_engine_at(place, points)
        # Nobody ends them: they are to notice that they are alone.
        stubs = [int(line.split()[0]) for line in set(leak.children()) - before]
        assert wait_for(stubs) == [], points
        delete.delete(str(place.root), place.name, force=True)
        # The orphans became our children, for us to reap.
        leak.inventory()
        assert place.left() == {}, points
        points += 1
    # Four before the conversation, and at least hooks, home and ready in it.
    assert points > 6


@pytest.mark.parametrize("force", [False, True])
def test_engine_is_killed_between_two_cgroups(place: Place, force: bool) -> None:  # noqa: FBT001
    """What has been made by then is known, and removed with the container."""
    engine = os.fork()
    if not engine:
        try:
            creation = Creation(place.request(), detach=True)
            creation._claim()
            assert creation.planned
            creation.planned.create()
        finally:
            os._exit(0)
    assert os.waitpid(engine, 0)[1] == 0
    assert place.left()["cgroups"]
    delete.delete(str(place.root), place.name, force=force)
    assert place.left() == {}


def test_command_is_killed(place: Place, ocirun: str) -> None:
    """The same of the command, at any moment."""
    choose = random.Random(1)
    words = ["--root", str(place.root), "create", "--bundle", str(place.bundle)]
    if place.terminal:
        words += ["--console-socket", place.console.path]
    quiet = subprocess.DEVNULL
    for _ in range(15):
        command = subprocess.Popen([ocirun, *words, place.name], stdout=quiet, stderr=quiet)
        try:
            command.wait(choose.uniform(0.004, 0.06))
        except subprocess.TimeoutExpired:
            command.kill()
            command.wait()
        if Path(place.root, place.name).exists():
            # It may still have the lock, or a hook that is about to be executed: this waits.
            delete.delete(str(place.root), place.name, force=True)
        wait_for(int(line.split()[0]) for line in leak.children())
        leak.inventory()
        assert place.left() == {}
