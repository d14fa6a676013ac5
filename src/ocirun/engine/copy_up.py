# SPDX-License-Identifier: Apache-2.0
"""The mount option tmpcopyup: a tmpfs that begins with what the image has at its place.

The stub sends both directories, the one below the mount point and the top of the tmpfs
that nobody sees yet; they are copied here.  In a user namespace the copy must have the
rights of the container's root, not ours: a process of its own joins that namespace, and
no other, so nothing of the image is ever looked up by a name.
"""

import os

from ocirun import _linux
from ocirun.errors import KernelError
from ocirun.linux import copytree

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


def fill(source: int, target: int, userns: int, field: str) -> None:
    """Copy the directory `source` into `target`, as root of a user namespace, or ours if -1."""
    try:
        if userns < 0:
            copytree.copy(source, target)
        else:
            _fill_inside(source, target, userns)
    except OSError as error:
        hint = ""
        if error.errno == 28:
            hint = "give the tmpfs more room, by the options size= or nr_inodes="
        elif error.errno == 13:
            hint = "the root of the user namespace must be able to read what is copied"
        raise KernelError(
            f"{field}: tmpcopyup: copy {error.filename or '/'}: {(error.strerror or '').lower()}",
            hint,
        ) from error


def _fill_inside(source: int, target: int, userns: int) -> None:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if not pid:
        _fill_and_exit(source, target, userns, writing)
    os.close(writing)
    try:
        report = b""
        while chunk := os.read(reading, 65536):
            report += chunk
    finally:
        os.close(reading)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    number, _, rest = report.partition(b"\0")
    said, _, path = rest.partition(b"\0")
    if number != b"0":
        raise OSError(int(number or 5), said.decode() or "the copying ended", os.fsdecode(path))


def _fill_and_exit(source: int, target: int, userns: int, writing: int) -> None:
    """Copy as root of the user namespace and report: errno, its word, the path."""
    report = b"5\0interrupted\0"
    try:
        _linux.prctl(_PR_SET_PDEATHSIG, 9)
        # Before others in that namespace can look at us.
        _linux.prctl(_PR_SET_DUMPABLE, 0)
        _linux.setns(userns, _CLONE_NEWUSER)
        _become_root()
        copytree.copy(source, target)
        report = b"0"
    except OSError as error:
        path = os.fsencode(error.filename or "")
        report = b"%d\0%s\0%s" % (error.errno or 5, os.fsencode(error.strerror or ""), path)
    finally:
        os.write(writing, report[:4096])
        os._exit(0)


def _become_root() -> None:
    try:
        os.setgroups([])
    except PermissionError:
        pass  # forbidden where only one group is mapped
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    # Not kept over the change of ids.
    _linux.prctl(_PR_SET_PDEATHSIG, 9)
