# SPDX-License-Identifier: Apache-2.0
"""The tests of a module are found without a search: tests/unit has the tree of src/ocirun."""

import os

from tests.repository import files

SOURCE = "src/ocirun/"


def modules() -> set[str]:
    return {path.removeprefix(SOURCE) for path in files(".py", under="src")}


def test_every_unit_test_has_its_module() -> None:
    """tests/unit/a/test_b.py is about src/ocirun/a/b.py, or a/b_... if that was split."""
    known = modules()
    astray = []
    for path in files(".py", under="tests/unit"):
        directory, name = os.path.split(path.removeprefix("tests/unit/"))
        subject = os.path.join(directory, name.removeprefix("test_").removesuffix(".py"))
        if name.startswith("test_") and not any(module.startswith(subject) for module in known):
            astray.append(path)
    assert astray == []
