# SPDX-License-Identifier: Apache-2.0
"""Runs the command as a user does: as a program, knowing nothing of its modules."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
INSTALLED = REPOSITORY / ".venv" / "bin" / "ocirun"
# As the launcher does it.
FROM_SOURCE = [sys.executable, "-I", "-S", "-P", "-B", "-X", "utf8"]


class Command:
    """The ocirun command, with a state root of its own."""

    def __init__(self, program: list[str], root: Path) -> None:
        self.program = program
        self.root = root
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"XDG_RUNTIME_DIR", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"}
        }

    def bare(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command line as it is."""
        return subprocess.run(
            [*self.program, *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=self.environment,
        )

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command line below our state root."""
        return self.bare("--root", str(self.root), *words)


@pytest.fixture(scope="session")
def program() -> list[str]:
    if os.environ.get("OCIRUN_FROM_SOURCE") or not INSTALLED.exists():
        return [*FROM_SOURCE, str(REPOSITORY / "src" / "ocirun" / "__main__.py")]
    return [str(INSTALLED)]


@pytest.fixture
def ocirun(program: list[str], tmp_path: Path) -> Command:
    root = tmp_path / "root"
    root.mkdir()
    return Command(program, root)
