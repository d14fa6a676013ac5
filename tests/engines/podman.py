# SPDX-License-Identifier: Apache-2.0
"""Podman with conmon, and buildah, which share their stores and their configuration."""

import re
import shutil
import subprocess
import time
from pathlib import Path

from tests.engines import image
from tests.engines.room import ENVIRONMENT, Room
from tests.repository import TOP

SNIPPET = TOP / "contrib" / "podman" / "containers.conf.d" / "ocirun.conf"
#: what a machine without systemd, netavark's DNS and a journal needs
LOCAL = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class Podman:
    name = "podman"
    remove_flags = ("-f", "-t", "0")
    needs = ("podman", "conmon", "buildah", "catatonit")
    package = "podman, conmon, buildah, catatonit"

    def __init__(self, room: Room, ocirun: str, busybox: str) -> None:
        self.room = room
        self.ocirun = ocirun
        config = Path(f"/proc/{room.pid}/root/etc/containers/containers.conf.d")
        config.mkdir(parents=True, exist_ok=True)
        (config / "ocirun.conf").write_text(
            SNIPPET.read_text().replace("/usr/local/bin/ocirun", ocirun)
        )
        (config / "local.conf").write_text(LOCAL)
        image.make(room.path, busybox)
        room.run(*self.words("runc", "import", f"{room.path}/rootfs.tar", "localhost/box"))

    def version(self) -> str:
        return re.split(r"[+~-]", self.room.run("podman", "--version").split()[-1])[0]

    def stop(self) -> None:
        """Nothing runs but containers, and conmon for each."""

    def sweep(self, runtime: str) -> None:
        """Remove what Podman did not know of when it was killed."""
        binary = self.ocirun if runtime == "ocirun" else "runc"
        for name in self.room.run(binary, "list", "-q").split():
            self.room.run(binary, "delete", "-f", name)

    def clean(self) -> None:
        """Remove the containers of a scenario that failed."""
        if names := self.room.run(*self.words("ocirun", "ps", "-aq")).split():
            self.room.run(*self.words("ocirun", "rm", *self.remove_flags, *names))

    def words(self, runtime: str, *words: str) -> list[str]:
        store = ["--root", f"{self.room.path}/data", "--runroot", "/run/podman"]
        return ["podman", *store, "--runtime", runtime, *words]

    def run_flags(self, runtime: str) -> list[str]:  # noqa: ARG002  (as the others)
        # Its own limits are higher than those that a machine may grant.
        return ["--ulimit", "host", "--cgroup-parent", self.room.cgroup]

    def crash(self, delay: float, *words: str) -> None:
        """Kill the command some time after it began."""
        with subprocess.Popen(
            self.room.words(*self.words("ocirun", *words)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
        ):
            time.sleep(delay)
            self.room.kill("KILL", "podman")


def missing() -> str:
    """Which package is not there."""
    return "" if all(shutil.which(name) for name in Podman.needs) else Podman.package
