# SPDX-License-Identifier: Apache-2.0
"""AppArmor, whatever this machine has: in a kernel of its own (tools/lab_qemu.py)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
#: pytest, with what it needs itself and what pyproject.toml asks of it
PARTS = (
    "_pytest",
    "pytest",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "py",
    "pytest_timeout",
)

#: what tools/lab_qemu.py ends with if the machine died
DIED = 125

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(700)]


@pytest.mark.usefixtures("ocirun")
def test_apparmor(tmp_path: Path) -> None:
    """The tests of the command that need it: all of them ran there, and none failed."""
    for program in ("qemu-system-x86_64", "mmdebstrap"):
        if not shutil.which(program):
            pytest.skip(program)
    for part in PARTS:
        place = Path(pytest.__file__).parents[1] / part
        if place.is_dir():
            shutil.copytree(place, tmp_path / part)
        else:
            shutil.copy(f"{place}.py", tmp_path)
    words = ["env", f"PYTHONPATH={tmp_path}", sys.executable, "-m", "pytest", "-q", "--color=no"]
    words += ["-p", "pytest_timeout", "-p", "no:cacheprovider", "tests/cli/test_apparmor.py"]
    done = None
    for _ in range(2):
        # An emulated machine can die at its start, which says nothing of us.
        done = subprocess.run(
            [sys.executable, str(TOP / "tools" / "lab_qemu.py"), "systemd", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=TOP,
            env={**os.environ, "LAB_SHARE": str(tmp_path)},
        )
        if done.returncode != DIED:
            break
    assert done
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
