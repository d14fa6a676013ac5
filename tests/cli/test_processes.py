# SPDX-License-Identifier: Apache-2.0
"""Status words, signals, exit codes, and the ends of containers that have more processes."""

import json
import os
import select
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests import leak
from tests.cli.changes import WARNING, both, drop, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

#: says that it is ready, then ends with 7 on SIGUSR1 and with 8 on SIGTERM
TRAPS = "trap 'exit 7' USR1; trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done"


def _status(command: "Command", name: str) -> str:
    status: str = json.loads(command("state", name).stdout)["status"]
    return status


def _ended(command: "Command", name: str) -> bool:
    """Wait until the first process, which lives now, has ended; bounded."""
    pid = json.loads(command("state", name).stdout)["pid"]
    if not pid:
        return True
    pidfd = os.pidfd_open(pid)
    try:
        return bool(select.select([pidfd], [], [], 10)[0])
    finally:
        os.close(pidfd)


def _ok(done: "subprocess.CompletedProcess[str]") -> None:
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_status_words(command: "Command", bundle: "Bundles", name: str) -> None:
    _ok(command("create", "-b", str(bundle("sleep", "1000")), name))
    assert _status(command, name) == "created"
    for word, status in (("start", "running"), ("pause", "paused"), ("resume", "running")):
        _ok(command(word, name))
        assert _status(command, name) == status
    _ok(command("kill", name, "KILL"))
    assert _ended(command, name)
    assert _status(command, name) == "stopped"
    _ok(command("delete", name))


@pytest.mark.parametrize("word", ["KILL", "SIGKILL", "sigkill", "kill", "9"])
def test_forms_of_a_signal(command: "Command", bundle: "Bundles", name: str, word: str) -> None:
    _ok(command("run", "-d", "-b", str(bundle("sleep", "1000")), name))
    _ok(command("kill", name, word))
    assert _ended(command, name)
    _ok(command("delete", name))


@pytest.mark.parametrize("word", ["NONE", "65", "-1", "SIG", "RTMIN+40", "1.5"])
def test_signals_that_do_not_exist(
    command: "Command", bundle: "Bundles", name: str, word: str
) -> None:
    _ok(command("create", "-b", str(bundle("true")), name))
    refused(command("kill", "--", name, word), f'unknown signal "{word}"', "kill -l")
    _ok(command("delete", "-f", name))


def test_kill_without_a_signal_terminates(command: "Command", bundle: "Bundles", name: str) -> None:
    words = [command.path, "--root", str(command.root), "run", "-b"]
    path = str(bundle("sh", "-c", TRAPS))
    with subprocess.Popen([*words, path, name], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        _ok(command("kill", name))
        assert running.wait(10) == 8


@pytest.mark.parametrize("end", ["delete -f", "kill KILL"])
def test_all_processes_end_without_a_pid_namespace(
    command: "Command", bundle: "Bundles", name: str, end: str
) -> None:
    change = drop("pid")
    script = "sleep 1001 & sleep 1002 & exec sleep 1003"
    _ok(command("run", "-d", "-b", str(bundle("sh", "-c", script, change=change)), name))
    pids: list[int] = []
    for _ in range(200):  # the shell has not started them all at once
        pids = json.loads(command("ps", "-f", "json", name).stdout)
        if len(pids) == 3:
            break
    else:
        pytest.fail(f"not three processes: {pids}")
    pidfds = [os.pidfd_open(pid) for pid in pids]
    if end == "kill KILL":
        _ok(command("kill", name, "KILL"))
        assert _ended(command, name)
        _ok(command("delete", name))
    else:
        _ok(command("delete", "-f", name))
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], 10)[0]
        os.close(pidfd)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_cgroup_goes_over_to_the_next_container(
    command: "Command",
    bundle: "Bundles",
    name: str,
    damaged: bool,  # noqa: FBT001
) -> None:
    """What runs in it then is not the older one's, which has stopped."""
    # That the outer one was made for it as well is known only from the state.
    path = f"/{name}" if damaged else f"/{name}/shared"
    share = both(drop("pid"), put(linux__cgroupsPath=path))
    _ok(command("create", "-b", str(bundle("true", change=share)), f"{name}-a"))
    _ok(command("start", f"{name}-a"))
    assert _ended(command, f"{name}-a")
    if damaged:
        (command.root / f"{name}-a" / "state.json").write_text("{")
    _ok(command("run", "-d", "-b", str(bundle("sleep", "1000", change=share)), f"{name}-b"))
    if not damaged:
        _ok(command("kill", "--all", f"{name}-a", "KILL"))
    _ok(command("delete", *(["--force"] if damaged else []), f"{name}-a"))
    assert _status(command, f"{name}-b") == "running"
    # The newer one removes it, although it was there before.
    _ok(command("delete", "--force", f"{name}-b"))
    assert [found for found in leak.cgroups() if name in found] == []


