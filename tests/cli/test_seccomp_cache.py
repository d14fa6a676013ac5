# SPDX-License-Identifier: Apache-2.0
"""A filter is compiled once: seen from outside, by the libraries that a command has mapped."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import both, put
from tests.cli.sections import Section, on

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command

pytestmark = [
    pytest.mark.root,
    pytest.mark.leaves("state"),  # the filters, compiled, for the next container
]


def loads_libseccomp(command: "Command", bundle: Path, name: str) -> bool:
    """Tell whether a run has the library mapped, while its container waits for a line."""
    words = command.words("run", "-b", str(bundle), name)
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as running:
        assert running.stdin
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        maps = Path(f"/proc/{running.pid}/maps").read_text()
        assert "libpython" in maps or "python" in maps
        running.stdin.write("\n")
        running.stdin.close()
        assert running.wait(20) == 0
    return "libseccomp" in maps


def test_a_filter_is_compiled_once(command: "Command", bundle: "Bundles", name: str) -> None:
    def bundle_of(section: Section, *more: "Change") -> Path:
        change = both(put(linux__seccomp=section), *more)
        return bundle("sh", "-c", "echo ready; read line", change=change)

    section = on("mkdir", "SCMP_ACT_ERRNO", errnoRet=60)
    first = bundle_of(section)
    assert loads_libseccomp(command, first, f"{name}-1")
    assert not loads_libseccomp(command, first, f"{name}-2")
    # Another bundle with the same section; then one that is another one by a number.
    assert not loads_libseccomp(command, bundle_of(section, put(hostname="x")), f"{name}-3")
    section = on("mkdir", "SCMP_ACT_ERRNO", errnoRet=61)
    assert loads_libseccomp(command, bundle_of(section), f"{name}-4")
    # What was tampered with is not used.
    (cache,) = command.root.glob("@cache/seccomp")
    for entry in cache.iterdir():
        data = bytearray(entry.read_bytes())
        data[60] ^= 1
        entry.write_bytes(data)
    assert loads_libseccomp(command, first, f"{name}-5")
    assert not loads_libseccomp(command, first, f"{name}-6")
