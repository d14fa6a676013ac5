# SPDX-License-Identifier: Apache-2.0
"""Directories and files, on an ordinary file system where that makes no difference."""

import errno
import os
from pathlib import Path

import pytest

from ocirun.linux.cgroup import tree


def test_make_tells_what_was_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    made: list[str] = []
    tree.make(f"{tmp_path}/a/b/c", made)
    assert made == [f"{tmp_path}/a/b", f"{tmp_path}/a/b/c"]
    tree.make(f"{tmp_path}/a/b/c", made)
    assert len(made) == 2
    tree.remove_empty(made)
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


def test_make_that_fails_tells_what_it_made(tmp_path: Path) -> None:
    made: list[str] = []
    with pytest.raises(OSError, match="name too long"):
        tree.make(f"{tmp_path}/a/{'x' * 256}", made)
    with pytest.raises(OSError, match="name too long"):
        tree.make(f"{tmp_path}/b/{'x' * 256}/c", made)
    assert made == [f"{tmp_path}/a", f"{tmp_path}/b"]
    tree.remove_empty(made)


@pytest.mark.parametrize(
    ("inner", "expected"),
    [("", "/m"), ("/", "/m"), ("a/b", "/m/a/b"), ("/a", "/m/a"), ("../../a", "/m/a"), ("..", "/m")],
)
def test_below(inner: str, expected: str) -> None:
    assert tree.below("/m", inner) == expected


def test_pids_of_other_namespaces_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("12\n0\n0\n7\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "cgroup.procs").write_text("99\n")
    assert tree.pids(str(tmp_path)) == [12, 7, 99]
    assert tree.pids(str(tmp_path), recursive=False) == [12, 7]


@pytest.mark.parametrize(("name", "depth"), [("x" * 200, 30), ("x", 1500)])
def test_cgroups_deeper_than_any_path_and_any_recursion(
    tmp_path: Path, name: str, depth: int
) -> None:
    top = tmp_path / "top"
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    procs = os.open("cgroup.procs", os.O_WRONLY | os.O_CREAT, dir_fd=fd)
    os.write(procs, b"99\n")
    os.close(procs)
    assert tree.pids(str(top)) == [99]
    os.unlink("cgroup.procs", dir_fd=fd)
    os.close(fd)

    def drained(_: str, __: float) -> None:
        raise AssertionError

    tree.remove(str(top), drained, 30.0)
    assert not top.exists()


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory") as caught:
        tree.read(str(tmp_path), ".")
    assert caught.value.errno == errno.EISDIR
    assert caught.value.filename == f"{tmp_path}/."
