# SPDX-License-Identifier: Apache-2.0
"""HOOK: what a hook gets, what is said of its end, and that it never outlives the stub."""

import errno
import json
import os
import signal
from collections.abc import Iterator

import pytest
from tests.stub.dialogue import Begin, Stub

from ocirun.engine import wire
from ocirun.engine.wire import NO_SLOT, Plan

BEFORE, AFTER = '{"id":"x","pid":', ',"status":"creating"}'
#: of the descriptor that hooks print to
OUTPUT = 0


@pytest.fixture
def output() -> Iterator[int]:
    fd = os.memfd_create("hooks")
    yield fd
    os.close(fd)


def add(plan: Plan, script: str, *, limit_ms: int = 0, env: tuple[bytes, ...] = ()) -> None:
    argv = (b"sh", b"-c", script.encode(), b"zero", b"one two")
    plan.add("HOOK", "/bin/sh", argv, env, BEFORE, AFTER, limit_ms, OUTPUT)


def begin_with(begin: Begin, output: int, script: str, limit_ms: int = 0) -> Stub:
    plan = Plan()
    plan.add("FD", OUTPUT, output)
    add(plan, script, limit_ms=limit_ms)
    plan.add("SYNC", 1)
    return begin(plan, output)


def said(output: int) -> str:
    return os.pread(output, 65536, 0).decode()


def test_what_it_gets(begin: Begin, output: int, plan: Plan) -> None:
    plan.add("FD", OUTPUT, output)
    add(plan, 'cat; echo; echo "$0 $1"; echo $PPID; env', env=(b"A=1", b"B=2"))
    plan.add("SYNC", 1)
    stub = begin(plan, output)
    stub.expect(wire.SYNC)
    document, words, parent, *environment = said(output).splitlines()
    assert json.loads(document) == {"id": "x", "pid": stub.pid, "status": "creating"}
    assert words == "zero one two"
    assert parent == str(stub.pid)
    assert {"A=1", "B=2"} <= set(environment)
    assert not any(entry.startswith(("ASAN_OPTIONS", "PATH")) for entry in environment)


def test_it_inherits_only_three_files(begin: Begin, output: int) -> None:
    script = "for fd in $(/usr/bin/seq 0 99); do test -e /proc/$$/fd/$fd && echo $fd; done; true"
    begin_with(begin, output, script).expect(wire.SYNC)
    assert said(output).split() == ["0", "1", "2"]


def test_one_that_reads_nothing_and_prints_much(begin: Begin, output: int) -> None:
    stub = begin_with(begin, output, "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2")
    stub.expect(wire.SYNC)
    assert os.fstat(output).st_size == 600000


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("echo why >&2; exit 3", 3 << 8),
        ("echo why; kill -9 $$", signal.SIGKILL),
        ("echo why; kill -TERM $$", signal.SIGTERM),
        ("echo why; exec /nothing", 127 << 8),
    ],
)
def test_one_that_fails(begin: Begin, output: int, script: str, status: int) -> None:
    stub = begin_with(begin, output, script)
    message = stub.expect(wire.ERROR)
    assert (message.index, message.value, message.text) == (1, errno.ECHILD, str(status))
    assert os.pread(message.fd, 100, 0).startswith(b"why")
    os.close(message.fd)
    assert stub.end() == 1


@pytest.mark.parametrize("path", ["/nothing", "/etc", "/etc/passwd", ""])
def test_one_that_cannot_be_executed(begin: Begin, path: str, plan: Plan) -> None:
    plan.add("HOOK", path, (b"x",), (), BEFORE, AFTER, 0, NO_SLOT)
    message = begin(plan).expect(wire.ERROR)
    assert (message.value, message.text, message.fd) == (errno.ECHILD, str(127 << 8), -1)


def test_time_limit(begin: Begin, output: int) -> None:
    stub = begin_with(begin, output, "echo $$; exec sleep 1000", limit_ms=300)
    assert stub.failure() == (1, errno.ETIMEDOUT)
    assert not os.path.exists(f"/proc/{int(said(output))}")
    assert stub.end() == 1


@pytest.mark.parametrize("limit_ms", [60_000, 3_000_000_000, 1 << 45])
def test_time_limit_of_days(begin: Begin, output: int, limit_ms: int) -> None:
    """Once cut to 32 bits, 35 days became less than nothing, and the hook was killed."""
    stub = begin_with(begin, output, "exit 0", limit_ms=limit_ms)
    assert stub.expect(wire.SYNC).index == 2


def test_killed_with_the_engine(begin: Begin) -> None:
    theirs = os.pipe()
    stub = begin_with(begin, theirs[1], "echo $$; exec sleep 1000")
    os.close(theirs[1])
    pid = int(os.read(theirs[0], 100))
    assert stub.hang_up() == 1
    # Nobody has the other end any more: neither the stub nor the hook.
    assert os.read(theirs[0], 100) == b""
    os.close(theirs[0])
    assert not os.path.exists(f"/proc/{pid}")
