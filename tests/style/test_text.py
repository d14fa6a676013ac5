# SPDX-License-Identifier: Apache-2.0
"""What every file says, and what none may say."""

import os
import re

from tests.repository import TOP, files, listing, read

SPDX = "SPDX-License-Identifier: Apache-2.0"
SOURCES = files(".py", ".pyi", ".c", ".h", ".toml", ".sh", "dev", ".ci/run")

#: a path of ours in a document: `src/...` in backquotes, or the target of a link
NAMED = re.compile(
    r"`((?:src|stub|launcher|tests|tools|bench|docs|typings)/[\w./-]+)`|\]\((?!\w+:|#)([^)#]+)"
)
#: directories of one developer's machine
PERSONAL = re.compile(r"(?<![\w.}])/(?:root|home/\w+|work|Users)/\w")


def test_licence_comes_first() -> None:
    firsts = {path: read(path).removeprefix("#!/bin/sh\n").split("\n", 1)[0] for path in SOURCES}
    assert [path for path, first in firsts.items() if SPDX not in first] == []


def test_module_says_what_it_is_for() -> None:
    start = re.compile(r'# SPDX.*\n(?:#.*\n)*"""\S')
    assert [path for path in files(".py", under="src") if not start.match(read(path))] == []


def test_nothing_built_is_committed() -> None:
    assert files(".pyc", ".so", ".o", ".whl") == []


def test_named_paths_exist() -> None:
    missing = [
        f"{path}: {name}"
        for path in files(".md")
        for match in NAMED.finditer(read(path))
        if not (TOP / (name := match[1] or os.path.join(os.path.dirname(path), match[2]))).exists()
    ]
    assert missing == []


def test_no_path_of_one_machine() -> None:
    paths = [path for path in listing() if not path.endswith((".svg", os.path.basename(__file__)))]
    assert [path for path in paths if PERSONAL.search(read(path))] == []
