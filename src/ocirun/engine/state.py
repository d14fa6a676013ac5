# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a container between two commands.

Below the state root each container has a directory: `state.json` (ours, versioned),
`config.json` (the bytes that it was created from: a later change of the bundle has
no effect), and until it is started `start.sock`.
"""

import errno
import os
from fcntl import LOCK_EX, LOCK_NB, flock

from ocirun.errors import KernelError, SpecError, StateError
from ocirun.linux import file
from ocirun.spec import encode, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    from ocirun.spec.model import Hooks, Spec

    class Record(TypedDict):
        """The fields of state.json."""

        version: int
        id: str
        ociVersion: str
        bundle: str
        rootfs: str
        created: str
        owner: int
        pid: int
        startTime: int
        creating: bool
        rootless: bool
        ownPids: bool
        hostMounts: int
        noNewKeyring: bool
        annotations: dict[str, str]
        cgroupPaths: dict[str, str]
        cgroupsMade: list[str]
        hooks: Hooks
        lastOperation: int
        descriptors: list[str]


VERSION = 1
#: all that is ever in a state directory, but for the halves of them that are not renamed yet
_FILES = (
    "config.json",
    "start.sock",
    "cgroup",
    "unit.json",
    "limits.json",
    "intelRdt.json",
    "state.json",
)
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")

_FIELDS = (
    ("version", int),
    ("id", str),
    ("ociVersion", str),
    ("bundle", str),
    ("rootfs", str),
    ("created", str),
    ("owner", int),
    ("pid", int),
    ("startTime", int),
    ("creating", bool),
    ("rootless", bool),
    ("ownPids", bool),
    ("hostMounts", int),
    ("annotations", dict),
    ("cgroupPaths", dict),
    ("cgroupsMade", list),
    ("hooks", dict),
)
# Those that a record of an earlier release lacks, and what they are then.
_NONE: list[str] = []
_LATER = (("lastOperation", -1), ("noNewKeyring", False), ("descriptors", _NONE))


def check_id(container_id: str) -> None:
    """Refuse what cannot be the name of a container, or of its directory."""
    if not container_id or container_id in (".", "..") or not _ALLOWED.issuperset(container_id):
        raise StateError(
            f"invalid container ID format: {container_id!r}",
            "letters, digits and _+-. are allowed",
        )


class State:
    """One container's record; the attributes are the fields of state.json."""

    __slots__ = (
        "annotations",
        "bundle",
        "cgroup_paths",
        "cgroups_made",
        "created",
        "creating",
        "descriptors",
        "directory",
        "hooks",
        "host_mounts",
        "id",
        "last_operation",
        "no_keyring",
        "oci_version",
        "own_pids",
        "owner",
        "pid",
        "rootfs",
        "rootless",
        "start_time",
    )

    def __init__(self, directory: str, container_id: str) -> None:
        self.directory = directory
        self.id = container_id
        self.oci_version = ""
        self.bundle = ""
        self.rootfs = ""
        self.created = ""
        self.owner = os.geteuid()
        self.pid = 0
        #: tells the process from a later one with the same pid
        self.start_time = 0
        self.creating = True
        self.rootless = False
        #: the container has a pid namespace of its own, which ends with its first process
        self.own_pids = True
        #: how many mounts there were at the root filesystem of a container without a mount
        #: namespace before it was made; -1 with a mount namespace
        self.host_mounts = -1
        #: it kept the caller's session keyring, and so does each process of exec
        self.no_keyring = False
        self.annotations: dict[str, str] = {}
        self.cgroup_paths: dict[str, str] = {}
        self.cgroups_made: list[str] = []
        #: poststart and poststop, so that start and delete need not read the config
        self.hooks: Hooks = {}
        #: the place of EXEC in the plan, by which the reports of the others are known; or -1
        self.last_operation = -1
        self.descriptors: list[str] = []  # the standard ones that the first process got

    def save(self) -> None:
        """Write state.json so that a reader sees the old or the new one, never half of it."""
        document = {
            "version": VERSION,
            "id": self.id,
            "ociVersion": self.oci_version,
            "bundle": self.bundle,
            "rootfs": self.rootfs,
            "created": self.created,
            "owner": self.owner,
            "pid": self.pid,
            "startTime": self.start_time,
            "creating": self.creating,
            "rootless": self.rootless,
            "ownPids": self.own_pids,
            "hostMounts": self.host_mounts,
            "noNewKeyring": self.no_keyring,
            "annotations": self.annotations,
            "cgroupPaths": self.cgroup_paths,
            "cgroupsMade": self.cgroups_made,
            "hooks": self.hooks,
            "lastOperation": self.last_operation,
            "descriptors": self.descriptors,
        }
        _write(self.directory, "state.json", encode.dumps(document).encode())

    def save_config(self, data: bytes) -> None:
        """Keep the config as it was when the container was created."""
        _write(self.directory, "config.json", data)

    def config(self) -> "Spec":
        """Read the config that the container was created from."""
        path = f"{self.directory}/config.json"
        return load.parse(file.read(path), path)  # type: ignore[return-value]

    def part(self, name: str) -> "dict[str, object] | None":
        """Read what save_part() kept, or give None."""
        path = f"{self.directory}/{name}.json"
        try:
            return load.parse(file.read(path), path)
        except FileNotFoundError:
            return None

    def has_part(self, name: str) -> bool:
        """Tell whether save_part() kept something."""
        return os.path.exists(f"{self.directory}/{name}.json")

    def save_part(self, name: str, document: object) -> None:
        """Keep in a file of its own what few containers have, and few commands read."""
        _write(self.directory, f"{name}.json", encode.dumps(document).encode())

    def own_cgroup(self) -> None:
        """Remember that the cgroups were made for this container, so that it may end what is there.

        Told by a file of its own: it must be known even where state.json is damaged.
        """
        _write(self.directory, "cgroup", b"")

    def disown_cgroup(self) -> None:
        """Forget that they were made for it."""
        try:
            os.unlink(f"{self.directory}/cgroup")
        except FileNotFoundError:
            pass

    @property
    def owns_cgroup(self) -> bool:
        """Whether the cgroups were made for this container, and not only planned."""
        return os.path.exists(f"{self.directory}/cgroup")

    @property
    def socket_path(self) -> str:
        """Where the container waits for its start."""
        return f"{self.directory}/start.sock"


