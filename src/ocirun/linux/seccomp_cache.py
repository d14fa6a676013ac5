# SPDX-License-Identifier: Apache-2.0
"""Compiled seccomp filters on disk, so that a filter is compiled once per host.

An entry is used only when everything it was made from is still the same: the
profile, the kernel, and the libseccomp file.  Whatever is wrong with an entry or
with the directory (missing, torn, foreign, full) the answer is "not cached": the
cache can cost time, never a container.

This stands on the path of every `create`: it must not import anything dear, and what
only a miss needs, storing, is in `seccomp_store`.
"""

import _struct
import os
import stat

try:
    # hashlib would bring in OpenSSL, for some milliseconds.
    from _blake2 import blake2b
except ImportError:  # a Python built without its own blake2
    from hashlib import blake2b

ACTIONS_AVAIL = "/proc/sys/kernel/seccomp/actions_avail"

SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3

# Format of the entry and of the compiler's output: raise the digit with either.
MAGIC = b"ocibpf\n1"

# Magic, flags, length of the program, length of the library's identity, digest.
HEADER = _struct.Struct("=8sIII32s")

_MAX_SIZE = 1 << 17


class Program:
    """A compiled filter: struct sock_filter instructions and the flags to load them with."""

    __slots__ = ("flags", "instructions")

    def __init__(self, instructions: bytes, flags: int) -> None:
        self.instructions = instructions
        self.flags = flags

    @property
    def listener(self) -> bool:
        """Whether seccomp(2) returns a file descriptor for notifications."""
        return bool(self.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)


def key(profile: bytes) -> bytes:
    """Return the key of a profile, which may be spelt in any fixed way, on this kernel."""
    kernel = os.uname()
    found = blake2b(MAGIC, digest_size=32)
    for part in (kernel.release.encode(), kernel.version.encode(), actions_avail(), profile):
        found.update(b"%d:" % len(part))
        found.update(part)
    return found.digest()


def actions_avail() -> bytes:
    """Return the kernel's list of seccomp actions; empty where it does not tell."""
    try:
        fd = os.open(ACTIONS_AVAIL, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def load(directory: str, key_: bytes) -> "Program | None":
    """Return the program stored under the key, if it can be trusted and is current."""
    try:
        entry = _read(os.path.join(directory, key_.hex()))
        if entry is None or len(entry) < HEADER.size:
            return None
        magic, flags, program_size, library_size, stored = HEADER.unpack_from(entry)
        instructions = entry[HEADER.size : HEADER.size + program_size]
        library = entry[HEADER.size + program_size :]
        if magic != MAGIC or len(instructions) != program_size or len(library) != library_size:
            return None
        if stored != digest(key_, flags, instructions, library):
            return None
        path = library.partition(b"\0")[0]
        if library != library_identity(path):
            return None
    except OSError:
        return None
    return Program(instructions, flags)


def digest(key_: bytes, flags: int, instructions: bytes, library: bytes) -> bytes:
    """Return what ties the parts of an entry to each other and to its key."""
    return blake2b(
        b"%d:%d:" % (flags, len(instructions)) + instructions + library, digest_size=32, key=key_
    ).digest()


def library_identity(path: bytes) -> bytes:
    """Return what changes when another libseccomp is installed."""
    # The file that was mapped, by its real name: an upgrade changes or removes it.
    found = os.stat(path)
    return b"%s\0%d:%d:%d:%d" % (
        path,
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
    )


def _read(path: str) -> "bytes | None":
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(fd)
        # A filter that somebody else can write is no filter.
        if (
            not stat.S_ISREG(found.st_mode)
            or found.st_uid != os.geteuid()
            or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            or found.st_size > _MAX_SIZE
        ):
            return None
        return os.read(fd, _MAX_SIZE)
    finally:
        os.close(fd)
