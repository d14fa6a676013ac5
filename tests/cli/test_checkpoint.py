# SPDX-License-Identifier: Apache-2.0
"""What checkpoint and restore refuse, and that a failure leaves all as it was.

That they work is tested where criu does: tests/lab/test_criu.py.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import append, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

#: nobody listens there: so the dump fails even where criu works
NOWHERE = ("--page-server", "127.0.0.1:1")


@pytest.fixture
def running(command: "Command", bundle: "Bundles", name: str) -> Iterator[str]:
    count = "i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.05; done"
    path = bundle("sh", "-c", count, change=put(root__readonly=False))
    words = command.words("run", "-d", "-b", str(path), name)
    # No file of ours, which criu could not save.
    with open("/dev/null", "r+") as null:
        subprocess.run(words, stdin=null, stdout=null, stderr=null, check=True)
    yield name
    command("delete", "-f", name)


def error(done: "subprocess.CompletedProcess[str]") -> str:
    """Give what is told of a failure, after a look at its form."""
    refused(done)
    return done.stderr.splitlines()[0].removeprefix("ocirun: error: ")


def need_criu() -> None:
    if not shutil.which("criu", path="/usr/sbin:/sbin:/usr/bin"):
        pytest.skip("criu")


def status(command: "Command", name: str) -> str:
    return str(json.loads(command("state", name).stdout)["status"])


def goes_on(rootfs: Path) -> bool:
    """Wait until the counter is another one."""
    before = (rootfs / "tmp/count").read_text()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if (rootfs / "tmp/count").read_text() not in ("", before):
            return True
        select.select([], [], [], 0.05)
    return False


def test_without_criu(command: "Command", running: str, tmp_path: Path) -> None:
    images = tmp_path / "images"
    command.environment["PATH"] = "/nowhere"
    done = command("checkpoint", "--image-path", str(images), running)
    assert error(done) == "criu is not in $PATH (apt-get install criu)"
    assert not images.exists()
    assert status(command, running) == "running"


def test_one_that_is_too_old(command: "Command", running: str, tmp_path: Path) -> None:
    program = tmp_path / "criu"
    # It says 3.14, in the bytes of its protocol, and reads what it was asked first.
    answer = "080a 1001 5204 0803 100e"
    program.write_text(
        f"#!{sys.executable}\nimport socket, sys\nhere = socket.socket(fileno=int(sys.argv[2]))\n"
        f"here.recv(99)\nhere.send(bytes.fromhex({answer!r}))\n"
    )
    program.chmod(0o755)
    command.environment["PATH"] = str(tmp_path)
    done = command("checkpoint", "--image-path", str(tmp_path / "images"), running)
    assert error(done) == (
        f"criu is too old: {program} is version 3.14.0 (3.15.0 or a later one is needed)"
    )


@pytest.mark.parametrize("paused", [False, True])
def test_a_dump_that_fails(
    command: "Command", bundle: "Bundles", running: str, tmp_path: Path, *, paused: bool
) -> None:
    need_criu()
    if paused:
        assert command("pause", running).returncode == 0
    done = command("checkpoint", "--image-path", str(tmp_path / "images"), *NOWHERE, running)
    assert error(done).startswith(f"checkpoint {running}: criu: ")
    assert f"its log is {tmp_path}/images/dump.log" in done.stderr
    assert os.listdir(tmp_path / "images") == ["dump.log"]
    assert "Error (" in (tmp_path / "images/dump.log").read_text(errors="replace")
    assert status(command, running) == ("paused" if paused else "running")
    if paused:
        assert command("resume", running).returncode == 0
    assert goes_on(bundle.rootfs)


def test_images_that_were_there_before_stay(
    command: "Command", running: str, tmp_path: Path
) -> None:
    need_criu()
    (tmp_path / "pages-1.img").write_text("of an earlier one")
    done = command("checkpoint", "--image-path", str(tmp_path), *NOWHERE, running)
    assert done.returncode == 1
    assert (tmp_path / "pages-1.img").read_text() == "of an earlier one"


def test_images_that_somebody_removes_meanwhile(
    command: "Command", running: str, tmp_path: Path
) -> None:
    """The error is that of criu, which removes its own directory here, and then dies."""
    images = tmp_path / "images"
    program = tmp_path / "criu"
    # What is asked first is the version.
    program.write_text(
        f"#!{sys.executable}\nimport shutil, socket, sys\n"
        "here = socket.socket(fileno=int(sys.argv[2]))\n"
        "if here.recv(9999) == bytes.fromhex('080a'):\n"
        "    here.send(bytes.fromhex('080a 1001 5204 0803 1011'))\n"
        f"else:\n    shutil.rmtree({str(images)!r})\n"
    )
    program.chmod(0o755)
    command.environment["PATH"] = str(tmp_path)
    said = error(command("checkpoint", "--image-path", str(images), running))
    assert said == f"checkpoint {running}: criu: ended without an answer"


@pytest.mark.parametrize("state", ["created", "stopped"])
def test_a_container_that_does_not_run(
    command: "Command", bundle: "Bundles", name: str, tmp_path: Path, state: str
) -> None:
    words = ["create"] if state == "created" else ["run", "--keep"]
    assert command(*words, "-b", str(bundle("true")), name).returncode == 0
    done = command("checkpoint", "--image-path", str(tmp_path / "images"), name)
    assert error(done) == f"Container cannot be checkpointed in {state} state"
    assert not (tmp_path / "images").exists()
    command("delete", "-f", name)


def test_a_container_that_is_not_there(command: "Command") -> None:
    assert error(command("checkpoint", "nobody")) == "container nobody does not exist"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--manage-cgroups-mode", "hard"], "invalid manage-cgroups-mode value: hard"),
        (["--empty-ns", "pid"], 'namespace "pid" is not supported'),
        (["--parent-path", "/images"], "--parent-path must be relative"),
        (["--parent-path", "missing"], "invalid --parent-path: "),
        (["--page-server", "localhost"], "Use --page-server ADDRESS:PORT"),
        (["--page-server", "localhost:0"], "invalid port number in --page-server: 0"),
        (["--lazy-pages", "--status-fd", "77"], "invalid --status-fd argument 77"),
    ],
)
def test_wrong_flags(
    command: "Command", running: str, tmp_path: Path, words: list[str], text: str
) -> None:
    done = command("checkpoint", "--image-path", str(tmp_path / "images"), *words, running)
    assert error(done).startswith(text)
    assert not (tmp_path / "images").exists()


def restore(command: "Command", path: Path, images: Path, name: str, *words: str) -> str:
    done = command("restore", *words, "-d", "-b", str(path), "--image-path", str(images), name)
    return error(done)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "read the images: {}: no such file or directory"),
        ("[", "parse {}: Expecting value"),
        ("{}", "{}: it is not a list of strings"),
        ("[1]", "{}: it is not a list of strings"),
    ],
)
def test_images_without_descriptors(
    command: "Command",
    bundle: "Bundles",
    name: str,
    tmp_path: Path,
    content: str | None,
    text: str,
) -> None:
    need_criu()
    path = tmp_path / "descriptors.json"
    if content is not None:
        path.write_text(content)
    said = restore(command, bundle("true"), tmp_path, name)
    assert said.startswith(text.replace("{}", str(path)))


def test_a_restore_that_fails(
    command: "Command", bundle: "Bundles", name: str, tmp_path: Path
) -> None:
    """The state root and the host are looked at after each test: nothing may be left."""
    need_criu()
    (tmp_path / "descriptors.json").write_text("[]")
    path = bundle("true", change=put(hooks__poststop=[{"path": "/nowhere"}]))
    said = restore(command, path, tmp_path, name, "--pid-file", str(tmp_path / "pid"))
    assert said.startswith(f"restore {name}: criu: ")
    assert f"its log is {tmp_path}/restore.log" in said
    assert sorted(os.listdir(tmp_path)) == ["descriptors.json", "restore.log", "state"]


def test_what_a_restore_refuses(
    command: "Command", bundle: "Bundles", name: str, tmp_path: Path
) -> None:
    joined = bundle(
        "true", change=append(linux__namespaces={"type": "cgroup", "path": "/proc/1/ns/cgroup"})
    )
    assert "cannot restore into a cgroup namespace" in restore(command, joined, tmp_path, name)
    terminal = bundle("true", change=put(process__terminal=True))
    assert "console" in restore(command, terminal, tmp_path, name)
