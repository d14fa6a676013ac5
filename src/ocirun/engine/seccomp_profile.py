# SPDX-License-Identifier: Apache-2.0
"""The words of `linux.seccomp`: what they mean to the kernel, and which there are.

Translates a section to plain rules and compiles them; also what `features` lists.
Slow by its nature (libseccomp): `ocirun.engine.seccomp` asks here only when the
cache cannot answer.  See config-linux.md, "Seccomp", and seccomp(2).
"""

import errno

from ocirun.errors import KernelError, SpecError
from ocirun.linux import seccomp
from ocirun.linux.seccomp_cache import SECCOMP_FILTER_FLAG_NEW_LISTENER, Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.seccomp import Argument, Rule
    from ocirun.spec.model import Seccomp, SeccompArg, SeccompSyscall

EPERM = 1

# The kernel's return value, and its word in actions_avail.
ACTIONS = {
    "SCMP_ACT_KILL": (seccomp.SECCOMP_RET_KILL_THREAD, "kill_thread"),
    "SCMP_ACT_KILL_THREAD": (seccomp.SECCOMP_RET_KILL_THREAD, "kill_thread"),
    "SCMP_ACT_KILL_PROCESS": (seccomp.SECCOMP_RET_KILL_PROCESS, "kill_process"),
    "SCMP_ACT_TRAP": (seccomp.SECCOMP_RET_TRAP, "trap"),
    "SCMP_ACT_ERRNO": (seccomp.SECCOMP_RET_ERRNO, "errno"),
    "SCMP_ACT_TRACE": (seccomp.SECCOMP_RET_TRACE, "trace"),
    "SCMP_ACT_ALLOW": (seccomp.SECCOMP_RET_ALLOW, "allow"),
    "SCMP_ACT_LOG": (seccomp.SECCOMP_RET_LOG, "log"),
    "SCMP_ACT_NOTIFY": (seccomp.SECCOMP_RET_USER_NOTIF, "user_notif"),
}

OPERATORS = {
    "SCMP_CMP_NE": seccomp.SCMP_CMP_NE,
    "SCMP_CMP_LT": seccomp.SCMP_CMP_LT,
    "SCMP_CMP_LE": seccomp.SCMP_CMP_LE,
    "SCMP_CMP_EQ": seccomp.SCMP_CMP_EQ,
    "SCMP_CMP_GE": seccomp.SCMP_CMP_GE,
    "SCMP_CMP_GT": seccomp.SCMP_CMP_GT,
    "SCMP_CMP_MASKED_EQ": seccomp.SCMP_CMP_MASKED_EQ,
}

# libseccomp's names for them are the same words in lower case.
ARCHITECTURES = (
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
)
_ARCH_PREFIX = "SCMP_ARCH_"

FLAGS = {
    # The filter is loaded by a process of one thread: there is nothing to synchronise.
    "SECCOMP_FILTER_FLAG_TSYNC": 0,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": seccomp.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_LOG": seccomp.SECCOMP_FILTER_FLAG_LOG,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": seccomp.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
}

_HINTS = {
    errno.EEXIST: "another rule for the same system call says the same, or contradicts it",
    errno.EINVAL: "libseccomp cannot combine it with the other rules for this system call",
    errno.EDOM: "its byte order is not that of this machine",
}

# libseccomp refuses more for ERRNO, and the kernel has 16 bits for TRACE.
_MAX_DATA = {seccomp.SECCOMP_RET_ERRNO: 4094, seccomp.SECCOMP_RET_TRACE: seccomp.SECCOMP_RET_DATA}


def actions() -> list[str]:
    """Return the actions that a profile may name."""
    return sorted(ACTIONS)


def available_actions() -> list[str]:
    """Return those actions that the running kernel can take as well."""
    words = seccomp.available_actions()
    return sorted(name for name, (_, word) in ACTIONS.items() if word in words)


def operators() -> list[str]:
    """Return the comparison operators that a profile may name."""
    return sorted(OPERATORS)


def architectures() -> list[str]:
    """Return the architectures that a profile may name."""
    return sorted(ARCHITECTURES)


def flags() -> list[str]:
    """Return the filter flags that a profile may name."""
    return list(FLAGS)


def available_flags() -> list[str]:
    """Return those filter flags that the running kernel takes; none without libseccomp."""
    try:
        bits = seccomp.available_flags()
    except OSError:
        return []
    return [name for name, flag in FLAGS.items() if flag & bits == flag]


def compile_section(section: "Seccomp") -> tuple[Program, str]:
    """Return the program, and the libseccomp file that it was made with."""
    default = _default(section)
    rules = _rules(section)
    names = _architectures(section)
    _check_kernel(section)
    try:
        bits = _flags(section)
        instructions = seccomp.compile_rules(default, names, rules)
        library_path = seccomp.library_path()
    except OSError as err:
        raise _explain(err) from err
    return Program(instructions, bits), library_path


