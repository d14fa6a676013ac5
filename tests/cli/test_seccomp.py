# SPDX-License-Identifier: Apache-2.0
"""Filters in containers: what the kernel does with each action, operator, flag and architecture.

A small static program makes the system calls; tests/linux/test_seccomp.py asks the compiled
programs about all the others.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import append, both, put, refused
from tests.cli.sections import Section, allow_only, on
from tests.ptrace import seccomp_filter, seccomp_flags

from ocirun.engine import seccomp_profile
from ocirun.linux import seccomp

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="an x86_64 machine"),
    pytest.mark.leaves("state"),  # the filters, compiled, for the next container
]

EPERM, EBADF, ENOSYS = 1, 9, 38
#: calls that nobody needs here: with the descriptor -1 the kernel's own answer is EBADF
READAHEAD, FSYNC, ACCT, MKDIR = 187, 74, 163, 83
X32 = 0x40000000
KILLED = 128 + 31  # by SIGSYS

ALL_ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


class Probe:
    """Runs the program under a filter."""

    def __init__(self, command: "Command", bundle: "Bundles", name: str, program: Path) -> None:
        self.command = command
        self.bundle = bundle
        self.name = name
        shutil.copy(program, bundle.rootfs / "probe")

    def __call__(
        self,
        section: Section,
        *words: object,
        code: int = 0,
        changes: "tuple[Change, ...]" = (),
        program: str = "/probe",
    ) -> list[str]:
        """Give the lines that it prints."""
        change = both(put(linux__seccomp=section), *changes)
        path = self.bundle(program, *(str(word) for word in words), change=change)
        done = self.command("run", "-b", str(path), self.name)
        assert (done.returncode, done.stderr) == (code, "")
        return done.stdout.split("\n")[:-1]

    def numbers(self, section: Section, *calls: object) -> list[int]:
        """Make calls, and give their results."""
        return [int(line) for line in self(section, "call", *calls)]


@pytest.fixture
def run(command: "Command", bundle: "Bundles", name: str, probe: Path) -> Probe:
    return Probe(command, bundle, name, probe)


# --- Actions ---


def test_errno(run: Probe) -> None:
    call = f"{READAHEAD},-1"
    assert run.numbers(on("fsync", "SCMP_ACT_ERRNO"), call) == [-EBADF]
    assert run.numbers(on("readahead", "SCMP_ACT_ERRNO"), call) == [-EPERM]
    for number in (0, 2, 4094):
        assert run.numbers(on("readahead", "SCMP_ACT_ERRNO", errnoRet=number), call) == [-number]


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD"])
def test_kill_thread(run: Probe, action: str) -> None:
    section = on("acct", action)
    assert run(section, "thread", ACCT, FSYNC) == [
        "the other thread was killed",
        "the other thread came back",
    ]
    assert run(section, "call", ACCT, code=KILLED) == []


def test_kill_process(run: Probe) -> None:
    section = on("acct", "SCMP_ACT_KILL_PROCESS")
    assert run(section, "thread", FSYNC, ACCT, code=KILLED) == ["the other thread came back"]


def test_trap(run: Probe) -> None:
    (line,) = run(on("acct", "SCMP_ACT_TRAP"), "trap", ACCT)
    assert line == f"SIGSYS code 1 errno 0 syscall {ACCT}"  # SYS_SECCOMP
    assert run(on("acct", "SCMP_ACT_TRAP"), "call", ACCT, code=KILLED) == []


def test_trace(run: Probe) -> None:
    assert run(on("acct", "SCMP_ACT_TRACE", errnoRet=4242), "trace", ACCT) == ["event 4242"]
    assert run(on("acct", "SCMP_ACT_TRACE"), "trace", ACCT) == ["event 1"]
    # Nobody traces: the kernel refuses by itself.
    assert run.numbers(on("acct", "SCMP_ACT_TRACE"), ACCT) == [-ENOSYS]


@pytest.fixture
def kernel_log() -> Iterator[int]:
    """Give the kernel's log, from here on."""
    try:
        fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        pytest.skip(f"/dev/kmsg: {error}")
    os.lseek(fd, 0, os.SEEK_END)
    yield fd
    os.close(fd)


