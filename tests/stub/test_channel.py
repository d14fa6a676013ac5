# SPDX-License-Identifier: Apache-2.0
"""The conversation: the stub waits for the right word, and ends when nobody can say it."""

import errno
import os
import signal
import socket
from pathlib import Path

import pytest
from tests.stub.dialogue import SECONDS, Begin, Stub, is_gone

from ocirun.engine import wire
from ocirun.engine.wire import NO_SLOT, Plan

GO = wire.MESSAGE.pack(wire.GO, 0, 0, 0)
WRONG = {
    "one byte": b"x",
    "half a message": GO[:-1],
    "another kind": wire.MESSAGE.pack(wire.SYNC, 0, 0, 0),
    "kind 0": bytes(len(GO)),
    "more than fits": GO + b"x",
    "much more than fits": GO + b"x" * 60000,
}


def waiting(begin: Begin) -> Stub:
    plan = Plan()
    plan.add("SYNC", 7)
    plan.add("SYNC", 8)
    stub = begin(plan)
    assert stub.expect(wire.SYNC).value == 7
    return stub


def test_go(begin: Begin) -> None:
    stub = waiting(begin)
    stub.go()
    message = stub.expect(wire.SYNC)
    assert (message.index, message.value) == (1, 8)


@pytest.mark.parametrize("case", WRONG)
def test_wrong_answer(begin: Begin, case: str) -> None:
    stub = waiting(begin)
    stub.say(WRONG[case])
    assert stub.failure() == (0, errno.EPROTO)
    assert stub.end() == 1


def test_descriptors_that_nobody_asked_for(begin: Begin) -> None:
    stub = waiting(begin)
    before = len(stub.descriptors())
    fds = [os.open("/etc", os.O_RDONLY) for _ in range(5)]
    socket.send_fds(stub.channel, [GO], fds)
    for fd in fds:
        os.close(fd)
    stub.expect(wire.SYNC)
    assert len(stub.descriptors()) == before
    assert "/etc" not in stub.open_files()


def test_nobody_there(begin: Begin) -> None:
    assert waiting(begin).hang_up() == 1


def test_nobody_there_from_the_start(begin: Begin, plan: Plan) -> None:
    plan.add("SYNC", 1)
    assert begin(plan).hang_up() == 1


def test_nobody_there_to_hear_of_a_failure(begin: Begin, plan: Plan) -> None:
    plan.add("OPEN", 0, "/nothing")
    assert begin(plan).hang_up() == 1


def test_clone(begin: Begin, plan: Plan) -> None:
    """The new process is a child of the engine, and carries on where the old one ended."""
    plan.add("CLONE", 0, NO_SLOT)
    plan.add("SYNC", 1)
    stub = begin(plan)
    # Either of the two can be faster.
    messages = {message.kind: message for message in (stub.receive(), stub.receive()) if message}
    pid = messages[wire.PID].value
    assert messages[wire.PID].index == 0
    assert messages[wire.SYNC].index == 1
    assert stub.end() == 0
    about = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert int(about[1]) == os.getpid()
    stub.channel.close()
    assert stub.end_of_clone(pid) == 1


def test_clone_that_is_refused(begin: Begin, plan: Plan) -> None:
    plan.add("CLONE", 0x00010000, NO_SLOT)  # CLONE_THREAD alone
    assert begin(plan).failure() == (0, errno.EINVAL)


def test_ready(begin: Begin, plan: Plan) -> None:
    plan.add("START", NO_SLOT)
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.READY)
    stub.go()
    stub.expect(wire.SYNC)


def test_ready_and_nobody_there(begin: Begin, plan: Plan) -> None:
    plan.add("START", NO_SLOT)
    stub = begin(plan)
    stub.expect(wire.READY)
    assert stub.hang_up() == 1


