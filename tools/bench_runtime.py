# SPDX-License-Identifier: Apache-2.0
"""One runtime under measurement: how its commands are started, timed and weighed.

A command is a process of its own, as an engine starts it: the clock runs from before
posix_spawn(3) until wait4(2) has returned.
"""

import os
import select
import signal
import time
from pathlib import Path

#: a command that takes longer has gone wrong; in seconds
PATIENCE = 30
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
# Its child outlives it and becomes ours, for we are a subreaper.  Were it forked by us, our own
# size would count as its peak: exec(2) keeps the high-water mark of what was there before.
SMALL_PARENT = '"$@" >/dev/null 2>&1 & echo $!'


class BenchError(Exception):
    """A command that failed; the message is for people."""


class Runtime:
    """A program with runc's command line, and the containers that it made for us."""

    def __init__(self, name: str, path: str, place: Path) -> None:
        self.name = name
        self.path = path
        self._pid_file = place / f"{name}.pid"
        self.root = place / f"state-{name}"
        self.root.mkdir(mode=0o700)
        self._log = os.memfd_create("log")
        self._running: dict[str, int] = {}
        self._number = 0

    def new_id(self) -> str:
        """Give a container id that was not in use yet."""
        self._number += 1
        return f"bench-{os.getpid()}-{self.name}-{self._number}"

    def words(self, *words: str) -> list[str]:
        """Give the whole command line."""
        return [self.path, "--root", str(self.root), *words]

    def milliseconds(self, *words: str) -> float:
        """Run one command; give the time it took."""
        return self.time(self.words(*words))

    def time(self, argv: list[str]) -> float:
        """Run any command line to its end; give the milliseconds it took."""
        began = time.perf_counter_ns()
        pid = self._spawn(argv)
        status = _wait(pid, argv)
        ended = time.perf_counter_ns()
        self._check(status, argv)
        return (ended - began) / 1e6

    def output(self, *words: str) -> str:
        """Run one command; give what it wrote."""
        self.time([self.path, *words])
        return self._logged()

    def peak(self, *words: str) -> float:
        """Run one command; give the greatest resident size of its processes, in kB."""
        argv = self.words(*words)
        self.time(["/bin/sh", "-c", SMALL_PARENT, "sh", *argv])
        pid = int(self._logged())
        _, status, usage = os.wait4(pid, 0)
        self._check(status, argv)
        return float(usage.ru_maxrss)

    def create(self, bundle: Path, container: str) -> tuple[float, int]:
        """Create a container; give the milliseconds and the pid of its waiting process."""
        return self._make("create", bundle, container)

    def run_detached(self, bundle: Path) -> str:
        """Run a container in the background until `stop`; give its id."""
        container = self.new_id()
        self._make("run", bundle, container, "--detach")
        return container

    def _make(self, command: str, bundle: Path, *words: str) -> tuple[float, int]:
        container, *flags = words
        pid_file = ["--pid-file", str(self._pid_file)]
        argv = self.words(command, "--bundle", str(bundle), *pid_file, *flags, container)
        took = self.time(argv)
        self._running[container] = int(self._pid_file.read_text())
        return took, self._running[container]

    def ended(self, container: str) -> None:
        """Wait for the end of a container's process, and reap it: it has become our child."""
        pid = self._running.pop(container)
        pidfd = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        seen = poll.poll(PATIENCE * 1000)
        os.close(pidfd)
        if not seen:
            raise BenchError(f"{self.name}: the program of {container} does not end")
        os.waitpid(pid, 0)

    def stop(self) -> None:
        """Remove all containers that are left."""
        for container, pid in list(self._running.items()):
            # First this: some wait long for a process that only we can reap.
            os.kill(pid, signal.SIGKILL)
            self.ended(container)
        for container in os.listdir(self.root):
            pid = self._spawn(self.words("delete", "--force", container))
            os.waitpid(pid, 0)

    def _spawn(self, argv: list[str]) -> int:
        os.ftruncate(self._log, 0)
        os.lseek(self._log, 0, os.SEEK_SET)
        return os.posix_spawn(
            argv[0],
            argv,
            ENVIRONMENT,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, self._log, 1),
                (os.POSIX_SPAWN_DUP2, self._log, 2),
            ],
            setsigdef=[signal.SIGPIPE],
        )

    def _logged(self) -> str:
        return os.pread(self._log, 1 << 16, 0).decode(errors="replace").strip()

    def _check(self, status: int, argv: list[str]) -> None:
        code = os.waitstatus_to_exitcode(status)
        if code:
            command = " ".join([self.name, *argv[3:]])
            raise BenchError(f"{command}: exit code {code}: {self._logged() or 'no message'}")


def _wait(pid: int, argv: list[str]) -> int:
    def give_up(*_: object) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise BenchError(f"{' '.join(argv)}: no end after {PATIENCE} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    status = os.wait4(pid, 0)[1]
    signal.alarm(0)
    return status
