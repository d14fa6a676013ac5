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


def test_systemd_is_refused() -> None:
    with pytest.raises(UsageError, match="systemd"):
        request("--systemd-cgroup", "ID")


def test_rootless() -> None:
    assert is_rootless("true")
    assert not is_rootless("0")
    assert is_rootless("auto") == is_rootless("") == is_rootless("AUTO")
    with pytest.raises(UsageError):
        is_rootless("maybe")
