# SPDX-License-Identifier: Apache-2.0
"""--log, --log-format and --debug: what an engine finds in the file."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"


def test_json(command: "Command", tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    for _ in range(2):
        done = command("--log", str(log), "--log-format", "json", "state", "none")
        assert done.returncode == 1
        assert done.stdout == ""
        assert "does not exist" in done.stderr
    lines = log.read_text().splitlines()
    assert len(lines) == 2
    assert re.fullmatch(
        rf'{{"level":"error","msg":"[^"]*does not exist[^"]*","time":"{TIME}"}}', lines[1]
    )
    assert "does not exist" in json.loads(lines[0])["msg"]


def test_text(command: "Command", tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert command("--log", str(log), "state", "none").returncode == 1
    assert re.fullmatch(rf'time="{TIME}" level=error msg="[^"]*"\n', log.read_text())


@pytest.mark.parametrize(
    "words",
    [
        ["state"],
        ["state", "--foo", "ID"],
        ["state", "--root"],
        ["foo"],
        ["--foo"],
        ["update", "ID"],
    ],
)
def test_wrong_command_lines_are_told_to_the_log(
    command: "Command", tmp_path: Path, words: list[str]
) -> None:
    log = tmp_path / "log"
    done = command.bare("--log", str(log), "--log-format=json", *words)
    assert done.returncode == 1
    (line,) = log.read_text().splitlines()
    assert f"ocirun: error: {json.loads(line)['msg']}\n" == done.stderr


def test_the_flags_may_follow_the_command(command: "Command", tmp_path: Path) -> None:
    log = tmp_path / "log"
    command.bare("state", "--root", str(command.root), "none", "--log", str(log))
    assert "none" in log.read_text()


def test_the_log_is_made_even_when_nothing_fails(command: "Command", tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert command("--log", str(log), "list").returncode == 0
    assert log.read_bytes() == b""


def test_a_log_that_cannot_be_written(command: "Command", tmp_path: Path) -> None:
    done = command("--log", str(tmp_path / "none" / "log"), "list")
    assert done.returncode == 1
    assert "/none/log: no such file or directory" in done.stderr
    assert done.stderr.count("\n") == 1


def test_debug_lines_never_reach_standard_output(command: "Command") -> None:
    done = command("--debug", "list", "-q")
    assert done.returncode == 0
    assert done.stdout == ""


def test_level(command: "Command", tmp_path: Path) -> None:
    log = tmp_path / "log"
    command("--log", f"file:{log}", "--log-level", "debug", "features")
    assert "level=debug" in log.read_text()
    done = command("--log-level", "loud", "features")
    assert done.returncode == 1
    assert "invalid log-level: loud" in done.stderr


def test_no_warnings(command: "Command") -> None:
    (command.root / "broken").mkdir()
    assert "warning" in command("list").stderr
    assert command("--log-level", "error", "list").stderr == ""
    (command.root / "broken").rmdir()


def test_no_daemon(command: "Command") -> None:
    """Neither systemd's journal nor syslog runs here; if one does, there is nothing to see."""
    if Path("/run/systemd/journal/socket").exists():
        pytest.skip("a host without systemd's journal")
    done = command("--log", "journald:box", "features")
    assert done.returncode == 1
    assert "/run/systemd/journal/socket: no such file or directory" in done.stderr


def test_a_person_gets_the_hint_on_a_line_of_its_own(command: "Command") -> None:
    ours, theirs = pty.openpty()
    subprocess.run(
        command.words("frobnicate"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"TERM": "xterm"},
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert shown == (
        "\x1b[31mocirun: error:\x1b[0m No help topic for 'frobnicate'\r\n"
        "  \x1b[32mhelp:\x1b[0m see ocirun --help\r\n"
    )
