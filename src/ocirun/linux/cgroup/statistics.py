# SPDX-License-Identifier: Apache-2.0
"""What a cgroup has used, as plain numbers; filled in by statistics_v1 or statistics_v2.

What the host cannot tell stays empty.  Times are nanoseconds, sizes bytes; "no limit" is
the largest unsigned 64-bit number, for v1 and v2 alike.
"""

from ocirun.linux.cgroup import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    # major, minor, operation, value
    Operations = list[tuple[int, int, str, int]]
    Pressure = dict[str, dict[str, float]]

NO_LIMIT = (1 << 64) - 1


class Statistics:
    """The numbers of one cgroup at one moment."""

    __slots__ = (
        "cpu",
        "cpu_lists",
        "cpuset",
        "cpuset_lists",
        "huge_pages",
        "io",
        "memory",
        "memory_detail",
        "misc",
        "pids",
        "pressure",
        "rdma",
    )

    def __init__(self) -> None:
        #: total, user, system; periods, throttled, throttled_time; bursts, burst_time
        self.cpu: dict[str, int] = {}
        #: total, user, system, for each CPU
        self.cpu_lists: dict[str, list[int]] = {}
        #: the flags of a v1 cpuset, by the name of their file
        self.cpuset: dict[str, int] = {}
        #: cpus, mems
        self.cpuset_lists: dict[str, list[int]] = {}
        #: memory, swap (with memory), swap_only, kernel, tcp: usage, peak, limit, failures
        self.memory: dict[str, dict[str, int]] = {}
        #: memory.stat
        self.memory_detail: dict[str, int] = {}
        #: current, limit (0 is none)
        self.pids: dict[str, int] = {}
        #: bytes, operations, queued, service_time, wait_time, merged, time, sectors
        self.io: dict[str, Operations] = {}
        #: by page size: usage, peak, failures
        self.huge_pages: dict[str, dict[str, int]] = {}
        #: current and max: by device and resource
        self.rdma: dict[str, dict[str, dict[str, int]]] = {}
        #: by resource: usage, events
        self.misc: dict[str, dict[str, int]] = {}
        #: by cpu, memory, io: some and full
        self.pressure: dict[str, Pressure] = {}


def number(text: str) -> int:
    """Return the number in a file, where "max" is no limit."""
    text = text.strip()
    return NO_LIMIT if text == "max" else int(text)


def read_number(directory: str, file: str) -> int | None:
    """Return the number that a file holds; None if there is no such file."""
    text = read_text(directory, file)
    return None if text is None else number(text)


def read_text(directory: str, file: str) -> str | None:
    """Return the text of a file; None if there is no such file."""
    try:
        return tree.read(directory, file)
    except FileNotFoundError:
        return None


def pairs(text: str) -> dict[str, int]:
    """Return the numbers of a file of lines "name number"."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value:
            found[name] = number(value)
    return found


def cpu_list(text: str) -> list[int]:
    """Return the numbers of a list such as "0-2,7"."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            found += range(int(first), int(last or first) + 1)
    return found


def read_rdma(directory: str) -> dict[str, dict[str, dict[str, int]]]:
    """Return what rdma.current and rdma.max say of each device."""
    found = {}
    for name in ("current", "max"):
        text = read_text(directory, f"rdma.{name}")
        if text is None:
            return {}
        found[name] = {
            device: {key: number(value) for key, _, value in (one.partition("=") for one in rest)}
            for device, *rest in (line.split() for line in text.splitlines())
        }
    return found


def fill_pids(result: Statistics, directory: str) -> None:
    """Read the number of processes and its limit."""
    current = read_number(directory, "pids.current")
    if current is not None:
        limit = number(tree.read(directory, "pids.max"))
        result.pids = {"current": current, "limit": 0 if limit == NO_LIMIT else limit}
