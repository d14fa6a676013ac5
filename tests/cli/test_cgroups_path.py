# SPDX-License-Identifier: Apache-2.0
"""A cgroup that was there before the container: who may use it, and who removes it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import put, refused

from ocirun.linux.cgroup import layout

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root


@pytest.fixture
def own_cgroups(name: str) -> Iterator[list[Path]]:
    """Make a cgroup of ours in each hierarchy that a container may have one in."""
    made = [Path(path, name) for path in layout_directories()]
    for path in made:
        path.mkdir()
    yield made
    for path in made:
        path.rmdir()


def layout_directories() -> list[str]:
    host = layout.read()
    hierarchies = [*host.v1, *([host.unified] if host.unified else [])]
    return sorted({hierarchy.directory("/") for hierarchy in hierarchies})


@pytest.mark.parametrize("inner", ["", "/inner"])
def test_delete_leaves_what_create_found(
    command: "Command", bundle: "Bundles", name: str, own_cgroups: list[Path], inner: str
) -> None:
    change = put(linux__cgroupsPath=f"/{name}{inner}")
    made = command("create", "-b", str(bundle("sleep", "1000", change=change)), name)
    assert (made.returncode, made.stderr) == (0, "")
    pid = str(json.loads(command("state", name).stdout)["pid"])
    inside = [path / inner[1:] / "cgroup.procs" for path in own_cgroups]
    assert all(pid in path.read_text().split() for path in inside)
    assert command("delete", "-f", name).returncode == 0
    # The fixture removes them, which works only if nothing is left below.
    assert all(path.exists() for path in own_cgroups)


def test_a_cgroup_that_is_in_use(
    command: "Command", bundle: "Bundles", name: str, own_cgroups: list[Path]
) -> None:
    change = put(linux__cgroupsPath=f"/{name}")
    path = str(bundle("true", change=change))
    with subprocess.Popen(["sleep", "1000"]) as other:
        for directory in own_cgroups:
            # A new cpuset of v1 has no CPU, and takes nobody.
            if not (directory / "cpuset.cpus").exists():
                (directory / "cgroup.procs").write_text(str(other.pid))
        refused(command("create", "-b", path, name), f"/{name}: container's cgroup is not empty")
        assert other.poll() is None
        other.kill()
    for directory in own_cgroups:
        for file, word in (("freezer.state", "FROZEN"), ("cgroup.freeze", "1")):
            if (directory / file).exists():
                (directory / file).write_text(word)
    refused(command("create", "-b", path, name), "container's cgroup unexpectedly frozen")
    assert command("state", name).returncode == 1
