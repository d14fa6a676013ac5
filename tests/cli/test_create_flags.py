# SPDX-License-Identifier: Apache-2.0
"""Flags of create, run and exec that only the kernel's view of a process can show."""

import array
import ctypes
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = pytest.mark.root

KEYCTL = 250
KEY_SPEC_SESSION_KEYRING = -3


class Keeper:
    """Takes a process from the pidfd socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        self._socket.settimeout(20)

    def take(self) -> tuple[str, int]:
        """Give the text, and the pid of the process that the descriptor is of."""
        connection, _ = self._socket.accept()
        with connection:
            text, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(64))
        ((_, _, packed),) = ancillary
        (fd,) = array.array("i", packed)
        try:
            lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
        finally:
            os.close(fd)
        (pid,) = (int(line.split()[1]) for line in lines if line.startswith("Pid:"))
        return text.decode(), pid

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    made = Keeper(str(tmp_path / "pidfd.sock"))
    yield made
    made.close()


@pytest.mark.parametrize("word", ["create", "run -d"])
def test_pidfd_socket(
    command: "Command", bundle: "Bundles", name: str, keeper: Keeper, word: str
) -> None:
    path = str(bundle("sleep", "1000"))
    flags = ("--pidfd-socket", keeper.path)
    assert command(*word.split(), *flags, "-b", path, name).returncode == 0
    pid = json.loads(command("state", name).stdout)["pid"]
    assert keeper.take() == ("standard", pid)
    if word == "run -d":
        pid_file = keeper.path + ".pid"
        words = ("-d", "--pid-file", pid_file, *flags, name, "sleep", "1000")
        assert command("exec", *words).returncode == 0
        executed = int(Path(pid_file).read_text())
        assert keeper.take() == ("setns", executed)
        # We adopted it, and a pid namespace does not end before the last zombie in it.
        os.kill(executed, signal.SIGKILL)
        os.waitpid(executed, 0)
    assert command("delete", "-f", name).returncode == 0


def test_pidfd_socket_without_a_listener(command: "Command", bundle: "Bundles", name: str) -> None:
    done = command("create", "--pidfd-socket", "/none", "-b", str(bundle("true")), name)
    refused(done, "send the pidfd to the pidfd socket: /none: no such file or directory")
    refused(command("state", name), "does not exist")


def test_no_pivot(look: "Look") -> None:
    """The root is moved over the host's, of which nothing can be reached."""
    script = "cd ../../..; ls; echo; cut -d ' ' -f 5 /proc/self/mountinfo"
    files, points = look(script, flags=("--no-pivot",)).split("\n\n")
    assert files.split() == sorted(os.listdir(look.bundle.rootfs))
    # Of what is not below the root nothing is shown, proc_pid_mountinfo(5).
    assert {"/", "/dev", "/proc", "/sys"} <= set(points.split())
    assert [point for point in points.split() if str(look.bundle.directory) in point] == []


def test_no_pivot_with_private_propagation(look: "Look") -> None:
    for word in ("private", "rprivate"):
        path = look.bundle("true", change=put(linux__rootfsPropagation=word))
        done = look.command("run", "--no-pivot", "-b", str(path), look.name)
        refused(done, "linux.rootfsPropagation", "--no-pivot does not go with a private root")


def session_keyring() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(KEYCTL, 0, ctypes.c_long(KEY_SPEC_SESSION_KEYRING), 0))


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="an x86_64 machine")
def test_no_new_keyring(look: "Look", probe: Path) -> None:
    shutil.copy(probe, look.bundle.rootfs / "probe")
    script = f"/probe call {KEYCTL},0,{KEY_SPEC_SESSION_KEYRING}"
    ours = session_keyring()
    theirs = int(look(script))
    assert theirs > 0
    assert theirs != ours
    kept = int(look(script, flags=("--no-new-keyring",)))
    # Without a session keyring of ours both see that of the user.
    assert kept == ours
