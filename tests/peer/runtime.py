# SPDX-License-Identifier: Apache-2.0
"""One container by one runtime: started, looked at, ended, and what is left of it.

Both runtimes get the same bundle at the same place with the same container id, one after the
other, so that no name has to be taken out of what they show.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests import leak
from tests.peer.observe import Facts, observe

import rootfs

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
Config = dict[str, Json]

#: the field of our own in a config, for a process that joins the container; runtimes ignore it
EXEC = "org.example.exec"
#: how long a container may take to get to the end of its probe
PATIENCE = 30
APPLETS = "sh cat hostname mkdir sed true".split()

#: prints what only a process inside can tell; `end` is its last line, and it stays until it may go
PROBE = r"""
echo "hostname: $(hostname)"
echo "domain: $(cat /proc/sys/kernel/domainname 2>&1)"
echo "umask: $(umask) HOME: $HOME PWD: $PWD"
echo "session keyring: $(sed -n '/_ses.@NAME@:/{s/.*\(_ses.@NAME@\):.*/\1/p;q}' /proc/keys 2>&1)"
for name in $SYSCTLS; do echo "sysctl $name: $(cat /proc/sys/$name 2>&1)"; done
for path in / /dev /etc /mnt/0 /mnt/1 /mnt/2 /mnt/3 /proc/sys/kernel/hostname /dev/null /dev/full; do
	if test -e $path; then test -w $path && echo "write $path: allowed" || echo "write $path: no"; fi
