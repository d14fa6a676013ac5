# SPDX-License-Identifier: Apache-2.0
"""Docker: its daemon with containerd below it, by hand in a room."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

from tests.engines import image
from tests.engines.box import until
from tests.engines.room import ENVIRONMENT, Room
from tests.repository import TOP

SNIPPET = TOP / "contrib" / "docker" / "daemon.json"


class Docker:
    name = "docker"
    remove_flags = ("-f",)
    needs = ("dockerd", "docker", "containerd")
    package = "docker.io"

    def __init__(self, room: Room, ocirun: str, busybox: str) -> None:
        self.room = room
        self._log = room.path / "dockerd.log"
        self._socket = room.path / "docker.sock"
        config = SNIPPET.read_text().replace("/usr/local/bin/ocirun", ocirun)
        self._config: dict[str, object] = json.loads(config)
        self.configure()
        self.start()
        image.make(room.path, busybox)
        room.run(*self.words("", "import", f"{room.path}/rootfs.tar", "localhost/box"))

    def version(self) -> str:
        out = self.room.run(*self.words("", "version", "--format", "{{.Server.Version}}"))
        return re.split(r"[+~-]", out.strip())[0]

    def configure(self, **more: object) -> None:
        """Write /etc/docker/daemon.json: the file of contrib, and what a scenario adds."""
        path = Path(f"/proc/{self.room.pid}/root/etc/docker")
        path.mkdir(exist_ok=True)
        (path / "daemon.json").write_text(json.dumps({**self._config, **more}))

    def start(self, *flags: str) -> None:
        """Start the daemon, and wait until it answers."""
        top = self.room.path
        words = ["dockerd", "--data-root", f"{top}/data", "--exec-root", f"{top}/exec"]
        words += ["--pidfile", f"{top}/dockerd.pid", "--cgroup-parent", self.room.cgroup]
        self._daemon = self.room.start(
            *words, "-H", f"unix://{self._socket}", *flags, log=self._log
        )
        assert until(self._answers), self._log.read_text()[-2000:]

    def _answers(self) -> bool:
        assert self._daemon.poll() is None, self._log.read_text()[-2000:]
        words = self.room.words(*self.words("", "version"))
        return not subprocess.run(
            words, capture_output=True, env=ENVIRONMENT, check=False
        ).returncode

    def stop(self) -> None:
        self.room.kill("TERM", "dockerd")
        self._daemon.wait(30)

    def reload(self, **more: object) -> None:
        """Change the configuration of the running daemon."""
        before = self._log.read_text().count("Reloaded configuration")
        self.configure(**more)
        self.room.kill("HUP", "dockerd")
        assert until(lambda: self._log.read_text().count("Reloaded configuration") > before)

    def crash(self, delay: float, *words: str) -> None:
        """Kill the daemon some time after a call began, and start it again."""
        with subprocess.Popen(
            self.room.words(*self.words("", *words)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
        ):
            time.sleep(delay)
            self.room.kill("KILL", "dockerd")
        self._daemon.wait(30)
        # What it left: containerd and its shims live on, and are found again.
        (self.room.path / "dockerd.pid").unlink()
        self.start()

    def sweep(self, runtime: str) -> None:
        """Remove what the engine did not know of when it was killed: nothing."""

    def clean(self) -> None:
        """Remove the containers of a scenario that failed."""
        if names := self.room.run(*self.words("", "ps", "-aq")).split():
            self.room.run(*self.words("", "rm", *self.remove_flags, *names))

    def words(self, runtime: str, *words: str) -> list[str]:
        if words and words[0] == "build":
            self.reload(**{"default-runtime": runtime})
        return ["docker", "-H", f"unix://{self._socket}", *words]

    def run_flags(self, runtime: str) -> list[str]:
        return ["--runtime", runtime]


def missing() -> str:
    """Which package is not there."""
    return "" if all(shutil.which(name) for name in Docker.needs) else Docker.package
