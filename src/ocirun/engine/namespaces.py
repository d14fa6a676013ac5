# SPDX-License-Identifier: Apache-2.0
"""Which namespaces a container makes and which it joins (namespaces(7))."""

import os

from ocirun.errors import KernelError, SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Namespace, Spec

#: the spec's word -> (CLONE_NEW* flag, name below /proc/PID/ns)
TYPES = {
    "user": (0x10000000, "user"),
    "ipc": (0x08000000, "ipc"),
    "uts": (0x04000000, "uts"),
    "network": (0x40000000, "net"),
    "pid": (0x20000000, "pid"),
    "mount": (0x00020000, "mnt"),
    "cgroup": (0x02000000, "cgroup"),
    "time": (0x00000080, "time"),
}

_NS_GET_USERNS, _NS_GET_NSTYPE = 0xB701, 0xB703


class Namespaces:
    """The `linux.namespaces` of a config: what is made, what is joined, and the open files."""

    __slots__ = ("_indexes", "fds", "flags", "joined", "made")

    def __init__(self, namespaces: "list[Namespace]") -> None:
        self.made: set[str] = set()
        #: type -> path
        self.joined: dict[str, str] = {}
        #: type -> descriptor, after open(); whoever called it closes them
        self.fds: dict[str, int] = {}
        self.flags = 0
        #: type -> place in the config, for messages
        self._indexes: dict[str, int] = {}
        for index, namespace in enumerate(namespaces):
            kind = namespace["type"]
            path = namespace.get("path", "")
            if path:
                self.joined[kind] = path
                self._indexes[kind] = index
            else:
                self.made.add(kind)
                self.flags |= TYPES[kind][0]

    def private(self, kind: str) -> bool:
        """Tell whether the container has a namespace other than the caller's."""
        return kind in self.made or kind in self.joined

    def open(self) -> None:
        """Open the namespaces to be joined and make sure that each is what the config says."""
        for kind, path in self.joined.items():
            field = f"linux.namespaces[{self._indexes[kind]}].path"
            try:
                self.fds[kind] = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError as error:
                raise KernelError(
                    f"{field}: open {path}: {_said(error)}",
                    "is the process that it belongs to still alive?",
                ) from error
            _check_type(self.fds[kind], kind, path, field)

    def is_ours(self, kind: str) -> bool:
        """Tell whether a namespace that is joined by path is the one we are in already."""
        if kind not in self.fds:
            return False
        joined = os.fstat(self.fds[kind])
        own = os.stat(f"/proc/self/ns/{TYPES[kind][1]}")
        return (joined.st_dev, joined.st_ino) == (own.st_dev, own.st_ino)

    def foreign(self) -> frozenset[str]:
        """Give those of "pid" and "network" that the container's user namespace does not own.

        Only asked in a user namespace, and after open().
        """
        return frozenset(kind for kind in ("pid", "network") if not self._owns(kind))

    def _owns(self, kind: str) -> bool:
        if kind in self.made or (kind in self.joined and not self.private("user")):
            return True
        if "user" in self.made:
            return False  # the other one is older
        from fcntl import ioctl

        path = f"/proc/self/ns/{TYPES[kind][1]}"
        fd = os.dup(self.fds[kind]) if kind in self.fds else os.open(path, os.O_RDONLY)
        try:
            owner = ioctl(fd, _NS_GET_USERNS)
        except OSError:
            return False  # EPERM: it lies outside of our own user namespace
        finally:
            os.close(fd)
        try:
            return os.path.samestat(os.fstat(owner), self._user())
        finally:
            os.close(owner)

    def _user(self) -> os.stat_result:
        if "user" in self.fds:
            return os.fstat(self.fds["user"])
        return os.stat("/proc/self/ns/user")

    def close(self) -> None:
        """Close what open() opened."""
        for fd in self.fds.values():
            os.close(fd)
        self.fds = {}


def check_mounts(spec: "Spec", namespaces: Namespaces) -> None:
    """Refuse what would take effect on the host, without a mount namespace.

    The mounts themselves are made there, as runc does, and removed with the container.
    """
    if namespaces.private("mount"):
        return
    linux = spec.get("linux", {})
    for field, asked in (
        ("linux.maskedPaths", linux.get("maskedPaths")),
        ("linux.readonlyPaths", linux.get("readonlyPaths")),
    ):
        if asked:
            raise SpecError(
                f"{field}: unable to restrict sys entries without a private MNT namespace",
                'add {"type": "mount"} to linux.namespaces',
            )


def check_sysctls(spec: "Spec", namespaces: Namespaces) -> None:
    """Refuse to set what is the host's own: a path can lead back to our namespace."""
    names = spec.get("linux", {}).get("sysctl", {})
    if not names or not namespaces.joined:
        return
    from ocirun.spec import sysctl

    for name in names:
        kind = sysctl.owner_of(name)
        if namespaces.is_ours(kind):
            raise SpecError(f'linux.sysctl["{name}"]: not allowed in host {kind} namespace')


def _check_type(fd: int, kind: str, path: str, field: str) -> None:
    from fcntl import ioctl

    try:
        found = ioctl(fd, _NS_GET_NSTYPE)
    except OSError:
        found = 0
    if found == TYPES[kind][0]:
        return
    names = [name for name, (flag, _) in TYPES.items() if flag == found]
    what = f"a {names[0]} namespace" if names else "no namespace"
    raise SpecError(f"{field}: {path} is {what}, wanted {kind}")


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
