# SPDX-License-Identifier: Apache-2.0
"""Whether we live in a user namespace, and what that allows (user_namespaces(7))."""

from ocirun.linux import procfs


def inside() -> bool:
    """Tell whether our ids are mapped, so that some rights of root are only a semblance."""
    try:
        return procfs.read("self/uid_map").split() != [b"0", b"0", b"4294967295"]
    except OSError:
        return False


def may_setgroups(pid: int | str = "self") -> bool:
    """Tell whether setgroups(2) is allowed in the user namespace of a process."""
    try:
        return procfs.read(f"{pid}/setgroups").strip() != b"deny"
    except OSError:
        return True
