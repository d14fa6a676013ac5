# SPDX-License-Identifier: Apache-2.0
"""The commands that an engine calls several times for each container import nothing dear.

What the interpreter itself reports (-X importtime) is looked at, in commands that really
run, so no import hides: not a late one, and not one by the standard library.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.bundle import Bundles

import ocirun.engine

PACKAGE = Path(ocirun.engine.__file__).parents[1]
#: as launcher/ocirun.c has them
FLAGS = ["-I", "-S", "-P", "-B", "-X", "utf8", "-X", "importtime"]
IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)

#: each costs 1 to 57 ms, of 10 for the interpreter
DEAR = {
    "argparse",
    "ast",
    "asyncio",
    "base64",
    "collections",
    "contextlib",
    "copy",
    "ctypes",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "importlib.util",
    "inspect",
    "json",
    "logging",
    "operator",
    "pathlib",
    "random",
    "re",
    "shutil",
    "signal",
    "site",
    "socket",
    "struct",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "traceback",
    "types",
    "typing",
    "urllib",
    "weakref",
    "__future__",
}


def imported(*words: str) -> set[str]:
    """Run a command line as the launcher does; give all modules it imported."""
    with tempfile.TemporaryFile("w+") as report:  # a container would keep a pipe open
        done = subprocess.run(
            [sys.executable, *FLAGS, str(PACKAGE / "__main__.py"), *words],
            stdin=subprocess.DEVNULL,
            stdout=report,
            stderr=report,
            check=False,
            env={},
        )
        report.seek(0)
        text = report.read()
    rest = [line for line in text.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 0, rest
    modules = set(IMPORTED.findall(text))
    assert "ocirun.cli.main" in modules
    return modules


@pytest.mark.root
def test_life_of_a_container(bundle: Bundles, state_root: Path, name: str) -> None:
    root = ["--root", str(state_root)]
    path = str(bundle("sh", "-c", "exec sleep 100"))
    for words in (
        ["create", "--bundle", path, name],
        ["state", name],
        ["start", name],
        ["exec", name, "true"],
        ["kill", name, "KILL"],
        ["delete", "--force", name],
        ["run", "--bundle", str(bundle("true")), name],
    ):
        assert not imported(*root, *words) & DEAR, words


@pytest.mark.userns
@pytest.mark.skipif(os.geteuid() == 0, reason="an ordinary user")
def test_run_as_an_ordinary_user(bundle: Bundles, state_root: Path, name: str) -> None:
    words = ["--root", str(state_root), "run", "--bundle", str(bundle("true")), name]
    assert not imported(*words) & DEAR


def test_import_of_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", "-c", "import ocirun"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours = [name for name in IMPORTED.findall(done.stderr) if name.startswith("ocirun")]
    assert ours == ["ocirun"]
