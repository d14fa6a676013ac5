# SPDX-License-Identifier: Apache-2.0
"""Our filter against the one that an installed runc loads for the same section.

Both run the same bundle, and both filters are read back from the kernel with ptrace(2), so
each is what really holds in its container.  Then each is asked about every system call.
"""

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bpf import CLASS_MASK, JMP, Machine
from tests.profiles import CAPABILITIES, PROFILES, profile, resolve
from tests.ptrace import seccomp_filter

from ocirun.linux import seccomp
from ocirun.linux.seccomp_enosys import AUDIT_ARCH_X86_64, TOKEN_X32, X32_SYSCALL_BIT
from ocirun.spec.model import Seccomp, SeccompArg

libseccomp = pytest.importorskip("ocirun.linux.libseccomp")

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("runc") is None, reason="runc"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="an x86_64 machine"),
]

I386 = 0x40000003
AARCH64 = 0xC00000B7
#: libseccomp's name for an architecture -> what the kernel calls it
ARCHITECTURES = {AUDIT_ARCH_X86_64: AUDIT_ARCH_X86_64, I386: I386, TOKEN_X32: AUDIT_ARCH_X86_64}
WORD = (1 << 32) - 1
LAST = (1 << 64) - 1

# Enough for a runtime to get to sleep(1), and for sleep to sleep.
NEEDED = """
    access arch_prctl brk capget capset chdir clock_gettime clock_nanosleep clone clone3 close
    close_range dup dup3 epoll_create1 epoll_ctl epoll_pwait eventfd2 execve exit exit_group
    faccessat2 fchdir fchown fcntl fstat fstatfs futex getdents64 getgid getpid getppid
    getrandom gettid getuid ioctl kill lseek madvise mmap mprotect munmap nanosleep newfstatat
    openat openat2 pipe2 prctl pread64 prlimit64 read readlinkat rseq rt_sigaction
    rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield seccomp set_robust_list
    set_tid_address setgid setgroups setresgid setresuid setuid sigaltstack statfs statx tgkill
    umask write
"""

