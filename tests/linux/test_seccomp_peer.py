# SPDX-License-Identifier: Apache-2.0
"""Our filter against the one that an installed runc loads for the same section.

The peer's filter is read back from the kernel with ptrace(2), so it is what really
holds in its container.
"""

import ctypes
import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bpf import Machine

from ocirun.engine import seccomp_profile
from ocirun.linux.seccomp_enosys import AUDIT_ARCH_X86_64, X32_SYSCALL_BIT
from ocirun.spec.model import Seccomp

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("runc") is None, reason="runc"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="an x86_64 machine"),
]

PTRACE_ATTACH = 16
PTRACE_DETACH = 17
PTRACE_SECCOMP_GET_FILTER = 0x420C
WALL = 0x40000000
I386 = 0x40000003
AARCH64 = 0xC00000B7

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
                {"index": 2, "value": 1 << 33, "op": "SCMP_CMP_LT"},
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
    config["linux"]["seccomp"] = SECTION
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


@pytest.fixture
def container(bundle: Path) -> Iterator[int]:
    """Start the peer's container and give the process that sleeps in it."""
    name = f"seccomp-peer-{os.getpid()}"
    runc = ["runc", "--root", str(bundle / "state")]
    pid_file = bundle / "pid"
    command = [*runc, "run", "-d", "--pid-file", str(pid_file), "-b", str(bundle), name]
    reader, writer = os.pipe()
    errors = bundle / "errors"
    with errors.open("w") as stderr, open(reader) as lines, open(writer, "w") as stdout:
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        stdout.close()
        try:
            assert done.returncode == 0, errors.read_text()
            assert lines.readline() == "ready\n", errors.read_text()
            yield int(pid_file.read_text())
        finally:
            subprocess.run([*runc, "delete", "-f", name], check=True)


def installed_filter(pid: int) -> bytes:
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request: int, data: "ctypes.Array[ctypes.c_char] | None") -> int:
        result = libc.ptrace(ctypes.c_long(request), pid, ctypes.c_void_p(0), data)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return int(result)

    ptrace(PTRACE_ATTACH, None)
    os.waitpid(pid, WALL)
    try:
        length = ptrace(PTRACE_SECCOMP_GET_FILTER, None)
        buffer = ctypes.create_string_buffer(length * 8)
        ptrace(PTRACE_SECCOMP_GET_FILTER, buffer)
    except OSError as err:
        if err.errno in (errno.EIO, errno.EACCES):
            pytest.skip(f"PTRACE_SECCOMP_GET_FILTER (CONFIG_CHECKPOINT_RESTORE): {err}")
        raise
    finally:
        ptrace(PTRACE_DETACH, None)
    return buffer.raw


def test_decisions_equal_those_of_the_peer(container: int) -> None:
    theirs = Machine(installed_filter(container))
    ours = Machine(seccomp_profile.compile_section(SECTION)[0].instructions)
    values = (0, 1, 2, 8, 0xF2, 0xFFFFFFFF, 1 << 32, (1 << 33) - 1, 1 << 33, (1 << 64) - 1)
    arguments = [
        (first, second, third) for first in values for second in (2, 3) for third in values
    ]
    numbers = [*range(601), 1024, 0x7FFFFFFF, 0xFFFFFFFF]
    x32 = [X32_SYSCALL_BIT + number for number in range(601)]
    wanted = {(AUDIT_ARCH_X86_64, number) for number in numbers + x32}
    wanted |= {(architecture, number) for architecture in (I386, AARCH64) for number in numbers}
    different = [
        (hex(architecture), number, given)
        for architecture, number in sorted(wanted)
        for given in (arguments if number in (41, 135, 136, 359) else arguments[:1])
        if ours.decide(architecture, number, given) != theirs.decide(architecture, number, given)
    ]
    assert different == []
