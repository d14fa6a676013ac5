# SPDX-License-Identifier: Apache-2.0
"""Arguments of operations, in words."""

import pytest

from ocirun.engine import details
from ocirun.engine.namespaces import TYPES
from ocirun.engine.wire import NO_SLOT, Operation
from ocirun.linux import mount


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("CLONE", (TYPES["pid"][0] | TYPES["uts"][0], NO_SLOT), "new: uts, pid"),
        ("CLONE", (0, 3), " in its cgroup"),
        ("UNSHARE", (TYPES["time"][0],), "time"),
        ("SETATTR", (0, mount.RDONLY | mount.NOSUID, 0, 0, 0, 0), "ro, nosuid"),
        ("SETATTR", (0, 0, mount.NOEXEC, 0, 0, 0), "not noexec"),
        ("SETATTR", (0, mount.NOATIME, mount.ATIME, 0, 0, 0), "noatime"),
        ("SETATTR", (0, mount.STRICTATIME, mount.ATIME, 0, 0, 0), "strictatime"),
        ("SETATTR", (0, 0, 0, 0, mount.MS_SLAVE, mount.AT_RECURSIVE), "slave, all below too"),
        ("FSMOUNT", (0, 1, mount.NODEV), "nodev"),
        ("FSCONFIG", (0, "size", "64k"), "to 64k"),
        ("FSCONFIG", (0, "ro", None), ""),
        ("CAPABILITIES", (1 << 5, 0, 0, 0), "CAP_KILL"),
        ("CAPABILITIES", (0, 0, 0, 0), "none"),
        ("BOUNDING", ((1 << 41) - 1,), "keep 41 of 41"),
        ("GROUPS", (2, b"\5\0\0\0\1\1\0\0"), "5, 257"),
        ("UMASK", (0o22,), "022"),
        ("EXEC", ((b"sh", b"-c", b"\xff"), ()), "sh -c \\xff"),
        ("PRCTL", (38, 1, 0), "no new privileges from here on (PR_SET_NO_NEW_PRIVS)"),
        ("SETSID", (), ""),
    ],
)
def test_details(
    name: str, arguments: tuple[int | str | bytes | tuple[bytes, ...] | None, ...], words: str
) -> None:
    assert details.of(Operation(name, arguments, "field")) == words
