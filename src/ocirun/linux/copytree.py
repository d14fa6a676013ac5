# SPDX-License-Identifier: Apache-2.0
"""Copying a directory that a stranger may change meanwhile, by descriptors alone.

Nothing is opened for reading before its type is known, no link is followed, no mount is
entered.  Kept are type, content, holes, mode, owner, times, hard links, and of the
extended attributes what the target takes.  What bounds the copy is the target: it is
full, or has no more inodes (tmpfs(5)), or the tree is deeper than DEPTH_MAX.
"""

import errno
import os
import stat

from ocirun import _linux
from ocirun.linux import procfs

#: levels of directories; each of them keeps three descriptors open
DEPTH_MAX = 200

_RESOLVE = 1 | 2 | 4 | 8  # no mount, no magic link, no link on the way, and beneath
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SET_ID = stat.S_ISUID | stat.S_ISGID


def copy(source: int, target: int) -> None:
    """Copy what is in one directory into another, empty one.

    The OSError has the path below the directory.  Device nodes are left out where the
    caller may make none; an owner that has no number here is not kept.
    """
    source = os.open(".", _DIRECTORY, dir_fd=source)
    try:
        target = os.open(".", _DIRECTORY, dir_fd=target)
        try:
            _Copy(target).directory(source, target, "")
            found = os.fstat(source)
            if (there := os.fstat(target)).st_uid == 0 == there.st_gid:
                _own(target, found)
            _describe(source, target, found)
        finally:
            os.close(target)
    finally:
        os.close(source)


class _Copy:
    __slots__ = ("_depth", "_links", "_top")

    def __init__(self, top: int) -> None:
        self._top = top
        self._depth = 0
        #: device and inode -> path below the top, of what has several names
        self._links: dict[tuple[int, int], str] = {}

    def directory(self, source: int, target: int, path: str) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise OSError(errno.ELOOP, "too many levels of directories", path)
        for name in os.listdir(source):
            where = f"{path}/{name}" if path else name
            try:
                self._entry(source, target, name, where)
            except OSError as error:
                if not (error.filename or "").startswith(where):
                    error.filename = where
                raise
        self._depth -= 1

    def _entry(self, source: int, target: int, name: str, path: str) -> None:
        try:
            fd = _linux.openat2(source, name, os.O_PATH | os.O_NOFOLLOW, 0, _RESOLVE)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.ENOENT):
                return  # a mount, or gone meanwhile
            raise
        try:
            found = os.fstat(fd)
            if stat.S_ISDIR(found.st_mode):
                self._copy_directory(fd, target, name, path)
            elif not self._link(found, target, name, path):
                _copy_other(fd, found, target, name)
        finally:
            os.close(fd)

    def _copy_directory(self, fd: int, target: int, name: str, path: str) -> None:
        source = os.open(".", _DIRECTORY, dir_fd=fd)
        try:
            os.mkdir(name, 0o700, dir_fd=target)
            made = os.open(name, _DIRECTORY, dir_fd=target)
            try:
                self.directory(source, made, path)
                # At the end: the mode may forbid to write, and writing changes the times.
                _finish(source, made)
            finally:
                os.close(made)
        finally:
            os.close(source)

    def _link(self, found: os.stat_result, target: int, name: str, path: str) -> bool:
        """Make another name of what was copied already; tell whether that was so."""
        if found.st_nlink < 2:
            return False
        key = found.st_dev, found.st_ino
        first = self._links.setdefault(key, path)
        if first == path:
            return False
        # By name, but in a tree that nobody else can see.
        os.link(first, name, src_dir_fd=self._top, dst_dir_fd=target, follow_symlinks=False)
        return True


def _copy_other(fd: int, found: os.stat_result, target: int, name: str) -> None:
    if stat.S_ISREG(found.st_mode):
        _copy_file(fd, target, name)
        return
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink("", dir_fd=fd), name, dir_fd=target)
        _own_name(name, target, found)
    else:
        try:
            os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target)
        except PermissionError:
            return  # the kernel lets no user namespace make devices
        _own_name(name, target, found)
        os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=target)
    times = found.st_atime_ns, found.st_mtime_ns
    os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)


def _copy_file(fd: int, target: int, name: str) -> None:
    source = procfs.reopen(fd, _READ)
    try:
        made = os.open(name, _CREATE, 0o600, dir_fd=target)
        try:
            _copy_data(source, made)
            _finish(source, made)
        finally:
            os.close(made)
    finally:
        os.close(source)


def _copy_data(source: int, made: int) -> None:
    # As long as it is now: whoever writes to it meanwhile cannot keep us here.
    size = os.fstat(source).st_size
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
            end = min(size, os.lseek(source, at, os.SEEK_HOLE))
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # nothing but a hole is left
            raise
        os.lseek(made, at, os.SEEK_SET)
        while at < end:
            copied = os.sendfile(made, source, at, end - at)
            if not copied:
                return  # it became shorter
            at += copied
    os.ftruncate(made, size)


def _finish(source: int, made: int) -> None:
    found = os.fstat(source)
    mode = stat.S_IMODE(found.st_mode)
    os.fchmod(made, mode if _own(made, found) else mode & ~_SET_ID)
    _describe(source, made, found)


def _own(made: int, found: os.stat_result) -> bool:
    """Give the copy its owner; tell whether there is a number for it here."""
    try:
        os.fchown(made, found.st_uid, found.st_gid)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOVERFLOW):
            raise
        return False
    return True


def _own_name(name: str, target: int, found: os.stat_result) -> None:
    try:
        os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOVERFLOW):
            raise


def _describe(source: int, made: int, found: os.stat_result) -> None:
    """Copy the extended attributes, as far as the target takes them, and the times."""
    try:
        names = os.listxattr(source)
    except OSError:
        names = []
    for name in names:
        try:
            os.setxattr(made, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
    os.utime(made, ns=(found.st_atime_ns, found.st_mtime_ns))