done
mkdir /tmp/made 2>/dev/null && echo "mkdir: yes" || echo "mkdir: no"
for path in /dev/*; do
	test -p $path || (true <$path) 2>/dev/null && echo "open $path: yes" || echo "open $path: no"
done
echo end
read line
exit 7
"""


@dataclass
class Outcome:
    """What became of one run."""

    #: the runtime's exit code
    code: int
    #: its standard error
    errors: str
    facts: Facts = field(default_factory=dict)
    #: what is still there afterwards
    left: list[str] = field(default_factory=list)


@dataclass
class Started:
    """A process that prints facts and then waits, or the runtime's exit code if there is none."""

    code: int
    pid: int
    reader: int

    def look(self) -> Facts:
        """Wait for the probe's last line, and give all that it and we see."""
        facts: Facts = {}
        text = _read_to_end(self.reader)
        if text.endswith("\nend\n"):
            facts.update(observe(self.pid))
        for index, line in enumerate(text.removesuffix("\nend\n").splitlines()):
            key, colon, value = line.partition(": ")
            facts["inside/" + (key if colon else f"line {index}")] = value if colon else line
        return facts


@dataclass
class Runtime:
    """A runtime, and a directory in which it may make bundles."""

    program: str
    work: Path
    busybox: str
    name: str

    @property
    def bundle(self) -> Path:
        """Where the bundle is; the same for all runtimes with the same directory."""
        return self.work / "bundle"

    def run(self, config: Config, *, owner: int = 0) -> Outcome:
        """Run one config with the probe as its program, and what is under EXEC in it beside that."""
        self._make_bundle(config, owner)
        before = leak.inventory()
        with open(self.work / "errors", "w+b") as errors:
            with self._started("run", "--bundle", str(self.bundle), errors=errors) as started:
                outcome = Outcome(started.code, "")
                if not started.code:
                    outcome.facts = started.look()
                    if EXEC in config:
                        outcome.facts.update(self._exec(config[EXEC], errors))
            if not started.code:
                outcome.facts["ended"] = _wait(started.pid)
                self._delete(outcome)
            errors.seek(0)
            outcome.errors = errors.read().decode(errors="replace")
        if not outcome.code:
            outcome.facts.update(self._traces())
        outcome.left = self._left(before)
        self._sweep()
        return outcome

    def _exec(self, process: Json, errors: IO[bytes]) -> Facts:
        """Give the facts about a process that joins the container, under names of their own."""
        file = self.work / "process.json"
        file.write_text(self._fill(json.dumps(process)))
        with self._started("exec", "--process", str(file), errors=errors) as started:
            facts = {} if started.code else started.look()
        facts["outcome"] = "refused" if started.code else "started"
        if not started.code:
            facts["ended"] = _wait(started.pid)
        # The mounts and files are those of the container, which is compared anyway.
        return {
            f"exec {key}": facts[key]
            for key in facts
            if not key.startswith(("mount ", "file ", "cgroup/"))
        }

    @contextmanager
    def _started(self, word: str, *flags: str, errors: IO[bytes]) -> Iterator["Started"]:
        """Start a process that prints to us, and may end when the block does."""
        pid_file = self.work / "pid"
        pid_file.unlink(missing_ok=True)
        stdin, release = os.pipe()
        reader, stdout = os.pipe()
        command = [self.program, "--root", str(self.work / "state"), word, "--detach"]
        command += ["--pid-file", str(pid_file), *flags, self.name]
        try:
            done = subprocess.run(
                command, check=False, stdin=stdin, stdout=stdout, stderr=errors, timeout=PATIENCE
            )
            os.close(stdout)
            pid = 0 if done.returncode else int(pid_file.read_text())
            yield Started(done.returncode, pid, reader)
        finally:
            for fd in (stdin, reader, release):
                os.close(fd)

    def refuse(self, text: str) -> Outcome:
        """Run the text of a config that is perhaps no good, with a program that ends at once."""
        self._make_bundle(None, 0)
        self._write(text)
        before = leak.inventory()
        command = [self.program, "--root", str(self.work / "state"), "run"]
        done = subprocess.run(
            [*command, "--bundle", str(self.bundle), self.name],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
        )
        outcome = Outcome(done.returncode, done.stderr.decode(errors="replace"))
        outcome.left = self._left(before)
        self._sweep()
        return outcome

    def _make_bundle(self, config: Config | None, owner: int) -> None:
        shutil.rmtree(self.bundle, ignore_errors=True)
        root = self.bundle / "rootfs"
        for name in (*rootfs.DIRECTORIES, "mnt", "var"):
            (root / name).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        for name, text in rootfs.FILES.items():
            (root / name).write_text(text)
        os.link(self.busybox, root / "bin" / "busybox")
        for applet in APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
        source = self.bundle / "source"
        (source / "directory" / "below").mkdir(parents=True)
        (source / "file").write_text("a file of the host\n")
        (source / "upper").mkdir()
        (source / "overlay").mkdir()
        (self.bundle / "hooks").touch()
        (self.bundle / "hooks").chmod(0o666)
        if owner:
            for path in [root, *root.rglob("*")]:
                if path.name != "busybox":
                    os.lchown(path, owner, owner)
        if config is not None:
            self._write(json.dumps(config))

    def _write(self, text: str) -> None:
        (self.bundle / "config.json").write_text(self._fill(text))

    def _fill(self, text: str) -> str:
        """Put in what only this runtime knows."""
        text = text.replace("@BUNDLE@", str(self.bundle)).replace("@BUSYBOX@", self.busybox)
        return text.replace("@PROBE@", json.dumps(PROBE)[1:-1]).replace("@NAME@", self.name)

    def _delete(self, outcome: Outcome) -> None:
        if outcome.code:
            return
        command = [self.program, "--root", str(self.work / "state"), "delete", "--force", self.name]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            outcome.left.append(f"delete: {done.stderr}")

    def _traces(self) -> Facts:
        """Give what hooks wrote, and what the runtime made in the root filesystem."""
        facts: Facts = {}
        for path in (self.bundle / "hooks", self.bundle / "rootfs" / "tmp" / "hook"):
            if path.exists():
                for index, line in enumerate(path.read_text().splitlines()):
                    start, brace, state = line.partition("{")
                    if brace:
                        state = json.dumps(json.loads(brace + state), sort_keys=True)
                    facts[f"{path.name} {index:02}"] = start + state
        return facts

    def _sweep(self) -> None:
        """Remove what not every runtime does: the parents of a cgroup, and all that it left."""
        for kind in sorted(os.listdir("/sys/fs/cgroup")):
            for top, names, _ in os.walk(f"/sys/fs/cgroup/{kind}", topdown=False):
                for name in names:
                    if name.startswith(self.name):
                        os.rmdir(f"{top}/{name}")

    def _left(self, before: leak.Inventory) -> list[str]:
        state = self.work / "state"
        left = sorted(os.listdir(state)) if state.exists() else []
        # A directory of the runtime's own is no container.
        found = [f"state {name}" for name in left if not name.startswith("@")]
        for kind, names in leak.more(before, leak.inventory()).items():
            found += [f"{kind} {name}" for name in sorted(names)]
        return found


def _read_to_end(fd: int) -> str:
    """Read until the last line of the probe, or until nobody is left who could write."""
    data = b""
    until = time.monotonic() + PATIENCE
    while not data.endswith(b"\nend\n"):
        ready = select.select([fd], [], [], max(0, until - time.monotonic()))[0]
        if not ready:
            return data.decode(errors="replace") + "\nno end in time\n"
        block = os.read(fd, 1 << 16)
        if not block:
            break
        data += block
    return data.decode(errors="replace")


def _wait(pid: int) -> str:
    """Give the exit code of a process that we adopted."""
    pidfd = os.pidfd_open(pid)
    try:
        if not select.select([pidfd], [], [], PATIENCE)[0]:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            return "had to be killed"
        return str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    finally:
        os.close(pidfd)
