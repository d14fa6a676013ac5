# SPDX-License-Identifier: Apache-2.0
"""`ocirun list` without containers, and with things that are none."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command

TITLE = "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"


def test_an_empty_root(command: "Command") -> None:
    assert command("list").stdout == TITLE
    assert command("list", "-f", "json").stdout == "null\n"
    assert command("list", "-q").stdout == ""


def test_a_missing_root_is_an_error_when_it_was_named(command: "Command", tmp_path: Path) -> None:
    done = command.bare("--root", str(tmp_path / "none"), "list")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "/none: no such file or directory" in done.stderr


@pytest.mark.leaves("state")
def test_a_broken_container_hides_no_other(command: "Command") -> None:
    (command.root / "broken").mkdir()
    (command.root / "worse").mkdir()
    (command.root / "worse" / "state.json").write_text("{")
    done = command("list")
    assert done.returncode == 0
    assert done.stdout == TITLE
    warnings = done.stderr.splitlines()
    assert len(warnings) == 2
    for line, container in zip(warnings, ("broken", "worse"), strict=True):
        assert line.startswith(f"ocirun: warning: container {container}")
        assert line.count(f"container {container}") == 1
