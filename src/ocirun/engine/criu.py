# SPDX-License-Identifier: Apache-2.0
"""What checkpoint and restore have in common: what is asked of criu, and what it says.

The files belong to criu: their format, their place and their log are its own.  Settings
of /etc/criu/ocirun.conf, or of the file that the annotation org.criu.config names, win
over ours (criu(8), "CONFIGURATION FILES").
"""

import os
from os.path import normpath

from ocirun._linux import openat2
from ocirun.engine import devices, mounts
from ocirun.errors import KernelError, StateError, UsageError
from ocirun.linux import criu
from ocirun.linux.mount import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.layout import Layout
    from ocirun.linux.criu import Value
    from ocirun.spec.model import Spec

_CLONE_NEWNET = 0x40000000
_NO_MAGICLINKS, _IN_ROOT = 2, 16
#: external pid namespaces, the freezer of cgroup v2, and the notification of lazy pages
_VERSION_MIN = 31500
#: as much as explains itself
_LOG_LEVEL = 4
_CONFIGURATIONS = ("/etc/criu/ocirun.conf", "/etc/criu/runc.conf")

DESCRIPTORS = "descriptors.json"
#: kinds of namespaces that are left alone if they were joined -> their name for criu
EXTERNAL = {"network": "net", "pid": "pid"}


