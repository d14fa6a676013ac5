# SPDX-License-Identifier: Apache-2.0
"""`prepare`: what it leaves out, and what it must not import when the cache answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocirun.engine import seccomp
from ocirun.spec.model import Seccomp

SECTION: Seccomp = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [{"names": ["read", "write", "exit_group"], "action": "SCMP_ACT_ALLOW"}],
}

HIT = """
import sys
before = set(sys.modules)
sys.path.append(sys.argv[1])
from ocirun.engine import seccomp
assert seccomp.prepare(eval(sys.argv[2]), sys.argv[3])
print(*sorted(set(sys.modules) - before))
"""


@pytest.fixture
def root(tmp_path: Path) -> str:
    try:
        seccomp.prepare(SECTION, str(tmp_path))
    except OSError as err:
        pytest.skip(f"libseccomp.so.2: {err}")
    return str(tmp_path)


@pytest.mark.parametrize("section", [{}, {"defaultAction": ""}, {"architectures": ["bad"]}])
def test_a_section_that_asks_for_nothing(section: Seccomp, tmp_path: Path) -> None:
    assert seccomp.prepare(section, str(tmp_path)) is None
    assert os.listdir(tmp_path) == []


def test_the_cache_gives_the_same_program(root: str) -> None:
    directory = Path(root, seccomp.CACHE)
    (entry,) = directory.iterdir()
    second = seccomp.prepare(SECTION, root)
    entry.unlink()
    fresh = seccomp.prepare(SECTION, root)
    assert second is not None
    assert fresh is not None
    assert second.instructions == fresh.instructions
    assert second.flags == fresh.flags


def test_the_listener_is_not_part_of_the_program(root: str) -> None:
    section = SECTION.copy()
    section["listenerPath"] = "/run/agent.sock"
    section["listenerMetadata"] = "words"
    seccomp.prepare(section, root)
    assert len(os.listdir(Path(root, seccomp.CACHE))) == 1
    section["defaultErrnoRet"] = 2
    seccomp.prepare(section, root)
    assert len(os.listdir(Path(root, seccomp.CACHE))) == 2


def test_the_cache_cannot_be_mistaken_for_a_container() -> None:
    assert not seccomp.CACHE[0].isalnum()
    assert seccomp.CACHE[0] not in "_+-."


def test_a_hit_imports_nothing_dear(root: str) -> None:
    source = str(Path(seccomp.__file__).parents[2])
    command = [sys.executable, "-I", "-S", "-c", HIT, source, repr(SECTION), root]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    ours = {name for name in loaded if name.startswith("ocirun.")}
    assert ours == {
        "ocirun.engine",
        "ocirun.engine.seccomp",
        "ocirun.linux",
        "ocirun.linux.seccomp_cache",
    }
    # Whatever else came must be a C module.
    assert {"ctypes", "hashlib", "struct", "re", "typing"}.isdisjoint(loaded)
