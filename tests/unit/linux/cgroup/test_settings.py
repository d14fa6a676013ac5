# SPDX-License-Identifier: Apache-2.0
"""The order and the exceptions in writing a list of settings."""

import errno
from pathlib import Path

import pytest

from ocirun.linux.cgroup.settings import FALLBACK, OPTIONAL, REQUIRED, SettingError, apply


def setting(file: str, value: str, presence: int = REQUIRED) -> tuple[str, str, str, str, int]:
    return ("ctl", file, value, f"field.{file}", presence)


def test_missing_file_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        apply([setting("absent", "1")], lambda _name: str(tmp_path))
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == f"{tmp_path}/absent"
    assert caught.value.setting[3] == "field.absent"


def test_optional_file_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    apply([setting("absent", "1", OPTIONAL), setting("there", "2")], lambda _name: str(tmp_path))
    assert (tmp_path / "there").read_text() == "2"


@pytest.mark.parametrize("present", [True, False])
def test_fallback_takes_the_place_of_a_missing_file(tmp_path: Path, *, present: bool) -> None:
    (tmp_path / "new").touch()
    if present:
        (tmp_path / "old").touch()
    apply(
        [setting("old", "1", OPTIONAL), setting("new", "2", FALLBACK)],
        lambda _name: str(tmp_path),
    )
    assert (tmp_path / "new").read_text() == ("" if present else "2")


def test_file_name_cannot_leave_the_cgroup(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside").touch()
    with pytest.raises(SettingError, match="not the name of a cgroup file"):
        apply([setting("../outside", "1")], lambda _name: f"{tmp_path}/inside")
    assert (tmp_path / "outside").read_text() == ""


def test_absent_controller_names_the_field() -> None:
    def locate(name: str) -> str:
        raise OSError(errno.ENOENT, "no such controller", name)

    with pytest.raises(SettingError, match="no such controller") as caught:
        apply([setting("file", "1")], locate)
    assert caught.value.setting[3] == "field.file"
