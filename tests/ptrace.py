# SPDX-License-Identifier: Apache-2.0
"""The seccomp filters of a process, read back from the kernel with ptrace(2).

What it gives is what really holds, whoever loaded it.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PTRACE_ATTACH = 16
PTRACE_DETACH = 17
PTRACE_SECCOMP_GET_FILTER = 0x420C
PTRACE_SECCOMP_GET_METADATA = 0x420D
WALL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def _ptrace(
    request: int, pid: int, address: int, data: "ctypes.Array[ctypes.c_char] | None"
) -> int:
    result = _libc.ptrace(ctypes.c_long(request), pid, ctypes.c_void_p(address), data)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


@contextmanager
def _attached(pid: int) -> Iterator[None]:
    _ptrace(PTRACE_ATTACH, pid, 0, None)
    os.waitpid(pid, WALL)
    try:
        yield
    except OSError as err:
        if err.errno in (errno.EIO, errno.EACCES):
            pytest.skip(f"PTRACE_SECCOMP_GET_FILTER (CONFIG_CHECKPOINT_RESTORE): {err}")
        raise
    finally:
        _ptrace(PTRACE_DETACH, pid, 0, None)


def seccomp_filter(pid: int, index: int = 0) -> bytes:
    """Give the program of a filter; 0 is the one that was loaded last."""
    with _attached(pid):
        length = _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, index, None)
        buffer = ctypes.create_string_buffer(length * 8)
        _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, index, buffer)
    return buffer.raw


def seccomp_flags(pid: int, index: int = 0) -> int:
    """Give the flags of a filter; the kernel tells only SECCOMP_FILTER_FLAG_LOG."""
    buffer = ctypes.create_string_buffer(struct.pack("=QQ", index, 0), 16)
    with _attached(pid):
        _ptrace(PTRACE_SECCOMP_GET_METADATA, pid, 16, buffer)
    return int(struct.unpack("=QQ", buffer.raw)[1])
