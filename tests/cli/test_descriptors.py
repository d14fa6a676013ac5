# SPDX-License-Identifier: Apache-2.0
"""Descriptors that a container inherits: those that were asked for, at their places, no other."""

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bundle import Bundles
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

SHOW = "for fd in 3 4 5; do readlink /proc/$$/fd/$fd || echo closed; done; echo $LISTEN_FDS"


def with_fds(
    command: "Command", *words: str, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command line with descriptors 3, 4 and 5, and with LISTEN_PID right if it is "own"."""
    script = 'test "$LISTEN_PID" != own || export LISTEN_PID=$$; exec "$@"'
    shell = ["sh", "-c", f"{script} 3</dev/zero 4</dev/null 5</dev/full", "sh"]
    return subprocess.run(
        [*shell, *command.words(*words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**command.environment, **(env or {})},
    )


def test_none_but_the_standard_ones(command: "Command", bundle: "Bundles", name: str) -> None:
    done = with_fds(command, "run", "-b", str(bundle("sh", "-c", SHOW)), name)
    assert done.stdout.split() == ["closed"] * 3


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_as_asked_for(command: "Command", bundle: "Bundles", name: str, count: int) -> None:
    path = bundle("sh", "-c", SHOW)
    done = with_fds(command, "run", "--preserve-fds", str(count), "-b", str(path), name)
    expected = ["/dev/zero", "/dev/null", "/dev/full"][:count]
    assert done.stdout.split() == expected + ["closed"] * (3 - count)


def test_exec(command: "Command", bundle: "Bundles", name: str) -> None:
    assert command("run", "-d", "-b", str(bundle("sleep", "1000")), name).returncode == 0
    done = with_fds(command, "exec", "--preserve-fds", "1", name, "sh", "-c", SHOW)
    assert done.stdout.split() == ["/dev/zero", "closed", "closed"]
    done = with_fds(command, "exec", name, "sh", "-c", SHOW)
    assert done.stdout.split() == ["closed"] * 3
    assert command("delete", "--force", name).returncode == 0


@pytest.mark.parametrize(
    ("count", "text"),
    [
        ("x", 'invalid value "x" for flag -preserve-fds'),
        ("-1", 'invalid value "-1" for flag -preserve-fds'),
        ("4", "--preserve-fds 4: descriptor 6 is not open"),
        ("99999999999", "--preserve-fds 99999999999: descriptor 6 is not open"),
    ],
)
def test_a_wrong_number(
    command: "Command", bundle: "Bundles", name: str, count: str, text: str
) -> None:
    words = ["--preserve-fds", count]
    refused(with_fds(command, "run", *words, "-b", str(bundle("true")), name), text)
    refused(with_fds(command, "create", *words, "-b", str(bundle("true")), name), text)


def test_our_own_log_is_not_meant(
    command: "Command", bundle: "Bundles", name: str, tmp_path: "Path"
) -> None:
    """The log gets the lowest number that is free, which could be one that was asked for."""
    words = ["--log", str(tmp_path / "log"), "run", "--preserve-fds", "1", "-b"]
    refused(command(*words, str(bundle("true")), name), "descriptor 3 is not open")


def test_sockets_of_systemd(command: "Command", bundle: "Bundles", name: str) -> None:
    words = ["run", "-b", str(bundle("sh", "-c", SHOW)), name]
    done = with_fds(command, *words, env={"LISTEN_FDS": "2", "LISTEN_PID": "own"})
    assert done.stdout.split() == ["/dev/zero", "/dev/null", "closed", "2"]
    words[1:1] = ["--preserve-fds", "1"]
    done = with_fds(command, *words, env={"LISTEN_FDS": "2", "LISTEN_PID": "own"})
    assert done.stdout.split() == ["/dev/zero", "/dev/null", "/dev/full", "2"]


@pytest.mark.parametrize("pid", ["1", "", "x", str(os.getpid())])
def test_sockets_that_are_for_another_process(
    command: "Command", bundle: "Bundles", name: str, pid: str
) -> None:
    words = ["run", "-b", str(bundle("sh", "-c", SHOW)), name]
    done = with_fds(command, *words, env={"LISTEN_FDS": "2", "LISTEN_PID": pid})
    assert done.stdout.split() == ["closed"] * 3
    assert done.returncode == 0


def test_sockets_that_are_not_there(command: "Command", bundle: "Bundles", name: str) -> None:
    words = ["run", "-b", str(bundle("true")), name]
    done = with_fds(command, *words, env={"LISTEN_FDS": "9" * 20, "LISTEN_PID": "own"})
    refused(done, "LISTEN_FDS=99999999999999999999: descriptor 6 is not open")
