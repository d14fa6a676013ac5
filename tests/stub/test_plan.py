# SPDX-License-Identifier: Apache-2.0
"""A plan that is not one is refused with EPROTO, and nothing in it becomes a wild pointer."""

import errno
import os
import random
import time
from collections.abc import Callable
from struct import pack, pack_into, unpack

import pytest
from tests.stub.dialogue import Begin

from ocirun.engine import wire
from ocirun.engine.wire import NO_SLOT, Plan

HEADER = 24
TOP = 1 << 64


def header(size: int, ops: int) -> bytes:
    return pack("<6I", wire.MAGIC, wire.VERSION, size, ops, wire.NEVER, 0)


def raw(*operations: tuple[int, tuple[int, ...]], tail: bytes = b"text\0\0\0\0") -> bytes:
    """Encode operations with arguments that Plan would not write."""
    body = b"".join(
        pack(f"<II{len(args)}Q", code, len(args), *(arg % TOP for arg in args))
        for code, args in operations
    )
    return header(HEADER + len(body) + len(tail), len(operations)) + body + tail


def one(name: str, *args: int) -> bytes:
    return raw((wire.OPERATIONS[name][0], args))


def good() -> bytearray:
    plan = Plan()
    plan.add("UMASK", 0o22)
    plan.add("SETSID")
    return bytearray(plan.encode())


def changed(offset: int, value: int) -> bytes:
    data = good()
    pack_into("<I", data, offset, value)
    return bytes(data)


WRONG = {
    "empty": b"",
    "half a header": bytes(good()[:12]),
    "magic": changed(0, wire.MAGIC + 1),
    "version": changed(4, wire.VERSION + 1),
    "size too small": changed(8, len(good()) - 8),
    "size too large": changed(8, len(good()) + 8),
    "truncated": bytes(good()[:-8]),
    "no NUL at the end": bytes(good()[:-1]) + b"x",
    "more operations than there are": changed(12, 3),
    "all operations there can be": changed(12, 0xFFFFFFFF),
    "no operation": header(HEADER + 8, 0) + bytes(8),
    "only a header": header(HEADER, 0),
    "operation 0": raw((0, ())),
    "operation unknown": raw((max(n for n, _ in wire.OPERATIONS.values()) + 1, ())),
    "operation huge": raw((0xFFFFFFFF, ())),
    "argument too few": raw((wire.OPERATIONS["CHDIR"][0], (0,))),
    "argument too many": raw((wire.OPERATIONS["SETSID"][0], (0,))),
    "arguments without end": header(HEADER + 16, 1) + pack("<II", 7, 0xFFFFFFFF) + bytes(8),
    "does not end with an exec": one("UMASK", 0o22),
}


@pytest.mark.parametrize("case", WRONG)
def test_refused(begin: Begin, case: str) -> None:
    stub = begin(WRONG[case])
    assert stub.failure()[1] == errno.EPROTO
    assert stub.end() == 1


#: where no text can be: the last two would overflow a sum
NOWHERE = (0, 0x7FFFFFFF, 1 << 32, 1 << 63, TOP - 1, TOP - 8)

