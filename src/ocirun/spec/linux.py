# SPDX-License-Identifier: Apache-2.0
"""The rules about `linux` that its field types do not say.

What one field means for another: namespaces, id mappings, paths, devices,
seccomp; and `resources`, which is also the document of `update --resources`.
What this host can do is not known here.  Reference: config-linux.md.
"""

from ocirun.errors import SpecError
from ocirun.spec.shape import require_absolute, unexpected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from ocirun.spec.model import (
        BlockIo,
        Device,
        DeviceRule,
        HugepageLimit,
        IdMapping,
        Linux,
        Namespace,
        Rdma,
        Resources,
        Seccomp,
    )

RARE = frozenset(("intelRdt", "memoryPolicy", "netDevices", "timeOffsets"))
# The kernel's MKDEV(): what is above becomes another device.
MAJORS, MINORS = 1 << 12, 1 << 20
# seccomp(2): only these return data to the caller or the tracer.
ACTIONS_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")


def check(linux: "Linux") -> "dict[str, str]":
    """Refuse a `linux` that contradicts itself; give the path of each namespace by its type."""
    namespaces = _namespaces(linux.get("namespaces", []))
    _check_user_namespace(linux, namespaces)
    _check_paths(linux.get("maskedPaths", []), "linux.maskedPaths", namespaces)
    _check_paths(linux.get("readonlyPaths", []), "linux.readonlyPaths", namespaces)
    _check_devices(linux.get("devices", []))
    check_resources(linux.get("resources", {}), "linux.resources.")
    if "sysctl" in linux:
        from ocirun.spec import sysctl

        sysctl.check(linux["sysctl"], set(namespaces))
    if "seccomp" in linux:
        _check_seccomp(linux["seccomp"])
    if not RARE.isdisjoint(linux):
        from ocirun.spec import rare

        rare.check(linux, namespaces)
    return namespaces


def _namespaces(namespaces: "list[Namespace]") -> "dict[str, str]":
    """Give the path of each namespace by its type; "" is a new one."""
    paths: dict[str, str] = {}
    for index, namespace in enumerate(namespaces):
        kind = namespace["type"]
        path = namespace.get("path", "")
        if kind in paths:
            raise SpecError(f"linux.namespaces[{index}].type: {kind} is given twice")
        if path:
            require_absolute(path, f"linux.namespaces[{index}].path")
        paths[kind] = path
    return paths


def _check_user_namespace(linux: "Linux", namespaces: "dict[str, str]") -> None:
    uids, gids = linux.get("uidMappings", []), linux.get("gidMappings", [])
    for field, mappings in (("uidMappings", uids), ("gidMappings", gids)):
        if mappings and "user" not in namespaces:
            raise SpecError(f"linux.{field}: needs a user namespace")
        # A namespace joined by path has its mappings already.
        if not mappings and namespaces.get("user") == "":
            raise SpecError(f"linux.{field}: a new user namespace needs at least one mapping")
        check_mappings(mappings, f"linux.{field}")


def check_mappings(mappings: "list[IdMapping]", path: str) -> None:
    """Refuse what user_namespaces(7) says that the kernel refuses in any map."""
    for index, mapping in enumerate(mappings):
        size = mapping["size"]
        if not size:
            raise SpecError(f"{path}[{index}].size: must not be 0")
        if max(mapping["containerID"], mapping["hostID"]) + size > 1 << 32:
            raise SpecError(f"{path}[{index}]: runs past the last ID")


def _check_paths(paths: list[str], field: str, namespaces: "dict[str, str]") -> None:
    if paths and "mount" not in namespaces:
        raise SpecError(f"{field}: needs a mount namespace")
    for index, path in enumerate(paths):
        require_absolute(path, f"{field}[{index}]")


def _check_devices(devices: "list[Device]") -> None:
    for index, device in enumerate(devices):
        path = f"linux.devices[{index}]"
        require_absolute(device["path"], f"{path}.path")
        if device["type"] != "p":
            _check_number(device, "major", MAJORS, path)
            _check_number(device, "minor", MINORS, path)


def _check_number(
    device: "Device", field: "Literal['major', 'minor']", most: int, path: str
) -> None:
    if field not in device:
        raise SpecError(f"{path}.{field}: required, but missing")
    if not 0 <= device[field] < most:
        raise unexpected(device[field], f"an integer between 0 and {most - 1}", f"{path}.{field}")


def _check_seccomp(seccomp: "Seccomp") -> None:
    action = seccomp["defaultAction"]
    if "defaultErrnoRet" in seccomp and action not in ACTIONS_WITH_ERRNO:
        raise SpecError(f"linux.seccomp.defaultErrnoRet: {action} does not return an errno")
    if seccomp.get("listenerMetadata") and not seccomp.get("listenerPath"):
        raise SpecError("linux.seccomp.listenerMetadata: needs listenerPath")
    for index, rule in enumerate(seccomp.get("syscalls", ())):
        path = f"linux.seccomp.syscalls[{index}]"
        if not rule["names"]:
            raise SpecError(f"{path}.names: must not be empty")
        if "errnoRet" in rule and rule["action"] not in ACTIONS_WITH_ERRNO:
            raise SpecError(f"{path}.errnoRet: {rule['action']} does not return an errno")


def check_resources(resources: "Resources", path: str) -> None:
    """Refuse resources that no cgroup can express; `path` is their place."""
    _check_device_rules(resources.get("devices", []), f"{path}devices")
    if "blockIO" in resources:
        _check_weights(resources["blockIO"], f"{path}blockIO.weightDevice")
    _check_hugepages(resources.get("hugepageLimits", []), f"{path}hugepageLimits")
    _check_rdma(resources.get("rdma", {}), f"{path}rdma")
    for name in resources.get("unified", {}):
        if "/" in name or name in ("", ".", ".."):
            raise SpecError(f'{path}unified["{name}"]: must be a file name (no slashes)')


def _check_device_rules(rules: "list[DeviceRule]", path: str) -> None:
    for index, rule in enumerate(rules):
        access = rule.get("access", "")
        # Nothing says what a rule without access allows: better no guess.  Letters that mean nothing
        # beside others are passed over, as runc does, with a warning by the engine.
        if "r" not in access and "w" not in access and "m" not in access:
            raise unexpected(access, "one or more of r, w and m", f"{path}[{index}].access")


def _check_weights(block_io: "BlockIo", path: str) -> None:
    for index, device in enumerate(block_io.get("weightDevice", [])):
        if "weight" not in device and "leafWeight" not in device:
            raise SpecError(f"{path}[{index}]: needs weight or leafWeight")


def _check_hugepages(limits: "list[HugepageLimit]", path: str) -> None:
    for index, limit in enumerate(limits):
        size = limit["pageSize"]
        digits = size[:-2]
        if (
            size[-2:] not in ("KB", "MB", "GB")
            or not (digits.isascii() and digits.isdigit())
            or digits[0] == "0"
        ):
            raise unexpected(size, "a size such as 64KB, 2MB or 1GB", f"{path}[{index}].pageSize")


def _check_rdma(devices: "dict[str, Rdma]", path: str) -> None:
    for name, limits in devices.items():
        if "hcaHandles" not in limits and "hcaObjects" not in limits:
            raise SpecError(f'{path}["{name}"]: needs hcaHandles or hcaObjects')
