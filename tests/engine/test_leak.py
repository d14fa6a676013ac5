# SPDX-License-Identifier: Apache-2.0
"""The look for what a test left behind: it sees what is ours, and nothing else."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import leak

pytestmark = pytest.mark.root


@pytest.fixture
def foreign() -> Iterator[Path]:
    """Give a directory as somebody else on this machine would have it."""
    with tempfile.TemporaryDirectory(prefix="somebody-", dir="/var/tmp") as path:
        yield Path(path)


def mounted(point: Path, *words: str) -> leak.Inventory:
    """What is there more while something is mounted."""
    before = leak.inventory()
    subprocess.run(["mount", *words, str(point)], check=True)
    try:
        return leak.more(before, leak.inventory())
    finally:
        subprocess.run(["umount", str(point)], check=True)


def test_mounts_of_others_do_not_count(foreign: Path) -> None:
    assert mounted(foreign, "-t", "tmpfs", "none") == {}


def test_our_own_mounts_count(tmp_path: Path, open_directory: Path) -> None:
    for point in (tmp_path, open_directory):
        assert mounted(point, "-t", "tmpfs", "none") == {"mounts": {f"{point} (tmpfs) #1"}}


def test_our_directory_at_another_place_counts(tmp_path: Path, foreign: Path) -> None:
    assert list(mounted(foreign, "--bind", str(tmp_path))) == ["mounts"]
