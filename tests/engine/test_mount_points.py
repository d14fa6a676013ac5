# SPDX-License-Identifier: Apache-2.0
"""The mount points that restore makes, in a real mount namespace, seen from outside after it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocirun.engine import criu

pytestmark = pytest.mark.root

SCRIPT = """
import json, sys
from ocirun.engine import mount_points
mount_points.make(json.loads(sys.argv[1]), *sys.argv[2:])
print(open("/proc/self/mountinfo").read())
"""


def make(mounts: list[dict[str, object]], tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """Make those of a root filesystem `rootfs` in a mount namespace that ends with this."""
    words = [sys.executable, "-c", SCRIPT, json.dumps({"mounts": mounts})]
    return subprocess.run(
        ["unshare", "-m", "--propagation", "private", *words, str(tmp_path), f"{tmp_path}/rootfs"],
        capture_output=True,
        text=True,
        check=False,
    )


def bind(source: str, where: str) -> dict[str, object]:
    return {"destination": where, "type": "bind", "source": source, "options": ["rbind"]}


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    path = tmp_path / "rootfs"
    path.mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "file").write_text("kept")
    return path


def test_one_in_what_is_bound_above_it(rootfs: Path, tmp_path: Path) -> None:
    mounts = [bind("data", "/a/b"), bind("file", "/a/b/c/file"), bind("file", "/etc/file")]
    done = make(mounts, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (rootfs / "a/b").is_dir()
    assert (rootfs / "etc/file").read_text() == ""
    # Not below the root filesystem, but in the directory that is bound there.
    assert list((rootfs / "a/b").iterdir()) == []
    assert (tmp_path / "data/c/file").read_text() == ""
    assert (tmp_path / "file").read_text() == "kept"
    # None of what was bound is still there when criu comes.
    assert str(rootfs) not in done.stdout


def test_none_in_a_filesystem_that_criu_mounts(rootfs: Path, tmp_path: Path) -> None:
    mounts: list[dict[str, object]] = [
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts"},
        bind("data", "/dev/data"),
    ]
    assert make(mounts, tmp_path).returncode == 0
    assert list((rootfs / "dev").iterdir()) == []


def test_none_outside_of_the_root(rootfs: Path, tmp_path: Path) -> None:
    """The image decides what its links are."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (rootfs / "absolute").symlink_to(outside)
    (rootfs / "relative").symlink_to("../../../../../../../" + str(outside))
    (rootfs / "dangling").symlink_to(f"{outside}/new")
    for where in ("/absolute/a", "/relative/b", "/absolute/../../outside/c", "/dangling"):
        make([bind("data", where)], tmp_path)
        assert list(outside.iterdir()) == [], where


def test_a_file_in_the_way(rootfs: Path, tmp_path: Path) -> None:
    (rootfs / "file").touch()
    done = make([bind("data", "/file/data")], tmp_path)
    assert done.returncode != 0
    assert "NotADirectoryError" in done.stderr


@pytest.mark.parametrize(
    ("where", "real"),
    [
        ("/etc/hosts", "/etc/hosts"),
        ("/link/file", "/real/dir/file"),
        ("/link/new/file", "/real/dir/new/file"),
        ("/up/real", "/real"),
        ("/new", "/new"),
        ("/", "/"),
        ("/host/etc", "/tmp/etc"),
    ],
)
def test_where_a_mount_really_is(rootfs: Path, where: str, real: str) -> None:
    (rootfs / "real/dir").mkdir(parents=True)
    (rootfs / "tmp").mkdir()
    (rootfs / "link").symlink_to("/real/dir")
    (rootfs / "up").symlink_to("../../..")
    (rootfs / "host").symlink_to("/tmp")
    root = os.open(rootfs, os.O_PATH)
    try:
        assert criu.find_real(root, where) == real
    finally:
        os.close(root)
