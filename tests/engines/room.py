# SPDX-License-Identifier: Apache-2.0
"""A place for one engine: namespaces of its own, so that nothing of it is left on the machine.

The engine, its helpers and its containers see the host's files, but what they write into /etc,
/opt, /run and /var/lib goes into a temporary directory; their mounts, bridges and firewall
rules are in namespaces that end with the room; so are their processes, however they were
orphaned.  Only cgroups are shared with the host: those below `cgroup` are removed at the end.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests import leak

#: the host's directories that engines write into whatever one configures
PRIVATE = ("etc", "opt", "var/lib")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/run",
    "LANG": "C.UTF-8",
}

#: ends of cgroups that hold no container, and which engines do not remove
KEPT = ("/conmon", "/deeper")
#: ends of mounts that an engine makes once and keeps
NETNS = ("/run/netns", "/netns/default")

SET_UP = """
set -e
ip link set lo up
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
for name in etc opt var/lib; do
    mkdir -p "$1/$name/upper" "$1/$name/work"
    mount -t overlay -o "lowerdir=/$name,upperdir=$1/$name/upper,workdir=$1/$name/work" room "/$name"
done
# As on a host with systemd, where engines share mounts with their containers.
mount --make-rshared /
"""


class Room:
    """Namespaces, a temporary directory, and commands that run there."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{leak.TAG}-engine-"))
        self.path.chmod(0o711)
        self.cgroup = f"/{self.path.name}"
        unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
        reaper = [sys.executable, "-I", str(Path(__file__).with_name("reaper.py"))]
        self._holder = subprocess.Popen(
            [*unshare, "--propagation", "private", *reaper],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "ready\n"
        pid = self._holder.pid
        self.pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
        self.run("sh", "-c", SET_UP, "sh", str(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        self._holder.communicate()
        for cgroup in self.cgroups():
            os.rmdir(cgroup)
        shutil.rmtree(self.path)

    def words(self, *words: str) -> list[str]:
        """Give the command line that runs these words in the room."""
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "--", *words]

    def run(self, *words: str) -> str:
        """Run a command that works, and give its output."""
        done = subprocess.run(
            self.words(*words), capture_output=True, text=True, env=ENVIRONMENT, check=False
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def start(self, *words: str, log: Path) -> "subprocess.Popen[bytes]":
        """Start a daemon, whose output goes to the end of a file."""
        with log.open("ab") as file:
            return subprocess.Popen(
                self.words(*words),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=ENVIRONMENT,
            )

    def pids(self, name: str) -> list[str]:
        """Give the pids, in the room, of the processes with this name."""
        return [pid for pid, comm in self._processes() if comm == name]

    def kill(self, signal: str, name: str) -> None:
        """Send a signal to all processes of the room with this name."""
        if pids := self.pids(name):
            self.run("kill", "-s", signal, *pids)

    def cgroups(self) -> list[str]:
        """All cgroups of the room's containers, the deepest first."""
        return [
            directory
            for top in sorted(Path("/sys/fs/cgroup").iterdir())
            for directory, _, _ in os.walk(f"{top}{self.cgroup}", topdown=False)
        ]

    def inventory(self) -> set[str]:
        """All that a container may leave: processes, mounts, network devices, cgroups, states."""
        mounts = Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines()
        return {
            *(f"process {comm}" for _, comm in self._processes()),
            # The places for network namespaces are made once.
            *(
                f"mount {place}"
                for line in mounts
                if not (place := line.split()[4]).endswith(NETNS)
            ),
            *(f"device {line.split(':')[0].strip()}" for line in self._devices()),
            *(
                f"cgroup {path}"
                for path in self.cgroups()
                if not path.endswith((self.cgroup, *KEPT))
            ),
            # A name that begins with @ is no container's.
            *(f"state {path}" for path in self.path.glob("exec/runtime-*/*/[!@]*")),
            *(
                f"state {path}"
                for path in Path(f"/proc/{self.pid}/root/run").glob("*/*/state.json")
            ),
        }

    def _devices(self) -> list[str]:
        return Path(f"/proc/{self.pid}/net/dev").read_text().splitlines()[2:]

    def _processes(self) -> Iterator[tuple[str, str]]:
        """Give pid and name of the processes that live in the room or in its containers."""
        proc = f"/proc/{self.pid}/root/proc"
        for pid in filter(str.isdecimal, os.listdir(proc)):
            stat = leak._read(f"{proc}/{pid}/stat")
            if stat and ") Z " not in stat:
                yield pid, leak._read(f"{proc}/{pid}/comm").strip()
