# SPDX-License-Identifier: Apache-2.0
"""What every file says, and what none may say."""

import os
import re

import pytest
from tests.repository import TOP, files, listing, read

SPDX = "SPDX-License-Identifier: Apache-2.0"
SOURCES = files(".py", ".pyi", ".c", ".h", ".toml", ".sh", "dev", ".ci/run")
DOCUMENTS = files(".md")

#: a path of ours in a document: `src/...` in backquotes, or the target of a link
NAMED = re.compile(
    r"`((?:src|stub|launcher|tests|tools|bench|docs|typings)/[\w./-]+)`|\]\((?!\w+:|#)([^)#]+)"
)
#: directories of one developer's machine
PERSONAL = re.compile(r"(?<![\w.])/(?:root|home/\w+|work|Users)/\w")


@pytest.mark.parametrize("path", SOURCES)
def test_licence_comes_first(path: str) -> None:
    first = [line for line in read(path).splitlines()[:2] if not line.startswith("#!")]
    assert SPDX in first[0]


@pytest.mark.parametrize("path", files(".py", under="src"))
def test_module_says_what_it_is_for(path: str) -> None:
    assert re.match(r'# SPDX.*\n(?:#.*\n)*"""\S', read(path))


def test_nothing_built_is_committed() -> None:
    assert not files(".pyc", ".so", ".o", ".whl")


@pytest.mark.parametrize("path", DOCUMENTS)
def test_named_paths_exist(path: str) -> None:
    for match in NAMED.finditer(read(path)):
        name = match[1] or os.path.join(os.path.dirname(path), match[2])
        assert (TOP / name).exists(), name


@pytest.mark.parametrize("path", [name for name in listing() if not name.endswith(".svg")])
def test_no_path_of_one_machine(path: str) -> None:
    if path == os.path.relpath(__file__, TOP):
        return
    assert not PERSONAL.search(read(path))
