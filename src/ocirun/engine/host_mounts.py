# SPDX-License-Identifier: Apache-2.0
"""Mounts of the host that a container has to do with.

Those of a container without a mount namespace are the host's, and go with it.
"""

import errno

from ocirun._linux import umount2
from ocirun.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.state import State

_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8


def count(path: str) -> int:
    """Count the mounts on top of each other at a mount point."""
    # proc(5): space, tab, newline and backslash are written in octal.
    where = path
    for character in "\\ \t\n":
        where = where.replace(character, f"\\{ord(character):03o}")
    return sum(line.split(" ", 5)[4] == where for line in _mountinfo())


def bare(rootfs: str) -> list[str]:
    """Give the places of procfs and sysfs outside of a root filesystem, the innermost first."""
    found = []
    for line in _mountinfo():
        left, _, right = line.partition(" - ")
        path = left.split(" ", 5)[4]
        if right.split(" ", 1)[0] in {"proc", "sysfs"} and not f"{path}/".startswith(f"{rootfs}/"):
            found.append(path)
    return sorted(found, key=len, reverse=True)


def _mountinfo() -> list[str]:
    return procfs.read("self/mountinfo").decode("utf-8", "surrogateescape").splitlines()


def remove(state: "State") -> None:
    """Detach the root filesystem that we bound to itself, with all that was mounted in it."""
    while count(state.rootfs) > state.host_mounts:
        try:
            umount2(state.rootfs, _MNT_DETACH | _UMOUNT_NOFOLLOW)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return
            raise
