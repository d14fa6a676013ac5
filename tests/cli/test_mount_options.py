# SPDX-License-Identifier: Apache-2.0
"""Every mount option that the spec lists, and what the kernel says of the mount afterwards.

config.md, "Linux mount options"; the effect is read from the container's mountinfo.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from tests.bundle import Bundles
from tests.cli.changes import append
from tests.cli.conftest import Command

from ocirun.cli import features

pytestmark = pytest.mark.root

#: what the kernel shows of a mount -> the options that set it, and those that clear it
ATTRIBUTES = {
    "ro": (["ro"], ["rw"]),
    "nosuid": (["nosuid"], ["suid"]),
    "nodev": (["nodev"], ["dev"]),
    "noexec": (["noexec"], ["exec"]),
    "nosymfollow": (["nosymfollow"], ["symfollow"]),
    "nodiratime": (["nodiratime"], ["diratime"]),
    "noatime": (["noatime"], ["relatime", "strictatime"]),
    "relatime": (["relatime", "atime"], ["noatime", "strictatime"]),
}
SETTING = [(word, shown) for shown, (words, _) in ATTRIBUTES.items() for word in words]
CLEARING = [(word, shown) for shown, (_, words) in ATTRIBUTES.items() for word in words]
#: mount(2): this word is no flag, and a bind mount keeps the access times of its source
KEPT = "diratime"
#: mount(8): the clearing forms of two kinds of access times leave what the default is
DEFAULT_ATIME = ("norelatime", "nostrictatime")
PROPAGATION = {"private": "", "shared": "shared:", "slave": "", "unbindable": "unbindable"}
SUPERBLOCK = ("sync", "dirsync", "lazytime", "mand")
#: accepted; what they ask for is so already, or has gone from the kernel, or is not shown
SILENT = (
    *("async", "nolazytime", "nomand", "defaults", "silent", "loud", "remount"),
    *("iversion", "noiversion"),
)
ELSEWHERE = {"bind", "rbind", "tmpcopyup", "idmap", "ridmap"}

Shown = dict[str, tuple[set[str], str, set[str]]]


class Mounted(Protocol):
    def __call__(self, options: list[str], kind: str = ..., source: str = ...) -> Shown: ...


@pytest.fixture
def mounted(command: Command, bundle: Bundles, name: str) -> Iterator[Mounted]:
    """Run a container with one more mount, at /mnt; give what its mountinfo says of all."""

    def run(options: list[str], kind: str = "tmpfs", source: str = "x") -> Shown:
        entry = {"destination": "/mnt", "type": kind, "source": source, "options": options}
        path = str(bundle("sleep", "1000", change=append(mounts=entry)))
        done = command("run", "-d", "-b", path, name)
        assert (done.returncode, done.stderr) == (0, ""), done
        pid = json.loads(command("state", name).stdout)["pid"]
        return _shown(pid)

    yield run
    assert command("delete", "--force", name).returncode == 0


def _shown(pid: int) -> Shown:
    found = {}
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        words = left.split()
        found[words[4]] = (
            set(words[5].split(",")),
            " ".join(words[6:]),
            set(right.split()[2].split(",")),
        )
    return found


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Mount a tmpfs with an option, and another one with it below; give the path of the first."""
    made: list[str] = []

    def make(option: str) -> str:
        top = tmp_path / "source"
        for path in (top, top / "below"):
            path.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "x", str(path)], check=True)
            made.append(str(path))
        for path in (top / "below", top):
            subprocess.run(["mount", "-o", f"remount,bind,{option}", str(path)], check=True)
        return str(top)

    yield make
    for path in reversed(made):
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize(("word", "shown"), SETTING)
def test_attribute_of_a_new_mount(mounted: Mounted, word: str, shown: str) -> None:
    assert shown in mounted([word])["/mnt"][0]


@pytest.mark.parametrize(("word", "shown"), SETTING)
def test_attribute_of_a_bind(mounted: Mounted, tmp_path: Path, word: str, shown: str) -> None:
    assert shown in mounted(["bind", word], "bind", str(tmp_path))["/mnt"][0]


