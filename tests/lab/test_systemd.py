# SPDX-License-Identifier: Apache-2.0
"""Containers in units of systemd, whatever this machine has: on one of its own (tools/lab_qemu.py).

Without KVM it takes minutes, so it is for `./dev lab test` and not for each `./dev test`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.lab.checks_systemd import CHECKS

TOP = Path(__file__).parents[2]

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def outcome(ocirun: str, busybox: str) -> dict[str, str]:
    """Boot once and run all checks; give for each what went wrong, or nothing."""
    if not os.environ.get("OCIRUN_LAB"):
        pytest.skip("OCIRUN_LAB, which ./dev lab test sets: it takes minutes")
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("mmdebstrap",) * 2):
        if not shutil.which(program):
            pytest.skip(package)
    words = ["env", "PYTHONPATH=.:tools", sys.executable, "tests/lab/checks_systemd.py"]
    done = subprocess.run(
        [sys.executable, "tools/lab_qemu.py", "systemd", *words, ocirun, busybox],
        cwd=TOP, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    found: dict[str, str] = dict(json.loads(line) for line in lines)
    said = f"the lab ended early, with {done.returncode}: {done.stdout}{done.stderr}"
    return {name: found.get(name, said) for name in CHECKS}


@pytest.mark.parametrize("name", CHECKS)
def test_systemd(outcome: dict[str, str], name: str) -> None:
    if outcome[name]:
        pytest.fail(outcome[name], pytrace=False)
