# SPDX-License-Identifier: Apache-2.0
"""`ocirun explain`: what a run would do, and nothing of it done."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.bundle import Bundles
from tests.cli.changes import append, both, put, refused
from tests.cli.conftest import Command


def steps(command: Command, path: Path) -> list[dict[str, str]]:
    done = command("explain", "--format", "json", str(path))
    assert done.stderr == "", done
    found: list[dict[str, str]] = json.loads(done.stdout)["steps"]
    return found


@pytest.mark.root
def test_the_plan_is_that_of_a_run(command: Command, bundle: Bundles, name: str) -> None:
    """The debug log of a real run has the same operations, but for what only a run can know."""
    change = append(mounts={"destination": "/mnt", "type": "tmpfs", "options": ["ro", "size=64k"]})
    path = bundle("true", change=change)
    log = path / "log"
    done = command.bare(
        *("--root", str(command.root), "--debug", "--log", str(log)), "run", "-b", str(path), name
    )
    assert done.returncode == 0, done
    real = re.findall(r'msg="\s*\d+ (\w+) ', log.read_text())
    explained = [step["operation"] for step in steps(command, path) if "operation" in step]
    own = {"FD", "WRITE", "CLOSE"}  # descriptors of hooks and cgroups, which only a run has
    assert [name for name in real if name not in own] == [
        name for name in explained if name not in own
    ]
    assert len(explained) > 100


def test_fields_and_words(command: Command, bundle: Bundles) -> None:
    path = bundle("true", change=put(hostname="a-name"))
    found = {step["field"]: step["what"] for step in steps(command, path)}
    assert found["hostname"] == "set the host name to 'a-name'"
    assert found["process.args"] == "execute the program: true"


def test_nothing_is_done(command: Command, bundle: Bundles) -> None:
    path = bundle("touch", "/was-here")
    command("explain", str(path))
    assert os.listdir(command.root) == []
    assert not (bundle.rootfs / "was-here").exists()


def test_limits_are_named(command: Command, bundle: Bundles) -> None:
    path = bundle("true", change=put(linux__resources={"pids": {"limit": 7}}))
    found = [step["what"] for step in steps(command, path)]
    if not any("cgroup" in what for what in found):
        pytest.skip("a cgroup hierarchy")
    assert "write 7 to pids.max" in found


def test_what_the_host_cannot_do(command: Command, bundle: Bundles) -> None:
    entry = {"destination": "/mnt", "source": "/no/such/place", "options": ["bind"]}
    path = bundle("true", change=append(mounts=entry))
    done = command("explain", str(path))
    assert done.returncode == 1
    assert ".source: /no/such/place does not exist" in done.stdout


def test_warnings_of_a_run(command: Command, bundle: Bundles) -> None:
    change = put(process__capabilities={"bounding": ["CAP_NONE_SUCH"]})
    done = command("explain", "--format", "json", str(bundle("true", change=change)))
    assert any("CAP_NONE_SUCH" in warning for warning in json.loads(done.stdout)["warnings"])


def test_a_config_that_is_refused(command: Command, bundle: Bundles) -> None:
    refused(command("explain", str(bundle("true", change=put(hostname=5)))), "hostname")


def test_no_bundle(command: Command, tmp_path: Path) -> None:
    refused(command("explain", str(tmp_path)), "config.json")


@pytest.mark.parametrize("columns", [80, 200])
def test_it_fits_the_terminal(command: Command, bundle: Bundles, columns: int) -> None:
    path = bundle("true", change=both(put(hostname="name")))
    script = f"stty cols {columns}; TERM=xterm {command.path} explain {path}"
    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"], capture_output=True, text=True, check=False
    )
    shown = re.sub(r"\x1b\[\d+m", "", done.stdout).splitlines()
    assert max(len(line.rstrip()) for line in shown) <= columns
    assert any("hostname" in line for line in shown)
