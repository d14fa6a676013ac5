# SPDX-License-Identifier: Apache-2.0
"""What all containers below a state root use, as numbers that can be compared in time.

For `ocirun top`.  Everything comes from the cgroups; a container without one has its
name and its status.
"""

from ocirun.engine import state as states, status
from ocirun.errors import OcirunError
from ocirun.linux.cgroup.statistics import NO_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.state import State
    from ocirun.linux.cgroup.statistics import Statistics


class Usage:
    """One container's numbers at one moment; None is what the host cannot tell."""

    __slots__ = (
        "cpu",
        "id",
        "memory",
        "memory_limit",
        "pids",
        "pids_limit",
        "pressure",
        "read",
        "status",
        "time",
        "written",
    )

    def __init__(self, container_id: str, word: str, time: int) -> None:
        self.id = container_id
        self.status = word
        #: when the numbers were read, in nanoseconds of any clock that only goes on
        self.time = time
        #: CPU time used so far, in nanoseconds
        self.cpu: int | None = None
        #: bytes
        self.memory: int | None = None
        self.memory_limit: int | None = None
        self.pids: int | None = None
        self.pids_limit: int | None = None
        #: bytes from and to devices so far
        self.read: int | None = None
        self.written: int | None = None
        #: cpu, memory, io: percent of the last ten seconds in which something waited for it
        self.pressure: dict[str, float] = {}


def sample(root: str, time: int) -> list[Usage]:
    """Read the numbers of all containers; one that goes meanwhile is left out."""
    try:
        names = states.ids(root)
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        try:
            state = states.load_state(root, name)
            found.append(_of(state, time))
        except (OcirunError, OSError):
            continue  # `list` says what is wrong with it
    return found


def _of(state: "State", time: int) -> Usage:
    usage = Usage(state.id, status.of(state), time)
    if state.cgroup_paths and usage.status != status.STOPPED:
        from ocirun.linux import cgroup

        fill(usage, cgroup.from_paths(state.cgroup_paths, []).statistics())
    return usage


def fill(usage: Usage, statistics: "Statistics") -> None:
    """Take over the numbers of a cgroup."""
    usage.cpu = statistics.cpu.get("total")
    memory = statistics.memory.get("memory")
    if memory:
        usage.memory = memory["usage"]
        # v1 rounds "no limit" down to whole pages.
        limited = memory["limit"] < NO_LIMIT >> 1 & ~0xFFFF
        usage.memory_limit = memory["limit"] if limited else None
    if statistics.pids:
        usage.pids = statistics.pids["current"]
        usage.pids_limit = statistics.pids["limit"] or None
    transferred = statistics.io.get("bytes", [])
    for _, _, operation, value in transferred:
        if operation == "Read":
            usage.read = (usage.read or 0) + value
        elif operation == "Write":
            usage.written = (usage.written or 0) + value
    for name, kinds in statistics.pressure.items():
        if "some" in kinds:
            usage.pressure[name] = kinds["some"]["avg10"]


def rate(before: int | None, now: int | None, nanoseconds: int) -> float | None:
    """Give by how much a number grows in a second; None if that is not known."""
    if before is None or now is None or nanoseconds <= 0:
        return None
    return max(0, now - before) * 1e9 / nanoseconds


def document(usage: Usage, before: Usage | None) -> dict[str, object]:
    """Give the numbers as a JSON object, with rates since the sample before."""
    passed = usage.time - before.time if before else 0

    def growth(name: str) -> float | None:
        old = getattr(before, name) if before else None
        return rate(old, getattr(usage, name), passed)

    processor = growth("cpu")
    return {
        "id": usage.id,
        "status": usage.status,
        "cpuPercent": None if processor is None else round(processor / 1e7, 1),
        "cpuTotal": usage.cpu,
        "memory": usage.memory,
        "memoryLimit": usage.memory_limit,
        "pids": usage.pids,
        "pidsLimit": usage.pids_limit,
        "read": usage.read,
        "readPerSecond": growth("read"),
        "written": usage.written,
        "writtenPerSecond": growth("written"),
        "pressure": usage.pressure,
    }
