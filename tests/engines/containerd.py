# SPDX-License-Identifier: Apache-2.0
"""containerd with its shim, and ctr, the command line that speaks to it without Docker."""

import re
import shutil
import subprocess
import time
from pathlib import Path

from tests.engines import image
from tests.engines.box import until
from tests.engines.room import ENVIRONMENT, Room
from tests.repository import TOP

SNIPPET = TOP / "contrib" / "containerd" / "config.toml"
#: files of its own for one more daemon on this machine
LOCAL = """
version = 2
root = "{top}/containerd"
state = "{top}/exec"
imports = ["/etc/containerd/ocirun.toml"]
[grpc]
  address = "{top}/containerd.sock"
"""


class Containerd:
    name = "containerd"
    remove_flags = ("-f",)
    needs = ("containerd", "ctr")
    package = "containerd"

    def __init__(self, room: Room, ocirun: str, busybox: str) -> None:
        self.room = room
        self._binary = {"runc": "runc", "ocirun": ocirun, "": ocirun}
        self._log = room.path / "containerd.log"
        config = Path(f"/proc/{room.pid}/root/etc/containerd")
        config.mkdir(exist_ok=True)
        snippet = SNIPPET.read_text().replace("/usr/local/bin/ocirun", ocirun)
        (config / "ocirun.toml").write_text(snippet)
        (room.path / "config.toml").write_text(LOCAL.format(top=room.path))
        self.start()
        dump = room.run("containerd", "-c", f"{room.path}/config.toml", "config", "dump")
        assert f'BinaryName = "{ocirun}"' in dump
        image.make(room.path, busybox)
        room.run(
            *self.words(
                "", "image", "import", "--base-name", "localhost/box", f"{room.path}/image.tar"
            )
        )

    def version(self) -> str:
        return re.split(r"[+~-]", self.room.run("containerd", "--version").split()[2])[0]

    def start(self) -> None:
        """Start the daemon, and wait until it answers."""
        words = ["containerd", "-c", f"{self.room.path}/config.toml"]
        self._daemon = self.room.start(*words, log=self._log)
        assert until(self._answers), self._log.read_text()[-2000:]

    def _answers(self) -> bool:
        assert self._daemon.poll() is None, self._log.read_text()[-2000:]
        words = self.room.words(*self.words("", "version"))
        return not subprocess.run(
            words, capture_output=True, env=ENVIRONMENT, check=False
        ).returncode

    def stop(self) -> None:
        self.room.kill("TERM", "containerd")
        self._daemon.wait(30)

    def crash(self, delay: float, *words: str) -> None:
        """Kill the daemon some time after a call began, and start it again."""
        with subprocess.Popen(
            self.room.words(*self.words("", *words)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
        ):
            time.sleep(delay)
            self.room.kill("KILL", "containerd")
        self._daemon.wait(30)
        self.start()

    def sweep(self, runtime: str) -> None:
        """Remove what containerd did not know of when it was killed."""
        command = [self._binary[runtime], "--root", "/run/containerd/runc/default"]
        for name in self.room.run(*command, "list", "-q").split():
            self.room.run(*command, "delete", "-f", name)

    def clean(self) -> None:
        """Remove the containers of a scenario that failed."""
        for kind, remove in ("task", ["rm", "-f"]), ("container", ["rm"]):
            for name in self.room.run(*self.words("", kind, "ls", "-q")).split():
                command = self.room.words(*self.words("", kind, *remove, name))
                # The exit code is that of the task.
                subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False)

    def words(self, runtime: str, *words: str) -> list[str]:  # noqa: ARG002  (as the others)
        return ["ctr", "-a", f"{self.room.path}/containerd.sock", *words]

    def run_flags(self, runtime: str) -> list[str]:
        return ["--runc-binary", self._binary[runtime]]


def missing() -> str:
    """Which package is not there."""
    return "" if all(shutil.which(name) for name in Containerd.needs) else Containerd.package
