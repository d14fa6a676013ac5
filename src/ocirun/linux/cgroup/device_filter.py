# SPDX-License-Identifier: Apache-2.0
"""Device rules on cgroup v2: an eBPF program, made here and attached to the cgroup.

`program` is pure and decides as the v1 device controller does.  `attach` puts it in
the place of what was there in one step, so that no access is refused meanwhile and a hundred
updates leave one program.  bpf(2); the kernel's <linux/bpf.h>.
"""

import _struct
import errno
import os
from array import array

from ocirun import _linux
from ocirun.linux.cgroup.devices import ANY, ruleset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocirun.linux.cgroup.devices import Rule, Ruleset

_BPF_PROG_LOAD = 5
_BPF_PROG_ATTACH = 8
_BPF_PROG_DETACH = 9
_BPF_PROG_GET_FD_BY_ID = 13
_BPF_PROG_QUERY = 16
_BPF_PROG_TYPE_CGROUP_DEVICE = 15
_BPF_CGROUP_DEVICE = 6
_BPF_F_ALLOW_MULTI = 2
_BPF_F_REPLACE = 4
_MOST_PROGRAMS = 64  # BPF_CGROUP_MAX_PROGS

# Opcodes: class | source | operation.
_LOAD_WORD = 0x61
_AND = 0x54
_SHIFT_RIGHT = 0x74
_MOVE = 0xB4
_COPY = 0xBC
_JUMP_UNEQUAL = 0x56
_JUMP_EQUAL = 0x16
_JUMP_UNEQUAL_REGISTER = 0x5E
_EXIT = 0x95

_TYPES = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}
_ALL = 7


def program(rules: "Ruleset") -> bytes:
    """Return the instructions of the filter; it returns 1 for what is allowed, else 0."""
    # struct bpf_cgroup_dev_ctx, in r1: access << 16 | type, major, minor.
    code = [
        _instruction(_LOAD_WORD, 2, 1, 0, 0),
        _instruction(_AND, 2, 0, 0, 0xFFFF),
        _instruction(_LOAD_WORD, 3, 1, 0, 0),
        _instruction(_SHIFT_RIGHT, 3, 0, 0, 16),
        _instruction(_LOAD_WORD, 4, 1, 4, 0),
        _instruction(_LOAD_WORD, 5, 1, 8, 0),
    ]
    for (kind, major, minor), letters in sorted(rules.exceptions.items()):
        access = sum(_ACCESS[letter] for letter in letters)
        code += _exception((_TYPES[kind], major, minor, access), allow=not rules.allow)
    code += _verdict(allow=rules.allow)
    return b"".join(code)


def attach(directory: str, rules: "Iterable[Rule]") -> None:
    """Make the rules those of the cgroup, in place of what was attached to it."""
    code = program(ruleset(rules))
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        old = _attached(directory_fd)
        try:
            new = _load(code)
            try:
                _replace(directory_fd, old, new)
            finally:
                os.close(new)
        finally:
            for fd in old:
                os.close(fd)
    except OSError as error:
        text = f"attach a device program: {error.strerror}"
        raise OSError(error.errno, text, directory) from None
    finally:
        os.close(directory_fd)


def _exception(match: tuple[int, int, int, int], *, allow: bool) -> list[bytes]:
    kind, major, minor, access = match
    # Every check leads behind the verdict when it fails; filled in from the end.
    checks = [(_JUMP_UNEQUAL, 2, 0, kind)]
    if access != _ALL:
        # To allow, one rule must hold all of what is wanted; to deny, any of it will do.
        checks.append((_COPY, 1, 3, 0))
        checks.append((_AND, 1, 0, access))
        checks.append((_JUMP_UNEQUAL_REGISTER, 1, 3, 0) if allow else (_JUMP_EQUAL, 1, 0, 0))
    for register, number in ((4, major), (5, minor)):
        if number != ANY:
            checks.append((_JUMP_UNEQUAL, register, 0, number))
    verdict = _verdict(allow=allow)
    code = []
    for index, (opcode, register, source, value) in enumerate(checks):
        is_jump = opcode in (_JUMP_UNEQUAL, _JUMP_UNEQUAL_REGISTER, _JUMP_EQUAL)
        offset = len(checks) - index - 1 + len(verdict) if is_jump else 0
        code.append(_instruction(opcode, register, source, offset, value))
    return code + verdict


def _verdict(*, allow: bool) -> list[bytes]:
    return [_instruction(_MOVE, 0, 0, 0, int(allow)), _instruction(_EXIT, 0, 0, 0, 0)]


def _instruction(opcode: int, register: int, source: int, offset: int, value: int) -> bytes:
    return _struct.pack("=BBhI", opcode, source << 4 | register, offset, value)


def _load(code: bytes) -> int:
    instructions, licence = array("B", code), array("B", b"Apache-2.0\0")
    attr = bytearray(72)
    _struct.pack_into(
        "=IIQQ",
        attr,
        0,
        _BPF_PROG_TYPE_CGROUP_DEVICE,
        len(code) // 8,
        instructions.buffer_info()[0],
        licence.buffer_info()[0],
    )
    attr[48:63] = b"ocirun_devices".ljust(15, b"\0")
    return _linux.bpf(_BPF_PROG_LOAD, attr)


def _attached(directory_fd: int) -> list[int]:
    ids = array("I", bytes(4 * _MOST_PROGRAMS))
    attr = bytearray(
        _struct.pack(
            "=IIIIQIxxxx", directory_fd, _BPF_CGROUP_DEVICE, 0, 0, ids.buffer_info()[0], len(ids)
        )
    )
    _linux.bpf(_BPF_PROG_QUERY, attr)
    count: int = _struct.unpack_from("=I", attr, 24)[0]
    fds: list[int] = []
    for number in ids[:count]:
        try:
            fds.append(
                _linux.bpf(_BPF_PROG_GET_FD_BY_ID, bytearray(_struct.pack("=III", number, 0, 0)))
            )
        except OSError as error:
            # One that we may not touch (a security module's decision), or that is gone: it can
            # only refuse more, so it may stay.
            if error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT):
                continue
            for fd in fds:
                os.close(fd)
            raise
    return fds


def _replace(directory_fd: int, old: list[int], new: int) -> None:
    if len(old) == 1:
        try:
            _attach(directory_fd, new, _BPF_F_ALLOW_MULTI | _BPF_F_REPLACE, old[0])
        except OSError as error:
            if error.errno != errno.EINVAL:  # kernel < 5.6: no BPF_F_REPLACE
                raise
        else:
            return
    _attach(directory_fd, new, _BPF_F_ALLOW_MULTI, 0)
    for fd in old:
        attr = bytearray(_struct.pack("=IIII", directory_fd, fd, _BPF_CGROUP_DEVICE, 0))
        _linux.bpf(_BPF_PROG_DETACH, attr)


def _attach(directory_fd: int, new: int, flags: int, replaced: int) -> None:
    attr = _struct.pack("=IIIII", directory_fd, new, _BPF_CGROUP_DEVICE, flags, replaced)
    _linux.bpf(_BPF_PROG_ATTACH, bytearray(attr))
