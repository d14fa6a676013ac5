# SPDX-License-Identifier: Apache-2.0
"""`ocirun list` without containers, and with things that are none."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Command

TITLE = "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"


def test_an_empty_root(ocirun: "Command") -> None:
    assert ocirun("list").stdout == TITLE
    assert ocirun("list", "-f", "json").stdout == "[]\n"
    assert ocirun("list", "-q").stdout == ""


def test_a_missing_root_is_an_error_when_it_was_named(ocirun: "Command", tmp_path: Path) -> None:
    done = ocirun.bare("--root", str(tmp_path / "none"), "list")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "/none: no such file or directory" in done.stderr


def test_a_broken_container_hides_no_other(ocirun: "Command") -> None:
    (ocirun.root / "broken").mkdir()
    (ocirun.root / "worse").mkdir()
    (ocirun.root / "worse" / "state.json").write_text("{")
    done = ocirun("list")
    assert done.returncode == 0
    assert done.stdout == TITLE
    warnings = done.stderr.splitlines()
    assert len(warnings) == 2
    assert all(line.startswith("ocirun: warning: load container ") for line in warnings)
