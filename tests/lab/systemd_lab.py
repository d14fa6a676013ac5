# SPDX-License-Identifier: Apache-2.0
"""What the checks of the systemd lab share: running the command, as root or as a user."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocirun.spec.model import Spec

TREE = Path("/sys/fs/cgroup")
PLACE = Path("/var/tmp/lab")
USER, RUNTIME = 1000, "/run/user/1000"

Change = Callable[["Spec"], object]


class Lab:
    """Runs the command, as root or as the user; bundles and units get the name of the check."""

    def __init__(self, ocirun: str, name: str, uid: int = 0) -> None:
        self.ocirun = ocirun
        self.name = name
        self.uid = uid
        self.env = {"PATH": os.environ["PATH"], "HOME": "/root"}
        if uid:
            self.env |= {"HOME": "/home/lab", "XDG_RUNTIME_DIR": RUNTIME}

    def run(self, *words: str, output: int = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True,
            check=False, user=self.uid, group=self.uid, env=self.env, cwd="/",
        )  # fmt: skip

    def __call__(self, *words: str, code: int = 0) -> str:
        done = self.run(self.ocirun, *words)
        assert done.returncode == code, f"{words}: {done.returncode}: {done.stdout}"
        return done.stdout

    def bundle(self, *args: str, change: Change | None = None) -> str:
        path = PLACE / "bundles" / self.name
        path.mkdir(parents=True, exist_ok=True)
        template = "user.json" if self.uid else "config.json"
        config: Spec = json.loads((PLACE / template).read_text())
        config["root"] = {"path": str(PLACE / "rootfs")}
        config["process"]["terminal"] = False
        config["process"]["args"] = list(args)
        if change:
            change(config)
        (path / "config.json").write_text(json.dumps(config))
        return str(path)

    def start(self, *args: str, change: Change | None = None) -> int:
        """Run a container in the background and give its pid."""
        path = self.bundle(*(args or ("sleep", "1000")), change=change)
        # Not through a pipe, which the container would keep open.
        words = (self.ocirun, "--systemd-cgroup", "run", "-d", "-b", path, self.name)
        with open(PLACE / "said", "w+") as said:
            done = self.run(*words, output=said.fileno())
        assert done.returncode == 0, (PLACE / "said").read_text()
        return int(json.loads(self("state", self.name))["pid"])

    def fail(self, *words: str, change: Change | None = None) -> str:
        """Try to run a container, and give what was said; nothing must be left of it."""
        path = self.bundle("true", change=change)
        said = self("--systemd-cgroup", *words, "run", "-b", path, self.name, code=1)
        assert self.name not in self("list", "-q").split()
        assert not self.shown("LoadState")["LoadState"].startswith("loaded"), self.shown()
        return said

    @property
    def unit(self) -> str:
        return f"ocirun-{self.name}.scope"

    @property
    def cgroup(self) -> Path:
        if self.uid:
            return TREE / f"user.slice/user-1000.slice/user@1000.service/user.slice/{self.unit}"
        return TREE / "system.slice" / self.unit

    def systemctl(self, *words: str) -> str:
        return self.run("systemctl", *(["--user"] if self.uid else []), *words).stdout

    def shown(self, *names: str) -> dict[str, str]:
        options = [f"--property={name}" for name in names]
        lines = self.systemctl("show", self.unit, *options).splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    def remove(self) -> None:
        self("delete", "-f", self.name)
        self.is_gone()

    def is_gone(self) -> None:
        assert not self.cgroup.exists()
        assert self.shown("LoadState") == {"LoadState": "not-found"}
        assert self.unit not in self.systemctl("list-units", "--all")


def same(found: dict[str, str], wanted: dict[str, str]) -> None:
    differ = {
        name: (value, wanted.get(name)) for name, value in found.items() if value != wanted[name]
    }
    assert not differ, differ
    assert found.keys() == wanted.keys()
