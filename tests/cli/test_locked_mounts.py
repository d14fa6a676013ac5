# SPDX-License-Identifier: Apache-2.0
"""Attributes of a mount of the host that a user namespace may not take away.

mount_namespaces(7), "Restrictions on mount namespaces".  They are kept without a word
where the config does not name them, and the mount is refused where it wants them gone.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import append, both, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = pytest.mark.root

MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]
USER = both(
    append(linux__namespaces={"type": "user"}),
    put(linux__uidMappings=MAPPING, linux__gidMappings=MAPPING),
)
ALL = {"ro", "nosuid", "nodev", "noexec"}


@pytest.fixture(autouse=True)
def _mapped_root(bundle: "Bundles") -> None:
    """The root of the user namespace makes the mount points."""
    os.chown(bundle.rootfs, 100000, 100000)


@pytest.fixture
def source(open_directory: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a tmpfs with options, and give the place."""
    top = open_directory / "locked"
    top.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "locked", top], check=True)

    def remount(options: str) -> Path:
        subprocess.run(["mount", "-o", f"remount,bind,{options}", top], check=True)
        return top

    yield remount
    subprocess.run(["umount", top], check=True)
    top.rmdir()


def bind(source: Path, *options: str) -> "Change":
    return append(
        mounts={"destination": "/mnt", "source": str(source), "options": ["bind", *options]}
    )


def shown(look: "Look", *changes: "Change") -> set[str]:
    found = look("grep ' /mnt ' /proc/self/mountinfo", *changes)
    return set(found.split()[5].split(","))


@pytest.mark.parametrize("options", [(), ("nosuid",), ("rprivate",), ("ro",), ("nosymfollow",)])
def test_what_is_not_named_stays(
    look: "Look", source: Callable[[str], Path], options: tuple[str, ...]
) -> None:
    assert shown(look, USER, bind(source("ro,nosuid,nodev,noexec"), *options)) >= ALL


@pytest.mark.parametrize("options", [("rw",), ("suid",), ("dev",), ("exec",), ("strictatime",)])
def test_what_is_to_go_is_refused(
    command: "Command",
    bundle: "Bundles",
    name: str,
    source: Callable[[str], Path],
    options: tuple[str, ...],
) -> None:
    change = both(USER, bind(source("ro,nosuid,nodev,noexec,noatime"), *options))
    done = command("run", "-b", str(bundle("true", change=change)), name)
    refused(
        done,
        "mounts[7]: error mounting ",
        ' to rootfs at "/mnt": set mount attributes: operation not permitted',
        "take away",
    )


def test_without_a_user_namespace_all_can_go(look: "Look", source: Callable[[str], Path]) -> None:
    options = ("rw", "suid", "dev", "exec")
    found = shown(look, bind(source("ro,nosuid,nodev,noexec"), *options))
    assert not found & ALL
    assert "rw" in found


def test_one_word_and_the_others_go(look: "Look", source: Callable[[str], Path]) -> None:
    """As `mount -o remount,bind` has it."""
    found = shown(look, bind(source("ro,nodev,nosymfollow"), "nosuid"))
    assert "nosuid" in found
    assert not found & {"ro", "nodev", "nosymfollow"}


def test_links_are_followed_again_where_that_is_not_locked(
    look: "Look", source: Callable[[str], Path]
) -> None:
    found = shown(look, USER, bind(source("nodev,nosymfollow"), "symfollow"))
    assert "nodev" in found
    assert "nosymfollow" not in found
