# SPDX-License-Identifier: Apache-2.0
"""Copying a tree by descriptors, also one that somebody made to harm."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocirun.linux import copytree

pytestmark = pytest.mark.root

#: exchanges two names for ever (renameat2(2), RENAME_EXCHANGE)
SWAP = """
import ctypes
libc = ctypes.CDLL(None)
while True:
    libc.renameat2(-100, b"dir", -100, b"../link", 2)
"""


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A directory to copy, and an empty tmpfs."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "copy", target], check=True)
    yield source, target
    subprocess.run(["umount", "-l", target], check=True)


def copy(source: Path, target: Path) -> None:
    fds = [os.open(path, os.O_PATH) for path in (source, target)]
    before = os.listdir("/proc/self/fd")
    try:
        copytree.copy(*fds)
    finally:
        assert os.listdir("/proc/self/fd") == before
        for fd in fds:
            os.close(fd)


def test_kinds_and_numbers(trees: tuple[Path, Path]) -> None:
    source, target = trees
    (source / "file").write_bytes(b"content")
    os.setxattr(source / "file", "trusted.test", b"value")
    os.mknod(source / "device", stat.S_IFBLK | 0o640, os.makedev(7, 200))
    os.mknod(source / "socket", stat.S_IFSOCK | 0o700)
    (source / "file").chmod(0o4751)
    os.chown(source / "device", 11, 12)
    os.utime(source / "file", (1, 2))
    copy(source, target)
    for name in ("file", "device", "socket"):
        there, here = (source / name).lstat(), (target / name).lstat()
        for what in ("st_mode", "st_uid", "st_gid", "st_rdev", "st_mtime_ns", "st_size"):
            assert getattr(here, what) == getattr(there, what), (name, what)
    assert os.getxattr(target / "file", "trusted.test") == b"value"
    assert (target / "file").read_bytes() == b"content"


def test_holes_stay_holes(trees: tuple[Path, Path]) -> None:
    """A file that is larger than the tmpfs is, but holds nothing."""
    source, target = trees
    with (source / "file").open("wb") as file:
        file.seek(50 << 20)
        file.write(b"end")
        file.truncate(90 << 20)
    copy(source, target)
    found = (target / "file").stat()
    assert found.st_size == 90 << 20
    assert found.st_blocks * 512 <= 8192
    with (target / "file").open("rb") as file:
        file.seek(50 << 20)
        assert file.read(3) == b"end"


def test_a_tree_that_is_too_deep(trees: tuple[Path, Path]) -> None:
    source, target = trees
    deep = source
    for _ in range(copytree.DEPTH_MAX):
        deep /= "d"
        deep.mkdir()
    with pytest.raises(OSError, match="too many levels") as raised:
        copy(source, target)
    assert str(raised.value.filename).startswith("d/d/d")


def test_links_are_copied_and_not_followed(trees: tuple[Path, Path], tmp_path: Path) -> None:
    source, target = trees
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    for name, to in (("absolute", outside), ("relative", "../outside"), ("dangling", "nothing")):
        (source / name).symlink_to(to)
    copy(source, target)
    for name in os.listdir(source):
        assert os.readlink(target / name) == os.readlink(source / name)


def test_a_directory_that_becomes_a_link_and_back(trees: tuple[Path, Path], tmp_path: Path) -> None:
    """Whoever shares the tree may change it between any two of our calls."""
    source, target = trees
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "name").write_text("secret")
    (source / "dir").mkdir()
    (source / "dir/name").write_text("ours")
    (tmp_path / "link").symlink_to(outside)
    found: set[object] = set()
    with subprocess.Popen([sys.executable, "-c", SWAP], cwd=source) as swapping:
        for number in range(300):
            place = target / str(number)
            place.mkdir()
            try:
                copy(source, place)
            except OSError as error:
                # ENOTDIR, ELOOP: it noticed
                found.add(error.errno)
            if (place / "dir").is_symlink():
                found.add("link")
            elif (place / "dir/name").exists():
                found.add((place / "dir/name").read_text())
            shutil.rmtree(place)
        swapping.kill()
    assert {"link", "ours"} <= found, "the race was there"
    assert "secret" not in found


def test_names_that_are_no_utf_8(trees: tuple[Path, Path]) -> None:
    source, target = trees
    name = os.fsdecode(b"\xff\n\xfe")
    (source / name).mkdir()
    (source / name / name).touch()
    copy(source, target)
    assert (target / name / name).exists()


def test_hard_links_in_other_directories(trees: tuple[Path, Path]) -> None:
    source, target = trees
    for name in ("a", "b"):
        (source / name).mkdir()
    (source / "a/one").write_text("x")
    os.link(source / "a/one", source / "b/two")
    copy(source, target)
    assert (target / "a/one").stat().st_ino == (target / "b/two").stat().st_ino
    assert (target / "a/one").stat().st_nlink == 2


def test_what_does_not_fit_is_named(trees: tuple[Path, Path]) -> None:
    source, target = trees
    (source / "dir").mkdir()
    (source / "dir/big").write_bytes(b"x" * (2 << 20))
    with pytest.raises(OSError, match="No space left") as raised:
        copy(source, target)
    assert raised.value.filename == "dir/big"