def directory_of(root: str, container_id: str) -> str:
    """Give the state directory of a container."""
    check_id(container_id)
    return f"{root}/{container_id}"


def claim(root: str, container_id: str) -> tuple[State, int]:
    """Make the state directory, which makes the ID ours; give a locked descriptor of it."""
    directory = directory_of(root, container_id)
    try:
        make_root(root)
        os.mkdir(directory, 0o711)
    except FileExistsError:
        raise StateError(
            f"container with given ID already exists: {container_id}",
            f"choose another one, or: ocirun delete {container_id}",
        ) from None
    except OSError as error:
        raise KernelError(
            f"make the state directory: {directory}: {(error.strerror or '').lower()}",
            "choose another place with --root",
        ) from error
    try:
        return State(directory, container_id), lock(directory)
    except OSError as error:
        os.rmdir(directory)
        raise KernelError(
            f"lock the state directory: {directory}: {(error.strerror or '').lower()}"
        ) from error


def make_root(root: str) -> None:
    """Make the state root, with its parents."""
    try:
        os.mkdir(root, 0o711)
    except FileExistsError:
        pass
    except FileNotFoundError:
        make_root(os.path.dirname(root))
        try:
            os.mkdir(root, 0o711)
        except FileExistsError:
            pass  # another command was faster


