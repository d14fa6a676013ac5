# SPDX-License-Identifier: Apache-2.0
"""What a process has beside its ids and rights, as /proc and other programs see it."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = pytest.mark.root


def keyring(name: str) -> list[str]:
    """Give id, permissions and uid of the session keyring of a container (keyrings(7))."""
    lines = [line.split() for line in Path("/proc/keys").read_text().splitlines()]
    (found,) = (line for line in lines if line[8] == f"_ses.{name}:")
    return [found[0], found[4], found[5]]


def test_session_keyring(command: "Command", look: "Look") -> None:
    """Its user may search it, and a process of exec has the same one."""
    look.start()
    made = keyring(look.name)
    assert made[1:] == ["3f1b0000", "0"]
    assert command("exec", look.name, "true").returncode == 0
    assert keyring(look.name) == made
    look.end()
