# SPDX-License-Identifier: Apache-2.0
"""From the flags of create to a request."""

import os

import pytest

from ocirun.cli.call import Call
from ocirun.cli.commands import COMMANDS, GLOBAL
from ocirun.cli.create import is_rootless, request_of
from ocirun.cli.flags import Options, parse
from ocirun.cli.log import Journal
from ocirun.engine.request import Request
from ocirun.errors import UsageError


def request(*words: str) -> Request:
    options, global_options = Options(COMMANDS["create"][2]), Options(GLOBAL)
    arguments = parse(["--root", "/r", *words], (options, global_options), 0)
    return request_of(Call(arguments, options, global_options, Journal()))


def test_nothing_given() -> None:
    made = request("ID")
    assert (made.root, made.id, made.bundle) == ("/r", "ID", os.path.realpath("."))
    assert (made.console_socket, made.pidfd_socket, made.pid_file) == ("", "", "")
    assert made.preserve_fds == 0
    assert not made.no_pivot
    assert not made.no_new_keyring


def test_everything_given() -> None:
    made = request(
        *("--bundle", "/usr/../tmp", "--console-socket", "c", "--pidfd-socket=/p"),
        *("--pid-file", "../f", "--no-pivot", "--no-new-keyring", "--preserve-fds=0", "ID"),
        "--rootless=true",
    )
    here = os.getcwd()
    assert made.bundle == "/tmp"
    assert made.console_socket == f"{here}/c"
    assert made.pidfd_socket == "/p"
    assert made.pid_file == f"{os.path.dirname(here)}/f"
    assert made.preserve_fds == 0
    assert made.no_pivot
    assert made.no_new_keyring
    assert made.rootless


@pytest.mark.parametrize(
    ("words", "manager"),
    [
        ([], "cgroupfs"),
        (["--systemd-cgroup"], "systemd"),
        (["--systemd-cgroup=false"], "cgroupfs"),
        (["--cgroup-manager=systemd"], "systemd"),
        (["--cgroup-manager", "systemd", "--systemd-cgroup"], "systemd"),
        (["--cgroup-manager", "cgroupfs"], "cgroupfs"),
        (["--cgroup-manager", "disabled"], "disabled"),
    ],
)
def test_who_makes_the_cgroups(words: list[str], manager: str) -> None:
    assert request(*words, "ID").cgroup_manager == manager


@pytest.mark.parametrize("manager", ["runc", "Systemd"])
def test_a_cgroup_manager_that_nobody_knows(manager: str) -> None:
    with pytest.raises(UsageError, match=f'invalid value "{manager}" for flag -cgroup-manager'):
        request("--cgroup-manager", manager, "ID")


def test_two_cgroup_managers() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        request("--systemd-cgroup", "--cgroup-manager=cgroupfs", "ID")


def test_rootless() -> None:
    assert is_rootless("true")
    assert not is_rootless("0")
    assert is_rootless("auto") == is_rootless("") == is_rootless("AUTO")
    with pytest.raises(UsageError):
        is_rootless("maybe")