class Job:
    """What is to be done, and how; the flags of `ocirun checkpoint` and `ocirun restore`."""

    __slots__ = (
        "_fds",
        "cgroups_mode",
        "images",
        "log",
        "lsm_mount_context",
        "lsm_profile",
        "page_server",
        "parent",
        "pre_dump",
        "program",
        "status_fd",
        "switches",
        "work",
    )

    def __init__(self, images: str) -> None:
        self.images = images
        #: where criu works and logs; empty: with the images
        self.work = ""
        #: images of an earlier pre-dump, relative to `images`
        self.parent = ""
        self.pre_dump = False
        #: options of criu that are on
        self.switches: dict[str, bool] = {}
        self.cgroups_mode = ""
        self.page_server: tuple[str, int] | None = None
        self.status_fd = -1
        self.lsm_profile = ""
        self.lsm_mount_context = ""
        self.program = ""
        #: the path of criu's log, after open()
        self.log = ""
        self._fds: list[int] = []

    def find_program(self) -> int:
        """Look for criu; give its version."""
        for directory in os.environ.get("PATH", "").split(":"):
            path = f"{directory}/criu"
            if directory and os.path.isfile(path) and os.access(path, os.X_OK):
                self.program = path
                break
        else:
            raise KernelError("criu is not in $PATH", "apt-get install criu")
        try:
            found = criu.version(self.program)
        except OSError as error:
            raise KernelError(
                f"ask criu for its version: {self.program}: {_said(error)}"
            ) from error
        if found < _VERSION_MIN:
            raise KernelError(
                f"criu is too old: {self.program} is version {_dotted(found)}",
                f"{_dotted(_VERSION_MIN)} or a later one is needed",
            )
        if (self.lsm_profile or self.lsm_mount_context) and found < 31600:
            raise KernelError("--lsm-profile and --lsm-mount-context need criu 3.16")
        return found

    def require(self, feature: str, what: str) -> None:
        """Make sure that criu can do something on this kernel."""
        try:
            if criu.has_feature(self.program, feature):
                return
        except OSError as error:
            raise KernelError(
                f"ask criu for {what}: {_said(error)}", "criu check tells more"
            ) from error
        raise KernelError(f"criu is missing features: {what}", "criu check --all tells more")

    def open(self, log: str, top: str = "") -> "dict[str, Value]":
        """Open the directories; give the options that a dump and a restore have in common.

        `top` leads into criu's mount namespace, if that is not ours: it mounts in there.
        """
        wanted: dict[str, Value] = {
            "images_dir_fd": self._open_directory(self.images, top),
            "log_level": _LOG_LEVEL,
            "log_file": log,
            "notify_scripts": True,
            "manage_cgroups": True,
            "manage_cgroups_mode": criu.CGROUP_MODES[self.cgroups_mode],
            # Whoever set up the network does so again, or it is there already.
            "empty_ns": _CLONE_NEWNET,
            "orphan_pts_master": True,
            **self.switches,
        }
        self.log = f"{self.images}/{log}"
        if self.work:
            make_directory(self.work)
            wanted["work_dir_fd"] = self._open_directory(self.work, top)
            self.log = f"{self.work}/{log}"
        return wanted

    def _open_directory(self, path: str, top: str) -> int:
        try:
            # Without links, which would lead out of there.
            fd = os.open(top + os.path.realpath(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise KernelError(f"open {path}: {_said(error)}") from error
        self._fds.append(fd)
        return fd

    def close(self) -> None:
        """Close the directories."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def failure(self, verb: str, container_id: str, error: OSError) -> KernelError:
        """Give the error for what criu refused, in the words of its log."""
        try:
            with open(self.log, errors="replace") as file:
                found = criu.errors(file.read())
            hint = f"its log is {self.log}"
        except OSError:
            # Its own settings may name another one.
            found, hint = [], ""
        reason = "; ".join(found) or _said(error)
        return KernelError(f"{verb} {container_id}: criu: {reason}", hint)


def check_mode(mode: str) -> None:
    """Refuse a word that is none of criu's modes for cgroups."""
    if mode not in criu.CGROUP_MODES:
        raise UsageError(
            f"invalid manage-cgroups-mode value: {mode}", "use soft, full, strict or ignore"
        )


def make_directory(path: str) -> None:
    """Make a directory for root alone, with its parents; that it is there already is fine."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise KernelError(f"make the directory: {path}: not a directory") from None
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
        os.mkdir(path, 0o700)
    except OSError as error:
        raise KernelError(f"make the directory: {path}: {_said(error)}") from error


def configuration(annotations: "dict[str, str]") -> str:
    """Give the file with settings that win over ours; empty: none is wanted."""
    if "org.criu.config" in annotations:
        return annotations["org.criu.config"]
    return next((path for path in _CONFIGURATIONS if os.path.exists(path)), "")


def external_mounts(
    spec: "Spec", bundle: str, rootfs: str, host: "Layout", cgroups: dict[str, str]
) -> list[tuple[str, str]]:
    """Give what is mounted from outside: where in the container, and what of the host."""
    found = []
    own_cgroups = any(
        namespace["type"] == "cgroup" for namespace in spec.get("linux", {}).get("namespaces", [])
    )
    for mount in spec.get("mounts", []):
        where = mounts.destination_of(mount, rootfs)
        if Options(mount.get("options", [])).bind:
            found.append((where, source_of(mount.get("source", ""), bundle)))
        elif mount.get("type") in ("cgroup", "cgroup2") and host.version == 1 and not own_cgroups:
            for hierarchy in host.v1:
                name = os.path.basename(hierarchy.mount)
                path = cgroups.get(hierarchy.controllers[0], hierarchy.own_directory())
                found.append((f"{where}/{name}", path))
    # Bound from the host where the kernel does not let them be made.
    found += [(path, path) for path, _, _ in devices.DEFAULT]
    found += [
        (device["path"], device["path"]) for device in spec.get("linux", {}).get("devices", [])
    ]
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return [(find_real(root, where), source) for where, source in found]
    finally:
        os.close(root)


def source_of(source: str, bundle: str) -> str:
    """Give the path on the host of a bind mount's source."""
    return source if source.startswith("/") else normpath(f"{bundle}/{source}")


def find_real(root: int, where: str) -> str:
    """Give a path below a root without links in it, as far as it exists."""
    rest = ""
    while where != "/":
        try:
            fd = openat2(root, where, os.O_PATH, 0, _NO_MAGICLINKS | _IN_ROOT)
        except OSError:
            where, name = os.path.split(where)
            rest = f"/{name}{rest}"
            continue
        try:
            top = os.readlink(f"/proc/self/fd/{root}").rstrip("/")
            return os.readlink(f"/proc/self/fd/{fd}").removeprefix(top) + rest
        finally:
            os.close(fd)
    return rest or "/"


def external_key(kind: str) -> str:
    """Give the name under which criu finds a joined namespace again, the same as runc's."""
    return f"extRoot{EXTERNAL[kind].capitalize()}NS"


def refuse_unless(found: str, allowed: tuple[str, ...]) -> None:
    """Refuse a container in another state than these, in runc's words."""
    if found not in allowed:
        raise StateError(f"Container cannot be checkpointed in {found} state")


def _dotted(version: int) -> str:
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}"


def _said(error: OSError) -> str:
    return (error.strerror or "").lower()
