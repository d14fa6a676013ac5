# SPDX-License-Identifier: Apache-2.0
"""The tutorial of the README, typed by hand: its own lines, on a terminal, in a shell.

Only two things are not typed as they are printed there: the root filesystem is copied and
not fetched, and the container has a name of its own.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.keyboard import Keyboard
from tests.repository import TOP

if TYPE_CHECKING:
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

HOST = "host> "
CONTAINER = "# "
DOCKER = "docker export $(docker create busybox) | tar -C rootfs -xf -"


def tutorial() -> list[str]:
    """Read the commands that the README begins with."""
    text = (TOP / "README.md").read_text().partition("## A container by hand\n")[2]
    lines = text.partition("\n    ")[2].partition("\n\n")[0]
    return [line.strip() for line in lines.splitlines()]


def test_the_tutorial_is_where_we_read_it() -> None:
    assert tutorial() == [
        "mkdir -p box/rootfs && cd box",
        DOCKER,
        "ocirun spec",
        "ocirun run test",
    ]


@pytest.fixture(scope="session")
def debian_rootfs() -> Path:
    """Give a small Debian, which debootstrap makes once for this checkout."""
    release = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text().split("\n")
        if "=" in line
    )
    suite = release.get("VERSION_CODENAME", "stable").strip('"')
    path = TOP / ".cache" / f"debootstrap-{suite}"
    if path.exists():
        return path
    program = shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not program:
        pytest.skip("debootstrap")
    path.parent.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="debootstrap-", dir=path.parent))
    try:
        words = [program, "--variant=minbase", suite, str(unfinished)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"debootstrap cannot fetch {suite}: {done.stdout.splitlines()[-1]}")
        unfinished.chmod(0o755)
        unfinished.rename(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return path


def begin(command: "Command", directory: Path, rootfs: Path, name: str) -> Keyboard:
    """Type the tutorial, up to the shell in the container."""
    # The same command, but for where it keeps the state of the containers.
    (directory / "bin").mkdir()
    wrapper = directory / "bin" / "ocirun"
    wrapper.write_text(f'#!/bin/sh\nexec {command.path} --root {command.root} "$@"\n')
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}:{os.environ['PATH']}"
    person = Keyboard(
        "sh",
        "-c",
        f'cd {directory}; PS1="{HOST}" exec sh',
        env={**command.environment, "PATH": path},
    )
    try:
        person.read_until(HOST)
        *lines, last = tutorial()
        for line in lines:
            person.type(line.replace(DOCKER, f"cp -a {rootfs}/. rootfs") + "\n")
            # Nothing is said where nothing is wrong.
            assert person.read_until(HOST).count("\n") == 1
        person.type(last.removesuffix("test") + name + "\n")
        person.read_until("\n")
        person.read_until(CONTAINER)
    except BaseException:
        person.__exit__(None, None, None)
        raise
    return person


def ask(person: Keyboard, question: str) -> list[str]:
    """Type a command in the container's shell, and give the lines of its answer."""
    person.type(question + "\n")
    person.read_until("\n")
    return person.read_until(CONTAINER).split("\r\n")[:-1]


def finish(person: Keyboard) -> None:
    """Leave the container, look that nothing is left, and leave the host's shell."""
    person.type("exit\n")
    person.read_until(HOST)
    assert person.mode() == person.mode_before
    person.type("echo $?\n")
    assert person.read_until(HOST).split("\r\n")[1] == "0"
    person.type("ocirun list --quiet\n")
    assert person.read_until(HOST).split("\r\n")[1:-1] == []
    person.type("exit\n")
    assert person.end() == 0


def test_with_busybox(command: "Command", busybox_rootfs: Path, tmp_path: Path, name: str) -> None:
    with begin(command, tmp_path, busybox_rootfs, name) as person:
        assert ask(person, "id -u") == ["0"]
        assert ask(person, "hostname") == ["runc"]
        assert ask(person, "pwd; echo $HOME") == ["/", "/root"]
        title, shell, _ = ask(person, "ps")
        assert title.split()[0] == "PID"
        assert shell.split()[0] == "1"
        assert shell.split()[-1] == "sh"
        assert ask(person, "touch /x") == ["touch: /x: Read-only file system"]
        assert ask(person, "ls /sys/class/net") == ["lo"]
        finish(person)


@pytest.mark.slow
@pytest.mark.timeout(900)  # the first time it is fetched
def test_with_debootstrap(
    command: "Command", debian_rootfs: Path, tmp_path: Path, name: str
) -> None:
    with begin(command, tmp_path, debian_rootfs, name) as person:
        assert ask(person, "id -un") == ["root"]
        assert ask(person, "hostname") == ["runc"]
        assert ask(person, "grep ^ID= /etc/os-release")[0].startswith("ID=")
        assert ask(person, "perl -e 'print $$ > 1, qq(\\n)'") == ["1"]
        assert ask(person, "dpkg --status base-files | grep ^Status") == [
            "Status: install ok installed"
        ]
        assert ask(person, "bash -c 'echo {1..3}'") == ["1 2 3"]
        assert ask(person, "tty; stty size") == ["/dev/pts/0", "24 80"]
        finish(person)
