# SPDX-License-Identifier: Apache-2.0
"""Reading and writing files of a procfs that is proven to be one (proc(5)).

A forged /proc once made runtimes write a label, or a mapping, to a file of the
attacker's choice (CVE-2019-16884, CVE-2025-52881): hence the check of the
filesystem's type, and no way out of it by a link or a mount.
"""

import errno
import os

from ocirun._linux import fstatfs_type, openat2
from ocirun.linux import file

_PROC_SUPER_MAGIC = 0x9FA0
_NO_XDEV, _NO_MAGICLINKS, _BENEATH = 1, 2, 8


def open_root() -> int:
    """Open /proc; the caller closes it.  ENODEV if it is something else."""
    fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if fstatfs_type(fd) != _PROC_SUPER_MAGIC or os.fstat(fd).st_ino != 1:
        os.close(fd)
        raise OSError(errno.ENODEV, "not a procfs", "/proc")
    return fd


def reopen(fd: int, flags: int) -> int:
    """Open what a descriptor, even one of O_PATH, refers to; the caller closes it.

    So the type of a file can be looked at first: to open a device can have effects.
    """
    root = open_root()
    try:
        fds = openat2(root, "self/fd", os.O_PATH, 0, _NO_XDEV | _NO_MAGICLINKS | _BENEATH)
    finally:
        os.close(root)
    try:
        return os.open(str(fd), flags | os.O_CLOEXEC, dir_fd=fds)
    finally:
        os.close(fds)


def write(root: int, path: str, data: bytes) -> None:
    """Write a value to a file below the root, in one write as the kernel demands."""
    fd = openat2(root, path, os.O_WRONLY, 0, _NO_XDEV | _NO_MAGICLINKS | _BENEATH)
    try:
        os.write(fd, data)
    except OSError as error:
        error.filename = f"/proc/{path}"
        raise
    finally:
        os.close(fd)


def read(path: str) -> bytes:
    """Read a whole small file, given by its name below /proc."""
    return file.read(f"/proc/{path}")


def is_covered(path: str) -> bool:
    """Tell whether a mount lies over, or on the way to, a file below /proc."""
    root = open_root()
    try:
        os.close(openat2(root, path, os.O_PATH, 0, _NO_XDEV | _NO_MAGICLINKS | _BENEATH))
    except OSError as error:
        return error.errno == errno.EXDEV
    finally:
        os.close(root)
    return False


def filesystem_type(fd: int, pid: int) -> str:
    """Give the type of the filesystem that an open file is on, as process `pid` has it mounted."""
    number = b""
    for line in read(f"self/fdinfo/{fd}").split(b"\n"):
        if line.startswith(b"mnt_id:"):
            number = line.split()[1]
    for line in read(f"{pid}/mountinfo").split(b"\n"):
        if number and line.split(b" ", 1)[0] == number:
            return os.fsdecode(line.rpartition(b" - ")[2].split(b" ", 1)[0])
    return "unknown"


def start_time(pid: int) -> int:
    """Give the clock tick in which a process started, which tells it from a later one of that pid.

    Zero if there is no such process, or only its zombie.
    """
    try:
        fields = read(f"{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def command_name(pid: int) -> str:
    """Give the name that a process goes by (PR_SET_NAME)."""
    try:
        return os.fsdecode(read(f"{pid}/comm").rstrip(b"\n"))
    except OSError:
        return ""