def test_log(run: Probe, kernel_log: int) -> None:
    assert run.numbers(on("readahead", "SCMP_ACT_LOG"), f"{READAHEAD},-1") == [-EBADF]
    said = []
    try:
        while True:
            said.append(os.read(kernel_log, 8192).decode())
    except BlockingIOError:
        pass
    # AUDIT_SECCOMP, SECCOMP_RET_LOG
    lines = [line for line in said if "type=1326" in line and 'comm="probe"' in line]
    if not any("type=1326" in line for line in said):
        pytest.skip("lines of audit(8) in the kernel's log (CONFIG_AUDIT, and no auditd)")
    assert any(f"syscall={READAHEAD} " in line and "code=0x7ffc0000" in line for line in lines)


def test_allow_and_the_default(run: Probe) -> None:
    calls = (f"{READAHEAD},-1", f"{FSYNC},-1")
    assert run.numbers(allow_only("fsync"), *calls) == [-EPERM, -EBADF]
    assert run.numbers(allow_only("fsync", defaultErrnoRet=6), *calls) == [-6, -EBADF]


@pytest.mark.parametrize("errno", [None, 6, ENOSYS])
def test_what_is_newer_than_the_profile(run: Probe, errno: int | None) -> None:
    """A C library tries new calls first, and takes any errno but ENOSYS for a refusal."""
    more = {} if errno is None else {"defaultErrnoRet": errno}
    # The largest number in the profile is rseq's, 334; statx is 332.
    found = run.numbers(allow_only(**more), 332, 424, 451, 999)
    assert found == [-(errno or EPERM), -ENOSYS, -ENOSYS, -ENOSYS]
    # A permissive profile leaves it to the kernel; for 9999 that says the same.
    assert run.numbers(on("acct", "SCMP_ACT_ERRNO"), 9999) == [-ENOSYS]
    kill = {**allow_only(), "defaultAction": "SCMP_ACT_KILL_PROCESS"}
    assert run.numbers(kill, 999) == [-ENOSYS]
    assert run(kill, "call", 332, code=KILLED) == []


# --- Conditions ---

BIG = 0x1_0000_0010
#: operator -> values of the argument to which it applies, and others
OPERATORS: "dict[str, tuple[list[int], list[int]]]" = {
    "SCMP_CMP_NE": ([BIG - 1, BIG + 1, 0x10, 0], [BIG]),
    "SCMP_CMP_LT": ([BIG - 1, 0x11, 0], [BIG, BIG + 1, 1 << 63]),
    "SCMP_CMP_LE": ([BIG - 1, BIG, 0x11], [BIG + 1, 1 << 63]),
    "SCMP_CMP_EQ": ([BIG], [BIG - 1, BIG + 1, 0x10]),
    "SCMP_CMP_GE": ([BIG, BIG + 1, 1 << 63], [BIG - 1, 0x11]),
    "SCMP_CMP_GT": ([BIG + 1, 1 << 63], [BIG, BIG - 1, 0x11]),
    # The bits of the value are looked at, and have to be those of valueTwo.
    "SCMP_CMP_MASKED_EQ": ([0x10, 0x1F, 0xF_0000_0010 - (1 << 32)], [BIG, 0, 1 << 32]),
}


@pytest.mark.parametrize("op", OPERATORS)
def test_operators(run: Probe, op: str) -> None:
    argument = {"index": 1, "op": op, "value": BIG}
    if op == "SCMP_CMP_MASKED_EQ":
        argument["valueTwo"] = 0x10
    section = on("readahead", "SCMP_ACT_ERRNO", args=[argument])
    hits, misses = OPERATORS[op]
    found = run.numbers(section, *(f"{READAHEAD},-1,{value}" for value in hits + misses))
    assert found == [-EPERM] * len(hits) + [-EBADF] * len(misses)


def test_all_operators_are_tested() -> None:
    assert sorted(OPERATORS) == seccomp_profile.operators()


