# SPDX-License-Identifier: Apache-2.0
"""kill --regex and delete --regex: several containers at once, as crun has it."""

import pytest
from tests.bundle import Bundles
from tests.cli.changes import refused
from tests.cli.conftest import Command


@pytest.mark.root
def test_kill_and_delete(command: Command, bundle: Bundles, name: str) -> None:
    path = str(bundle("sleep", "1000"))
    names = [f"{name}-{end}" for end in ("one", "two", "other")]
    for each in names:
        assert command("run", "-d", "-b", path, each).returncode == 0
    assert command("kill", "--regex", f"^{name}-t", "KILL").returncode == 0
    states = command("list", "-f", "json").stdout
    assert states.count('"stopped"') == 1
    # Two still run, and are no reason to leave the third.
    done = command("delete", "--regex", name)
    assert done.returncode == 1
    assert done.stderr.count("ocirun: error: ") == 2
    assert sorted(command("list", "-q").stdout.split()) == sorted([names[0], names[2]])
    assert command("delete", "--force", "--regex", f"{name}-o").returncode == 0
    assert command("list", "-q").stdout == ""


def test_no_match_is_no_error(command: Command) -> None:
    done = command("delete", "--regex", "none")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_expression(command: Command) -> None:
    refused(command("kill", "--regex", "(", "KILL"), "--regex: (")
