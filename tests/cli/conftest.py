# SPDX-License-Identifier: Apache-2.0
"""Runs the command as a user does: as a program, knowing nothing of its modules."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

import pytest
from tests.bundle import Bundles
from tests.cli.inside import Exec, Look
from tests.repository import TOP
from tests.stub.compiler import compiler

# These would change what the command does, or where.
FOREIGN = {"XDG_RUNTIME_DIR", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"}


class Command:
    """The ocirun command, with a state root of its own."""

    def __init__(self, path: str, root: Path) -> None:
        self.path = path
        self.root = root
        self.environment = {
            name: value for name, value in os.environ.items() if name not in FOREIGN
        }

    def bare(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command line as it is."""
        # Files, not pipes: a container inherits them, and a pipe would not end before it does.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                [self.path, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                check=False,
                env=self.environment,
            )
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, done.returncode, out.read(), err.read())

    def words(self, *words: str) -> list[str]:
        """Give the whole command line, below our state root."""
        return [self.path, "--root", str(self.root), *words]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command line below our state root."""
        return self.bare("--root", str(self.root), *words)


class Bundle(Protocol):
    """Makes a bundle for a process with these arguments."""

    def __call__(self, *args: str) -> Path: ...


@pytest.fixture
def command(ocirun: str, state_root: Path) -> Command:
    """Give a function that runs the command."""
    return Command(ocirun, state_root)


@pytest.fixture
def look(command: Command, bundle: Bundles, name: str) -> Look:
    """Give a function that runs a script in a container."""
    return Look(command, bundle, name)


@pytest.fixture
def container(command: Command, look: Look, tmp_path: Path) -> Exec:
    """Give a function that runs processes of exec in a container that is to be started."""
    return Exec(command, look, tmp_path)


@pytest.fixture(scope="session")
def probe(open_directory: Path) -> Path:
    """Compile the program."""
    target = open_directory / "probe"
    source = str(TOP / "tests" / "cli" / "probe.c")
    command = [*compiler(), "-O1", "-static", "-pthread", "-o", str(target), source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find -l" in done.stderr:
        pytest.skip("a static C library")
    assert done.returncode == 0, done.stderr
    return target
