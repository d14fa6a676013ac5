# SPDX-License-Identifier: Apache-2.0
"""Commands at the wrong moment, on a damaged state, on a full disk, and by the wrong user."""

import json
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import WARNING, put, refused

from ocirun.engine import state as states

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

NOBODY = 65534
COMMANDS = (["state"], ["start"], ["kill"], ["delete"], ["pause"], ["ps"])
#: contents of state.json
DAMAGED = {
    "missing": None,
    "empty": "",
    "cut": '{"version":1,"id"',
    "not an object": "null",
    "another document": '{"version":1}',
}


def _damage(command: "Command", name: str, content: str | None) -> Path:
    path = command.root / name / "state.json"
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_text(content)
    return path


@pytest.mark.parametrize("how", DAMAGED)
def test_damaged_state(command: "Command", name: str, how: str) -> None:
    path = _damage(command, name, DAMAGED[how])
    words = (name, str(path), f"ocirun delete --force {name}")
    for line in COMMANDS:
        refused(command(*line, name), *words)
    refused(command("exec", name, "true"), *words, code=255)
    listed = command("list", "-q")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert listed.stderr.startswith(WARNING)
    done = command("delete", "--force", name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    refused(command("state", name), f"container {name} does not exist")


@pytest.mark.parametrize("word", ["create", "run -d"])
def test_damaged_state_of_a_container_that_lives(
    command: "Command", bundle: "Bundles", name: str, word: str
) -> None:
    """The processes go with it: nobody could find them afterwards."""
    assert command(*word.split(), "-b", str(bundle("sleep", "1000")), name).returncode == 0
    pidfd = os.pidfd_open(json.loads(command("state", name).stdout)["pid"])
    _damage(command, name, "{")
    done = command("delete", "-f", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)


def test_delete_by_force_waits_for_another_command(
    command: "Command", bundle: "Bundles", name: str
) -> None:
    """One that was killed has not let go of the container at once."""
    assert command("create", "-b", str(bundle("sleep", "1000")), name).returncode == 0
    lock = states.lock(str(command.root / name))
    refused(command("delete", name), f"container {name} is in use by another ocirun command")
    words = command.words("delete", "--force", name)
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as waiting:
        while not _waits_for_a_lock(waiting.pid) and waiting.poll() is None:
            os.sched_yield()
        os.close(lock)
        assert waiting.communicate(timeout=20)[1] == ""
    assert waiting.returncode == 0
    assert not (command.root / name).exists()


def _waits_for_a_lock(pid: int) -> bool:
    # proc_locks(5): "1: -> FLOCK ADVISORY WRITE PID ..."
    lines = Path("/proc/locks").read_text().splitlines()
    return any(line.split()[1] == "->" and f" {pid} " in line for line in lines)


def test_start_twice(command: "Command", bundle: "Bundles", name: str) -> None:
    assert command("create", "-b", str(bundle("sleep", "1000")), name).returncode == 0
    assert command("start", name).returncode == 0
    refused(command("start", name), f"cannot start an already running container: {name}")
    refused(command("delete", name), f"{name} that is not stopped: running", "kill", "--force")
    assert json.loads(command("state", name).stdout)["status"] == "running"
    assert command("delete", "--force", name).returncode == 0


def test_a_stopped_container(command: "Command", bundle: "Bundles", name: str) -> None:
    done = command("run", "--keep", "-b", str(bundle("true")), name)
    assert done.returncode == 0
    for words in (["kill", name], ["kill", name, "KILL"], ["kill", name, "0"]):
        refused(command(*words), f"container not running: {name}")
    refused(command("start", name), "cannot start a container that has stopped", "delete")
    refused(command("pause", name), f"container not running: {name}")
    refused(command("exec", name, "true"), "cannot exec in a stopped container", code=255)
    assert command("delete", name).returncode == 0


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """Give a filesystem with room for one page."""
    path = tmp_path / "tiny"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tiny", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize("free", [0, 1])
@pytest.mark.parametrize("word", ["create", "run"])
def test_full_disk(
    command: "Command", bundle: "Bundles", name: str, tiny: Path, word: str, free: int
) -> None:
    if not free:
        (tiny / "file").write_bytes(b"x" * 4096)
    done = command.bare("--root", str(tiny), word, "-b", str(bundle("true")), name)
    refused(done, f"{tiny}/{name}: no space left on device", "--root")
    assert not (tiny / name).exists()


def test_the_state_of_another_container(command: "Command", bundle: "Bundles", name: str) -> None:
    """A copied directory: what is done to the copy must not be done to the original."""
    assert command("create", "-b", str(bundle("sleep", "1000")), name).returncode == 0
    copy = command.root / f"{name}-2"
    copy.mkdir()
    (copy / "state.json").write_bytes((command.root / name / "state.json").read_bytes())
    for word in ("state", "start", "kill", "delete"):
        refused(command(word, copy.name), f"it is the state of '{name}'", "delete --force")
    assert command("delete", "--force", copy.name).returncode == 0
    assert json.loads(command("state", name).stdout)["status"] == "created"
    assert command("delete", "--force", name).returncode == 0


def _as_nobody(command: "Command", *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [command.path, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={},
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
    )


def test_the_container_of_another_user(
    command: "Command", bundle: "Bundles", open_directory: Path, name: str
) -> None:
    root = str(open_directory / name)
    command = type(command)(command.path, Path(root))
    path = str(bundle("sleep", "1000"))
    assert command("create", "-b", path, name).returncode == 0
    for words in (*COMMANDS, ["delete", "-f"]):
        done = _as_nobody(command, "--root", root, *words, name)
        refused(done, f"{root}/{name}/state.json: permission denied", "another user")
    refused(_as_nobody(command, "--root", root, "list"), f"{root}: permission denied")
    done = _as_nobody(command, "--root", root, "create", "-b", path, f"{name}-2")
    refused(done, f"make the state directory: {root}/{name}-2: permission denied", "--root")
    assert json.loads(command("state", name).stdout)["status"] == "created"
    assert command("delete", "-f", name).returncode == 0


def test_a_current_directory_that_is_gone(command: "Command", tmp_path: Path, name: str) -> None:
    script = 'mkdir "$0"; cd "$0"; rmdir "$0"; exec "$@"'
    for words in (["run", name], ["--root", "here", "list"], ["run", "--pid-file", "x", name]):
        line = ["sh", "-c", script, str(tmp_path / "gone"), *command.words(*words)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        refused(done, "find the current directory: no such file or directory")


@pytest.mark.parametrize("limit", range(5, 30))
def test_few_descriptors(command: "Command", bundle: "Bundles", name: str, limit: int) -> None:
    """It works or it does not, but leaves nothing and says what was wrong."""
    path = bundle("true", change=put(process__rlimits=[]))
    words = command.words("run", "-b", str(path), name)
    script = f'ulimit -n {limit}; exec "$@"'
    line = ["sh", "-c", script, "sh", *words]
    done = subprocess.run(
        line, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        assert done.stderr == ""
    elif done.returncode != 127:  # or the interpreter itself did not start
        refused(done, "too many open files")


def test_namespaces_that_only_root_makes(
    command: "Command", bundle: "Bundles", open_directory: Path, name: str
) -> None:
    root = open_directory / name
    root.mkdir()
    os.chown(root, NOBODY, NOBODY)
    done = _as_nobody(command, "--root", str(root), "run", "-b", str(bundle("true")), name)
    refused(done, "linux.namespaces: ", "operation not permitted", "ocirun spec --rootless")
    root.rmdir()


@pytest.mark.parametrize("words", [["list"], ["state"], ["delete", "-f"], ["run"]])
def test_a_state_root_that_is_a_file(
    command: "Command", bundle: "Bundles", tmp_path: Path, name: str, words: list[str]
) -> None:
    root = tmp_path / "file"
    root.touch()
    rest = {"list": [], "run": ["-b", str(bundle("true")), name]}.get(words[0], [name])
    done = command.bare("--root", str(root), *words, *rest)
    refused(done, f"{root}", "not a directory")
