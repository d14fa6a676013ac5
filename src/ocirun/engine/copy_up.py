# SPDX-License-Identifier: Apache-2.0
"""The mount option tmpcopyup: a tmpfs that begins with what the image has at its place.

The stub sends both directories, the one below the mount point and the top of the tmpfs
that nobody sees yet; they are copied here, by a process of its own.  It enters the
container's cgroup first: how much there is to copy is the image's word, and the pages
of a tmpfs are charged to whoever fills it.  In a user namespace the copy must have the
rights of the container's root, not ours: it joins that namespace, and no other, so
nothing of the image is ever looked up by a name.
"""

import os
from _signal import SIG_BLOCK, SIG_SETMASK, pthread_sigmask, valid_signals
from errno import EACCES, EIO, ENOMEM, ENOSPC

from ocirun import _linux
from ocirun.errors import KernelError
from ocirun.linux import copytree

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_HINTS = {
    ENOSPC: "give the tmpfs more room, by the options size= or nr_inodes=",
    EACCES: "the root of the user namespace must be able to read what is copied",
    ENOMEM: "linux.resources.memory.limit holds for what is copied too",
}


def fill(source: int, target: int, userns: int, cgroup_fds: list[int], field: str) -> None:
    """Copy the directory `source` into `target`, as root of a user namespace, or ours if -1.

    `cgroup_fds` are written "0" to by the process that copies.  All stay the caller's.
    """
    try:
        _fill_apart(source, target, userns, cgroup_fds)
    except OSError as error:
        raise KernelError(
            f"{field}: tmpcopyup: copy {error.filename or '/'}: {(error.strerror or '').lower()}",
            _HINTS.get(error.errno or 0, ""),
        ) from error


def _fill_apart(source: int, target: int, userns: int, cgroup_fds: list[int]) -> None:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    # A handler of ours must not run in the child, which would undo the container too.
    mask = pthread_sigmask(SIG_BLOCK, valid_signals())
    pid = os.fork()
    if not pid:
        _fill_and_exit(source, target, userns, cgroup_fds, writing)
    os.close(writing)
    report = b""
    try:
        pthread_sigmask(SIG_SETMASK, mask)
        while chunk := os.read(reading, 65536):
            report += chunk
    except BaseException:
        os.kill(pid, 9)
        raise
    finally:
        os.close(reading)
        status = os.waitpid(pid, 0)[1]
    if not report and os.WIFSIGNALED(status):
        raise OSError(ENOMEM, "killed for want of memory")
    number, _, rest = report.partition(b"\0")
    said, _, path = rest.partition(b"\0")
    if number != b"0":
        raise OSError(int(number or EIO), said.decode() or "the copying ended", os.fsdecode(path))


def _fill_and_exit(
    source: int, target: int, userns: int, cgroup_fds: list[int], writing: int
) -> None:
    """Copy in the cgroup, as root of the user namespace; report errno, its word, the path."""
    report = b"5\0interrupted\0"
    try:
        _linux.prctl(_PR_SET_PDEATHSIG, 9)
        # Before others in that namespace can look at us.
        _linux.prctl(_PR_SET_DUMPABLE, 0)
        for fd in cgroup_fds:
            os.write(fd, b"0")
        if userns >= 0:
            _linux.setns(userns, _CLONE_NEWUSER)
            _become_root()
        copytree.copy(source, target)
        report = b"0"
    except OSError as error:
        path = os.fsencode(error.filename or "")
        report = b"%d\0%s\0%s" % (error.errno or EIO, os.fsencode(error.strerror or ""), path)
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
    # Neither is kept over the change of ids; as for the second, see sysctl fs.suid_dumpable.
    _linux.prctl(_PR_SET_PDEATHSIG, 9)
    _linux.prctl(_PR_SET_DUMPABLE, 0)
