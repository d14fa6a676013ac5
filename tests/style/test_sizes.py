# SPDX-License-Identifier: Apache-2.0
"""No file and no function is longer than one can hold in the head."""

import ast
import re
from collections.abc import Iterator

from tests.repository import files, read

FILE = 400
FUNCTION = 60
#: lines of code, without comments
STUB = 1600
#: a straight list of steps may be longer than a C function otherwise is
LONGER = {"stub_main": 100}

#: in our layout only a function's braces stand alone
C_FUNCTION = re.compile(r"^(\w[^\n;{}=]*\([^;{}]*\))\n\{\n((?:.*\n)*?)\}\n", re.MULTILINE)


def python_functions(path: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


def c_functions(path: str) -> Iterator[tuple[str, int]]:
    for head, body in C_FUNCTION.findall(read(path)):
        yield re.findall(r"(\w+)\(", head)[-1], body.count("\n")


def test_files() -> None:
    paths = [*files(".py", ".c", ".h"), "dev"]
    lengths = {path: len(read(path).splitlines()) for path in paths}
    assert {path: length for path, length in lengths.items() if length > FILE} == {}


def test_python_functions() -> None:
    long = [
        (path, *function)
        for path in files(".py")
        for function in python_functions(path)
        if function[1] > FUNCTION
    ]
    assert long == []


def test_c_functions() -> None:
    found = [(path, *function) for path in files(".c") for function in c_functions(path)]
    assert len(found) > 50, "the pattern does not fit our layout any more"
    assert [f for f in found if f[2] > LONGER.get(f[1], FUNCTION)] == []


def test_stub() -> None:
    """It runs as root between the host and a stranger's image: it must stay readable whole."""
    text = "".join(read(path) for path in files(".c", ".h", under="stub"))
    lines = [line.strip() for line in text.splitlines()]
    assert sum(1 for line in lines if line and not line.startswith(("/*", "*"))) <= STUB
