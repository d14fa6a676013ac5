# SPDX-License-Identifier: Apache-2.0
"""The C compiler, as the tests call it."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.repository import TOP

INCLUDE = f"-I{TOP / 'stub'}"

#: the stub's own memset() and the like must not become calls of themselves
HOSTED = (
    "-std=gnu17 -O1 -g -DHOSTED -fsanitize=address,undefined -fno-sanitize-recover=all"
    " -fno-omit-frame-pointer -fno-builtin -fno-tree-loop-distribute-patterns"
).split()


def compiler() -> list[str]:
    command = shlex.split(os.environ.get("CC", "gcc"))
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} (a C compiler)")
    return command


def sources(directory: str) -> list[str]:
    return sorted(str(path) for path in (TOP / directory).glob("*.c"))


def build_sanitized(directory: Path) -> str:
    """Build the stub with libc and the sanitizers; give the path of the program."""
    target = directory / "stub-sanitized"
    command = [*compiler(), *HOSTED, INCLUDE, "-o", str(target), *sources("stub")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find" in done.stderr:
        pytest.skip("libasan and libubsan (gcc's sanitizers)")
    assert done.returncode == 0, done.stderr
    target.chmod(0o755)
    return str(target)
