# SPDX-License-Identifier: Apache-2.0
"""A container's life by the command: what each step prints, and with which exit code."""

import json
import os
import re
import select
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Bundle, Command

pytestmark = pytest.mark.root

ECHO = "echo $A $(pwd) $(id -u) $(id -g)"
KEYS = ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner"]
STARTED = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


def run(command: "Command", *words: str) -> str:
    """Run a command that must succeed in silence but for its output."""
    done = command(*words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_from_create_to_delete(command: "Command", bundle: "Bundle", name: str) -> None:
    path = bundle("sleep", "1000")
    pid_file = path / "pid"
    assert run(command, "create", "-b", str(path), "--pid-file", str(pid_file), name) == ""
    text = run(command, "state", name)
    document = json.loads(text)
    assert list(document) == KEYS
    assert text.startswith('{\n  "ociVersion": "1.3.0",\n')
    assert document["id"] == name
    assert document["status"] == "created"
    assert document["pid"] == int(pid_file.read_text())
    assert document["bundle"] == str(path)
    assert re.fullmatch(STARTED, document["created"])

    assert run(command, "start", name) == ""
    assert json.loads(run(command, "state", name))["status"] == "running"
    assert json.loads(run(command, "ps", "-f", "json", name)) == [document["pid"]]
    title, line = run(command, "ps", name).splitlines()
    assert "PID" in title.split()
    assert str(document["pid"]) in line.split()

    title, line = run(command, "list").splitlines()
    assert title.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert line.split()[:4] == [name, str(document["pid"]), "running", str(path)]
    assert line.split()[5] == "root"
    (listed,) = json.loads(run(command, "list", "--format=json"))
    assert listed == {**document, "status": "running", "owner": "root"}
    assert run(command, "list", "-q") == f"{name}\n"

    done = command("delete", name)
    assert done.returncode == 1
    assert "that is not stopped: running" in done.stderr
    assert run(command, "delete", "-f", name) == ""
    assert run(command, "list", "-q") == ""


def test_signals(command: "Command", bundle: "Bundle", name: str) -> None:
    path = bundle("sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.01; done")
    run(command, "run", "-d", "-b", str(path), name)
    for word in ("0", "CONT", "sigcont", "18"):
        assert run(command, "kill", name, word) == ""
    done = command("kill", name, "FOO")
    assert done.returncode == 1
    assert done.stderr == 'ocirun: error: unknown signal "FOO" (kill -l lists them)\n'
    pidfd = os.pidfd_open(json.loads(run(command, "state", name))["pid"])
    run(command, "kill", name, "KILL")
    select.select([pidfd], [], [], 10)
    os.close(pidfd)
    document = json.loads(run(command, "state", name))
    assert (document["status"], document["pid"]) == ("stopped", 0)
    done = command("kill", name)
    assert done.returncode == 1
    assert "container not running" in done.stderr
    assert run(command, "kill", "--all", name, "KILL") == ""
    assert run(command, "ps", "--format", "json", name) == "[]\n"
    assert run(command, "delete", name) == ""


def test_a_missing_container(command: "Command", name: str) -> None:
    for word in ("state", "start", "kill", "delete", "ps", "pause", "resume"):
        done = command(word, name)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"container {name} does not exist" in done.stderr
    assert command("exec", name, "true").returncode == 255
    assert run(command, "delete", "--force", name) == ""


def test_the_exit_code_of_run_is_the_container_s(
    command: "Command", bundle: "Bundle", name: str
) -> None:
    assert command("run", "-b", str(bundle("sh", "-c", "exit 7")), name).returncode == 7
    done = command("run", "-b", str(bundle("/none")), name)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such file or directory" in done.stderr


def test_a_signal_that_ended_run_is_in_its_exit_code(
    command: "Command", bundle: "Bundle", name: str
) -> None:
    words = [command.path, "--root", str(command.root), "run", "-b"]
    script = "echo ready; exec sleep 1000"
    with subprocess.Popen(
        [*words, str(bundle("sh", "-c", script)), name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        run(command, "kill", name, "KILL")
        assert running.wait(10) == 128 + 9
    assert run(command, "list", "-q") == ""


def test_exec(command: "Command", bundle: "Bundle", name: str) -> None:
    run(command, "run", "-d", "-b", str(bundle("sleep", "1000")), name)
    assert run(command, "exec", name, "echo", "-n", "--", "-x") == "-- -x"
    assert command("exec", name, "sh", "-c", "exit 9").returncode == 9
    done = command("exec", name, "none")
    assert done.returncode == 255
    assert "executable file not found" in done.stderr
    assert command("exec", name).returncode == 255
    out = run(command, "exec", "-e", "A=1", "--cwd=/tmp", "-u", "5:6", name, "sh", "-c", ECHO)
    assert out == "1 /tmp 5 6\n"
    run(command, "delete", "-f", name)


def test_pause(command: "Command", bundle: "Bundle", name: str) -> None:
    run(command, "run", "-d", "-b", str(bundle("sleep", "1000")), name)
    assert run(command, "pause", name) == ""
    assert json.loads(run(command, "state", name))["status"] == "paused"
    done = command("exec", name, "true")
    assert done.returncode == 255
    assert "--ignore-paused" in done.stderr
    assert run(command, "resume", name) == ""
    assert json.loads(run(command, "state", name))["status"] == "running"
    assert command("resume", name).returncode == 1
    run(command, "delete", "-f", name)
