# SPDX-License-Identifier: Apache-2.0
"""Directories and files of one cgroup hierarchy, v1 or v2 alike.

Every failure is an OSError that names the file: the kernel's errno alone says little.
Cgroup directories hold no symbolic links and nobody but the kernel makes their files, so
plain paths are safe here; file names that come from a document are checked for slashes.
Below a container's own cgroup it may have made others, though, deeper than any path can
name: there we go from one to the next by descriptors, and by a loop.
"""

import errno
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    Drained = Callable[[str, float], None]

    class Freezable(Protocol):
        """A cgroup of either version."""

        def freeze(self, timeout: float = ...) -> None:
            """Stop all processes."""

        def thaw(self) -> None:
            """Let them go on."""

        def pids(self) -> list[int]:
            """Give all processes."""


# What an unprivileged caller meets where nothing was delegated to it.
NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS)
# What reading and writing a cgroup meet that was removed before, or meanwhile.
GONE = (errno.ENOENT, errno.ENODEV)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def read(directory: str, file: str) -> str:
    """Return the whole text of a cgroup file."""
    path = f"{directory}/{file}"
    fd = os.open(path, os.O_RDONLY)
    try:
        text = b""
        while chunk := os.read(fd, 65536):
            text += chunk
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(fd)
    return text.decode(errors="surrogateescape")


def write(directory: str, file: str, *values: str) -> None:
    """Write values to a cgroup file, each in one system call."""
    if "/" in file:
        raise OSError(errno.EINVAL, "not the name of a cgroup file", file)
    path = f"{directory}/{file}"
    fd = os.open(path, os.O_WRONLY)
    try:
        for value in values:
            os.write(fd, value.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(fd)


def make(directory: str, made: list[str]) -> None:
    """Make a cgroup with its missing parents; append to `made` those that did not exist."""
    # The parent may vanish between its mkdir and ours when another container that shares it
    # ends, hence more than one attempt.
    for _ in range(8):
        try:
            os.mkdir(directory, 0o755)
        except FileExistsError:
            return
        except FileNotFoundError:
            make(os.path.dirname(directory), made)
        else:
            made.append(directory)
            return
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), directory)


def missing(directories: "Iterable[str]") -> list[str]:
    """Give the directories, with their parents, that are not there yet, outermost first."""
    found: set[str] = set()
    for directory in directories:
        path = directory
        while path not in found and not os.path.exists(path):
            found.add(path)
            path = os.path.dirname(path)
    return sorted(found, key=len)


def pids(directory: str, *, recursive: bool = True) -> list[int]:
    """Return the processes in a cgroup, as this pid namespace numbers them; none if it is gone."""
    found = _listed_or_none(directory)
    if recursive and _may_have_children(directory):
        for path in _below(directory):
            found += _listed_or_none(path)
    return found


def _may_have_children(directory: str) -> bool:
    """Tell it without a descriptor, of which a caller in need has none left."""
    try:
        # Its name, its ".", and the ".." of each child; some file systems do not count.
        return os.stat(directory).st_nlink != 2
    except FileNotFoundError:
        return False


def _listed_or_none(directory: str) -> list[int]:
    try:
        return _listed(directory)
    except OSError as error:
        if error.errno not in GONE:
            raise
        return []


def _below(directory: str) -> "Iterator[str]":
    """Give a path of each cgroup below this one, good until the next is asked for."""
    try:
        fd = os.open(directory, _DIRECTORY)
    except FileNotFoundError:
        return
    try:
        left = [_names(fd)]
        while left:
            if not left[-1]:
                left.pop()
                fd = _change(fd, "..")
                continue
            try:
                fd = _change(fd, left[-1].pop())
            except OSError as error:
                if error.errno not in GONE:
                    raise
                continue
            yield f"/proc/self/fd/{fd}"
            left.append(_names(fd))
    finally:
        os.close(fd)


def _change(fd: int, name: str) -> int:
    """Open a directory from another one, which is closed."""
    found = os.open(name, _DIRECTORY, dir_fd=fd)
    os.close(fd)
    return found


def _names(fd: int) -> list[str]:
    try:
        with os.scandir(fd) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        if error.errno not in GONE:
            raise
        return []


def _listed(directory: str) -> list[int]:
    try:
        text = read(directory, "cgroup.procs")
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        # A threaded cgroup lists threads only; a signal to one of them reaches its process.
        text = read(directory, "cgroup.threads")
    # 0 stands for a process that the reader's pid namespace does not hold.
    return [int(pid) for pid in text.split() if pid != "0"]


def below(directory: str, inner: str) -> str:
    """Return the path of a cgroup below this one; ".." does not lead out of it."""
    inner = os.path.normpath("/" + inner).strip("/")
    return f"{directory}/{inner}" if inner else directory


def remove(directory: str, drained: "Drained", timeout: float) -> None:
    """Remove a cgroup and all below it, waiting for processes that are about to be gone.

    `drained(directory, seconds)` waits, at most so long, until something has left the
    cgroup.  A cgroup that is not there is no error.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            # On a read-only mount rmdir says EROFS even of what does not exist.
            if not os.path.exists(directory):
                return
            left = deadline - time.monotonic()
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY) or left <= 0:
                raise
            if not _remove_below(directory, drained, deadline):
                drained(directory, left)
        else:
            return


def _remove_below(directory: str, drained: "Drained", deadline: float) -> bool:
    """Remove all cgroups below this one; tell whether there were any."""
    try:
        fd = os.open(directory, _DIRECTORY)
    except FileNotFoundError:
        return False
    depth = 0
    try:
        any_found = bool(_names(fd))
        while True:
            busy = _remove_children(fd)
            if busy:
                if time.monotonic() > deadline:
                    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), directory)
                try:
                    fd = _change(fd, busy)
                except FileNotFoundError:
                    continue
                depth += 1
                if not _names(fd):
                    drained(f"/proc/self/fd/{fd}", max(0.0, deadline - time.monotonic()))
            elif depth:
                fd = _change(fd, "..")
                depth -= 1
            else:
                return any_found
    finally:
        os.close(fd)


def _remove_children(fd: int) -> str:
    """Remove the cgroups right below this one; give the name of one that is in use, or ""."""
    for name in _names(fd):
        try:
            os.rmdir(name, dir_fd=fd)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                raise
            return name
    return ""


def remove_empty(directories: list[str]) -> None:
    """Remove those of these cgroups that nobody uses, the last one first."""
    for directory in reversed(directories):
        try:
            os.rmdir(directory)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EBUSY, errno.ENOTEMPTY, errno.EROFS):
                raise


def signal(found: list[int], number: int) -> None:
    """Send a signal to each process; one that has ended meanwhile is no error."""
    for pid in found:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def signal_held(cgroup: "Freezable", number: int, *, can_freeze: bool = True) -> None:
    """Send a signal to every process in a cgroup and below, held still meanwhile."""
    try:
        if can_freeze:
            cgroup.freeze(timeout=0.5)
    except OSError as error:
        if error.errno in GONE:
            return
        # Processes that cannot be stopped (in a wait that no signal ends) still get it.
        if error.errno != errno.EBUSY:
            raise
    try:
        signal(cgroup.pids(), number)
    finally:
        cgroup.thaw()


def pause(seconds: float) -> None:
    """Let a moment pass: only for states that the kernel changes without any event."""
    select.poll().poll(max(1, int(seconds * 1000)))
