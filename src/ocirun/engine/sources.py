# SPDX-License-Identifier: Apache-2.0
"""Paths of the host that a container's own root might not be allowed to reach.

In a user namespace that root is an ordinary user of the host, and a directory with
mode 0700 on the way is closed to it.  An engine run by root may pass: it opens the path
for the stub, in the stub's own mount namespace, so that the kernel's locks on the mounts
there stay in force (mount_namespaces(7), "Restrictions on mount namespaces").
"""

import errno
import os

from ocirun import _linux
from ocirun.engine.process import SYNC_SOURCE
from ocirun.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Operation, Plan

_RESOLVE_IN_ROOT = 16


def needed(setting: "Setting") -> bool:
    """Tell whether the engine may go where the container's root may not."""
    return setting.privileged and setting.namespaces.private("user")


def add_open(plan: "Plan", setting: "Setting", slot: int, path: str) -> None:
    """Append what opens a path of the host."""
    if needed(setting):
        plan.add("SOURCE", slot, path, SYNC_SOURCE)
    else:
        plan.add("OPEN", slot, path)


def open_for(pid: int, operation: "Operation") -> int:
    """Open what the stub, process `pid`, asked for by a SOURCE; the caller closes it."""
    path = operation.args[1]
    assert operation.name == "SOURCE"
    assert isinstance(path, str)
    return open_path(pid, path, operation.field)


def open_path(pid: int, path: str, field: str) -> int:
    """Open a path as the stub, process `pid`, would find it; the caller closes it."""
    flags = os.O_PATH | os.O_CLOEXEC
    try:
        root = os.open(f"/proc/{pid}/root", flags | os.O_DIRECTORY)
        try:
            # Below that root: an absolute link must not lead into our own namespace, whose
            # mounts the stub could not use.
            return _linux.openat2(root, path, flags, 0, _RESOLVE_IN_ROOT)
        finally:
            os.close(root)
    except OSError as error:
        hint = (
            "it has to exist on the host"
            if error.errno == errno.ENOENT
            else "every directory on the way must be searchable for the root of the user namespace"
        )
        raise KernelError(
            f"{field}: open {path}: {(error.strerror or '').lower()}", hint
        ) from error
