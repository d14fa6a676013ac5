# SPDX-License-Identifier: Apache-2.0
"""The version of libseccomp by the name of its file."""

from pathlib import Path

import pytest

from ocirun.linux import libseccomp_file, seccomp


def test_the_name_says_what_the_library_says() -> None:
    found = libseccomp_file.version(libseccomp_file.directories())
    if found is None:
        pytest.skip("a link libseccomp.so.2")
    assert found == seccomp.library_version()


def test_first_place_that_has_one(tmp_path: Path) -> None:
    places = [str(tmp_path / name) for name in ("none", "odd", "here", "late")]
    for place, target in zip(
        places[1:], ("libseccomp.so", "/x/libseccomp.so.2.6.10", "libseccomp.so.2.1.1"), strict=True
    ):
        Path(place).mkdir()
        Path(place, "libseccomp.so.2").symlink_to(target)
    assert libseccomp_file.version(places) == (2, 6, 10)
    assert libseccomp_file.version(places[:2]) is None
