# SPDX-License-Identifier: Apache-2.0
"""The benchmark runs and writes what it promises; its figures are nobody's business here."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "tools" / "bench.py"


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.usefixtures("ocirun", "busybox")
def test_one_round(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, BENCH, "--rounds", "1", "--crowd", "3", "--output", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "run, back to back" in done.stdout
    page = (tmp_path / "benchmark.md").read_text()
    assert "| `run`, back to back, ms |" in page
    assert str(tmp_path) not in page
    plot = ET.parse(tmp_path / "benchmark.svg").getroot()
    bars = [node for node in plot.iter() if node.get("class") == "r0"]
    measures = [line for line in page.splitlines() if line.endswith("|") and ", ms |" in line]
    assert len(bars) > len(measures) >= 10


@pytest.mark.root
@pytest.mark.usefixtures("busybox")
def test_runtime_that_fails_is_left_out(ocirun: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, BENCH, "--rounds", "1", "--only", "state"),
            *("--runtime", "broken=/bin/false", "--output", tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "left out: broken run" in done.stderr
    assert ocirun not in done.stdout
    assert list(tmp_path.iterdir()) == []