def test_delete_of_a_created_container(command: "Command", bundle: "Bundles", name: str) -> None:
    for words in (["delete"], ["delete", "-f"]):
        _ok(command("create", "-b", str(bundle("sleep", "1000")), name))
        _ok(command(*words, name))


def test_delete_of_a_paused_container(command: "Command", bundle: "Bundles", name: str) -> None:
    _ok(command("run", "-d", "-b", str(bundle("sleep", "1000")), name))
    _ok(command("pause", name))
    refused(command("delete", name), "that is not stopped: paused")
    _ok(command("delete", "-f", name))


def test_kill_of_a_paused_container(command: "Command", bundle: "Bundles", name: str) -> None:
    _ok(command("run", "-d", "-b", str(bundle("sleep", "1000")), name))
    _ok(command("pause", name))
    _ok(command("kill", name, "KILL"))
    assert _ended(command, name)
    _ok(command("delete", name))


def test_kill_of_a_created_container(command: "Command", bundle: "Bundles", name: str) -> None:
    _ok(command("create", "-b", str(bundle("sleep", "1000")), name))
    _ok(command("kill", name, "KILL"))
    assert _ended(command, name)
    assert _status(command, name) == "stopped"
    _ok(command("delete", name))


def test_list_with_a_broken_container(command: "Command", bundle: "Bundles", name: str) -> None:
    _ok(command("create", "-b", str(bundle("true")), name))
    (command.root / "broken").mkdir()
    done = command("list", "-q")
    assert (done.returncode, done.stdout) == (0, f"{name}\n")
    assert done.stderr.startswith(f"{WARNING}container broken is not completely created: ")
    for each in ("broken", name):
        _ok(command("delete", "-f", each))


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("ulimit -c 0; kill -9 $$", 0)],
)
def test_exit_codes(
    command: "Command", bundle: "Bundles", name: str, script: str, code: int
) -> None:
    # To the first process of a pid namespace its own signals are nothing, pid_namespaces(7).
    assert command("run", "-b", str(bundle("sh", "-c", script)), name).returncode == code


@pytest.mark.parametrize("number", [6, 9, 11, 15])
def test_exit_code_of_a_signal(
    command: "Command", bundle: "Bundles", name: str, number: int
) -> None:
    path = bundle("sh", "-c", f"ulimit -c 0; kill -{number} $$", change=drop("pid"))
    assert command("run", "-b", str(path), name).returncode == 128 + number


@pytest.mark.parametrize(("number", "code"), [(signal.SIGUSR1, 7), (signal.SIGTERM, 8)])
def test_a_foreground_run_forwards_signals(
    command: "Command", bundle: "Bundles", name: str, number: int, code: int
) -> None:
    words = [command.path, "--root", str(command.root), "run", "-b"]
    path = str(bundle("sh", "-c", TRAPS))
    with subprocess.Popen([*words, path, name], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        running.send_signal(number)
        assert running.wait(10) == code
    assert os.listdir(command.root) == []
