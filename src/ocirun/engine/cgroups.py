# SPDX-License-Identifier: Apache-2.0
"""The container's cgroups: where they are, what limits they get, and doing without them.

Without root there may be no cgroup that we can make.  Then a container that asks for
no limit runs without one; a limit that cannot be set is an error.
"""

import errno
import os

from ocirun.engine import resources
from ocirun.errors import KernelError, SpecError, StateError
from ocirun.linux import cgroup as linux_cgroup
from ocirun.linux.cgroup.settings import SettingError
from ocirun.linux.mount import RDONLY, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.namespaces import Namespaces
    from ocirun.linux.cgroup import Cgroup
    from ocirun.linux.cgroup.layout import Layout
    from ocirun.spec.model import Linux, Resources, Spec

_PIDS_MAX = "pids.max"


def locate(linux: "Linux", container_id: str, host: "Layout", *, rootless: bool) -> "Cgroup | None":
    """Plan the container's cgroups without making anything; None on a host that has none."""
    path = linux.get("cgroupsPath", "")
    if path and os.path.normpath("/" + path).strip("/") == "":
        raise SpecError(
            f"linux.cgroupsPath: {path} is no cgroup of the container's own", "name one below it"
        )
    try:
        return linux_cgroup.plan(path or container_id, host)
    except OSError as error:
        if rootless and not linux.get("cgroupsPath") and not linux.get("resources"):
            return None
        raise KernelError(
            f"find the cgroups of this host: {(error.strerror or '').lower()}",
            "mount cgroup2 on /sys/fs/cgroup",
        ) from error


def create(cgroup: "Cgroup", linux: "Linux", *, rootless: bool) -> "Cgroup | None":
    """Make the cgroups and set their limits; None if an ordinary user has to do without."""
    try:
        cgroup.create(tolerant=rootless)
        if not cgroup.paths:
            _check_dispensable(cgroup, linux)
            return None
        if cgroup.existed():
            check_existing(cgroup)
        _apply(cgroup, linux, rootless=rootless)
    except BaseException as error:
        cgroup.discard()
        if isinstance(error, SettingError):
            raise resources.explain(error, cgroup.version) from error
        if isinstance(error, OSError):
            raise KernelError(
                f"make the cgroup: {error.filename or '?'}: {(error.strerror or '').lower()}",
                _hint(error.errno, rootless=rootless),
            ) from error
        raise
    return cgroup


def fill(cgroup: "Cgroup", linux: "Linux", *, rootless: bool) -> None:
    """Set the limits of cgroups that systemd has made, and make those that it knows nothing of."""
    try:
        cgroup.create(tolerant=rootless)
        _apply(cgroup, linux, rootless=rootless)
    except SettingError as error:
        raise resources.explain(error, cgroup.version) from error
    except OSError as error:
        raise KernelError(
            f"set up the cgroup: {error.filename or '?'}: {(error.strerror or '').lower()}",
            _hint(error.errno, rootless=rootless),
        ) from error


def check_disabled(linux: "Linux") -> None:
    """Refuse the limits of a container that is to have no cgroup."""
    limits = sorted(linux.get("resources", {}).keys() - {"devices"})
    if limits:
        raise SpecError(
            f"linux.resources.{limits[0]}: cannot be had with --cgroup-manager=disabled",
            "leave it out, or let ocirun or systemd make a cgroup",
        )


def ignored(cgroup: "Cgroup | None", linux: "Linux") -> list[str]:
    """Give a warning for each limit that this host has no place for."""
    limits = linux.get("resources")
    return resources.ignored(limits, cgroup.version) if cgroup and limits else []


def owner(spec: "Spec", namespaces: "Namespaces") -> int:
    """Give the host's uid that gets the cgroup for its own, or -1; of use with v2 only.

    runtime-spec, config-linux.md, "Cgroup ownership": if the container sees no other cgroup,
    and its mount can be written.
    """
    writable = any(
        mount.get("type") in ("cgroup", "cgroup2")
        and os.path.normpath(mount["destination"]) == "/sys/fs/cgroup"
        and not Options(mount.get("options", [])).set & RDONLY
        for mount in spec.get("mounts", [])
    )
    if not writable or "cgroup" not in namespaces.made:
        return -1
    uid = spec["process"].get("user", {}).get("uid", 0)
    if not namespaces.private("user"):
        return uid
    for mapping in spec.get("linux", {}).get("uidMappings", []):
        if 0 <= uid - mapping["containerID"] < mapping["size"]:
            return mapping["hostID"] + uid - mapping["containerID"]
    return -1


def delegate(cgroup: "Cgroup", uid: int, *, rootless: bool) -> None:
    """Let the container make cgroups of its own below."""
    if uid in (-1, os.geteuid()):
        return
    try:
        cgroup.delegate(uid)
    except OSError as error:
        # An ordinary user has nobody to give it to but himself.
        if not rootless:
            raise KernelError(
                f"give the cgroup to user {uid}: {error.filename}: {(error.strerror or '').lower()}"
            ) from error


def _apply(cgroup: "Cgroup", linux: "Linux", *, rootless: bool) -> None:
    limits = resources.settings(linux.get("resources", {}), cgroup.version)
    cgroup.write(limit for limit in limits if limit[1] != _PIDS_MAX)
    rules = resources.device_rules(linux)
    try:
        cgroup.allow_devices(rules)
    except OSError as error:
        # An ordinary user cannot make device nodes anyway.
        if not rootless:
            file = f"{error.filename}: " if error.filename else ""
            raise KernelError(
                f"set linux.resources.devices: {file}{(error.strerror or '').lower()}"
            ) from error


def rewrite(cgroup: "Cgroup", limits: "Resources") -> None:
    """Set all limits once more, after somebody else has."""
    try:
        cgroup.write(resources.settings(limits, cgroup.version))
    except SettingError as error:
        raise resources.explain(error, cgroup.version) from error


def limit_processes(cgroup: "Cgroup", linux: "Linux") -> None:
    """Set the limit on processes, which is for the container's own and not for the stub's."""
    limits = resources.settings(linux.get("resources", {}), cgroup.version)
    try:
        cgroup.write(limit for limit in limits if limit[1] == _PIDS_MAX)
    except SettingError as error:
        raise resources.explain(error, cgroup.version) from error


def _check_dispensable(cgroup: "Cgroup", linux: "Linux") -> None:
    error = next(iter(cgroup.refused.values()))
    if linux.get("cgroupsPath") or linux.get("resources", {}).keys() - {"devices"}:
        raise KernelError(
            f"make the cgroup: {error.filename}: {(error.strerror or '').lower()}",
            _hint(error.errno, rootless=True),
        ) from error


def check_existing(cgroup: "Cgroup") -> None:
    """Refuse cgroups that were there before if somebody lives in them, or could not live there."""
    where = next(iter(cgroup.paths.values()))
    if cgroup.frozen():
        raise StateError(
            f"linux.cgroupsPath: {where}: container's cgroup unexpectedly frozen",
            "thaw it, or choose another path",
        )
    if cgroup.populated():
        raise StateError(
            f"linux.cgroupsPath: {where}: container's cgroup is not empty",
            "choose another path, or stop the processes in it",
        )


def _hint(number: int | None, *, rootless: bool) -> str:
    if number in (errno.EINVAL, errno.ENAMETOOLONG):
        return "choose another linux.cgroupsPath: the kernel does not take this name"
    if rootless:
        return (
            "ask root to delegate a cgroup to you, or leave out"
            " linux.cgroupsPath and linux.resources"
        )
    return "is this cgroup file system writable here?"