SECTION: Seccomp = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "syscalls": [
        {"names": NEEDED.split(), "action": "SCMP_ACT_ALLOW"},
        {"names": ["ptrace"], "action": "SCMP_ACT_TRAP"},
        {"names": ["acct", "sync"], "action": "SCMP_ACT_LOG"},
        {"names": ["mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 30},
        {
            "names": ["personality"],
            "action": "SCMP_ACT_ALLOW",
            "args": [
                {"index": 0, "value": 8, "op": "SCMP_CMP_EQ"},
                {"index": 0, "value": 0xFFFFFFFF, "op": "SCMP_CMP_EQ"},
            ],
        },
        {
            "names": ["socket"],
            "action": "SCMP_ACT_ALLOW",
            "args": [
                {"index": 0, "value": 1, "op": "SCMP_CMP_NE"},
                {"index": 1, "value": 0xF, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"},
                {"index": 2, "value": (1 << 33) + 5, "op": "SCMP_CMP_LT"},
            ],
        },
    ],
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Make a bundle that sleeps, with the host's /usr as its programs."""
    rootfs = tmp_path / "rootfs"
    for name in ("usr", "proc", "dev", "sys"):
        (rootfs / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (rootfs / name).symlink_to(f"usr/{name}")
    subprocess.run(["runc", "spec"], cwd=tmp_path, check=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config["process"]["terminal"] = False
    # The line tells that the filter, which is loaded just before exec, is there.
    config["process"]["args"] = ["/usr/bin/sh", "-c", "echo ready; exec sleep 300"]
    config["mounts"].append(
        {"destination": "/usr", "source": "/usr", "type": "bind", "options": ["rbind", "ro"]}
    )
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def loaded(runtime: str, bundle: Path, section: Seccomp) -> bytes:
    """Run a container with this section, and read the filter of its process back."""
    config = json.loads((bundle / "config.json").read_text())
    config["linux"]["seccomp"] = section
    (bundle / "config.json").write_text(json.dumps(config))
    name = f"seccomp-peer-{os.getpid()}"
    command = [runtime, "--root", str(bundle / "state")]
    pid_file = bundle / "pid"
    run = [*command, "run", "-d", "--pid-file", str(pid_file), "-b", str(bundle), name]
    reader, writer = os.pipe()
    errors = bundle / "errors"
    with errors.open("w") as stderr, open(reader) as lines, open(writer, "w") as stdout:
        done = subprocess.run(
            run, check=False, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        stdout.close()
        try:
            assert done.returncode == 0, errors.read_text()
            assert lines.readline() == "ready\n", errors.read_text()
            return seccomp_filter(int(pid_file.read_text()))
        finally:
            subprocess.run([*command, "delete", "-f", name], check=True)


def values(argument: SeccompArg) -> set[int]:
    """What a comparison may tell apart, and what is next to it."""
    value, two = argument["value"], argument.get("valueTwo", 0)
    found = {value, two, value | two, value ^ LAST, value & WORD, value >> 32, two | 0xFF}
    found |= {value & -value, value | 1 << 32, value | 1 << 63}
    return {near & LAST for one in found for near in (one - 1, one, one + 1)} | {0, LAST}


def interesting(section: Seccomp) -> dict[str, list[tuple[int, ...]]]:
    """For each system call whose arguments the section looks at: those to ask about."""
    places: dict[str, dict[int, set[int]]] = {}
    for entry in section["syscalls"]:
        for argument, name in itertools.product(entry.get("args") or (), entry["names"]):
            wanted = places.setdefault(name, {}).setdefault(argument.get("index", 0), {0, LAST})
            wanted |= values(argument)
    return {
        name: list(itertools.product(*(sorted(wanted.get(at, {0})) for at in range(6))))
        for name, wanted in places.items()
    }


def constants(program: bytes) -> set[int]:
    """With what a program compares: between two of them it cannot tell numbers apart."""
    machine = Machine(program)
    return {k for code, _, _, k in machine.instructions if code & CLASS_MASK == JMP}


def questions(section: Seccomp, *programs: bytes) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Every architecture, number and arguments about which two filters could disagree."""
    numbers = {*range(601), 1024, 0x7FFFFFFF, WORD}
    for program in programs:
        numbers |= {near & WORD for k in constants(program) for near in (k - 1, k, k + 1)}
    numbers |= {number ^ X32_SYSCALL_BIT for number in numbers}
    lists: list[tuple[int, ...]] = [(), (LAST,) * 6, (1, 2, 3, 4, 5, 6)]
    for architecture in (AUDIT_ARCH_X86_64, I386, AARCH64, 0):
        for number in sorted(numbers):
            for given in lists:
                yield architecture, number, given
    library = libseccomp.Library()
    for name, lists in interesting(section).items():
        for token, architecture in ARCHITECTURES.items():
            number = int(library.syscall_number(name, token)) & WORD
            for given in lists:
                yield architecture, number, given


def compare(section: Seccomp, ours: bytes, theirs: bytes) -> tuple[list[str], set[int]]:
    """Ask both programs; give the different answers, and all answers that there were."""
    our, their = Machine(ours), Machine(theirs)
    different, answers = [], set()
    for architecture, number, given in questions(section, ours, theirs):
        one, other = (
            our.decide(architecture, number, given),
            their.decide(architecture, number, given),
        )
        answers.add(one)
        if one != other:
            different.append(f"{architecture:#x} {number} {given}: {one:#x}, not {other:#x}")
    return different, answers


def test_a_profile_of_our_own(bundle: Path, ocirun: str) -> None:
    ours, theirs = (loaded(runtime, bundle, SECTION) for runtime in (ocirun, "runc"))
    different, answers = compare(SECTION, ours, theirs)
    assert different == []
    assert len(answers) == 7


@pytest.mark.parametrize("capabilities", CAPABILITIES)
@pytest.mark.parametrize("engine", PROFILES)
def test_the_profile_of_an_engine(
    engine: str, capabilities: str, bundle: Path, ocirun: str
) -> None:
    section = resolve(profile(engine), CAPABILITIES[capabilities])
    ours, theirs = (loaded(runtime, bundle, section) for runtime in (ocirun, "runc"))
    different, answers = compare(section, ours, theirs)
    assert different == []
    # Allowed, refused by the profile, newer than it, of a foreign architecture.
    refused = {seccomp.SECCOMP_RET_ERRNO | number for number in (1, 38)}
    assert answers >= {seccomp.SECCOMP_RET_ALLOW, seccomp.SECCOMP_RET_KILL_THREAD} | refused


def test_a_difference_would_be_seen(bundle: Path, ocirun: str) -> None:
    """Whichever comparison is turned round, some answer changes."""
    # 32 bits of a number that needs 34 are a condition of i386 that never holds.
    section: Seccomp = {**SECTION, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"]}
    program = loaded(ocirun, bundle, section)
    machine = Machine(program)
    asked = [(question, machine.decide(*question)) for question in questions(section, program)]
    blind = []
    for place, (code, true, false, k) in enumerate(machine.instructions):
        if code & CLASS_MASK != JMP or true == false:
            continue
        changed = Machine(program)
        changed.instructions[place] = (code, false, true, k)
        if all(changed.decide(*question) == answer for question, answer in asked):
            blind.append((place, code, true, false, k))
    assert blind == []
