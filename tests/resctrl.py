# SPDX-License-Identifier: Apache-2.0
"""A resctrl filesystem for machines without the hardware: what it takes and refuses is the kernel's.

Two caches of 11 bits, memory bandwidth in steps of 10 %, four groups at most.
The kernel's filesystems/resctrl; fs/resctrl/rdtgroup.c.
"""

import errno
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fuse import Node, mount, serve

MASK = 0x7FF
GROUPS = 4


class Text(Node):
    """A file that cannot be written."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def read(self) -> str:
        return self.text


class Directory(Node):
    is_directory = True

    def __init__(self, **children: Node) -> None:
        super().__init__()
        self.children = children


class Tasks(Node):
    """Pids; one that is written leaves the group of the same kind in which it was."""

    def __init__(self, peers: "list[Tasks]") -> None:
        super().__init__()
        self.pids: list[int] = []
        self.peers = peers
        peers.append(self)

    def read(self) -> str:
        return "".join(f"{pid}\n" for pid in self.pids)

    def write(self, text: str, pid: int) -> None:
        wanted = int(text) or pid
        for peer in self.peers:
            if wanted in peer.pids:
                peer.pids.remove(wanted)
        self.pids.append(wanted)


class Schemata(Node):
    def __init__(self, status: Text) -> None:
        super().__init__()
        self.status = status
        self.values = {"MB": {0: 100, 1: 100}, "L3": {0: MASK, 1: MASK}}

    def read(self) -> str:
        def line(name: str, form: str) -> str:
            return ";".join(f"{key}={value:{form}}" for key, value in self.values[name].items())

        return f"    MB:{line('MB', '3d')}\n    L3:{line('L3', '03x')}\n"

    def write(self, text: str, _pid: int) -> None:
        self.status.text = "ok\n"
        for line in text.splitlines():
            name, _, rest = line.partition(":")
            if name not in self.values:
                self._refuse(f"Unknown or unsupported resource name '{name}'")
            for part in rest.split(";"):
                self._set(name, part)

    def _set(self, name: str, part: str) -> None:
        if not re.fullmatch(r"\d+=[0-9a-f]+", part):
            self._refuse(f"Missing '=' or non-numeric domain {part}")
        number, _, text = part.partition("=")
        domain, value = int(number), int(text, 10 if name == "MB" else 16)
        if domain not in self.values[name]:
            self._refuse(f"Unknown domain {domain}")
        if name == "L3":
            bits = f"{value:b}".strip("0")
            if not value or value > MASK or "0" in bits:
                self._refuse(f"Mask out of range: {value:x}")
        else:
            if not 10 <= value <= 100:
                self._refuse(f"MB value {value} out of range [10,100]")
            value = -(-value // 10) * 10
        self.values[name][domain] = value

    def _refuse(self, why: str) -> None:
        self.status.text = f"{why}\n"
        raise OSError(errno.EINVAL, "")


class Monitors(Directory):
    """mon_groups of one group."""

    def __init__(self, peers: list[Tasks]) -> None:
        super().__init__()
        self.peers = peers

    def mkdir(self, _name: str) -> Node:
        return Directory(tasks=Tasks(self.peers), mon_data=counters())

    def rmdir(self, _name: str) -> None:
        pass


class Group(Directory):
    def __init__(self, status: Text, tasks: list[Tasks], monitors: list[Tasks]) -> None:
        super().__init__(
            tasks=Tasks(tasks),
            schemata=Schemata(status),
            mon_groups=Monitors(monitors),
            mon_data=counters(),
        )


class Root(Group):
    def __init__(self) -> None:
        self.status = Text("ok\n")
        self.tasks: list[Tasks] = []
        self.monitors: list[Tasks] = []
        super().__init__(self.status, self.tasks, self.monitors)
        self.children["info"] = Directory(
            last_cmd_status=self.status,
            L3=Directory(
                cbm_mask=Text("7ff\n"), min_cbm_bits=Text("1\n"), num_closids=Text(f"{GROUPS}\n")
            ),
            MB=Directory(
                bandwidth_gran=Text("10\n"), delay_linear=Text("1\n"),
                min_bandwidth=Text("10\n"), num_closids=Text(f"{GROUPS}\n"),
            ),
            L3_MON=Directory(mon_features=Text("llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n")),
        )  # fmt: skip

    def mkdir(self, _name: str) -> Node:
        if len(self.tasks) > GROUPS - 1:
            self.status.text = "Out of CLOSIDs\n"
            raise OSError(errno.ENOSPC, "")
        return Group(self.status, self.tasks, self.monitors)

    def rmdir(self, name: str) -> None:
        group = self.children[name]
        if not isinstance(group, Group):
            raise OSError(errno.EPERM, "")
        gone = group.children["tasks"]
        assert isinstance(gone, Tasks)
        self.tasks.remove(gone)


def counters() -> Directory:
    def domain(number: int) -> Directory:
        names = ("llc_occupancy", "mbm_total_bytes", "mbm_local_bytes")
        return Directory(**{name: Text(f"{number}\n") for name in names})

    return Directory(mon_L3_00=domain(0), mon_L3_01=domain(1))


@contextmanager
def mounted(place: Path) -> Iterator[Path]:
    """Mount one, and give where it is."""
    fd = mount(place)
    pid = os.fork()
    if not pid:
        serve(fd, Root())
    os.close(fd)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
        assert os.waitpid(pid, 0)[1] == 0