def lock(path: str, *, wait: bool = True) -> int:
    """Open the state directory (or a file in it) and lock it; the caller closes it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flock(fd, LOCK_EX if wait else LOCK_EX | LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd


def load_state(root: str, container_id: str) -> State:
    """Read the record of a container; StateError if there is none."""
    directory = directory_of(root, container_id)
    path = f"{directory}/state.json"
    try:
        document = load.parse(file.read(path), path)
    except FileNotFoundError:
        if os.path.isdir(directory):
            raise StateError(
                f"container {container_id} is not completely created: {path} is missing",
                f"ocirun delete --force {container_id} removes what is left of it",
            ) from None
        raise StateError(f"container {container_id} does not exist") from None
    except SpecError as error:
        raise _damaged(container_id, error.message) from None
    except OSError as error:
        raise KernelError(
            f"read state: {path}: {(error.strerror or '').lower()}",
            "is it the container of another user?" if isinstance(error, PermissionError) else "",
        ) from error
    version = document.get("version")
    # First: the other fields of a later one may be none of these.
    if isinstance(version, int) and version > VERSION:
        raise StateError(
            f"container {container_id}: {path}: written by a later release of ocirun",
            "use that release, or a later one",
        )
    for field, value in _LATER:
        document.setdefault(field, value)
    for field, kind in (*_FIELDS, *((name, type(value)) for name, value in _LATER)):
        if not isinstance(document.get(field), kind):
            raise _damaged(container_id, f"{path}: {field} is missing or wrong")
    if document["id"] != container_id:
        raise _damaged(container_id, f"{path}: it is the state of {document['id']!r}")
    return _from_document(directory, document)


def _from_document(directory: str, document: "dict[str, object]") -> State:
    # load_state() checked the types against _FIELDS just now.
    found: Record = document  # type: ignore[assignment]
    state = State(directory, found["id"])
    state.oci_version = found["ociVersion"]
    state.bundle = found["bundle"]
    state.rootfs = found["rootfs"]
    state.created = found["created"]
    state.owner = found["owner"]
    state.pid = found["pid"]
    state.start_time = found["startTime"]
    state.creating = found["creating"]
    state.rootless = found["rootless"]
    state.own_pids = found["ownPids"]
    state.host_mounts = found["hostMounts"]
    state.no_keyring = found["noNewKeyring"]
    state.annotations = found["annotations"]
    state.cgroup_paths = found["cgroupPaths"]
    state.cgroups_made = found["cgroupsMade"]
    state.hooks = found["hooks"]
    state.last_operation = found["lastOperation"]
    state.descriptors = found["descriptors"]
    return state


def ids(root: str) -> list[str]:
    """Give the IDs of all containers, sorted; a missing root raises FileNotFoundError."""
    with os.scandir(root) as entries:
        return sorted(
            entry.name
            for entry in entries
            if _ALLOWED.issuperset(entry.name) and entry.is_dir(follow_symlinks=False)
        )


def remove_directory(directory: str) -> None:
    """Remove a state directory and the files in it."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        # Without a descriptor to look with: no other names are ever in it.
        names = [name + ending for name in _FILES for ending in ("", ".new")]
    # state.json last: as long as it is there, what it names can still be cleaned up.
    for name in sorted(names, key=lambda name: name == "state.json"):
        try:
            os.unlink(f"{directory}/{name}")
        except FileNotFoundError:
            continue
    os.rmdir(directory)


def _damaged(container_id: str, why: str) -> StateError:
    return StateError(
        f"container {container_id}: damaged state: {why}",
        f"ocirun delete --force {container_id} removes what is left of it",
    )


def _write(directory: str, name: str, data: bytes) -> None:
    path = f"{directory}/{name}"
    temporary = f"{path}.new"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except OSError as error:
        raise KernelError(
            f"write {name}: {directory}: {(error.strerror or '').lower()}",
            "free some space there, or choose another place with --root",
        ) from error
