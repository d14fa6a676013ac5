# SPDX-License-Identifier: Apache-2.0
"""seccomp(2) filters: compile rules to a program for the kernel, ask what it can do.

Values here are the kernel's: return values (SECCOMP_RET_*), flag bits, names of
system calls.  Nothing is installed; the process that becomes the container's
does that, as late as possible.  libseccomp is loaded only by `compile_rules` and
`available_flags`.
"""

import errno
import os

from ocirun.linux.seccomp_cache import SECCOMP_FILTER_FLAG_NEW_LISTENER, actions_avail
from ocirun.linux.seccomp_enosys import INSTRUCTION, RETURN_ENOSYS, prologue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocirun.linux.libseccomp import Library

    # Argument index, SCMP_CMP_*, first and second datum.
    Argument = tuple[int, int, int, int]
    # Name of the system call, return value, comparisons that must all hold.
    Rule = tuple[str, int, Sequence[Argument]]

SECCOMP_RET_KILL_PROCESS = 0x80000000
SECCOMP_RET_KILL_THREAD = 0x00000000
SECCOMP_RET_TRAP = 0x00030000
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_RET_TRACE = 0x7FF00000
SECCOMP_RET_LOG = 0x7FFC0000
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_DATA = 0x0000FFFF

SECCOMP_FILTER_FLAG_LOG = 1 << 1
SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1 << 2
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 5

# enum scmp_compare
SCMP_CMP_NE = 1
SCMP_CMP_LT = 2
SCMP_CMP_LE = 3
SCMP_CMP_EQ = 4
SCMP_CMP_GE = 5
SCMP_CMP_GT = 6
SCMP_CMP_MASKED_EQ = 7

BPF_MAXINSNS = 4096

# A newer system call must reach these: a permissive default lets it through anyway,
# and a tracer decides itself.
_PERMISSIVE = (SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE)

# libseccomp <= 2.5.4 gets the binary tree of a filter without rules wrong, and a
# few rules are found as fast one after the other.
_RULES_WORTH_A_TREE = 32


def available_actions() -> list[str]:
    """Return the kernel's words for the actions it has: `kill_process`, `errno`, ..."""
    # kernel < 4.14: the file is missing and the list empty.
    return actions_avail().decode("ascii").split()


def available_flags() -> int:
    """Return the bits of those filter flags known here that the running kernel takes."""
    from ocirun.linux.libseccomp import Library

    library = Library()
    found = 0
    for flag, needed in (
        (SECCOMP_FILTER_FLAG_LOG, 0),
        (SECCOMP_FILTER_FLAG_SPEC_ALLOW, 0),
        (SECCOMP_FILTER_FLAG_NEW_LISTENER, 0),
        (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, SECCOMP_FILTER_FLAG_NEW_LISTENER),
    ):
        if library.has_filter_flags(flag | needed):
            found |= flag
    return found


def library_version() -> tuple[int, int, int]:
    """Return the version of libseccomp; OSError(ELIBACC) where it is missing."""
    from ocirun.linux.libseccomp import Library

    return Library().version()


def library_path() -> str:
    """Return the file that libseccomp was loaded from; empty if that cannot be told."""
    from ocirun.linux.libseccomp import loaded_path

    return loaded_path()


def compile_rules(default: int, architectures: "Sequence[str]", rules: "Sequence[Rule]") -> bytes:
    """Return the program for these rules; the native architecture is always included.

    A rule for a system call that libseccomp has never heard of is left out, and so is
    one that says the same as `default`.  OSError(ELIBACC) means that libseccomp is
    missing, OSError(E2BIG) that the kernel would not take so long a program; else the
    file name of the error is the system call or the architecture that was refused.
    """
    from ocirun.linux.libseccomp import NO_SUCH_SYSCALL, Library

    library = Library()
    native = library.native_architecture()
    tokens = {native: "native"}
    for name in architectures:
        tokens.setdefault(library.architecture(name), name)

    with library.filter(default) as filter_:
        for token, name in tokens.items():
            filter_.add_architecture(token, name)
        if len(rules) > _RULES_WORTH_A_TREE:
            filter_.optimize()
        for name, action, arguments in rules:
            if action == default:
                # libseccomp refuses it with EACCES.
                continue
            number = library.syscall_number(name, native)
            if number == NO_SUCH_SYSCALL:
                continue
            for group in _separate(arguments):
                filter_.add_rule(number, action, group, name)
        program = filter_.export()

    if default & ~SECCOMP_RET_DATA not in _PERMISSIVE and default != RETURN_ENOSYS:
        program = prologue(_last_numbers(library, tokens, rules)) + program
    if len(program) > BPF_MAXINSNS * INSTRUCTION.size:
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG), "program")
    return program


def _separate(arguments: "Sequence[Argument]") -> "Sequence[Sequence[Argument]]":
    # libseccomp takes one comparison of each argument in a rule.  With more, each
    # comparison is a rule of its own (any of them, not all): this is what container
    # engines' profiles were written for.
    if len({argument[0] for argument in arguments}) < len(arguments):
        return [[argument] for argument in arguments]
    return [arguments]


def _last_numbers(
    library: "Library", tokens: "dict[int, str]", rules: "Sequence[Rule]"
) -> "dict[int, int]":
    names = {rule[0] for rule in rules}
    found = {}
    for token in tokens:
        last = max((library.syscall_number(name, token) for name in names), default=0)
        # Number 0 alone says nothing about what the author knew.
        if last > 0:
            found[token] = last
    return found
