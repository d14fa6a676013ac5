# SPDX-License-Identifier: Apache-2.0
"""docs/conformance.md says nothing that no test shows, and `features` nothing that it lacks.

That a named test ran, and was not skipped everywhere, is seen at the end of a whole run
(tests/conftest.py).
"""

import os
import re
from collections.abc import Iterator

import pytest
from tests.conformance import PAGE, STATES, Row, functions, never_ran, rows
from tests.repository import TOP, read

from ocirun.cli import features
from ocirun.spec import schema

ROWS = rows()


def test_there_are_rows() -> None:
    assert len(ROWS) > 100


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.item)
def test_row(row: Row) -> None:
    assert row.state in STATES
    assert row.tests or row.state == "refused", "what is done has a test"
    for path, name in row.tests:
        assert os.path.exists(TOP / path), path
        assert name in functions(path), f"{path} has no {name}"


def test_no_item_twice() -> None:
    items = [row.item for row in ROWS]
    assert {item for item in items if items.count(item) > 1} == set()


#: rows of these do not speak for what is below them
TOO_WIDE = {"process", "mounts", "linux", "hooks", "linux.resources"}


def fields(kind: object, path: str) -> Iterator[str]:
    """Every field that the schema knows, by its path."""
    if isinstance(kind, list) and isinstance(kind[0], dict):
        yield from fields(kind[0], f"{path}[]")
    elif isinstance(kind, dict) and str not in kind and any(isinstance(name, str) for name in kind):
        for name, inner in kind.items():
            if isinstance(name, str):
                yield from fields(inner, f"{path}.{name}" if path else name)
    else:
        yield path


def test_every_field_of_the_schema_has_a_row() -> None:
    said = {word for row in ROWS for word in re.findall(r"`([^`]+)`", row.item)} - TOO_WIDE
    said |= {word.replace("hooks.*", f"hooks.{kind}") for word in said for kind in schema.HOOKS}
    said = {word.replace("[]", "") for word in said}
    missing = []
    for path in fields(schema.SPEC, ""):
        parts = path.replace("[]", "").split(".")
        if not said & {".".join(parts[:count]) for count in range(1, len(parts) + 1)}:
            missing.append(path)
    assert missing == []


def listed(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every word of the features document that says that something can be had."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from listed(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield path, str(item)
    elif value is True:
        yield path, path.rpartition(".")[2]


def test_features_are_in_the_table() -> None:
    words = {word for row in ROWS for word in re.findall(r"`([^`]+)`", f"{row.item} {row.remark}")}
    lists = ("capabilities", "archs")  # too long for a table: one row each
    missing = [
        f"{path}: {word}"
        for path, word in listed(features.document())
        if word not in words and path.rpartition(".")[2] not in lists and path not in words
    ]
    assert missing == [], f"no row of {PAGE} proves it"


def test_a_test_that_never_ran_is_found() -> None:
    path, name = ROWS[0].tests[0]
    node = f"{path}::{name}"
    assert never_ran(set(), {node}) == [node]
    assert never_ran({node}, {node}) == []
    assert never_ran(set(), {f"{path}::test_that_is_not_named"}) == []


def test_the_page_explains_its_words() -> None:
    head = read(PAGE).partition("| item |")[0]
    assert [state for state in STATES if f"**{state}**" not in head] == []
