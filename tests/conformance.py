# SPDX-License-Identifier: Apache-2.0
"""The rows of docs/conformance.md, and whether the tests that they name exist and ran."""

import ast
import re
from dataclasses import dataclass
from functools import cache

from tests.repository import read

PAGE = "docs/conformance.md"
STATES = ("done", "lab", "fake", "ignored", "refused")

#: `cli/test_hooks::test_timeout` is test_timeout in tests/cli/test_hooks.py
TEST = re.compile(r"`([\w/]+)::(\w+)`")


@dataclass(frozen=True)
class Row:
    item: str
    state: str
    remark: str
    #: (path, function)
    tests: tuple[tuple[str, str], ...]


def rows() -> list[Row]:
    """Give the rows of the tables of items, without their heads."""
    found = []
    for line in read(PAGE).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("| ") or len(cells) != 3 or cells[0] == "item":
            continue  # text, the table of states, or a head
        item, state, remark = cells
        tests = tuple((f"tests/{path}.py", name) for path, name in TEST.findall(remark))
        found.append(Row(item, state, remark, tests))
    return found


@cache
def functions(path: str) -> frozenset[str]:
    """Give the names of the functions in a file."""
    tree = ast.parse(read(path))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def never_ran(ran: set[str], skipped: set[str]) -> list[str]:
    """Give the tests of the table that were skipped in each of their forms.

    Both arguments are node ids without parameters: path::function.
    """
    named = {f"{path}::{name}" for row in rows() for path, name in row.tests}
    return sorted(named & (skipped - ran))