def test_conditions_on_several_arguments_must_all_hold(run: Probe) -> None:
    arguments = [{"index": at, "op": "SCMP_CMP_EQ", "value": at + 4} for at in range(1, 6)]
    section = on("readahead", "SCMP_ACT_ERRNO", args=arguments)
    calls = ("5,6,7,8,9", "5,6,7,8,8", "4,6,7,8,9", "5,6,0,8,9")
    found = run.numbers(section, *(f"{READAHEAD},-1,{call}" for call in calls))
    assert found == [-EPERM, -EBADF, -EBADF, -EBADF]


def test_conditions_on_one_argument_hold_one_by_one(run: Probe) -> None:
    arguments = [{"index": 1, "op": "SCMP_CMP_EQ", "value": value} for value in (5, 6)]
    section = on("readahead", "SCMP_ACT_ERRNO", args=arguments)
    found = run.numbers(section, *(f"{READAHEAD},-1,{value}" for value in (5, 6, 7)))
    assert found == [-EPERM, -EPERM, -EBADF]


def test_rules_for_one_call(run: Probe) -> None:
    rules = [
        {
            "names": ["readahead"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": value,
            "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": value}],
        }
        for value in (60, 61)
    ]
    # That the default is said once more, and what no kernel has, is no error.
    rules += [{"names": ["fsync", "read", "no_such_call"], "action": "SCMP_ACT_ALLOW"}]
    rules += [{"names": ["also_none"], "action": "SCMP_ACT_KILL"}]
    section: Section = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}
    calls = [f"{READAHEAD},-1,{value}" for value in (60, 61, 62)]
    assert run.numbers(section, *calls, f"{FSYNC},-1") == [-60, -61, -EBADF, -EBADF]


# --- Architectures ---


def test_architectures(run: Probe) -> None:
    section = on("mkdir", "SCMP_ACT_ERRNO", errnoRet=60)
    every = {**section, "architectures": ALL_ARCHITECTURES}
    # 39 is mkdir of i386.
    assert run(every, "i386", 39) == ["-60"]
    assert run(every, "call", MKDIR, X32 | MKDIR) == ["-60", "-60"]
    for architectures in ([], ["SCMP_ARCH_X86_64"], ["SCMP_ARCH_AARCH64"]):
        # The native one is always there, others are not: a call of theirs kills.
        own = {**section, "architectures": architectures}
        assert run(own, "call", MKDIR) == ["-60"]
        assert run(own, "i386", 39, code=KILLED) == []
        assert run(own, "call", X32 | MKDIR, code=KILLED) == []


#: the kernel has no filter for them and a little-endian machine
BIG_ENDIAN = {f"SCMP_ARCH_{name}" for name in "MIPS MIPS64 MIPS64N32 PPC PPC64 S390 S390X".split()}


@pytest.mark.parametrize("architecture", seccomp_profile.architectures())
def test_every_architecture(run: Probe, architecture: str) -> None:
    section = on("mkdir", "SCMP_ACT_ERRNO", errnoRet=60)
    section["architectures"] = [architecture]
    if architecture == "SCMP_ARCH_LOONGARCH64" and seccomp.library_version() < (2, 6, 0):
        pytest.skip("libseccomp 2.6.0")
    if architecture not in BIG_ENDIAN:
        assert run.numbers(section, MKDIR) == [-60]
        return
    path = run.bundle("true", change=put(linux__seccomp=section))
    name = architecture.removeprefix("SCMP_ARCH_").lower()
    words = (f"compile linux.seccomp: {name}: ", "its byte order is not that of this machine")
    refused(run.command("run", "-b", str(path), run.name), *words)


# --- Flags ---

FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 0,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
}


@pytest.mark.parametrize("flags", [None, [], *([name] for name in FLAGS), list(FLAGS)])
def test_flags(run: Probe, look: "Look", command: "Command", flags: list[str] | None) -> None:
    section = on("mkdir", "SCMP_ACT_ERRNO", errnoRet=60)
    if flags is not None:
        section["flags"] = flags
    bits = 4 if flags is None else sum(FLAGS[name] for name in flags)
    assert run.numbers(section, MKDIR) == [-60]
    path = look.bundle("true", change=put(linux__seccomp=section))
    said = command("--debug", "run", "-b", str(path), look.name).stderr
    assert f'msg="seccomp filter flags: {bits}"' in said
    pid = look.start(put(linux__seccomp=section))
    assert seccomp_flags(pid) == bits & 2
    look.end()