def _explain(err: OSError) -> Exception:
    if err.errno == errno.ELIBACC:
        return KernelError("linux.seccomp needs libseccomp.so.2", hint="install libseccomp2")
    if err.errno == errno.E2BIG:
        return SpecError(
            f"linux.seccomp: the filter is longer than {seccomp.BPF_MAXINSNS} instructions",
            hint="use fewer rules or fewer architectures",
        )
    message = f"compile linux.seccomp: {err.filename}: {(err.strerror or '').lower()}"
    return KernelError(message, hint=_HINTS.get(err.errno or 0, ""))


def _check_kernel(section: "Seccomp") -> None:
    words = seccomp.available_actions()
    used = {section["defaultAction"]}
    used.update(syscall["action"] for syscall in section.get("syscalls") or ())
    for name in sorted(used):
        if words and ACTIONS[name][1] not in words:
            raise KernelError(f"compile linux.seccomp: {name}: not supported by this kernel")


def _default(section: "Seccomp") -> int:
    name = section.get("defaultAction", "")
    if name == "SCMP_ACT_NOTIFY":
        raise SpecError(
            "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as the default action"
        )
    fields = ("linux.seccomp.defaultAction", "linux.seccomp.defaultErrnoRet")
    return _action(name, section.get("defaultErrnoRet"), fields)


def _action(name: str, errno_ret: "int | None", fields: tuple[str, str]) -> int:
    try:
        value, _ = ACTIONS[name]
    except KeyError:
        raise SpecError(f"{fields[0]}: {name!r} is not a seccomp action") from None
    if value not in _MAX_DATA or errno_ret is None:
        return value | (EPERM if value in _MAX_DATA else 0)
    if not 0 <= errno_ret <= _MAX_DATA[value]:
        raise SpecError(f"{fields[1]}: {errno_ret}: {name} takes 0 to {_MAX_DATA[value]}")
    return value | errno_ret


def _rules(section: "Seccomp") -> "list[Rule]":
    rules: list[Rule] = []
    for place, syscall in enumerate(section.get("syscalls") or ()):
        field = f"linux.seccomp.syscalls[{place}]"
        fields = (f"{field}.action", f"{field}.errnoRet")
        action = _action(syscall.get("action", ""), syscall.get("errnoRet"), fields)
        arguments = [
            _argument(argument, f"{field}.args[{number}]")
            for number, argument in enumerate(syscall.get("args") or ())
        ]
        rules += [(name, action, arguments) for name in _names(syscall, field)]
    return rules


def _names(syscall: "SeccompSyscall", field: str) -> list[str]:
    names = syscall.get("names") or []
    if "" in names:
        raise SpecError(f"{field}.names: an empty string is not a system call")
    if syscall["action"] == "SCMP_ACT_NOTIFY":
        # The process that loads the filter must still send the listener away, and
        # nobody can answer a notification before that.  runc names write.
        for name in ("write", "sendmsg"):
            if name in names:
                raise SpecError(
                    f"{field}.action: SCMP_ACT_NOTIFY cannot be used for the {name} syscall"
                )
    return names


def _argument(argument: "SeccompArg", field: str) -> "Argument":
    try:
        operator = OPERATORS[argument.get("op", "")]
    except KeyError:
        raise SpecError(f"{field}.op: {argument.get('op', '')!r} is not an operator") from None
    index = argument.get("index", 0)
    if not 0 <= index <= 5:
        raise SpecError(f"{field}.index: {index}: a system call has arguments 0 to 5")
    values = (argument.get("value", 0), argument.get("valueTwo", 0))
    for name, value in zip(("value", "valueTwo"), values, strict=True):
        if not 0 <= value < 1 << 64:
            raise SpecError(f"{field}.{name}: {value}: not an unsigned 64-bit number")
    return (index, operator, *values)


def _architectures(section: "Seccomp") -> list[str]:
    found = []
    for place, name in enumerate(section.get("architectures") or ()):
        if name not in ARCHITECTURES:
            raise SpecError(
                f"linux.seccomp.architectures[{place}]: {name!r} is not a known architecture"
            )
        found.append(name.removeprefix(_ARCH_PREFIX).lower())
    return found


def _flags(section: "Seccomp") -> int:
    bits = 0
    available = seccomp.available_flags()
    asked = section.get("flags")
    if asked is None:
        # Filters would otherwise switch on the slow mitigation of Spectre variant 4.
        bits = available & seccomp.SECCOMP_FILTER_FLAG_SPEC_ALLOW
    for place, name in enumerate(asked or ()):
        field = f"linux.seccomp.flags[{place}]"
        if name not in FLAGS:
            raise SpecError(f"{field}: {name!r} is not a known filter flag")
        if FLAGS[name] & available != FLAGS[name]:
            raise KernelError(f"{field}: {name}: not supported by this kernel")
        bits |= FLAGS[name]
    syscalls = section.get("syscalls") or ()
    if any(syscall["action"] == "SCMP_ACT_NOTIFY" for syscall in syscalls):
        bits |= SECCOMP_FILTER_FLAG_NEW_LISTENER
    elif bits & seccomp.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV:
        raise SpecError(
            "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs SCMP_ACT_NOTIFY"
        )
    return bits
