# SPDX-License-Identifier: Apache-2.0
"""Containers without a mount namespace: their root is a chroot of the first process."""

import os
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import both, drop, put
from tests.cli.inside import namespace

if TYPE_CHECKING:
    from tests.cli.inside import Look

pytestmark = pytest.mark.root

SHARED = both(drop("mount"), put(linux__maskedPaths=[], linux__readonlyPaths=[]))


@pytest.mark.parametrize("flags", [(), ("--cwd", "/etc"), ("--user", "5:6")])
def test_exec(look: "Look", flags: tuple[str, ...]) -> None:
    """It gets the root of the first process, not the host's."""
    (look.bundle.rootfs / "etc/inside").write_text("inside")
    pid = look.start(SHARED)
    try:
        assert namespace(pid, "mnt") == namespace("self", "mnt")
        script = "cat /etc/inside; ls -di / | cut -d' ' -f1; pwd; id -u; readlink /proc/self/ns/pid"
        done = look.command("exec", *flags, look.name, "sh", "-c", script)
        said = done.stdout.splitlines()
        assert done.stderr == ""
        assert said[0] == f"inside{os.stat(look.bundle.rootfs).st_ino}"
        assert said[1] == ("/etc" if "--cwd" in flags else "/")
        assert said[2] == ("5" if "--user" in flags else "0")
        assert said[3] == namespace(pid, "pid")
    finally:
        look.end()


def test_exec_in_one_that_has_ended(look: "Look") -> None:
    look.start(SHARED)
    assert look.command("kill", look.name, "KILL").returncode == 0
    done = look.command("exec", look.name, "true")
    assert done.returncode == 255
    assert "not running" in done.stderr
    look.end()
