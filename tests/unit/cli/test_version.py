# SPDX-License-Identifier: Apache-2.0
"""The text of --version."""

import tomllib
from pathlib import Path

from ocirun.cli import version


def test_the_number_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["version"] == version.OCIRUN


def test_lines() -> None:
    lines = version.text().splitlines()
    assert lines[0] == f"runc version {version.RUNC} (ocirun {version.OCIRUN})"
    assert [line.partition(": ")[0] for line in lines[1:3]] == ["commit", "spec"]
