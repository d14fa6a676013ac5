# SPDX-License-Identifier: Apache-2.0
"""Compiled filters, judged three ways: by the interpreter against the profile's own
words, by the kernel in a process that loads one, and by the library's numbers."""

import errno
import signal
import subprocess
import sys

import pytest
from tests.bpf import Machine
from tests.profiles import CAPABILITIES, PROFILES, profile, resolve

from ocirun.engine import seccomp_profile
from ocirun.errors import KernelError, SpecError
from ocirun.linux import seccomp
from ocirun.linux.seccomp_enosys import AUDIT_ARCH_X86_64, TOKEN_X32
from ocirun.spec.model import Seccomp, SeccompArg, SeccompSyscall

libseccomp = pytest.importorskip("ocirun.linux.libseccomp")
try:
    LIBRARY = libseccomp.Library()
except OSError as error:
    pytest.skip(f"libseccomp.so.2 (package libseccomp2): {error}", allow_module_level=True)

NATIVE = LIBRARY.native_architecture()
I386 = 0x40000003
EPERM_VALUE = seccomp.SECCOMP_RET_ERRNO | errno.EPERM
ENOSYS_VALUE = seccomp.SECCOMP_RET_ERRNO | errno.ENOSYS
ALLOW = seccomp.SECCOMP_RET_ALLOW
x86_only = pytest.mark.skipif(NATIVE != AUDIT_ARCH_X86_64, reason="an x86_64 machine")


def number(name: str, token: int = NATIVE) -> int:
    return int(LIBRARY.syscall_number(name, token))


def compiled(section: Seccomp) -> Machine:
    return Machine(seccomp_profile.compile_section(section)[0].instructions)


def rule(*names: str, action: str = "SCMP_ACT_ALLOW") -> SeccompSyscall:
    return {"names": list(names), "action": action}


def holds(argument: SeccompArg, given: int) -> bool:
    value, mask = argument["value"], argument.get("valueTwo", 0)
    if argument["op"] == "SCMP_CMP_MASKED_EQ":
        # libseccomp takes the mask first: value is the mask, valueTwo what must be left.
        return given & value == mask
    return {
        "SCMP_CMP_NE": given != value,
        "SCMP_CMP_LT": given < value,
        "SCMP_CMP_LE": given <= value,
        "SCMP_CMP_EQ": given == value,
        "SCMP_CMP_GE": given >= value,
        "SCMP_CMP_GT": given > value,
    }[argument["op"]]


ANSWERS = {
    "SCMP_ACT_ALLOW": ALLOW,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_KILL": 0,
    "SCMP_ACT_KILL_THREAD": 0,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050001,
    "SCMP_ACT_TRACE": 0x7FF00001,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
}


def expected(section: Seccomp, token: int, called: int, arguments: tuple[int, ...]) -> int:
    """Read the profile as a person would, without any program: the first rule that fits counts."""
    last = 0
    found = None
    for entry in section["syscalls"]:
        numbers = [number(name, token) for name in entry["names"]]
        last = max(last, *numbers)
        fits = called in numbers and all(
            holds(argument, arguments[argument["index"]]) for argument in entry.get("args") or ()
        )
        if fits and found is None:
            found = answer(entry["action"], entry.get("errnoRet"))
    if found is not None:
        return found
    if called > last:
        return ENOSYS_VALUE
    return answer(section["defaultAction"], section.get("defaultErrnoRet"))


def answer(action: str, errno_ret: int | None) -> int:
    if errno_ret is not None and action in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
        return ANSWERS[action] & ~0xFFFF | errno_ret
    return ANSWERS[action]


def assert_agrees(section: Seccomp, token: int, numbers: range, base: int = 0) -> None:
    machine = compiled(section)
    kernel_token = AUDIT_ARCH_X86_64 if token == TOKEN_X32 else token
    for arguments in ((0, 0, 0, 0, 0, 0), (1, 2, 3, 4, 5, 6), (40, 0xFFFFFFFF, 8, 1 << 40, 0, 9)):
        for called in numbers:
            want = expected(section, token, base + called, arguments)
            got = machine.decide(kernel_token, base + called, arguments)
            assert got == want, (hex(token), called, arguments, hex(got), hex(want))