@pytest.fixture
def created(begin: Begin, tmp_path: Path) -> tuple[Stub, str]:
    """Give a stub that waits for its start, without an engine, and the address it waits at."""
    address = str(tmp_path / "start.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen(1)
        plan = Plan()
        plan.add("FD", 0, listener.fileno())
        plan.add("START", 0)
        plan.add("OPEN", 1, str(tmp_path / "made later"))
        plan.add("PROGRAM", (b"/bin/sh",))
        plan.add("EXEC", (b"sh", b"-c", b"echo started"), ())
        stub = begin(plan, listener.fileno())
    stub.expect(wire.READY)
    stub.go()
    assert stub.receive() is None
    return stub, address


def connect(address: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(address)
    client.settimeout(SECONDS)
    return client


Created = tuple[Stub, str]


def test_start(created: Created, tmp_path: Path) -> None:
    stub, address = created
    (tmp_path / "made later").mkdir()
    with connect(address) as client:
        client.send(GO)
        assert client.recv(100) == b""
    assert stub.end() == 0
    assert stub.printed() == "started\n"


def test_start_that_fails_is_told_to_who_started(created: Created) -> None:
    stub, address = created
    with connect(address) as client:
        client.send(GO)
        kind, index, value, _ = wire.MESSAGE.unpack(client.recv(100))
        assert (kind, index, value) == (wire.ERROR, 2, errno.ENOENT)
    assert stub.end() == 1


def test_start_after_one_that_went_away(created: Created, tmp_path: Path) -> None:
    """Whoever was killed between the connection and the word has changed nothing."""
    stub, address = created
    (tmp_path / "made later").mkdir()
    for nonsense in (b"", *WRONG.values()):
        with connect(address) as client:
            if nonsense:
                client.send(nonsense)
    with connect(address) as client:
        client.send(GO)
        assert client.recv(100) == b""
    assert stub.end() == 0
    assert stub.printed() == "started\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_killed_while_it_waits(created: Created, number: signal.Signals) -> None:
    stub, _ = created
    os.kill(stub.pid, number)
    assert stub.end() in (128 + number, -number)


@pytest.mark.root
def test_killed_as_the_first_process_of_a_pid_namespace(
    begin: Begin, plan: Plan, tmp_path: Path
) -> None:
    """Such a process gets no signal without a handler (pid_namespaces(7))."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "start.sock"))
        listener.listen(1)
        plan.add("FD", 0, listener.fileno())
        plan.add("CLONE", 0x20000000, NO_SLOT)
        plan.add("START", 0)
        stub = begin(plan, listener.fileno())
    kinds = [message.kind for message in (stub.receive(), stub.receive()) if message]
    assert sorted(kinds) == [wire.PID, wire.READY]
    assert stub.end() == 0
    stub.go()
    assert stub.receive() is None
    (pid,) = stub.clones
    # It closed the channel just before it set its handlers.
    while not is_gone_after(pid, signal.SIGTERM):
        pass
    assert stub.end_of_clone(pid) == 128 + signal.SIGTERM


def is_gone_after(pid: int, number: signal.Signals) -> bool:
    os.kill(pid, number)
    return is_gone(pid, 0.05)


def test_descriptors_are_exchanged(begin: Begin, plan: Plan) -> None:
    """What the engine sends in answer replaces what the slot had."""
    plan.add("OPEN", 0, "/usr")
    plan.add("EXCHANGE", 7, 0, 1)
    plan.add("EXCHANGE", 8, 1, NO_SLOT)
    stub = begin(plan)
    for point, sent, answer in ((7, "/usr", "/etc"), (8, "/etc", "")):
        message = stub.expect(wire.FD)
        assert (message.value, os.readlink(f"/proc/self/fd/{message.fd}")) == (point, sent)
        os.close(message.fd)
        if answer:
            fd = os.open(answer, os.O_PATH)
            socket.send_fds(stub.channel, [GO], [fd])
            os.close(fd)


def test_exchange_without_an_answer(begin: Begin, plan: Plan) -> None:
    plan.add("EXCHANGE", 7, NO_SLOT, 1)
    stub = begin(plan)
    assert stub.expect(wire.SYNC).value == 7
    stub.go()
    assert stub.failure() == (0, errno.EPROTO)


def test_exchange_and_nobody_to_answer(begin: Begin, plan: Plan) -> None:
    plan.add("EXCHANGE", 7, NO_SLOT, 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    assert stub.hang_up() == 1