def test_all_flags_are_tested() -> None:
    notified = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"  # in test_seccomp_notify.py
    assert {*FLAGS, notified} == set(seccomp_profile.flags())


# --- When it is loaded ---


@pytest.mark.parametrize("sealed", [True, False])
def test_a_user_without_rights_gets_it_too(run: Probe, sealed: bool) -> None:  # noqa: FBT001
    changes = (
        put(process__noNewPrivileges=sealed, process__user={"uid": 1000, "gid": 1000}),
        lambda spec: spec["process"].pop("capabilities"),
    )
    section = on("mkdir", "SCMP_ACT_ERRNO", errnoRet=60)
    assert run(section, "call", MKDIR, changes=changes) == ["-60"]


def test_our_own_calls_come_before_it(run: Probe) -> None:
    """With noNewPrivileges only execve(2) and what hands over the start come after it."""
    section = allow_only(defaultErrnoRet=6)
    assert run.numbers(section, f"{FSYNC},-1") == [-6]
    ours = "capset prctl setuid setgid setresuid setgroups chdir umask fchown openat close_range"
    rule = {"names": ours.split(), "action": "SCMP_ACT_KILL_PROCESS"}
    section = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    assert run.numbers(section, f"{FSYNC},-1") == [-EBADF]


@pytest.mark.parametrize("sealed", [True, False])
def test_what_the_config_asks_for_comes_before_it(run: Probe, sealed: bool) -> None:  # noqa: FBT001
    """A filter may forbid the very calls by which we do as we are asked."""
    names = "personality ioprio_set sched_setattr set_mempolicy setrlimit keyctl sched_setaffinity"
    section = on("acct", "SCMP_ACT_ERRNO")
    section["syscalls"] = [{"names": names.split(), "action": "SCMP_ACT_KILL_PROCESS"}]
    changes = (
        put(process__noNewPrivileges=sealed),
        put(linux__personality={"domain": "LINUX32"}),
        put(process__ioPriority={"class": "IOPRIO_CLASS_IDLE", "priority": 7}),
        put(process__scheduler={"policy": "SCHED_BATCH", "nice": 5}),
        put(process__rlimits=[{"type": "RLIMIT_NOFILE", "soft": 33, "hard": 33}]),
    )
    shell = ("-c", "cd /proc/self; uname -m; cut -d ' ' -f 19 stat; grep -o '33 .* files' limits")
    assert run(section, *shell, changes=changes, program="/bin/sh") == [
        "i686",
        "5",
        f"{33:<21}{33:<21}files",
    ]


def test_a_start_container_hook_runs_under_it(look: "Look", probe: Path) -> None:
    shutil.copy(probe, look.bundle.rootfs / "probe")
    hook = {"path": "/probe", "args": ["probe", "call", str(ACCT)]}
    change = both(
        append(hooks__startContainer=hook), put(linux__seccomp=on("acct", "SCMP_ACT_KILL"))
    )
    done = look.command("run", "-b", str(look.bundle("true", change=change)), look.name)
    refused(done, "error running startContainer hook #0: /probe: signal 31: bad system call")


def test_exec_loads_it_too(look: "Look", probe: Path) -> None:
    shutil.copy(probe, look.bundle.rootfs / "probe")
    pid = look.start(put(linux__seccomp=on("mkdir", "SCMP_ACT_ERRNO", errnoRet=60)))
    assert look.command("exec", look.name, "/probe", "call", str(MKDIR)).stdout == "-60\n"
    assert len(seccomp_filter(pid)) > 0
    with pytest.raises(FileNotFoundError):
        seccomp_filter(pid, 1)
    look.end()


# --- What `features` promises ---


def test_features_list_what_is_tested(command: "Command") -> None:
    found = json.loads(command("features").stdout)["linux"]["seccomp"]
    tested = "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP"
    assert found["enabled"] is True
    assert found["actions"] == [f"SCMP_ACT_{name}" for name in tested.split()]
    assert found["operators"] == sorted(OPERATORS)
    assert sorted(found["archs"]) == seccomp_profile.architectures()
    assert set(found["knownFlags"]) == {*FLAGS, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}
    assert set(found["supportedFlags"]) <= set(found["knownFlags"])
