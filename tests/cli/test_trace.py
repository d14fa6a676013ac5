# SPDX-License-Identifier: Apache-2.0
"""`--trace`: when each step of a run was made; `explain --trace`: the picture of it."""

import json
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest
from tests.bundle import Bundles
from tests.cli.changes import append, both, refused
from tests.cli.conftest import Command

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def traced(command: Command, bundle: Bundles, name: str, tmp_path: Path) -> Path:
    change = both(
        append(linux__namespaces={"type": "time"}),
        append(linux__namespaces={"type": "cgroup"}),
    )
    path = tmp_path / "trace.json"
    done = command("run", "--trace", str(path), "-b", str(bundle("true", change=change)), name)
    assert (done.returncode, done.stderr) == (0, ""), done
    return path


@pytest.mark.root
def test_every_operation_has_its_time(traced: Path) -> None:
    steps = json.loads(traced.read_text())["steps"]
    stub = [step for step in steps if step["by"] == "stub"]
    assert stub[-1]["what"] == "execute the program"
    assert len(stub) > 100
    whole = max(step["end"] for step in steps)
    assert 0 < whole < 60 * 10**9
    for before, after in pairwise(stub):
        assert 0 <= before["start"] <= before["end"] == after["start"]
    engine = [step for step in steps if step["by"] == "engine"]
    assert engine[0]["what"] == "read and check config.json"
    assert engine[-1]["field"] == "process.args"


@pytest.mark.root
def test_create(command: Command, bundle: Bundles, name: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    done = command("create", "--trace", str(path), "-b", str(bundle("true")), name)
    assert done.returncode == 0, done
    assert command("delete", "--force", name).returncode == 0
    steps = json.loads(path.read_text())["steps"]
    assert [step["what"] for step in steps if step["by"] == "stub"][-1] == "wait for the start"


@pytest.mark.root
def test_waterfall(command: Command, traced: Path) -> None:
    done = command("explain", "--trace", str(traced))
    lines = done.stdout.splitlines()
    assert "\x1b" not in done.stdout
    assert sum("█" in line or "▏" in line for line in lines) > 10
    assert lines[-1].endswith(" ms in all")
    assert any(line.startswith("linux.maskedPaths") for line in lines)


@pytest.mark.root
def test_picture(command: Command, traced: Path) -> None:
    root = ET.fromstring(command("explain", "--svg", "--trace", str(traced)).stdout)
    assert root.tag == f"{SVG}svg"
    width = float(root.attrib["viewBox"].split()[2])
    for rectangle in root.findall(f"{SVG}rect"):
        assert float(rectangle.get("x", "0")) + float(rectangle.attrib["width"]) <= width
    assert len(root.findall(f"{SVG}rect")) > 10


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "steps": [5]}', '{"version": 9}'])
def test_what_is_no_trace(command: Command, tmp_path: Path, text: str) -> None:
    path = tmp_path / "trace.json"
    path.write_text(text)
    refused(command("explain", "--trace", str(path)), str(path))


@pytest.mark.root
def test_a_place_that_is_none(command: Command, bundle: Bundles, name: str) -> None:
    """Said before anything is made: afterwards there would be a container that nobody wants."""
    done = command("run", "--trace", "/none/such", "-b", str(bundle("true")), name)
    refused(done, "open the trace: /none/such: no such file or directory")
    assert command("list", "-q").stdout == ""


def test_no_file(command: Command, tmp_path: Path) -> None:
    refused(command("explain", "--trace", str(tmp_path / "none")), "no such file or directory")
