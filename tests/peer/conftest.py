# SPDX-License-Identifier: Apache-2.0
"""The peer that ocirun is compared with, and how much is compared.

OCIRUN_PEER       the other runtime; without it, runc from $PATH
OCIRUN_PEER_RUNS  how many configs of each kind (default: what fits into a minute)
OCIRUN_PEER_SEED  where chance begins (default: 0)
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGQUIT

import pytest
from tests.peer.runtime import Runtime

#: what a version came with, by the names that the strategies use; see runc's releases
SINCE = {
    "time": (1, 2),
    "scheduler": (1, 2),
    "ioPriority": (1, 2),
    "personality": (1, 2),
    "domainname": (1, 2),
    "idmap": (1, 2),
    "poststart": (1, 2),
    "nosymfollow": (1, 2),
    "recursive": (1, 2),
    "execCPUAffinity": (1, 3),
    "memoryPolicy": (1, 4),
    "netDevices": (1, 4),
    "burst": (1, 2),
    "idle": (1, 2),
    "an unbindable root": (1, 4),
    "a limit of no processes": (1, 4),
}


@dataclass
class Pair:
    """Ocirun and its peer, which run the same bundles at the same place."""

    ours: Runtime
    theirs: Runtime
    version: tuple[int, ...]
    runs: int
    seed: int

    def knows(self, field: str) -> bool:
        """Tell whether the peer is new enough for a field."""
        return self.version >= SINCE.get(field, (0,))

    def must_be_new(self) -> None:
        """Skip where the peer is so old that it differs in what has been mended since."""
        if self.version < (1, 4):
            found = ".".join(str(number) for number in self.version)
            pytest.skip(f"runc 1.4 or newer to compare with (OCIRUN_PEER); it is {found} here")

    def number(self, default: int) -> int:
        """Give how many runs are wanted."""
        return self.runs or default


@pytest.fixture
def pair(ocirun: str, busybox: str, name: str, open_directory: Path) -> Iterator[Pair]:
    program = shutil.which(os.environ.get("OCIRUN_PEER", "runc"), path=_path())
    if not program:
        pytest.skip("runc")
    # A shell starts what is in its background with these ignored, and a container would inherit that.
    kept = {number: signal.signal(number, signal.SIG_DFL) for number in (SIGINT, SIGQUIT)}
    work = open_directory / "peer"
    work.mkdir()
    # In memory: the end of an overlay mount waits for the disk.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(work)], check=True)
    (work / "state").mkdir()
    (work / "state").chmod(0o700)
    copy = str(shutil.copy(busybox, work / "busybox"))
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    numbers = re.search(r"version (\d+)\.(\d+)", text)
    yield Pair(
        Runtime(ocirun, work, copy, name),
        Runtime(program, work, copy, name),
        tuple(int(number) for number in numbers.groups()) if numbers else (),
        int(os.environ.get("OCIRUN_PEER_RUNS", "0")),
        int(os.environ.get("OCIRUN_PEER_SEED", "0")),
    )
    subprocess.run(["umount", str(work)], check=True)
    work.rmdir()
    for number, handler in kept.items():
        signal.signal(number, handler)


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
