# SPDX-License-Identifier: Apache-2.0
"""Help, version, and wrong command lines: what is printed where, and the exit codes."""

import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command

COMMANDS = [
    "checkpoint",
    "create",
    "delete",
    "events",
    "exec",
    "features",
    "kill",
    "list",
    "pause",
    "ps",
    "restore",
    "resume",
    "run",
    "spec",
    "start",
    "state",
    "update",
]


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], ["h"], []])
def test_help(command: "Command", words: list[str]) -> None:
    done = command.bare(*words)
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "NAME:"
    assert lines[1] == "   ocirun - Open Container Initiative runtime"
    for name in COMMANDS:
        assert f"\n   {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_on_a_command(command: "Command", name: str) -> None:
    texts = set()
    for words in ([name, "--help"], [name, "-h"], ["help", name], ["--help", name]):
        done = command.bare(*words)
        assert (done.returncode, done.stderr) == (0, "")
        texts.add(done.stdout)
    (text,) = texts
    assert text.splitlines()[1].startswith(f"   ocirun {name} - ")


@pytest.mark.parametrize("word", ["--version", "-v"])
def test_version_is_what_engines_can_parse(command: "Command", word: str) -> None:
    done = command.bare(word)
    assert done.returncode == 0
    first, second, third, *_ = done.stdout.splitlines()
    assert re.fullmatch(r"runc version \d+\.\d+\.\d+ \(ocirun \d+\.\d+\.\d+\S*\)", first)
    assert second.startswith("commit: ")
    assert third == "spec: 1.3.0"
    # Docker cuts every line with this word in two; go-runc wants it once.
    assert done.stdout.count("version") == 1


@pytest.mark.parametrize("words", [["foo"], ["foo", "-h"], ["help", "foo"], ["--help", "foo"]])
def test_unknown_command(command: "Command", words: list[str]) -> None:
    done = command.bare(*words)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "ocirun: error: No help topic for 'foo' (see ocirun --help)\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--root"], "flag needs an argument: --root"),
        (["restore", "--lsm-mount-context"], "flag needs an argument: --lsm-mount-context"),
        (["--foo"], "flag provided but not defined: -foo"),
        (["run", "-it", "x"], "flag provided but not defined: -it"),
        (["state", "--version"], "flag provided but not defined: -version"),
        (["exec", "--tty=x", "ID"], 'invalid value "x" for flag -tty: parse error'),
        (["create", "--preserve-fds=x", "ID"], 'invalid value "x" for flag -preserve-fds'),
        (["events", "--interval", "5", "ID"], 'missing unit in duration "5"'),
        (["state"], '"ocirun state" requires exactly 1 argument(s) (see ocirun state --help)'),
        (["start", "a", "b"], '"ocirun start" requires exactly 1 argument(s)'),
        (["list", "a"], '"ocirun list" requires exactly 0 argument(s)'),
        (["kill"], '"ocirun kill" requires a minimum of 1 argument(s)'),
        (["kill", "a", "9", "b"], '"ocirun kill" requires a maximum of 2 argument(s)'),
        (["exec"], '"ocirun exec" requires a minimum of 1 argument(s)'),
        (["ps"], '"ocirun ps" requires a minimum of 1 argument(s)'),
        (["--log-format", "xml", "list"], "invalid log-format: xml (use text or json)"),
        (["--root", "/", "list"], "option --root should not be set to /"),
        (["list", "-f", "xml"], "invalid format option (use table or json)"),
    ],
)
def test_wrong_command_lines(command: "Command", words: list[str], text: str) -> None:
    done = command.bare(*words)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("ocirun: error: ")
    assert done.stderr.count("\n") == 1
    assert text in done.stderr


def test_a_cgroup_manager_that_nobody_knows(command: "Command") -> None:
    done = command("--cgroup-manager", "runc", "create", "ID")
    assert done.returncode == 1
    assert 'invalid value "runc" for flag -cgroup-manager' in done.stderr
    assert command("--systemd-cgroup", "list").returncode == 0


def test_a_wrong_value_of_rootless(command: "Command") -> None:
    done = command("--rootless", "maybe", "create", "ID")
    assert done.returncode == 1
    assert 'invalid value "maybe" for flag -rootless (use true, false or auto)' in done.stderr


def test_criu_is_ignored(command: "Command") -> None:
    done = command("--criu", "/usr/sbin/criu", "list")
    assert done.returncode == 0
    assert done.stderr.startswith("ocirun: warning: --criu is ignored")


def test_full_disk(command: "Command") -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [command.path, "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == (b"ocirun: error: write to standard output: no space left on device\n")


def test_closed_pipe(command: "Command") -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [command.path, "--help"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == b"ocirun: error: write to standard output: broken pipe\n"


def test_closed_standard_fds(command: "Command", tmp_path: "os.PathLike[str]") -> None:
    # The log must not get the number of standard output, nor the help go into the log.
    log = os.path.join(tmp_path, "log")
    script = f"exec {command.path} --log {log} --help <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", script], check=False)
    assert done.returncode == 0
    with open(log, encoding="utf-8") as file:
        assert file.read() == ""


@pytest.mark.root
def test_closed_standard_fds_of_a_container(
    command: "Command", bundle: "Bundles", name: str, tmp_path: "os.PathLike[str]"
) -> None:
    # None of our own files may have had their numbers: the container would lack them.
    out = os.path.join(tmp_path, "out")
    path = bundle("sh", "-c", "readlink /proc/$$/fd/0; readlink /proc/$$/fd/2")
    words = shlex.join(command.words("run", "-b", str(path), name))
    done = subprocess.run(["sh", "-c", f"exec {words} <&- >{out} 2>&-"], check=False)
    assert done.returncode == 0
    with open(out, encoding="utf-8") as file:
        assert file.read() == "/dev/null\n/dev/null\n"
