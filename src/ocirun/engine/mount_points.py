# SPDX-License-Identifier: Apache-2.0
"""The mount points that a restored container needs in its root filesystem.

Criu mounts on what is there, so what is missing is made before, by descriptors, as the
stub does when it makes a container.  It is done in a mount namespace of our own: a
mount point can lie in what is bound above it, which is bound for that moment.
"""

import os

from ocirun import _linux
from ocirun.engine import criu, mounts
from ocirun.linux.mount import MS_REC, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Spec

_MS_BIND, _MNT_DETACH = 0x1000, 2
_NO_MAGICLINKS, _IN_ROOT = 2, 16


def make(spec: "Spec", bundle: str, rootfs: str) -> None:
    """Make those that are missing; the mount namespace has to be ours alone."""
    filesystems: list[str] = []
    bound: list[str] = []
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for mount in spec.get("mounts", []):
            where = mounts.destination_of(mount, rootfs)
            # What is in those criu restores.
            if any(where.startswith(f"{above}/") for above in filesystems):
                continue
            if not Options(mount.get("options", [])).bind:
                os.close(_open(root, where, directory=True))
                filesystems.append(where)
                continue
            source = criu.source_of(mount.get("source", ""), bundle)
            target = _open(root, where, directory=os.path.isdir(source))
            try:
                _linux.mount(source, f"/proc/self/fd/{target}", _MS_BIND | MS_REC)
            finally:
                os.close(target)
            bound.append(where)
        for where in reversed(bound):
            target = _open(root, where, directory=True)
            try:
                _linux.umount2(f"/proc/self/fd/{target}", _MNT_DETACH)
            finally:
                os.close(target)
    finally:
        os.close(root)


def _open(root: int, where: str, *, directory: bool) -> int:
    try:
        return _linux.openat2(root, where, os.O_PATH, 0, _NO_MAGICLINKS | _IN_ROOT)
    except FileNotFoundError:
        pass
    parent, name = os.path.split(where)
    above = _open(root, parent, directory=True)
    try:
        if directory:
            os.mkdir(name, 0o755, dir_fd=above)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=above))
    finally:
        os.close(above)
    return _linux.openat2(root, where, os.O_PATH, 0, _NO_MAGICLINKS | _IN_ROOT)
