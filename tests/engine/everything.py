# SPDX-License-Identifier: Apache-2.0
"""A config that asks for as much as it can, and what a failed container may not leave."""

import os
import select
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests import leak

from ocirun.engine import state, wire
from ocirun.engine.create import Creation
from ocirun.engine.request import Request
from ocirun.spec.model import Hook, Seccomp, Spec

SECONDS = 20.0
_TRUE: Hook = {"path": "/bin/true"}
_SECCOMP: Seccomp = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}],
}


def ask_for_everything(spec: Spec) -> None:
    """Mounts, devices, masks, hooks of all kinds, seccomp, limits, a terminal."""
    process, linux = spec["process"], spec["linux"]
    process["terminal"] = True
    process["consoleSize"] = {"height": 24, "width": 80}
    process["cwd"] = "/made/for/it"
    process["env"] = ["PATH=/bin"]  # no HOME: it is asked for
    process["oomScoreAdj"] = 500
    process["user"] = {"uid": 1, "gid": 1, "additionalGids": [2, 3], "umask": 0o77}
    process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}]
    linux["resources"] = {
        "memory": {"limit": 64 << 20},
        "pids": {"limit": 32},
        "cpu": {"shares": 512},
        "devices": [{"allow": False, "access": "rwm"}],
    }
    linux["seccomp"] = _SECCOMP
    linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]
    spec["mounts"] += [
        {"destination": "/mnt/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["ro"]},
        {"destination": "/mnt/bound", "source": "/etc", "options": ["rbind", "rro", "rprivate"]},
        {"destination": "/etc", "type": "tmpfs", "options": ["tmpcopyup"]},
        {
            "destination": "/mnt/mapped",
            "source": "/etc",
            "options": ["bind"],
            "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}],
            "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}],
        },
        {"destination": "/mnt/file", "source": "/etc/passwd", "options": ["bind", "ro"]},
    ]
    spec["hooks"] = {
        "prestart": [_TRUE],
        "createRuntime": [_TRUE],
        "createContainer": [_TRUE],
        "startContainer": [_TRUE],
        "poststart": [_TRUE],
        "poststop": [_TRUE],
    }


def map_ids(spec: Spec) -> None:
    """Make a user namespace as well."""
    spec["linux"]["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        spec["linux"][key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def own_all(top: Path, uid: int) -> None:
    """Give a tree to the root of a user namespace."""
    for directory, _, names in os.walk(top):
        for name in (".", *names):
            os.lchown(f"{directory}/{name}", uid, uid)


def share_most(spec: Spec) -> None:
    """Use the host's namespaces: mounts must then be taken back one by one."""
    spec["linux"]["namespaces"] = [{"type": "ipc"}, {"type": "uts"}]
    for key in ("sysctl", "maskedPaths", "readonlyPaths"):
        spec["linux"].pop(key, None)  # type: ignore[misc]
    # No part of the host is bound: nothing could be lost, should a mount be left.
    spec["mounts"] = [mount for mount in spec["mounts"] if "bound" not in mount["destination"]]
    spec["process"]["terminal"] = False
    spec["process"].pop("consoleSize")


class Console:
    """A console socket that takes terminals and lets them go."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "console.sock")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.path)
        self._socket.listen(16)
        self._socket.settimeout(0)

    def drain(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return

    def close(self) -> None:
        self._socket.close()


class Place:
    """A bundle, a state root and a console socket: all that a container is made from."""

    def __init__(
        self, root: Path, name: str, bundle: Path, console: Console, directory: str
    ) -> None:
        self.directory = directory
        self.root = root
        self.name = name
        self.bundle = bundle
        self.console = console
        self.terminal = True
        self.before = self.remains()

    def request(self, fail_at: int = wire.NEVER) -> Request:
        request = Request(str(self.root), self.name, str(self.bundle))
        request.fail_at = fail_at
        if self.terminal:
            request.console_socket = self.console.path
        return request

    def operations(self, *, listen: bool) -> list[wire.Operation]:
        """The plan of the container, from one that fails at once."""
        creation = Creation(self.request(0), detach=True)
        try:
            creation.make(listen=listen)
        except Exception as error:  # noqa: BLE001
            assert "input/output error" in str(error), error  # noqa: PT017
        assert creation.conversation
        return creation.conversation._plan.operations

    def remains(self) -> leak.Inventory:
        """What there is now; a zombie counts."""
        # Other containers come and go, with their mounts and cgroups.
        return {
            "processes": set(leak.children()),
            "mounts": set(leak.mounts(self.directory)),
            "cgroups": {path for path in self._cgroups() if os.path.exists(path)},
            "fds": set(leak.fds()),
            "state": set(state.ids(str(self.root))),
            "bundle": set(os.listdir(self.bundle)),
        }

    def _cgroups(self) -> Iterator[str]:
        top = "/sys/fs/cgroup"
        yield f"{top}/{self.name}"
        for hierarchy in os.listdir(top):
            yield f"{top}/{hierarchy}/{self.name}"

    def left(self) -> leak.Inventory:
        """What is there now and was not there before."""
        self.console.drain()
        return leak.more(self.before, self.remains())


def wait_for(pids: Iterable[int]) -> list[int]:
    """Wait until processes have ended; give those that have not."""
    left = []
    for pid in pids:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        waiting = select.poll()
        waiting.register(pidfd, select.POLLIN)
        if not waiting.poll(SECONDS * 1000):
            left.append(pid)
        os.close(pidfd)
    return left
