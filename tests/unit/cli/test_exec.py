# SPDX-License-Identifier: Apache-2.0
"""From the flags of exec to a request."""

import os

import pytest

from ocirun.cli.call import Call
from ocirun.cli.commands import COMMANDS, GLOBAL
from ocirun.cli.exec import cgroup_paths, request_of, user
from ocirun.cli.flags import Options, parse
from ocirun.cli.log import Journal
from ocirun.engine.exec import Request
from ocirun.errors import UsageError


def request(*words: str) -> Request:
    options, global_options = Options(COMMANDS["exec"][2]), Options(GLOBAL)
    arguments = parse(["--root", "/r", *words], (options, global_options), 1)
    return request_of(Call(arguments, options, global_options, Journal()))


def test_only_a_command() -> None:
    made = request("ID", "ls", "-l", "--tty", "--", "x")
    assert (made.root, made.id) == ("/r", "ID")
    assert made.args == ["ls", "-l", "--tty", "--", "x"]
    assert not made.terminal
    assert (made.uid, made.gid, made.no_new_privileges) == (None, None, None)
    assert (made.process_file, made.console_socket, made.pid_file) == ("", "", "")


def test_everything_given() -> None:
    made = request(
        *("-d", "-t", "--cwd=/tmp", "-e", "A=1", "--env", "B=2", "-u", "1000:50"),
        *("-g", "5", "--additional-gids=6", "--process-label", "l", "--apparmor=p"),
        *("--no-new-privs=false", "-c", "CAP_KILL", "--cap=CAP_CHOWN", "--preserve-fds", "0"),
        *("--console-socket", "c", "--pidfd-socket", "/p", "--pid-file=f"),
        *("--cgroup", "cpu,memory:sub", "--ignore-paused", "ID", "ls"),
    )
    assert made.detach
    assert made.terminal
    assert made.cwd == "/tmp"
    assert made.env == ["A=1", "B=2"]
    assert (made.uid, made.gid, made.additional_gids) == (1000, 50, [5, 6])
    assert (made.selinux_label, made.apparmor_profile) == ("l", "p")
    assert made.no_new_privileges is False
    assert made.capabilities == ["CAP_KILL", "CAP_CHOWN"]
    assert made.preserve_fds == 0
    here = os.getcwd()
    assert (made.console_socket, made.pidfd_socket, made.pid_file) == (
        f"{here}/c",
        "/p",
        f"{here}/f",
    )
    assert made.cgroups == {"cpu": "sub", "memory": "sub"}
    assert made.ignore_paused


def test_a_process_file_takes_the_place_of_a_command() -> None:
    made = request("-p", "process.json", "ID")
    assert made.process_file == f"{os.getcwd()}/process.json"
    assert made.args == []
    with pytest.raises(UsageError, match="exec args cannot be empty"):
        request("ID")


def test_user() -> None:
    assert user("") == (None, None)
    assert user("0") == (0, None)
    assert user("1000:0") == (1000, 0)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("root", 'bad uid: "root"'),
        (":5", 'bad uid: ""'),
        ("1:", 'bad gid: ""'),
        ("1:staff", 'bad gid: "staff"'),
        ("-1", 'bad uid: "-1"'),
        ("4294967296", 'bad uid: "4294967296"'),
        ("1:1:1", 'bad gid: "1:1"'),
    ],
)
def test_wrong_user(word: str, message: str) -> None:
    # A number that is out of range must not become another user: CVE-2016-3697 and its like.
    with pytest.raises(UsageError) as caught:
        user(word)
    assert caught.value.message == message


@pytest.mark.parametrize("number", ["-1", "4294967296"])
def test_wrong_group(number: str) -> None:
    with pytest.raises(UsageError, match="additional-gids must be a positive number"):
        request("-g", number, "ID", "ls")


def test_cgroup_paths() -> None:
    assert cgroup_paths([]) == {}
    assert cgroup_paths(["sub"]) == {"": "sub"}
    assert cgroup_paths(["cpu,cpuacct:a", "memory:b:c"]) == {
        "cpu": "a",
        "cpuacct": "a",
        "memory": "b:c",
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["a", "b"], "missing <controller>: prefix"),
        (["cpu:a", "b"], "missing <controller>: prefix"),
        ([":a"], "empty <controller> prefix"),
        (["cpu,:a"], "empty <controller> prefix"),
        (["cpu:a", "cpu:b"], "controller cpu specified multiple times"),
    ],
)
def test_wrong_cgroup_paths(words: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        cgroup_paths(words)
