# SPDX-License-Identifier: Apache-2.0
"""Containers that are saved and restored, on a machine where criu works (tools/lab_qemu.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.lab.checks_criu import CHECKS

HERE = Path(__file__).parent
TOP = HERE.parents[1]
DIED = 125

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def outcome(ocirun: str, busybox: str) -> dict[str, str]:
    """Boot once and run all checks; give for each what went wrong, or nothing."""
    if not os.environ.get("OCIRUN_LAB"):
        pytest.skip("OCIRUN_LAB, which ./dev lab test sets: it takes minutes")
    del busybox  # the lab has one of its own, at the usual place
    words = ["env", f"PYTHONPATH={TOP / 'tools'}:{TOP}", "/usr/bin/python3"]
    done = subprocess.run(
        [sys.executable, str(TOP / "tools/lab_qemu.py"), "systemd", *words,
         str(HERE / "checks_criu.py"), ocirun, "/bin/busybox"],
        env={**os.environ, "LAB_PACKAGES": "criu iptables"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode == DIED and "needs an x86-64 machine" in done.stderr:
        pytest.skip("qemu-system-x86, mmdebstrap")
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    found: dict[str, str] = dict(json.loads(line) for line in lines)
    said = f"the lab ended early, with {done.returncode}: {done.stdout}{done.stderr}"
    return {name: found.get(name, said) for name in CHECKS}


@pytest.mark.parametrize("name", CHECKS)
def test_criu(outcome: dict[str, str], name: str) -> None:
    if outcome[name]:
        pytest.fail(outcome[name], pytrace=False)