SMALL: Seccomp = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "syscalls": [
        rule("read", "write", "exit", "exit_group", "openat", "close", "mmap", "not_a_call"),
        {"names": ["mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EROFS},
        rule("ptrace", action="SCMP_ACT_KILL_PROCESS"),
        rule("kexec_load", action="SCMP_ACT_TRAP"),
        rule("acct", action="SCMP_ACT_LOG"),
        rule("sync", action="SCMP_ACT_TRACE"),
        rule("personality", "fsync", action="SCMP_ACT_ERRNO"),
    ],
}


def wide(section: Seccomp) -> Seccomp:
    """Make the list long enough for the binary tree."""
    names = [f"no_such_call_{place}" for place in range(80)]
    return {**section, "syscalls": [*section["syscalls"], rule(*names)]}


@x86_only
@pytest.mark.parametrize("section", [SMALL, wide(SMALL)], ids=["linear", "tree"])
@pytest.mark.parametrize(
    ("token", "base"),
    [(NATIVE, 0), (I386, 0), (TOKEN_X32, 0x40000000)],
    ids=["x86_64", "i386", "x32"],
)
def test_a_profile_of_our_own(section: Seccomp, token: int, base: int) -> None:
    assert_agrees(section, token, range(601), base)


def test_a_long_list_is_searched_as_a_tree() -> None:
    names = [
        *("read", "openat", "close", "mmap", "munmap", "brk", "ioctl", "pread64", "pwrite64"),
        *("readv", "writev", "madvise", "mincore", "dup", "dup3", "nanosleep", "getpid", "socket"),
        *("connect", "accept4", "sendto", "recvfrom", "bind", "listen", "clone", "execve", "exit"),
        *("wait4", "kill", "uname", "fcntl", "flock", "fsync", "getcwd", "chdir", "fchdir"),
        *("umask", "getuid", "getgid", "setuid", "setgid", "capget", "capset", "statfs", "sync"),
    ]
    machine = compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule(*names)]})
    steps = []
    for name in names:
        assert machine.decide(NATIVE, number(name)) == ALLOW
        steps.append(machine.steps)
    assert max(steps) < len(names)


def test_the_native_architecture_is_always_there() -> None:
    machine = compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule("read", "openat")]})
    assert machine.decide(NATIVE, number("openat")) == ALLOW
    assert machine.decide(NATIVE, number("openat") - 1) == EPERM_VALUE


def test_a_foreign_architecture_is_killed() -> None:
    machine = compiled({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []})
    assert machine.decide(NATIVE, 0) == ALLOW
    assert machine.decide(0x12345678, 0) == seccomp.SECCOMP_RET_KILL_THREAD


@pytest.mark.parametrize("action", sorted(set(ANSWERS) - {"SCMP_ACT_NOTIFY"}))
def test_default_actions(action: str) -> None:
    other = "SCMP_ACT_KILL_PROCESS" if action == "SCMP_ACT_ALLOW" else "SCMP_ACT_ALLOW"
    machine = compiled({"defaultAction": action, "syscalls": [rule("openat", action=other)]})
    assert machine.decide(NATIVE, number("openat")) == ANSWERS[other]
    assert machine.decide(NATIVE, number("openat") - 1) == ANSWERS[action]
    permissive = action in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")
    assert machine.decide(NATIVE, 5000) == (ANSWERS[action] if permissive else ENOSYS_VALUE)


@pytest.mark.parametrize("op", seccomp_profile.operators())
def test_operators(op: str) -> None:
    value, two = (0x1_0000_00F0, 0x1_0000_0010) if "MASKED" in op else (0x1_0000_00F0, 0)
    argument: SeccompArg = {"index": 2, "value": value, "valueTwo": two, "op": op}
    machine = compiled(
        {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [argument]}],
        }
    )
    near = [value - 1, value, value + 1, two, two | 0xF, 0xF0, 1 << 32, 0, (1 << 64) - 1, 1 << 63]
    for given in near:
        want = EPERM_VALUE if holds(argument, given) else ALLOW
        assert machine.decide(NATIVE, number("read"), (0, 0, given)) == want, hex(given)


def test_conditions_on_several_arguments_must_all_hold() -> None:
    entry: SeccompSyscall = {
        "names": ["read"],
        "action": "SCMP_ACT_ERRNO",
        "args": [
            {"index": 0, "value": 5, "op": "SCMP_CMP_EQ"},
            {"index": 1, "value": 7, "op": "SCMP_CMP_EQ"},
        ],
    }
    machine = compiled({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [entry]})
    assert machine.decide(NATIVE, number("read"), (5, 7)) == EPERM_VALUE
    assert machine.decide(NATIVE, number("read"), (5, 8)) == ALLOW
    assert machine.decide(NATIVE, number("read"), (4, 7)) == ALLOW


def test_conditions_on_one_argument_hold_one_by_one() -> None:
    entry: SeccompSyscall = {
        "names": ["read"],
        "action": "SCMP_ACT_ERRNO",
        "args": [
            {"index": 0, "value": 5, "op": "SCMP_CMP_EQ"},
            {"index": 0, "value": 6, "op": "SCMP_CMP_EQ"},
            {"index": 1, "value": 7, "op": "SCMP_CMP_EQ"},
        ],
    }
    machine = compiled({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [entry]})
    for arguments in ((5, 0), (6, 0), (0, 7)):
        assert machine.decide(NATIVE, number("read"), arguments) == EPERM_VALUE
    assert machine.decide(NATIVE, number("read"), (0, 0)) == ALLOW


def test_a_rule_that_repeats_the_default_is_left_out() -> None:
    same = rule("read", action="SCMP_ACT_ERRNO")
    machine = compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [same, rule("openat")]})
    assert machine.decide(NATIVE, number("read")) == EPERM_VALUE


