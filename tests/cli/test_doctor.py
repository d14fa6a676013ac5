# SPDX-License-Identifier: Apache-2.0
"""`ocirun doctor`: true on this host, as a user sees it."""

import json
import os
import pty
import subprocess

import pytest
from tests.cli.conftest import Command


def findings(command: Command) -> dict[str, dict[str, str]]:
    done = command("doctor", "--format", "json")
    assert done.stderr == ""
    return {f"{found['group']}: {found['item']}": found for found in json.loads(done.stdout)}


@pytest.mark.root
def test_namespaces_are_as_unshare_finds_them(command: Command) -> None:
    found = findings(command)
    for kind, flag in (("user", "-U"), ("ipc", "-i"), ("uts", "-u"), ("network", "-n")):
        works = subprocess.run(["unshare", flag, "true"], check=False).returncode == 0
        assert (found[f"namespaces: {kind}"]["state"] == "works") == works


def test_kernel(command: Command) -> None:
    assert findings(command)["kernel: Linux"]["seen"] == os.uname().release


def test_what_is_not_there_has_a_remedy_or_a_reason(command: Command) -> None:
    for found in findings(command).values():
        assert found["seen"]
        assert found["state"] in {"works", "limited", "missing"}


def test_no_namespace_left_to_make(command: Command) -> None:
    """In a user namespace of which the host's limit is used up, which unshare(1) makes."""
    script = f"echo 0 >/proc/sys/user/max_uts_namespaces; {command.path} doctor --format json"
    done = subprocess.run(["unshare", "-Ur", "sh", "-c", script], capture_output=True, check=False)
    if done.returncode not in (0, 1):
        pytest.skip("unprivileged user namespaces")
    found = {entry["item"]: entry for entry in json.loads(done.stdout)}
    assert found["uts"]["state"] == "missing"
    assert "no space left on device" in found["uts"]["seen"]
    assert done.returncode == 1


def test_plain_where_it_is_not_a_terminal(command: Command) -> None:
    done = command("doctor")
    assert "\x1b" not in done.stdout
    assert "Linux" in done.stdout


@pytest.mark.parametrize("colour", [True, False])
def test_colours_on_a_terminal(command: Command, *, colour: bool) -> None:
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm"} | ({} if colour else {"NO_COLOR": "1"})
    with subprocess.Popen(
        [command.path, "doctor"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ):
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break  # EIO: the last one has closed it
    os.close(ours)
    assert (b"\x1b[32mok\x1b[0m" in shown) == colour


def test_unknown_format(command: Command) -> None:
    done = command("doctor", "--format", "xml")
    assert done.returncode == 1
    assert "invalid format option" in done.stderr
