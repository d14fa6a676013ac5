# SPDX-License-Identifier: Apache-2.0
"""The home directory, from a passwd(5) that the image's author wrote."""

import os
from pathlib import Path

import pytest

from ocirun.engine.passwd import home_directory

CONTENT = (
    b"root:x:0:0:root:/top:/bin/sh\n1000:x:0:0::/second:\nuser:x:1000:5::/users/user:\nshort:x:7\n"
)


def home(path: Path, uid: int) -> str:
    fd = os.open(path, os.O_PATH)
    try:
        return home_directory(fd, uid)
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("uid", "wanted"), [(0, "/top"), (1000, "/users/user"), (7, "/"), (42, "/")]
)
def test_by_the_number_alone(tmp_path: Path, uid: int, wanted: str) -> None:
    """CVE-2016-3697: a user may be called 1000."""
    path = tmp_path / "passwd"
    path.write_bytes(CONTENT)
    assert home(path, uid) == wanted


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """To open a FIFO or a device can wait, or have effects."""
    os.mkfifo(tmp_path / "fifo")
    writer = os.open(tmp_path / "fifo", os.O_RDWR)
    assert home(tmp_path / "fifo", 0) == "/"
    os.close(writer)
    assert home(tmp_path, 0) == "/"
    assert home(Path("/dev/zero"), 0) == "/"


def test_one_that_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    with path.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(CONTENT)
    assert home(path, 0) == "/"
