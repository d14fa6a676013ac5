# SPDX-License-Identifier: Apache-2.0
"""Notice when the kernel kills a process because its cgroup is out of memory.

`fd` and `events` go into a poll(2); `take` then tells what happened.
"""

import os
import select

from ocirun.linux.cgroup import tree
from ocirun.linux.cgroup.statistics import pairs


class WatchV1:
    """Watches through an eventfd, which also wakes when the cgroup is removed."""

    events = select.POLLIN
    __slots__ = ("_control", "fd")

    def __init__(self, directory: str) -> None:
        self._control = f"{directory}/cgroup.event_control"
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            source = os.open(f"{directory}/memory.oom_control", os.O_RDONLY)
            try:
                tree.write(directory, "cgroup.event_control", f"{self.fd} {source}")
            finally:
                os.close(source)
        except OSError:
            self.close()
            raise

    def take(self) -> int | None:
        """Return how often memory has run out since the last call; None if the cgroup is gone."""
        try:
            count = os.eventfd_read(self.fd)
        except BlockingIOError:
            count = 0
        return count if os.path.exists(self._control) else None

    def close(self) -> None:
        """Stop watching."""
        os.close(self.fd)


class WatchV2:
    """Watches memory.events, which the kernel marks as changed."""

    events = select.POLLPRI
    __slots__ = ("_count", "fd")

    def __init__(self, directory: str) -> None:
        self.fd = os.open(f"{directory}/memory.events", os.O_RDONLY)
        self._count = self._read() or 0

    def take(self) -> int | None:
        """Return how many were killed since the last call; None if the cgroup is gone."""
        count = self._read()
        if count is None:
            return None
        new = count - self._count
        self._count = count
        return new

    def close(self) -> None:
        """Stop watching."""
        os.close(self.fd)

    def _read(self) -> int | None:
        try:
            text = os.pread(self.fd, 4096, 0).decode()
        except OSError as error:
            if error.errno not in tree.GONE:
                raise
            return None
        return pairs(text).get("oom_kill", 0)