@pytest.mark.parametrize(("word", "shown"), [pair for pair in CLEARING if pair[0] != KEPT])
def test_attribute_that_is_cleared(
    mounted: Mounted, source: Callable[[str], str], word: str, shown: str
) -> None:
    found = mounted(["rbind", word], "bind", source(shown))
    assert shown not in found["/mnt"][0]
    assert shown in found["/mnt/below"][0], "only the recursive form reaches further down"


def test_access_times_of_a_bind_are_kept(mounted: Mounted, source: Callable[[str], str]) -> None:
    found = mounted(["rbind", KEPT], "bind", source("nodiratime"))
    assert "nodiratime" in found["/mnt"][0]


@pytest.mark.parametrize(("word", "shown"), SETTING)
def test_recursive_attribute(
    mounted: Mounted, source: Callable[[str], str], word: str, shown: str
) -> None:
    found = mounted(["rbind", f"r{word}"], "bind", source("rw"))
    assert shown in found["/mnt"][0]
    assert shown in found["/mnt/below"][0]


@pytest.mark.parametrize(("word", "shown"), CLEARING)
def test_recursive_attribute_that_is_cleared(
    mounted: Mounted, source: Callable[[str], str], word: str, shown: str
) -> None:
    found = mounted(["rbind", f"r{word}"], "bind", source(shown))
    assert shown not in found["/mnt"][0]
    assert shown not in found["/mnt/below"][0]


@pytest.mark.parametrize("word", DEFAULT_ATIME)
def test_access_times_as_by_default(mounted: Mounted, word: str) -> None:
    assert "relatime" in mounted([word])["/mnt"][0]


@pytest.mark.parametrize("word", DEFAULT_ATIME)
def test_access_times_as_by_default_recursively(
    mounted: Mounted, source: Callable[[str], str], word: str
) -> None:
    found = mounted(["rbind", f"r{word}"], "bind", source("noatime"))
    assert "relatime" in found["/mnt"][0] & found["/mnt/below"][0]


@pytest.mark.parametrize("word", PROPAGATION)
@pytest.mark.parametrize("prefix", ["", "r"])
def test_propagation(
    mounted: Mounted, source: Callable[[str], str], word: str, prefix: str
) -> None:
    found = mounted(["rbind", prefix + word], "bind", source("rw"))
    assert found["/mnt"][1].startswith(PROPAGATION[word])
    assert bool(found["/mnt"][1]) == bool(PROPAGATION[word])
    below = found["/mnt/below"][1]
    assert below.startswith(PROPAGATION[word] if prefix else "")
    if not prefix:
        assert "unbindable" not in below


@pytest.mark.parametrize("word", SUPERBLOCK)
def test_flag_of_the_filesystem(mounted: Mounted, word: str) -> None:
    assert word in mounted([word])["/mnt"][2]


@pytest.mark.parametrize("word", SILENT)
def test_without_visible_effect(mounted: Mounted, word: str) -> None:
    assert mounted([word])["/mnt"] == ({"rw", "relatime"}, "", {"rw"})


def test_bind_takes_the_mounts_below_only_recursively(
    mounted: Mounted, source: Callable[[str], str]
) -> None:
    assert "/mnt/below" not in mounted(["bind"], "bind", source("rw"))


def test_rbind_takes_the_mounts_below(mounted: Mounted, source: Callable[[str], str]) -> None:
    assert "/mnt/below" in mounted(["rbind"], "bind", source("rw"))


def test_none_is_forgotten() -> None:
    plain = {word for word, _ in (*SETTING, *CLEARING)} | set(DEFAULT_ATIME)
    recursive = {f"r{word}" for word in plain | set(PROPAGATION)}
    tried = plain | recursive | set(PROPAGATION) | set(SUPERBLOCK) | set(SILENT) | ELSEWHERE
    assert features.mount_options() - tried == set()