#: operations that take a text, with everything else in order
TEXTS: dict[str, Callable[[int], bytes]] = {
    "OPEN": lambda at: one("OPEN", 0, at),
    "OPEN_TREE": lambda at: one("OPEN_TREE", 0, at, 0),
    "FSOPEN": lambda at: one("FSOPEN", 0, at),
    "FSCONFIG": lambda at: one("FSCONFIG", 0, at, 0),
    "WRITE_AT": lambda at: one("WRITE_AT", 0, at, at),
    "READ_AT": lambda at: one("READ_AT", 0, at, 0),
    "CHDIR": lambda at: one("CHDIR", at, 0),
    "MKDIR": lambda at: one("MKDIR", 0, at),
    "KEYRING": lambda at: one("KEYRING", at, 0),
    "GROUPS": lambda at: one("GROUPS", 1, at),
    "SECCOMP": lambda at: one("SECCOMP", 0, at, 1, 0),
    "PROGRAM": lambda at: one("PROGRAM", at),
    "EXEC": lambda at: one("EXEC", at, at),
    "HOOK": lambda at: one("HOOK", at, at, at, at, at, 0, NO_SLOT),
    "HOME": lambda at: one("HOME", 1, at or TOP - 16),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("offset", NOWHERE)
def test_offset_outside(begin: Begin, name: str, offset: int) -> None:
    """An offset close to 2**64 once passed for one inside, as its end was computed by a sum."""
    stub = begin(TEXTS[name](offset))
    assert stub.failure() == (0, errno.EPROTO)
    assert stub.end() == 1


@pytest.mark.parametrize("offset", NOWHERE[1:])
def test_text_of_a_call_outside(begin: Begin, offset: int) -> None:
    stub = begin(one("HOSTNAME", offset, 1))
    assert stub.failure() == (0, errno.EPROTO)
    assert stub.end() == 1


def test_a_call_without_its_text(begin: Begin) -> None:
    """Offset 0 is a null pointer, which the kernel knows how to refuse."""
    stub = begin(one("AFFINITY", 0, 8, 0))
    assert stub.failure() == (0, errno.EFAULT)


@pytest.mark.parametrize("name", ["RESOLVE", "TARGET", "MKNOD", "SYMLINK"])
def test_path_outside(begin: Begin, name: str) -> None:
    code, count = wire.OPERATIONS[name]
    args = dict.fromkeys(range(count), TOP - 1)
    args[0 if name in ("MKNOD", "SYMLINK") else 1] = 0
    opened = (wire.OPERATIONS["OPEN"][0], (0, HEADER + 24 + 8 + 8 * count))
    stub = begin(raw(opened, (code, tuple(args[i] for i in range(count))), tail=b"/\0\0\0\0\0\0\0"))
    assert stub.failure() == (1, errno.EPROTO)
    assert stub.end() == 1


def table(*entries: int, at: int = 0) -> bytes:
    """PROGRAM with a table of its own; `at` moves the offset away from the table."""
    start = HEADER + 16
    body = pack(f"<{len(entries)}Q", *(entry % TOP for entry in entries))
    code = wire.OPERATIONS["PROGRAM"][0]
    return raw((code, (start + at,)), tail=body)


TABLES = {
    "without an end": table(HEADER, HEADER),
    "entry outside": table(1 << 40, 0),
    "entry just outside": table(HEADER + 16 + 16, 0),
    "entry negative": table(-2, 0),
    "not aligned": table(HEADER, 0, at=4),
    "behind the end": table(HEADER, 0, at=16),
    "half behind the end": table(HEADER, 0, at=12),
}


@pytest.mark.parametrize("case", TABLES)
def test_table(begin: Begin, case: str) -> None:
    stub = begin(TABLES[case])
    assert stub.failure() == (0, errno.EPROTO)
    assert stub.end() == 1


def test_table_is_read_twice(begin: Begin, plan: Plan) -> None:
    """What an earlier operation turned into pointers is taken as such by the next one."""
    args = (b"/bin/true", b"x")
    plan.add("PROGRAM", args)
    plan.add("EXEC", args, args)
    stub = begin(plan)
    assert stub.receive() is None
    assert stub.end() == 0


def test_filter_longer_than_its_length_can_say(begin: Begin, plan: Plan) -> None:
    """sock_fprog.len has 16 bits: of 65537 instructions only the first was once loaded."""
    allow = pack("<HBBI", 6, 0, 0, 0x7FFF0000)
    plan.add("PRCTL", 38, 1, 0)
    plan.add("SECCOMP", 0, allow * 65537, 65537, 5)
    stub = begin(plan)
    assert stub.failure() == (1, errno.EINVAL)
    assert stub.end() == 1


@pytest.mark.parametrize("slot", [wire.SLOTS, 1 << 32, TOP - 1])
@pytest.mark.parametrize("name", ["OPEN", "TARGET", "FD"])
def test_slot_out_of_range(begin: Begin, name: str, slot: int, plan: Plan) -> None:
    plan.add("OPEN", 0, "/")
    if name == "TARGET":
        plan.add("TARGET", slot, 0, "/proc", NO_SLOT, 4)
    else:
        plan.add(name, slot, "/" if name == "OPEN" else 0)
    stub = begin(plan)
    assert stub.failure() == (1, errno.EPROTO)
    assert stub.end() == 1


def test_failure_on_demand(begin: Begin, plan: Plan) -> None:
    for _ in range(4):
        plan.add("CLOSE", 0)
    stub = begin(plan, fail_at=2)
    assert stub.failure() == (2, errno.EIO)
    assert stub.end() == 1


def test_what_may_fail(begin: Begin, plan: Plan) -> None:
    for _ in range(2):
        plan.attempt("CHDIR", "/none", 0)
    plan.add("SYNC", 7)
    plan.add("CHDIR", "/none", 0)
    stub = begin(plan)
    assert stub.expect(wire.SYNC).value == 7
    stub.go()
    assert stub.failure() == (3, errno.ENOENT)
    assert stub.end() == 1


@pytest.mark.parametrize("word", ["", "x", "-1", "1x", "9999999999", "99999999999999999999"])
def test_arguments_that_are_no_descriptors(program: str, word: str) -> None:
    for argv in ([word, "1"], ["1", word], [], ["1"], ["1", "1", "1"]):
        assert os.spawnv(os.P_WAIT, program, [program, *argv]) == 2


#: with these, random arguments could do more than fail
HARMFUL = {"CLONE", "PRCTL", "SECCOMP", "UNSHARE", "HOOK", "EXEC"}
FUZZED = sorted(set(wire.OPERATIONS) - HARMFUL)


@pytest.mark.root
@pytest.mark.parametrize("seed", range(4))
def test_random_arguments_never_crash(begin: Begin, seed: int) -> None:
    """As a user without rights: what is not refused at once can do no harm."""
    choose = random.Random(seed)
    interesting = [0, 1, 2, 3, 8, 24, 56, 64, 72, 80, 88, 4096, 65536, 1 << 31, (1 << 32) - 1]
    interesting += [1 << 32, 1 << 62, (1 << 62) + 1, 1 << 63, TOP - 8, TOP - 2, TOP - 1]
    tail = b"/proc/self/fd\0\0\0" + pack("<4Q", 40, 48, TOP - 1, 0) + b"\0" * 8
    for name in FUZZED:
        code, count = wire.OPERATIONS[name]
        step = (code, tuple(choose.choice(interesting) for _ in range(count)))
        opened = (wire.OPERATIONS["OPEN"][0], (0, HEADER + 24 + 8 + 8 * count))
        stub = begin(raw(opened, step, tail=tail), before=lose_rights)
        stub.channel.close()
        assert stub.end() in (0, 1), (name, step)


def lose_rights() -> None:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def test_records_of_time(begin: Begin) -> None:
    """Index and time of each operation, also of the one that fails."""
    plan = Plan()
    plan.add("UMASK", 0o22)
    plan.add("UMASK", 0o22)
    plan.add("FCHDIR", 0)
    plan.trace = os.memfd_create("trace")
    stub = begin(plan, plan.trace)
    assert stub.failure() == (2, errno.EBADF)
    data = os.pread(plan.trace, 1000, 0)
    os.close(plan.trace)
    records = [unpack("<qqq", data[at : at + 24]) for at in range(0, len(data), 24)]
    assert [index for index, _, _ in records] == [0, 1, 2]
    times = [seconds * 10**9 + rest for _, seconds, rest in records]
    assert times == sorted(times)
    assert abs(time.time_ns() - times[0]) < 60 * 10**9
