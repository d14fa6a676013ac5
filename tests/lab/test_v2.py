# SPDX-License-Identifier: Apache-2.0
"""Containers on cgroup v2, whatever this machine has: in a kernel of its own (tools/lab-v2)."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.lab.checks_v2 import CHECKS

HERE = Path(__file__).parent
TOOL = HERE.parents[1] / "tools" / "lab-v2"

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def outcome(ocirun: str, busybox: str) -> dict[str, str]:
    """Boot once and run all checks; give for each what went wrong, or nothing."""
    if not shutil.which("linux.uml"):
        pytest.skip("user-mode-linux")
    words = ["env", f"PYTHONPATH={TOOL.parent}", sys.executable, str(HERE / "checks_v2.py")]
    done = subprocess.run(
        [str(TOOL), *words, ocirun, busybox], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    found: dict[str, str] = dict(json.loads(line) for line in lines)
    said = f"the lab ended early, with {done.returncode}: {done.stdout}{done.stderr}"
    return {name: found.get(name, said) for name in CHECKS}


def test_what_is_tested_of_the_host_s_cgroups() -> None:
    """The tests of the modules too, which choose what they try by the version they find."""
    if not shutil.which("linux.uml"):
        pytest.skip("user-mode-linux")
    tests = [f"tests/linux/test_cgroup{part}.py" for part in ("", "_v2")]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"]
    done = subprocess.run([str(TOOL), *words, *tests], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_limits() -> None:
    """Each limit of a config, as on the host; what this kernel has no controller for is skipped."""
    if not shutil.which("linux.uml"):
        pytest.skip("user-mode-linux")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "-rs"]
    done = subprocess.run(
        [str(TOOL), *words, "tests/cli/test_resources.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    skips = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    known = ("this kernel's controllers", "a block device")
    assert all(line.endswith(known) for line in skips), done.stdout


@pytest.mark.parametrize("name", CHECKS)
def test_v2(outcome: dict[str, str], name: str) -> None:
    if outcome[name]:
        pytest.fail(outcome[name], pytrace=False)
