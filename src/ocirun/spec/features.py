# SPDX-License-Identifier: Apache-2.0
"""The document of `ocirun features`: what a config.json may ask this runtime for.

The tables below list what is implemented and tested; edit them in the same
commit that makes it so: engines decide by this document what to write into a
config.json.  It tells of the program, never of the host.
Reference: features.md and features-linux.md; the keys are in runc's order.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERSION_MIN = "1.0.0"
VERSION_MAX = "1.3.0"

HOOKS = (
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
)
# Annotations in a config.json by which whoever wrote it changes more than the
# container; a trailing dot makes a prefix.
UNSAFE_ANNOTATIONS: tuple[str, ...] = ("org.criu.config",)

NAMESPACES = ("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts")
CGROUP = {"v1": True, "v2": True, "systemd": True, "systemdUser": True, "rdma": True}
SECCOMP = ("actions", "operators", "archs", "knownFlags", "supportedFlags")
APPARMOR = True
SELINUX = True
INTEL_RDT = {"enabled": True, "schemata": True, "monitoring": True}
MEMORY_POLICY_MODES = (
    "MPOL_BIND",
    "MPOL_DEFAULT",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
)
MEMORY_POLICY_FLAGS = ("MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES")
IDMAP = True
NET_DEVICES = True


def document(
    *,
    mount_options: "Iterable[str] | None" = None,
    capabilities: "Iterable[str] | None" = None,
    seccomp: "Mapping[str, Iterable[str]] | None" = None,
    annotations: "dict[str, str] | None" = None,
) -> dict[str, object]:
    """Make the Features document.

    The lists that other modules own come from the caller: the mount options
    and capability names that are known, and for seccomp actions, operators,
    archs, knownFlags and supportedFlags.  What is None is left out, which is
    the spec's "unknown".
    """
    whole: dict[str, object] = {
        "ociVersionMin": VERSION_MIN,
        "ociVersionMax": VERSION_MAX,
        "hooks": list(HOOKS),
        "mountOptions": None if mount_options is None else sorted(mount_options),
        "linux": {
            "namespaces": list(NAMESPACES),
            "capabilities": None if capabilities is None else list(capabilities),
            "cgroup": CGROUP,
            "seccomp": None if seccomp is None else _seccomp(seccomp),
            "apparmor": {"enabled": APPARMOR},
            "selinux": {"enabled": SELINUX},
            "intelRdt": INTEL_RDT,
            "memoryPolicy": {
                "modes": list(MEMORY_POLICY_MODES),
                "flags": list(MEMORY_POLICY_FLAGS),
            },
            "mountExtensions": {"idmap": {"enabled": IDMAP}},
            "netDevices": {"enabled": NET_DEVICES},
        },
        "annotations": dict(sorted((annotations or {}).items())),
        "potentiallyUnsafeConfigAnnotations": list(UNSAFE_ANNOTATIONS),
    }
    _drop_unknown(whole)
    return whole


def _seccomp(lists: "Mapping[str, Iterable[str]]") -> dict[str, object]:
    return {"enabled": True, **{name: list(lists[name]) for name in SECCOMP if name in lists}}


def _drop_unknown(value: dict[str, object]) -> None:
    for name in [name for name in value if value[name] is None]:
        del value[name]
    for item in value.values():
        if isinstance(item, dict):
            _drop_unknown(item)
