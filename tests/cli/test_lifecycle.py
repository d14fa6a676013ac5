# SPDX-License-Identifier: Apache-2.0
"""A container's life by the command: what each step prints, and with which exit code."""

import json
import os
import re
import select
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import both, drop, put

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bundle import Bundles
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


def test_the_config_counts_as_it_was_at_create(
    command: "Command", bundle: "Bundles", name: str, tmp_path: "Path"
) -> None:
    """Neither the config nor the bundle is needed any more (runtime-spec, "Lifecycle")."""
    out = bundle.rootfs / "tmp" / "out"
    path = bundle("sh", "-c", "echo first >/tmp/out", change=put(root__readonly=False))
    run(command, "create", "-b", str(path), name)
    config = json.loads((path / "config.json").read_text())
    config["process"]["args"] = ["sh", "-c", "echo second >/tmp/out"]
    config["annotations"] = {"a": "b"}
    (path / "config.json").write_text(json.dumps(config))
    before = json.loads(run(command, "state", name))
    assert "annotations" not in before
    pidfd = os.pidfd_open(before["pid"])
    os.rename(path, tmp_path / "elsewhere")
    run(command, "start", name)
    select.select([pidfd], [], [], 10)
    os.close(pidfd)
    assert out.read_text() == "first\n"
    run(command, "delete", name)
    os.rename(tmp_path / "elsewhere", path)


def test_annotations_are_in_the_state(command: "Command", bundle: "Bundles", name: str) -> None:
    wanted = {"org.example.a": "1", "org.example.empty": ""}
    run(command, "create", "-b", str(bundle("true", change=put(annotations=wanted))), name)
    assert json.loads(run(command, "state", name))["annotations"] == wanted
    run(command, "delete", name)


def test_keep(command: "Command", bundle: "Bundles", name: str) -> None:
    done = command("run", "--keep", "-b", str(bundle("sh", "-c", "exit 3")), name)
    assert (done.returncode, done.stderr) == (3, "")
    document = json.loads(run(command, "state", name))
    assert (document["status"], document["pid"]) == ("stopped", 0)
    run(command, "delete", name)


@pytest.mark.parametrize("words", [("create",), ("run", "-d"), ("run",)])
def test_the_pid_file(
    command: "Command", bundle: "Bundles", name: str, tmp_path: "Path", words: tuple[str, ...]
) -> None:
    """Decimal, without a line break, and there before the command ends."""
    path = tmp_path / "pid"
    path.write_text("what was there before")
    script = "true" if words == ("run",) else "exec sleep 1000"
    run(command, *words, "--pid-file", str(path), "-b", str(bundle("sh", "-c", script)), name)
    assert path.read_text().isdigit()
    assert os.listdir(tmp_path).count("pid") == 1
    assert [entry for entry in os.listdir(tmp_path) if "pid" in entry] == ["pid"]
    if words != ("run",):
        document = json.loads(run(command, "state", name))
        assert document["pid"] == int(path.read_text())
        run(command, "delete", "--force", name)


def test_kill_all_reaches_every_process(command: "Command", bundle: "Bundles", name: str) -> None:
    script = "sleep 1000 & sleep 1000 & echo >/tmp/ready; wait"
    path = bundle("sh", "-c", script, change=both(drop("pid"), put(root__readonly=False)))
    os.mkfifo(bundle.rootfs / "tmp" / "ready")
    run(command, "run", "-d", "-b", str(path), name)
    (bundle.rootfs / "tmp" / "ready").read_text()
    pids = json.loads(run(command, "ps", "--format", "json", name))
    assert len(pids) == 3
    pidfds = [os.pidfd_open(pid) for pid in pids]
    run(command, "kill", "--all", name, "KILL")
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], 10)[0]
        os.close(pidfd)
    run(command, "delete", name)


def test_a_process_that_outlives_the_first(
    command: "Command", bundle: "Bundles", name: str
) -> None:
    """Without a pid namespace nothing but the cgroup knows of it."""
    script = "sleep 1000 >/dev/null 2>&1 & echo $! >/tmp/pid"
    path = bundle("sh", "-c", script, change=both(drop("pid"), put(root__readonly=False)))
    assert command("run", "--keep", "-b", str(path), name).returncode == 0
    pidfd = os.pidfd_open(int((bundle.rootfs / "tmp" / "pid").read_text()))
    assert json.loads(run(command, "state", name))["status"] == "stopped"
    assert not select.select([pidfd], [], [], 0)[0]
    run(command, "delete", name)
    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)
