# SPDX-License-Identifier: Apache-2.0
"""The tests of a module are found without a search: tests/unit has the tree of src/ocirun."""

import os

import pytest
from tests.repository import files

SOURCE = "src/ocirun/"


@pytest.mark.parametrize("path", files(".py", under="tests/unit"))
def test_unit_test_has_its_module(path: str) -> None:
    directory, name = os.path.split(path.removeprefix("tests/unit/"))
    if not name.startswith("test_"):
        return  # fixtures and values
    subject = os.path.join(SOURCE, directory, name.removeprefix("test_"))
    assert any(
        source == subject or source.startswith(subject.removesuffix(".py"))
        for source in files(".py", under="src")
    ), f"{subject} does not exist"
