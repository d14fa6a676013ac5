# SPDX-License-Identifier: Apache-2.0
"""`ocirun spec` writes a config.json, once."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_it_writes_into_the_bundle(command: "Command", tmp_path: Path) -> None:
    done = command("spec", "--bundle", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    document = json.loads((tmp_path / "config.json").read_text())
    assert document["ociVersion"] == "1.3.0"
    assert document["process"]["args"] == ["sh"]
    assert "user" not in {part["type"] for part in document["linux"]["namespaces"]}


def test_rootless(command: "Command", tmp_path: Path) -> None:
    assert command("spec", "--rootless", "-b", str(tmp_path)).returncode == 0
    document = json.loads((tmp_path / "config.json").read_text())
    assert "user" in {part["type"] for part in document["linux"]["namespaces"]}


def test_an_existing_file_stays(command: "Command", tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("mine")
    done = command("spec", "-b", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"ocirun: error: file {path} exists (remove it first)\n"
    assert path.read_text() == "mine"


def test_a_missing_bundle(command: "Command", tmp_path: Path) -> None:
    done = command("spec", "-b", str(tmp_path / "none"))
    assert done.returncode == 1
    assert done.stderr == (
        f"ocirun: error: {tmp_path}/none/config.json: no such file or directory\n"
    )
