# SPDX-License-Identifier: Apache-2.0
"""The texts of --help hold what the table says."""

import pytest

from ocirun.cli.commands import COMMANDS, GLOBAL
from ocirun.cli.help import text


def test_the_program() -> None:
    lines = text("").splitlines()
    assert lines[0] == "NAME:"
    assert lines[1] == "   ocirun - Open Container Initiative runtime"
    for name, (summary, _, _) in COMMANDS.items():
        assert any(name in line and summary in line for line in lines)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command(name: str) -> None:
    lines = text(name).splitlines()
    assert lines[0] == "NAME:"
    assert lines[1].startswith(f"   ocirun {name} - ")
    assert max(len(line) for line in lines) <= 100
    assert text(name).endswith("\n")
    for names, _, _, explanation in (*COMMANDS[name][2], *GLOBAL):
        shown = [line for line in lines if f"--{names[0]} " in line]
        assert bool(shown) == bool(explanation), names
