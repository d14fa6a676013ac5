# SPDX-License-Identifier: Apache-2.0
"""No file and no function is longer than one can hold in the head."""

import ast
import re

import pytest
from tests.repository import files, read

FILE = 400
FUNCTION = 60
#: lines of code, without comments
STUB = 1600
#: a straight list of steps may be longer than a C function otherwise is
LONGER = {"stub_main": 100}

PYTHON = files(".py")
C = files(".c", ".h")


@pytest.mark.parametrize("path", PYTHON + C)
def test_file(path: str) -> None:
    assert len(read(path).splitlines()) <= FILE


@pytest.mark.parametrize("path", PYTHON)
def test_python_functions(path: str) -> None:
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION, node.name


@pytest.mark.parametrize("path", C)
def test_c_functions(path: str) -> None:
    """In our layout a function's braces, and nothing else with a `(` above, stand alone."""
    for body in re.finditer(
        r"^(\w.*\([^;{}]*\))\n\{\n(.*?)^\}\n", read(path), re.MULTILINE | re.DOTALL
    ):
        head, text = body.groups()
        name = re.findall(r"(\w+)\(", head)[-1]
        assert text.count("\n") <= LONGER.get(name, FUNCTION), name


def test_stub() -> None:
    """It runs as root between the host and a stranger's image: it must stay readable whole."""
    lines = [
        line.strip() for path in files(".c", ".h", under="stub") for line in read(path).split("\n")
    ]
    assert sum(1 for line in lines if line and not line.startswith(("/*", "*"))) <= STUB
