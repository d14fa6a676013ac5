# SPDX-License-Identifier: Apache-2.0
"""libseccomp through ctypes: the part of seccomp(3) that builds and exports a filter.

Import this module late.  It brings in ctypes, which costs more than the whole
rest of the seccomp path, and it is needed only to compile a filter that is not
in the cache yet.  The library is opened by its soname when a `Library` is made:
no search for a compiler or ldconfig, and no need of the library to import this.
"""

import _struct
import ctypes  # noqa: TID253  (this module is imported late, as a whole)
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

SONAME = "libseccomp.so.2"

SECCOMP_SET_MODE_FILTER = 1

SCMP_FLTATR_CTL_OPTIMIZE = 8
OPTIMIZE_BINARY_TREE = 2

# __NR_SCMP_ERROR; other negative numbers are pseudo numbers that libseccomp
# gives to system calls which exist on some other architecture.
NO_SUCH_SYSCALL = -1

# struct scmp_arg_cmp: argument, operator, first datum, second datum.
_ARGUMENT = _struct.Struct("=IIQQ")

_READ_SIZE = 1 << 16


def _check(result: int, subject: str) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result), subject)


class Library:
    """libseccomp.so.2, opened; raises OSError(ELIBACC) where it is missing."""

    __slots__ = ("_lib",)

    def __init__(self) -> None:
        try:
            self._lib = ctypes.CDLL(SONAME)
        except OSError as err:
            # dlopen(3) gives a text, never an errno.
            raise OSError(errno.ELIBACC, os.strerror(errno.ELIBACC), SONAME) from err
        self._lib.seccomp_version.restype = ctypes.POINTER(ctypes.c_uint)
        self._lib.seccomp_arch_native.restype = ctypes.c_uint32
        self._lib.seccomp_arch_resolve_name.restype = ctypes.c_uint32
        self._lib.seccomp_init.restype = ctypes.c_void_p

    def version(self) -> tuple[int, int, int]:
        """Return major, minor and micro version."""
        found = self._lib.seccomp_version()
        return int(found[0]), int(found[1]), int(found[2])

    def native_architecture(self) -> int:
        """Return the token of the architecture that this process runs on."""
        return int(self._lib.seccomp_arch_native())

    def architecture(self, name: str) -> int:
        """Return the token of an architecture, such as `x86_64` or `mipsel64n32`."""
        token = int(self._lib.seccomp_arch_resolve_name(name.encode()))
        if token == 0:
            # Known since 2.5.0 or later: riscv64, loongarch64.
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), name)
        return token

    def syscall_number(self, name: str, token: int) -> int:
        """Return the number, negative where that architecture does not have the call."""
        call = self._lib.seccomp_syscall_resolve_name_arch
        return int(call(ctypes.c_uint32(token), name.encode()))

    def has_filter_flags(self, flags: int) -> bool:
        """Ask the kernel, not the library, whether seccomp(2) takes these filter flags."""
        number = self.syscall_number("seccomp", self.native_architecture())
        libc = ctypes.CDLL(None, use_errno=True)
        # The kernel checks the flags first and then reads the filter: for a null
        # pointer EFAULT means that the flags were good.
        libc.syscall(
            ctypes.c_long(number),
            ctypes.c_long(SECCOMP_SET_MODE_FILTER),
            ctypes.c_long(flags),
            ctypes.c_void_p(None),
        )
        return ctypes.get_errno() == errno.EFAULT

    def filter(self, default: int) -> "Filter":
        """Start a filter that returns `default` where no rule matches."""
        context = self._lib.seccomp_init(ctypes.c_uint32(default))
        if context is None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), f"{default:#x}")
        return Filter(self._lib, int(context))


class Filter:
    """A scmp_filter_ctx; it starts with the native architecture.  Use it with `with`."""

    __slots__ = ("_context", "_lib")

    def __init__(self, lib: ctypes.CDLL, context: int) -> None:
        self._lib = lib
        self._context = ctypes.c_void_p(context)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self._lib.seccomp_release(self._context)

    def add_architecture(self, token: int, name: str) -> None:
        """Let later rules hold for one more architecture; a second time is no error."""
        result = int(self._lib.seccomp_arch_add(self._context, ctypes.c_uint32(token)))
        if result != -errno.EEXIST:
            _check(result, name)

    def optimize(self) -> bool:
        """Ask for a binary tree over the numbers instead of a linear search."""
        result = self._lib.seccomp_attr_set(
            self._context, SCMP_FLTATR_CTL_OPTIMIZE, ctypes.c_uint32(OPTIMIZE_BINARY_TREE)
        )
        # libseccomp < 2.5.0: the attribute is unknown; the filter is right but slower.
        return int(result) == 0

    def add_rule(
        self,
        number: int,
        action: int,
        arguments: "Iterable[tuple[int, int, int, int]]",
        name: str,
    ) -> None:
        """Return `action` for the call if all the argument comparisons hold."""
        packed = [_ARGUMENT.pack(*argument) for argument in arguments]
        result = self._lib.seccomp_rule_add_array(
            self._context,
            ctypes.c_uint32(action),
            ctypes.c_int(number),
            ctypes.c_uint(len(packed)),
            ctypes.c_char_p(b"".join(packed)),
        )
        _check(int(result), name)

    def export(self) -> bytes:
        """Return the program as an array of struct sock_filter."""
        # seccomp_export_bpf_mem needs libseccomp 2.6; the fd variant works everywhere.
        fd = os.memfd_create("seccomp", os.MFD_CLOEXEC)
        try:
            _check(int(self._lib.seccomp_export_bpf(self._context, fd)), "export")
            os.lseek(fd, 0, os.SEEK_SET)
            parts = []
            while part := os.read(fd, _READ_SIZE):
                parts.append(part)
            return b"".join(parts)
        finally:
            os.close(fd)


def loaded_path() -> str:
    """Return the file that the library was mapped from, or an empty string."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                if SONAME in line:
                    return line[line.index("/") :].rstrip("\n")
    except (OSError, ValueError):
        pass
    return ""
