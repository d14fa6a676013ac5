# SPDX-License-Identifier: Apache-2.0
"""--console-socket: somebody else looks after the terminal (unix(7), SCM_RIGHTS)."""

import json
import os
import select
import socket
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import both, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

TERMINAL = put(process__terminal=True)
PATIENCE = 20


class Console:
    """A socket that waits for a terminal."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "console.sock"
        # The kernel takes no longer name than 107 bytes; a bind below a descriptor does.
        fd = os.open(directory, os.O_PATH)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE)
        self._socket.bind(f"/proc/self/fd/{fd}/console.sock")
        self._socket.listen()
        os.close(fd)
        self._terminals: list[int] = []

    def take(self) -> tuple[str, int]:
        """Take the one message of the one connection: a name and a terminal."""
        connection, _ = self._socket.accept()
        with connection:
            connection.settimeout(PATIENCE)
            name, fds, _, _ = socket.recv_fds(connection, 4096, 8)
            self._terminals += fds
            assert len(fds) == 1
            assert connection.recv(1) == b""
        return name.decode(), fds[0]

    def close(self) -> None:
        for fd in self._terminals:
            os.close(fd)
        self._socket.close()


def read_until(fd: int, text: bytes) -> bytes:
    screen = b""
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    while text not in screen:
        assert waiting.poll(PATIENCE * 1000), screen
        screen += os.read(fd, 4096)
    return screen


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    found = Console(tmp_path)
    yield found
    found.close()


def test_create(command: "Command", bundle: "Bundles", name: str, console: Console) -> None:
    path = bundle("sh", "-c", "tty; read line; echo got $line", change=TERMINAL)
    done = command("create", "--console-socket", str(console.path), "-b", str(path), name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    terminal, fd = console.take()
    # As podman and containerd get it from runc; they only look at the descriptor.
    assert terminal == "/dev/pts/0"
    assert os.readlink(f"/proc/self/fd/{fd}").endswith("ptmx")
    assert os.isatty(fd)
    # What the program prints is for whoever has the terminal: as it is on a real one.
    assert int(termios.tcgetattr(fd)[1]) & termios.OPOST
    assert command("start", name).returncode == 0
    assert b"/dev/pts/0" in read_until(fd, b"\n")
    os.write(fd, b"hello\n")
    read_until(fd, b"got hello")
    assert command("delete", "--force", name).returncode == 0


def test_run_detached(command: "Command", bundle: "Bundles", name: str, console: Console) -> None:
    path = bundle("sh", "-c", "echo ready; read line", change=TERMINAL)
    done = command("run", "-d", "--console-socket", str(console.path), "-b", str(path), name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    read_until(console.take()[1], b"ready")
    assert command("delete", "--force", name).returncode == 0


def test_exec(
    command: "Command", bundle: "Bundles", name: str, console: Console, tmp_path: Path
) -> None:
    assert command("run", "-d", "-b", str(bundle("sleep", "1000")), name).returncode == 0
    pid_file = tmp_path / "pid"
    words = ["exec", "-d", "-t", "--console-socket", str(console.path), "--pid-file", str(pid_file)]
    done = command(*words, name, "sh", "-c", "echo ready; read line")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    fd = console.take()[1]
    read_until(fd, b"ready")
    os.write(fd, b"\n")
    # Ours by adoption: the container cannot end while it is a zombie in there.
    assert os.waitpid(int(pid_file.read_text()), 0)[1] == 0
    assert command("delete", "--force", name).returncode == 0


def test_exec_needs_it(command: "Command", bundle: "Bundles", name: str) -> None:
    assert command("run", "-d", "-b", str(bundle("sleep", "1000")), name).returncode == 0
    done = command("exec", "-d", "-t", name, "true")
    refused(done, "cannot allocate tty", "--console-socket", code=255)
    done = command("exec", "--console-socket", "/none", name, "true")
    refused(done, "cannot use console socket", code=255)
    assert command("delete", "--force", name).returncode == 0


def test_a_path_that_is_too_long_for_the_kernel(
    command: "Command", bundle: "Bundles", name: str, tmp_path: Path
) -> None:
    directory = tmp_path / ("d" * 100) / ("e" * 100)
    directory.mkdir(parents=True)
    console = Console(directory)
    try:
        path = bundle("sh", "-c", "echo ready; read line", change=TERMINAL)
        done = command("run", "-d", "--console-socket", str(console.path), "-b", str(path), name)
        assert (done.returncode, done.stderr) == (0, "")
        read_until(console.take()[1], b"ready")
    finally:
        console.close()
    assert command("delete", "--force", name).returncode == 0


def test_the_size_that_the_config_wants(
    command: "Command", bundle: "Bundles", name: str, console: Console
) -> None:
    change = both(TERMINAL, put(process__consoleSize={"height": 11, "width": 222}))
    path = bundle("sh", "-c", "stty size; read line", change=change)
    done = command("run", "-d", "--console-socket", str(console.path), "-b", str(path), name)
    assert (done.returncode, done.stderr) == (0, "")
    fd = console.take()[1]
    assert termios.tcgetwinsize(fd) == (11, 222)
    read_until(fd, b"11 222")
    assert command("delete", "--force", name).returncode == 0


def test_a_size_without_a_terminal_is_ignored(
    command: "Command", bundle: "Bundles", name: str
) -> None:
    change = put(process__consoleSize={"height": 99999, "width": 99999})
    done = command("run", "-b", str(bundle("true", change=change)), name)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_terminal_belongs_to_the_user(
    command: "Command", bundle: "Bundles", name: str, console: Console
) -> None:
    change = both(TERMINAL, put(process__user={"uid": 1000, "gid": 1000}))
    script = "stat -c '%u %g' $(tty); echo typed >/dev/tty; read line"
    path = bundle("sh", "-c", script, change=change)
    done = command("run", "-d", "--console-socket", str(console.path), "-b", str(path), name)
    assert (done.returncode, done.stderr) == (0, "")
    assert b"1000 5\r\n" in read_until(console.take()[1], b"typed")
    assert command("delete", "--force", name).returncode == 0


def test_nobody_holds_the_terminal_but_its_keeper(
    command: "Command", bundle: "Bundles", name: str, console: Console
) -> None:
    """When whoever has the terminal closes it, the container gets a hangup."""
    path = bundle("sh", "-c", "trap 'exit 7' HUP; echo ready; read line", change=TERMINAL)
    done = command("create", "--console-socket", str(console.path), "-b", str(path), name)
    assert (done.returncode, done.stderr) == (0, "")
    fd = console.take()[1]
    assert command("start", name).returncode == 0
    read_until(fd, b"ready")
    pidfd = os.pidfd_open(json.loads(command("state", name).stdout)["pid"])
    console.close()
    console._terminals.clear()
    assert select.select([pidfd], [], [], PATIENCE)[0]
    os.close(pidfd)
    assert command("delete", name).returncode == 0
