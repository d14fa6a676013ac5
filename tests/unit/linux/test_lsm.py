# SPDX-License-Identifier: Apache-2.0
"""Which security modules this host has, by the files that engines look at too."""

import os
from pathlib import Path

import pytest

from ocirun.linux import lsm

LIST = Path("/sys/kernel/security/lsm")


def test_this_host() -> None:
    if not LIST.exists():
        pytest.skip("securityfs")
    names = LIST.read_text().split(",")
    assert lsm.has_apparmor() == ("apparmor" in names)


@pytest.mark.parametrize(
    ("content", "found"), [("Y\n", True), ("N\n", False), ("", False), (None, False)]
)
def test_apparmor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, *, found: bool
) -> None:
    switch = tmp_path / "enabled"
    if content is not None:
        switch.write_text(content)
    monkeypatch.setattr(lsm, "APPARMOR_SWITCH", str(switch))
    assert lsm.has_apparmor() is found


def test_selinux_needs_its_filesystem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A directory there is not enough: every kernel that knows SELinux has one."""
    for mount in (tmp_path, tmp_path / "none"):
        monkeypatch.setattr(lsm, "SELINUX_MOUNT", str(mount))
        assert lsm.has_selinux() is False


def test_file_of_the_profile() -> None:
    own = os.path.isdir("/proc/self/attr/apparmor")
    assert lsm.apparmor_file() == ("attr/apparmor/exec" if own else "attr/exec")
