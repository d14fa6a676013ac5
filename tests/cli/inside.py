# SPDX-License-Identifier: Apache-2.0
"""A look from inside a container, and from outside at its process."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cli.changes import both

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command


class Look:
    """One container: what a script in it prints, or its waiting first process."""

    def __init__(self, command: "Command", bundle: "Bundles", name: str) -> None:
        self.command = command
        self.bundle = bundle
        self.name = name
        self._pids: dict[str, int] = {}

    def __call__(self, script: str, *changes: "Change", flags: tuple[str, ...] = ()) -> str:
        """Run a script of the shell, which must succeed, and give what it prints."""
        path = self.bundle("sh", "-c", script, change=both(*changes))
        done = self.command("run", *flags, "-b", str(path), self.name)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout.removesuffix("\n")

    def start(
        self,
        *changes: "Change",
        args: tuple[str, ...] = ("sleep", "1000"),
        flags: tuple[str, ...] = (),
    ) -> int:
        """Start a container that stays, and give its pid; `end` has to follow."""
        done = self.command(
            "run", "-d", *flags, "-b", str(self.bundle(*args, change=both(*changes))), self.name
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        pid = json.loads(self.command("state", self.name).stdout)["pid"]
        assert isinstance(pid, int)
        self._pids[self.name] = pid
        return pid

    def end(self) -> None:
        """Delete the container."""
        done = self.command("delete", "--force", self.name)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        # We adopted it, and a pid namespace does not end before the last zombie in it.
        os.waitpid(self._pids.pop(self.name), 0)


class Exec:
    """A running container, and processes in it that a JSON file describes."""

    def __init__(self, command: "Command", look: Look, directory: Path) -> None:
        self.command = command
        self.look = look
        self.file = directory / "process.json"
        self.pid_file = directory / "pid"

    def __call__(self, *args: str, **fields: object) -> str:
        """Run a process that must succeed, and give what it prints."""
        done = self.command("exec", "--process", self.write(*args, **fields), self.look.name)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.removesuffix("\n")

    def write(self, *args: str, **fields: object) -> str:
        document = {"cwd": "/", "args": args, "env": ["PATH=/bin:/usr/bin"], **fields}
        self.file.write_text(json.dumps(document))
        return str(self.file)


def status(pid: int) -> dict[str, str]:
    """Give proc_pid_status(5)."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in file)}


def namespace(pid: int | str, kind: str) -> str:
    """Give the name of a namespace, "pid:[4026531836]"."""
    return os.readlink(f"/proc/{pid}/ns/{kind}")
