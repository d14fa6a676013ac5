# SPDX-License-Identifier: Apache-2.0
"""The way from a command line to an exit code, and what it costs."""

import subprocess
import sys
from pathlib import Path

import pytest

import ocirun
from ocirun.cli.log import Journal
from ocirun.cli.main import main

# The installed package: only beside it is the extension module.
INSTALLED = Path(ocirun.__file__).parents[1]

# Each takes milliseconds to import; together they take longer than a whole `ocirun state`.
DEAR = {
    *("__future__", "argparse", "asyncio", "collections", "contextlib", "ctypes", "dataclasses"),
    *("enum", "functools", "inspect", "json", "logging", "pathlib", "re", "shutil", "signal"),
    *("socket", "struct", "subprocess", "tempfile", "traceback", "typing"),
}


@pytest.mark.parametrize("name", ["create", "delete", "exec", "kill", "run", "start", "state"])
def test_commands_that_engines_call_import_nothing_dear(name: str) -> None:
    script = (
        "import sys\n"
        f"sys.path.append({str(INSTALLED)!r})\n"
        f"import ocirun.cli.main, ocirun.cli.{name}\n"
        "print(*sys.modules)\n"
    )
    words = [sys.executable, "-I", "-S", "-P", "-B", "-c", script]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    assert f"ocirun.cli.{name}" in done.stdout
    assert DEAR.isdisjoint(done.stdout.split())


def test_the_result_is_an_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"], Journal()) == 0
    assert capfd.readouterr().out.startswith("runc version ")
    assert main(["--foo"], Journal()) == 1
    assert capfd.readouterr().err == "ocirun: error: flag provided but not defined: -foo\n"


def test_an_exec_that_fails_has_a_code_of_its_own(tmp_path: Path) -> None:
    root = ["--root", str(tmp_path)]
    assert main([*root, "exec", "none", "true"], Journal()) == 255
    assert main([*root, "exec"], Journal()) == 1
    assert main([*root, "state", "none"], Journal()) == 1
