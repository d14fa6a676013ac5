# SPDX-License-Identifier: Apache-2.0
"""Which cgroup hierarchies this host has, and where the caller sits in each.

Read from /proc/self/cgroup and /proc/self/mountinfo, and no further than needed:
a host with many containers has a long mountinfo, with the cgroup mounts near its top.
It makes no cgroup and changes none.  cgroups(7), proc(5).
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Where every distribution mounts it; a v2 tree here decides that the host is v2, even if
# some program (VPN clients do so with net_cls) mounted a v1 hierarchy elsewhere.
STANDARD_MOUNT = "/sys/fs/cgroup"
_STANDARD = f" {STANDARD_MOUNT}".encode()
UNIFIED = ""
"""The name of the v2 tree among the controller names, as /proc/PID/cgroup writes it."""
SYSTEMD = "name=systemd"


class Hierarchy:
    """One mounted hierarchy: its controllers, its mount, and the caller's cgroup in it."""

    __slots__ = ("controllers", "mount", "own", "root")

    def __init__(self, controllers: list[str], mount: str, root: str, own: str) -> None:
        self.controllers = controllers
        self.mount = mount
        self.root = root
        self.own = own

    def own_directory(self) -> str:
        """Return the directory of the caller's own cgroup."""
        # Without a cgroup namespace a container sees the host's path in /proc/self/cgroup, but
        # only the part below the root of the mount.  A path outside it cannot be named: use the top.
        root = self.root.rstrip("/")
        if self.own == root or self.own.startswith(root + "/"):
            return _join(self.mount, self.own[len(root) :])
        return self.mount

    def directory(self, path: str, *, beside: bool = False) -> str:
        """Return the directory of a cgroup path.

        An absolute path starts at the mount, a relative one at the caller's cgroup, or,
        with `beside`, at the parent of the caller's cgroup.  It never leads out of there.
        """
        if path.startswith("/"):
            return _join(self.mount, path)
        start = self.own_directory()
        if beside and start != self.mount:
            start = os.path.dirname(start)
        return _join(start, path)


class Layout:
    """All hierarchies of the host that can hold a container."""

    __slots__ = ("unified", "v1")

    def __init__(self, v1: list[Hierarchy], unified: Hierarchy | None) -> None:
        self.v1 = v1
        self.unified = unified

    @property
    def version(self) -> int:
        """2, or 1 (with or without a v2 tree beside it), or 0 where nothing is mounted."""
        if self.unified and (not self.v1 or self.unified.mount == STANDARD_MOUNT):
            return 2
        return 1 if self.v1 else 0


def read() -> Layout:
    """Read the layout of this host for the calling process."""
    return scan(_chunks("/proc/self/mountinfo"), membership("self"), _is_visible)


def membership(process: int | str) -> dict[str, str]:
    """Map each controller to the path of a process's cgroup."""
    return parse_membership(b"".join(_chunks(f"/proc/{process}/cgroup")))


def parse_membership(text: bytes) -> dict[str, str]:
    """Map each controller in a /proc/PID/cgroup to the path of the process's cgroup."""
    own = {}
    for line in os.fsdecode(text).splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            own[name] = path
    return own


def scan(
    chunks: "Iterable[bytes]", own: dict[str, str], is_visible: "Callable[[str, str], bool]"
) -> Layout:
    """Find in a mountinfo the usual, or else the first usable mount of each hierarchy in `own`."""
    search = _Search(own, is_visible)
    elsewhere = []
    for line in _lines(chunks):
        if b" - cgroup" not in line:
            continue
        if _STANDARD not in line:
            # Perhaps of another container, whose root can be seen from here.
            elsewhere.append(line)
        elif search.take(line):
            break
    else:
        for line in elsewhere:
            if search.take(line):
                break
    return Layout(search.v1, search.unified)


class _Search:
    __slots__ = ("_is_visible", "_own", "_seen", "_wanted", "unified", "v1")

    def __init__(self, own: dict[str, str], is_visible: "Callable[[str, str], bool]") -> None:
        self._own = own
        self._is_visible = is_visible
        # Hierarchies without a controller belong to whoever made them; of these only systemd's
        # is expected to follow the processes.
        self._wanted = {name for name in own if not name.startswith("name=") or name == SYSTEMD}
        self._seen: set[str] = set()
        self.v1: list[Hierarchy] = []
        self.unified: Hierarchy | None = None

    def take(self, line: bytes) -> bool:
        """Use the mount of a line, if it is wanted; tell whether all is found."""
        left, _, right = os.fsdecode(line).partition(" - ")
        kind, _, options = right.split(" ", 2)
        fields = left.split(" ", 5)
        device, root, mount = fields[2], _unescape(fields[3]), _unescape(fields[4])
        names = [UNIFIED] if kind == "cgroup2" else options.split(",")
        names = [name for name in names if name in self._wanted]
        # A mount is covered together with its neighbours, by one over the directory they are in:
        # one look per directory will do.
        parent = os.path.dirname(mount)
        if names and (parent in self._seen or self._is_visible(mount, device)):
            self._seen.add(parent)
            hierarchy = Hierarchy(names, mount, root, self._own[names[0]])
            self._wanted.difference_update(names)
            if kind == "cgroup":
                self.v1.append(hierarchy)
            else:
                self.unified = hierarchy
        return not self._wanted or (
            self.unified is not None and self.unified.mount == STANDARD_MOUNT
        )


def _chunks(path: str) -> "Iterable[bytes]":
    fd = os.open(path, os.O_RDONLY)
    try:
        # The kernel hands out a page of text per read, so whoever stops early reads less.
        while chunk := os.read(fd, 4096):
            yield chunk
    finally:
        os.close(fd)


def _lines(chunks: "Iterable[bytes]") -> "Iterable[bytes]":
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        yield from lines


def _unescape(field: str) -> str:
    # proc(5): space, tab, newline and backslash are written as \ and three octal digits.
    if "\\" not in field:
        return field
    head, *parts = field.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts)


def _is_visible(mount: str, device: str) -> bool:
    # A later mount may cover this one: then the name leads to another device.
    try:
        number = os.stat(mount).st_dev
    except OSError:
        return False
    return f"{os.major(number)}:{os.minor(number)}" == device


def _join(start: str, path: str) -> str:
    inner = os.path.normpath("/" + path).lstrip("/")
    return f"{start}/{inner}" if inner else start
