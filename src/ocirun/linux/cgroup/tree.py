# SPDX-License-Identifier: Apache-2.0
"""Directories and files of one cgroup hierarchy, v1 or v2 alike.

Every failure is an OSError that names the file: the kernel's errno alone says little.
Cgroup directories hold no symbolic links and nobody but the kernel makes their files, so
plain paths are safe here; file names that come from a document are checked for slashes.
"""

import errno
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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


def children(directory: str) -> list[str]:
    """Return the directories of the cgroups right below this one."""
    with os.scandir(directory) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def pids(directory: str, *, recursive: bool = True) -> list[int]:
    """Return the processes in a cgroup, as this pid namespace numbers them; none if it is gone."""
    try:
        found = _listed(directory)
        if recursive:
            for child in children(directory):
                found += pids(child)
    except OSError as error:
        if error.errno not in GONE:
            raise
        return []
    return found


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
            below = _children_or_none(directory)
            for child in below:
                remove(child, drained, left)
            if not below:
                drained(directory, left)
        else:
            return


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


def _children_or_none(directory: str) -> list[str]:
    try:
        return children(directory)
    except FileNotFoundError:
        return []
