# SPDX-License-Identifier: Apache-2.0
"""The seccomp profiles of container engines, as Debian's packages ship them.

None of them is part of this repository.  `./dev test` unpacks the packages below
build/profiles; where they are installed they are found as well.  A profile has conditions,
which the engine resolves when it writes config.json: `resolve` does the same.
"""

import json
import os
from pathlib import Path

import pytest
from tests.repository import TOP

from ocirun.spec.model import Seccomp

UNPACKED = TOP / "build" / "profiles"

#: engine -> Debian's package, and the profile in it
PROFILES = {
    "docker": (
        "golang-github-docker-docker-dev",
        "usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json",
    ),
    "podman": ("golang-github-containers-common", "usr/share/containers/seccomp.json"),
}

#: what both engines leave a container by default
USUAL = frozenset(
    f"CAP_{name}"
    for name in (
        "CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID"
        " SETPCAP SETUID SYS_CHROOT AUDIT_WRITE"
    ).split()
)
#: all that a condition of a profile asks for
ALL = USUAL | frozenset(
    f"CAP_{name}"
    for name in (
        "DAC_READ_SEARCH SYS_ADMIN SYS_BOOT SYS_MODULE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_TIME"
        " SYS_TTY_CONFIG SYS_NICE SYSLOG BPF PERFMON"
    ).split()
)
CAPABILITIES = {"none": frozenset[str](), "usual": USUAL, "all": ALL}

_KEPT = ("names", "action", "errnoRet", "args")

Conditions = dict[str, "str | list[str]"]


def profile(engine: str) -> "dict[str, object]":
    """Read an engine's profile."""
    package, path = PROFILES[engine]
    for root in (UNPACKED / package, Path("/")):
        if (root / path).exists():
            found: dict[str, object] = json.loads((root / path).read_text(encoding="utf-8"))
            return found
    pytest.skip(f"/{path} (package {package})")


def resolve(found: "dict[str, object]", capabilities: frozenset[str]) -> Seccomp:
    """Give what the engine writes into config.json on an x86_64 machine with a new kernel."""
    section: dict[str, object] = {
        key: found[key] for key in ("defaultAction", "defaultErrnoRet") if key in found
    }
    maps = found["archMap"]
    assert isinstance(maps, list)
    (native,) = (entry for entry in maps if entry["architecture"] == "SCMP_ARCH_X86_64")
    section["architectures"] = [native["architecture"], *native["subArchitectures"]]
    entries = found["syscalls"]
    assert isinstance(entries, list)
    section["syscalls"] = [
        {key: entry[key] for key in _KEPT if entry.get(key) is not None}
        for entry in entries
        if _applies(entry, capabilities)
    ]
    return section  # type: ignore[return-value]  # its form is what the tests are about


def _applies(entry: "dict[str, Conditions]", capabilities: frozenset[str]) -> bool:
    wanted, unwanted = entry.get("includes") or {}, entry.get("excludes") or {}
    if "amd64" in unwanted.get("arches", ()) or capabilities.intersection(unwanted.get("caps", ())):
        return False
    if wanted.get("arches") and "amd64" not in wanted["arches"]:
        return False
    if not capabilities.issuperset(wanted.get("caps", ())):
        return False
    return _has_kernel(wanted) and not (unwanted.get("minKernel") and _has_kernel(unwanted))


def _has_kernel(conditions: Conditions) -> bool:
    wanted = conditions.get("minKernel", "0.0")
    assert isinstance(wanted, str)
    return [int(part) for part in os.uname().release.split(".")[:2]] >= [
        int(part) for part in wanted.split(".")
    ]
