# SPDX-License-Identifier: Apache-2.0
"""Hooks: when and where they run, what they are told, and what happens when they fail."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import WARNING, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

HOST = ("prestart", "createRuntime", "poststart", "poststop")
INSIDE = ("createContainer", "startContainer")
ORDER = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
#: kind -> the status that the hook is told
STATUS = {
    "prestart": "creating",
    "createRuntime": "creating",
    "createContainer": "creating",
    "startContainer": "created",
    "poststart": "running",
    "poststop": "stopped",
}


class Diary:
    """A directory that host and container see by the same path; each hook writes there."""

    def __init__(self, bundles: "Bundles") -> None:
        self.bundles = bundles
        self.directory = bundles.directory / "diary"
        self.directory.mkdir()
        (bundles.rootfs / str(self.directory)[1:]).mkdir(parents=True)

    def hook(self, kind: str, *, script: str = "", **more: object) -> dict[str, object]:
        """Give a hook that notes its turn, its input, its namespaces, and runs a script."""
        lines = (
            f"cd {self.directory}; echo {kind} >>order; cat >state.{kind}",
            f"ls -l /proc/self/ns >ns.{kind}; pwd >pwd.{kind}; env >env.{kind}",
            script or "true",
        )
        return {"path": "/bin/sh", "args": ["sh", "-c", "\n".join(lines)], **more}

    def make(self, *args: str, **hooks: list[dict[str, object]]) -> str:
        """Make a bundle with these hooks."""
        place = str(self.directory)
        entry = {"destination": place, "type": "bind", "source": place, "options": ["bind"]}

        def change(spec: object) -> None:
            assert isinstance(spec, dict)
            spec["mounts"].append(entry)
            spec["hooks"] = hooks

        return str(self.bundles(*(args or ("true",)), change=change))

    def read(self, name: str) -> str:
        """Give what was written into one of the files."""
        path = self.directory / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def diary(bundle: "Bundles") -> Iterator[Diary]:
    made = Diary(bundle)
    yield made
    for path in made.directory.iterdir():
        path.unlink()
    made.directory.rmdir()


def test_order_and_state(command: "Command", diary: Diary, name: str) -> None:
    hooks = {kind: [diary.hook(kind)] for kind in reversed(ORDER)}
    path = diary.make("sleep", "1000", **hooks)
    assert command("create", "-b", path, name).returncode == 0
    assert diary.read("order").split() == list(ORDER[:3])
    assert command("start", name).returncode == 0
    assert diary.read("order").split() == list(ORDER[:5])
    pid = json.loads(command("state", name).stdout)["pid"]
    assert command("delete", "-f", name).returncode == 0
    assert diary.read("order").split() == list(ORDER)
    for kind, status in STATUS.items():
        state = json.loads(diary.read(f"state.{kind}"))
        told = (state["id"], state["status"], state["bundle"], state["ociVersion"])
        assert told == (name, status, path, "1.3.0")
        if kind in INSIDE:  # its own pid there, as runc tells it
            assert state["pid"] == 1
        else:
            assert state.get("pid") == (None if kind == "poststop" else pid), kind


def test_several_of_a_kind(command: "Command", diary: Diary, name: str) -> None:
    hooks = {kind: [diary.hook(kind), diary.hook(kind, script="echo 2 >>order")] for kind in ORDER}
    done = command("run", "-b", diary.make(**hooks), name)
    assert (done.returncode, done.stderr) == (0, "")
    wanted = [word for kind in ORDER for word in (kind, kind, "2")]
    assert diary.read("order").split() == wanted


def test_namespaces(command: "Command", diary: Diary, name: str) -> None:
    hooks = {kind: [diary.hook(kind)] for kind in ORDER}
    assert command("run", "-b", diary.make(**hooks), name).returncode == 0
    own = os.readlink("/proc/self/ns/mnt")
    for kind in HOST:
        assert own in diary.read(f"ns.{kind}"), kind
    for kind in INSIDE:
        text = diary.read(f"ns.{kind}")
        assert "mnt:[" in text
        for namespace in ("mnt", "net", "uts", "ipc"):
            assert os.readlink(f"/proc/self/ns/{namespace}") not in text, kind


def test_where_the_program_is_looked_up(
    command: "Command", diary: Diary, tmp_path: Path, name: str
) -> None:
    """The last of them alone is a file of the container; all others are files of the host."""
    for kind in ORDER:
        place = diary.bundles.rootfs / "only" if kind == "startContainer" else tmp_path
        place.mkdir(exist_ok=True)
        script = place / kind
        script.write_text(f"#!/bin/sh\necho {kind} >>{diary.directory}/order\n")
        script.chmod(0o755)
    places = {kind: str(tmp_path) for kind in ORDER} | {"startContainer": "/only"}
    hooks: dict[str, list[dict[str, object]]] = {
        kind: [{"path": f"{place}/{kind}"}] for kind, place in places.items()
    }
    done = command("run", "-b", diary.make(**hooks), name)
    assert (done.returncode, done.stderr) == (0, "")
    assert diary.read("order").split() == list(ORDER)


def test_environment_and_arguments(command: "Command", diary: Diary, name: str) -> None:
    hooks = {
        "createRuntime": [diary.hook("createRuntime", env=["A=1"])],
        "startContainer": [diary.hook("startContainer", env=["A=2"])],
    }
    assert command("run", "-b", diary.make(**hooks), name).returncode == 0
    assert "A=1" in diary.read("env.createRuntime").splitlines()
    assert "HOME=/root" not in diary.read("env.createRuntime").splitlines()
    assert "A=2" in diary.read("env.startContainer").splitlines()


@pytest.mark.parametrize("kind", ORDER[:4])
@pytest.mark.parametrize("script", ["echo why >&2; exit 3", "kill -SEGV $$"])
def test_a_failure_before_the_start(
    command: "Command", diary: Diary, name: str, kind: str, script: str
) -> None:
    path = diary.make(**{kind: [diary.hook(kind), diary.hook(kind, script=script)]})
    done = command("run", "-b", path, name)
    refused(done, f"error running {kind} hook #1: /bin/sh: ")
    if "why" in script:
        assert "exit status 3" in done.stderr
        assert "why" in done.stderr
    else:
        assert "signal 11: segmentation fault" in done.stderr


@pytest.mark.parametrize("kind", ORDER[:3])
def test_a_failure_in_create(command: "Command", diary: Diary, name: str, kind: str) -> None:
    path = diary.make(**{kind: [diary.hook(kind, script="exit 3")]})
    refused(command("create", "-b", path, name), f"error running {kind} hook #0", "exit status 3")
    refused(command("state", name), "does not exist")


def test_a_failing_start_container(command: "Command", diary: Diary, name: str) -> None:
    hook = diary.hook("startContainer", script="echo why; exit 3")
    path = diary.make("touch", f"{diary.directory}/ran", startContainer=[hook])
    assert command("create", "-b", path, name).returncode == 0
    words = "error running startContainer hook #0: /bin/sh: exit status 3, stderr: why"
    refused(command("start", name), words)
    assert json.loads(command("state", name).stdout)["status"] == "stopped"
    assert not (diary.directory / "ran").exists()
    assert command("delete", name).returncode == 0


@pytest.mark.parametrize("kind", ORDER[:5])
def test_timeout(command: "Command", diary: Diary, name: str, kind: str) -> None:
    hook = diary.hook(kind, script="exec sleep 1000", timeout=1)
    done = command("run", "-b", diary.make("sleep", "1000", **{kind: [hook]}), name)
    refused(done, f"error running {kind} hook #0: /bin/sh: killed after its timeout")


@pytest.mark.parametrize("kind", HOST[:3])
def test_a_hook_that_is_missing(
    command: "Command", bundle: "Bundles", name: str, kind: str
) -> None:
    path = bundle("sleep", "1000", change=put(hooks={kind: [{"path": "/none"}]}))
    done = command("run", "-b", str(path), name)
    refused(done, f"error running {kind} hook #0: /none: no such file or directory")


def test_a_failing_poststart_ends_the_container(
    command: "Command", diary: Diary, name: str
) -> None:
    hooks = {
        "poststart": [diary.hook("poststart", script="exit 3")],
        "poststop": [diary.hook("poststop")],
    }
    path = diary.make("sleep", "1000", **hooks)
    assert command("create", "-b", path, name).returncode == 0
    refused(command("start", name), "error running poststart hook #0", "exit status 3")
    assert json.loads(command("state", name).stdout)["status"] == "stopped"
    assert command("delete", name).returncode == 0
    assert diary.read("order").split() == ["poststart", "poststop"]


def test_a_failing_poststop_warns(command: "Command", diary: Diary, name: str) -> None:
    hooks = [diary.hook("poststop", script="exit 3"), diary.hook("poststop")]
    done = command("run", "-b", diary.make(poststop=hooks), name)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{WARNING}error running poststop hook #0: /bin/sh: exit status 3")
    assert diary.read("order").split() == ["poststop"] * 2


@pytest.mark.parametrize("words", [["create"], ["run"], ["run", "-d"]])
@pytest.mark.parametrize("kind", [*ORDER[:3], "program"])
def test_poststop_after_a_failed_creation(
    command: "Command", diary: Diary, name: str, words: list[str], kind: str
) -> None:
    """What hooks have made outside is theirs to remove (runtime-spec, "Lifecycle", step 6)."""
    hooks = {"poststop": [diary.hook("poststop", script="exit 3"), diary.hook("poststop")]}
    if kind != "program":
        hooks[kind] = [diary.hook(kind, script="exit 4")]
    path = diary.make("/none" if kind == "program" else "true", **hooks)
    done = command(*words, "-b", path, name)
    refused(done, "/none" if kind == "program" else f"error running {kind} hook #0")
    assert f"{WARNING}error running poststop hook #0" in done.stderr
    assert diary.read("order").split()[-2:] == ["poststop"] * 2
    state = json.loads(diary.read("state.poststop"))
    assert (state["id"], state["status"], "pid" in state) == (name, "stopped", False)
    refused(command("state", name), "does not exist")


def test_no_poststop_of_what_was_never_begun(command: "Command", diary: Diary, name: str) -> None:
    hook = diary.hook("poststop")
    path = diary.make("sleep", "1000", poststop=[hook])
    assert command("create", "-b", path, name).returncode == 0
    refused(command("create", "-b", path, name), "already exists")
    assert diary.read("order") == ""
    assert command("delete", "-f", name).returncode == 0
    assert diary.read("order").split() == ["poststop"]


def test_poststop_without_the_bundle(command: "Command", diary: Diary, name: str) -> None:
    path = Path(diary.make("true", poststop=[diary.hook("poststop")]))
    assert command("create", "-b", str(path), name).returncode == 0
    shutil.move(path, f"{path}.moved")
    done = command("delete", name)
    shutil.move(f"{path}.moved", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert diary.read("order").split() == ["poststop"]


@pytest.mark.parametrize("kind", ORDER[:3])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_during_a_hook(
    command: "Command", diary: Diary, name: str, kind: str, number: int
) -> None:
    """Nothing stays, neither of the container nor of the hook that hung."""
    fifo = Path(diary.directory, "fifo")
    os.mkfifo(fifo)
    hook = diary.hook(kind, script="echo here >fifo; exec sleep 1000")
    words = ["--root", str(command.root), "run", "-b", diary.make(**{kind: [hook]}), name]
    with subprocess.Popen([command.path, *words], stdin=subprocess.DEVNULL) as running:
        assert fifo.read_text() == "here\n"
        running.send_signal(number)
        try:
            assert running.wait(20) == -number
        finally:
            running.kill()
    assert os.listdir(command.root) == []


def test_a_signal_during_a_hook_after_the_start(
    command: "Command", diary: Diary, name: str
) -> None:
    """By then a foreground run passes signals on; the process that runs the hook dies of it."""
    fifo = Path(diary.directory, "fifo")
    os.mkfifo(fifo)
    hook = diary.hook("startContainer", script="echo here >fifo; exec sleep 1000")
    words = ["--root", str(command.root), "run", "-b", diary.make(startContainer=[hook]), name]
    with subprocess.Popen([command.path, *words], stdin=subprocess.DEVNULL) as running:
        assert fifo.read_text() == "here\n"
        running.send_signal(signal.SIGTERM)
        try:
            assert running.wait(20) == 128 + signal.SIGTERM
        finally:
            running.kill()
    assert os.listdir(command.root) == []


@pytest.mark.parametrize("timeout", [0, 1000])
@pytest.mark.parametrize("word", ["start", "run -d"])
def test_a_signal_during_a_poststart_hook(
    command: "Command", diary: Diary, name: str, word: str, timeout: int
) -> None:
    """The hook ends, and with it the container, as if it had failed."""
    fifo = Path(diary.directory, "fifo")
    os.mkfifo(fifo)
    hook = diary.hook("poststart", script="echo here $$ >fifo; exec sleep 1000")
    if timeout:
        hook["timeout"] = timeout
    path = diary.make("sleep", "1000", poststart=[hook])
    words = [*word.split(), "-b", path, name]
    if word == "start":
        assert command("create", "-b", path, name).returncode == 0
        words = ["start", name]
    with subprocess.Popen(command.words(*words), stdin=subprocess.DEVNULL) as running:
        here, pid = fifo.read_text().split()
        assert here == "here"
        running.send_signal(signal.SIGTERM)
        try:
            assert running.wait(20) == -signal.SIGTERM
        finally:
            running.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    if word == "start":
        assert json.loads(command("state", name).stdout)["status"] == "stopped"
        assert command("delete", name).returncode == 0
