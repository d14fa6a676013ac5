# SPDX-License-Identifier: Apache-2.0
"""Sections `linux.seccomp` of a config."""

Section = dict[str, object]

#: what a static program needs to start, print and end
NEEDED = (
    "execve brk arch_prctl set_tid_address set_robust_list rseq prlimit64 readlink readlinkat"
    " getrandom mprotect mmap munmap fstat newfstatat ioctl write exit_group"
).split()


def on(name: str, action: str, **more: object) -> Section:
    """Give a section that allows all but one call."""
    rule = {"names": [name], "action": action, **more}
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}


def allow_only(*names: str, **more: object) -> Section:
    """Give a section that refuses all but these calls, and what the program needs."""
    rule = {"names": [*NEEDED, *names], "action": "SCMP_ACT_ALLOW"}
    return {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule], **more}