def test_rules_that_contradict_are_refused_with_a_hint() -> None:
    argument: SeccompArg = {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}
    entries: list[SeccompSyscall] = [
        {"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [argument]},
        {"names": ["read"], "action": "SCMP_ACT_TRAP", "args": [argument]},
    ]
    with pytest.raises(KernelError) as caught:
        compiled({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": entries})
    assert caught.value.message.startswith("compile linux.seccomp: read: ")
    assert caught.value.hint


def test_a_program_too_long_for_the_kernel_is_refused() -> None:
    entries: list[SeccompSyscall] = [
        {
            "names": ["read"],
            "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 0, "value": value << 32 | value, "op": "SCMP_CMP_EQ"}],
        }
        for value in range(1500)
    ]
    with pytest.raises(SpecError, match="longer than 4096"):
        compiled({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": entries})


def test_notify_wants_a_listener() -> None:
    section: Seccomp = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "flags": [],
        "syscalls": [rule("mkdir", action="SCMP_ACT_NOTIFY")],
    }
    program, _ = seccomp_profile.compile_section(section)
    assert program.listener
    machine = Machine(program.instructions)
    assert machine.decide(NATIVE, number("mkdir")) == ANSWERS["SCMP_ACT_NOTIFY"]


@pytest.mark.parametrize(
    ("flags", "bits"),
    [
        ([], 0),
        (["SECCOMP_FILTER_FLAG_TSYNC"], 0),
        (["SECCOMP_FILTER_FLAG_LOG"], 2),
        (["SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"], 6),
        (None, 4),
    ],
)
def test_flags(flags: list[str] | None, bits: int) -> None:
    section: Seccomp = {"defaultAction": "SCMP_ACT_ALLOW"}
    if flags is not None:
        section["flags"] = flags
    assert seccomp_profile.compile_section(section)[0].flags == bits


def test_unknown_flag() -> None:
    with pytest.raises(SpecError, match=r"linux\.seccomp\.flags\[0\]: 'TSYNC'"):
        compiled({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["TSYNC"]})


def test_wait_killable_needs_a_listener() -> None:
    name = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
    if name not in seccomp_profile.available_flags():
        pytest.skip(f"{name} (Linux 5.19)")
    section: Seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "flags": [name]}
    with pytest.raises(SpecError, match="needs SCMP_ACT_NOTIFY"):
        compiled(section)
    section["syscalls"] = [rule("mkdir", action="SCMP_ACT_NOTIFY")]
    assert seccomp_profile.compile_section(section)[0].flags == 32 | 8


def test_what_the_kernel_has_is_a_part_of_what_we_know() -> None:
    assert set(seccomp_profile.available_actions()) <= set(seccomp_profile.actions())
    assert set(seccomp_profile.available_flags()) <= set(seccomp_profile.flags())
    assert {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"} <= set(seccomp_profile.available_actions())
    assert seccomp.library_version() >= (2, 3, 0)


@pytest.mark.parametrize("name", seccomp_profile.architectures())
def test_every_architecture_is_known_to_the_library(name: str) -> None:
    if name == "SCMP_ARCH_LOONGARCH64" and LIBRARY.version() < (2, 6, 0):
        pytest.skip("libseccomp 2.6.0")
    assert LIBRARY.architecture(name.removeprefix("SCMP_ARCH_").lower())


LOADER = """
import ctypes, errno, os, sys
program = bytes.fromhex(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
prog = Program(len(program) // 8, program)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.syscall(int(sys.argv[2]), 1, int(sys.argv[3]), ctypes.byref(prog)) >= 0
def call(number):
    ctypes.set_errno(0)
    libc.syscall(number, -1, 0, 0, 0)
    return ctypes.get_errno()
print([call(int(number)) for number in sys.argv[4:]])
"""


def load_and_call(section: Seccomp, *numbers: int) -> subprocess.CompletedProcess[str]:
    program, _ = seccomp_profile.compile_section(section)
    words = (number("seccomp"), program.flags, *numbers)
    command = [sys.executable, "-I", "-S", "-c", LOADER, program.instructions.hex()]
    return subprocess.run(
        [*command, *(str(word) for word in words)], capture_output=True, text=True, check=False
    )


def test_the_kernel_takes_the_program_and_agrees() -> None:
    section: Seccomp = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": ["acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EROFS},
            {"names": ["mkdirat"], "action": "SCMP_ACT_ERRNO"},
        ],
    }
    done = load_and_call(section, number("acct"), number("mkdirat"), number("fchdir"))
    assert done.stdout.split("\n")[0] == str([errno.EROFS, errno.EPERM, errno.EBADF]), done.stderr


def test_the_kernel_kills_where_the_program_says_so() -> None:
    section: Seccomp = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [rule("acct", action="SCMP_ACT_KILL_PROCESS")],
    }
    assert load_and_call(section, number("acct")).returncode == -signal.SIGSYS


@x86_only
@pytest.mark.parametrize(
    ("token", "base"), [(NATIVE, 0), (TOKEN_X32, 0x40000000)], ids=["x86_64", "x32"]
)
@pytest.mark.parametrize("capabilities", CAPABILITIES)
@pytest.mark.parametrize("engine", PROFILES)
def test_an_engines_profile(engine: str, capabilities: str, token: int, base: int) -> None:
    section = resolve(profile(engine), CAPABILITIES[capabilities])
    assert_agrees(section, token, range(601), base)
