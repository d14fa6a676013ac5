# SPDX-License-Identifier: Apache-2.0
"""Puts compiled seccomp filters into the cache that `seccomp_cache` reads.

An entry appears at once or not at all (rename(2)), so that writers need no lock, and
the number of entries is bounded.  Nothing here raises: a filter that cannot be kept
is compiled again.
"""

import os

from ocirun.linux.seccomp_cache import HEADER, MAGIC, Program, digest, library_identity

# Entries of some ten kilobytes each, often in /run: a tmpfs.
MAX_ENTRIES = 64


def store(directory: str, key_: bytes, program: Program, library_path: str) -> None:
    """Keep a program that was compiled with the library file; failure is silent."""
    try:
        library = library_identity(os.fsencode(library_path))
    except OSError:
        # Replaced on disk after we opened it: we do not know what the next one gives.
        return
    found = digest(key_, program.flags, program.instructions, library)
    sizes = (len(program.instructions), len(library))
    entry = HEADER.pack(MAGIC, program.flags, *sizes, found) + program.instructions + library
    for made in (os.path.dirname(directory), directory):
        try:
            os.mkdir(made, 0o700)
        except OSError:
            # It is there, or the write says so too.
            continue
    name = key_.hex()
    temporary = os.path.join(directory, f".{name}.{os.getpid()}")
    try:
        if _write(temporary, entry):
            os.rename(temporary, os.path.join(directory, name))
            _prune(directory)
    except OSError:
        return


def _write(path: str, entry: bytes) -> bool:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if os.write(fd, entry) == len(entry):
            return True
    except OSError:
        pass
    finally:
        os.close(fd)
    os.unlink(path)
    return False


def _prune(directory: str) -> None:
    names = os.listdir(directory)
    if len(names) <= MAX_ENTRIES:
        return
    aged = []
    for name in names:
        path = os.path.join(directory, name)
        try:
            aged.append((os.lstat(path).st_mtime_ns, path))
        except FileNotFoundError:
            continue
    aged.sort()
    # A writer that was killed leaves its temporary file: it grows old here too.
    for _, path in aged[: max(0, len(aged) - MAX_ENTRIES)]:
        os.unlink(path)
