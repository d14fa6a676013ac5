# SPDX-License-Identifier: Apache-2.0
"""What happens in a container, as `events` tells it: statistics, and that memory has run out.

The documents have the shape of `runc events`.  The end of the container's first process ends
the watching; waits are for that, for the kernel's own event, and for the next statistics.
"""

import os
import select
import time

from ocirun.engine import kill, state as states, statistics, status
from ocirun.errors import KernelError, StateError
from ocirun.linux.cgroup import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.state import State
    from ocirun.linux.cgroup import Cgroup, oom

    Document = dict[str, object]
    Tell = Callable[[Document], None]
    Warn = Callable[[str], None]


def statistics_now(root: str, container_id: str) -> "Document":
    """Give one event with the statistics of this moment."""
    state, cgroup = _find(root, container_id)
    try:
        return _statistics(state, cgroup)
    except OSError as error:
        raise KernelError(_said(error)) from error


def watch(root: str, container_id: str, seconds: float, tell: "Tell", warn: "Warn") -> None:
    """Tell each event until the container ends, and statistics every so many seconds."""
    state, cgroup = _find(root, container_id)
    pidfd = kill.open_first(state)
    if pidfd < 0:
        return
    memory = _watch_memory(cgroup, warn)
    watching = _Watching(pidfd, memory, seconds)
    try:
        while watching.wait():
            if watching.out_of_memory:
                tell({"type": "oom", "id": state.id})
            if watching.due:
                try:
                    event = _statistics(state, cgroup)
                except OSError as error:
                    if error.errno in tree.GONE:
                        return
                    warn(_said(error))
                else:
                    tell(event)
        if watching.out_of_memory:
            tell({"type": "oom", "id": state.id})
    finally:
        os.close(pidfd)
        if memory:
            memory.close()


def _find(root: str, container_id: str) -> "tuple[State, Cgroup]":
    state = states.load_state(root, container_id)
    if status.of(state) == status.STOPPED:
        raise StateError(f"container with id {container_id} is not running")
    cgroup = kill.cgroup_of(state)
    if cgroup is None:
        raise StateError(
            f"container {container_id} has no cgroup that could count",
            "create it where cgroups can be made",
        )
    return state, cgroup


def _watch_memory(cgroup: "Cgroup", warn: "Warn") -> "oom.WatchV1 | oom.WatchV2 | None":
    try:
        return cgroup.watch_oom()
    except OSError as error:
        warn(f"out-of-memory events cannot be seen: {_said(error)}")
        return None


class _Watching:
    """Waits for what comes first; the attributes say what it was."""

    __slots__ = ("_memory", "_next", "_pidfd", "_poller", "_seconds", "due", "out_of_memory")

    def __init__(
        self, pidfd: int, memory: "oom.WatchV1 | oom.WatchV2 | None", seconds: float
    ) -> None:
        self._pidfd = pidfd
        self._memory = memory
        self._seconds = seconds
        self._next = time.monotonic() + seconds
        self._poller = select.poll()
        self._poller.register(pidfd, select.POLLIN)
        if memory:
            self._poller.register(memory.fd, memory.events)
        self.due = False
        self.out_of_memory = False

    def wait(self) -> bool:
        """Wait once; tell whether the container still lives."""
        left = max(0.0, self._next - time.monotonic())
        # poll(2) cuts off fractions of a millisecond, and counts in 31 bits.
        ready = [fd for fd, _ in self._poller.poll(min(int(left * 1000) + 1, 1 << 30))]
        # Looked at in any case: the first process may have been the victim.
        count = self._memory.take() if self._memory else 0
        self.out_of_memory = bool(count)
        self.due = time.monotonic() >= self._next
        if self.due:
            # What was missed while nobody read our output is not made up for.
            self._next = max(self._next + self._seconds, time.monotonic())
        return self._pidfd not in ready and count is not None


def _statistics(state: "State", cgroup: "Cgroup") -> "Document":
    data = statistics.document(cgroup.statistics())
    if state.has_part("intelRdt"):
        from ocirun.engine import intel_rdt

        data["intel_rdt"] = intel_rdt.statistics(state)
    return {"type": "stats", "id": state.id, "data": data}


def _said(error: OSError) -> str:
    return f"{error.filename}: {(error.strerror or '').lower()}"
