# SPDX-License-Identifier: Apache-2.0
"""The config.json that `ocirun spec` writes: byte for byte runc 1.5's.

Scripts edit it with jq and sed on the assumption that it is that one.  What
depends on the host (the caller's ids, the cgroup version) is an argument.
"""

from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Linux, Mount, Spec

NAMESPACES = ("pid", "network", "ipc", "uts", "mount")
CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/proc/scsi",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
# Destination, type, source, options.  In a user namespace without a network
# namespace of its own a new sysfs is refused, and only one gid is mapped.
MOUNTS = (
    ("/proc", "proc", "proc", ""),
    ("/dev", "tmpfs", "tmpfs", "nosuid strictatime mode=755 size=65536k"),
    ("/dev/pts", "devpts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5"),
    ("/dev/shm", "tmpfs", "shm", "nosuid noexec nodev mode=1777 size=65536k"),  # noqa: S108
    ("/dev/mqueue", "mqueue", "mqueue", "nosuid noexec nodev"),
    ("/sys", "sysfs", "sysfs", "nosuid noexec nodev ro"),
    ("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid noexec nodev relatime ro"),
)
ROOTLESS_SYS = ("/sys", "none", "/sys", "rbind nosuid noexec nodev ro")


def document(*, rootless: bool, euid: int, egid: int, cgroup2: bool) -> "Spec":
    """Make the configuration; `euid` and `egid` count only for rootless."""
    return {
        "ociVersion": "1.3.0",
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "TERM=xterm",
            ],
            "cwd": "/",
            "capabilities": {
                "bounding": list(CAPABILITIES),
                "effective": list(CAPABILITIES),
                "permitted": list(CAPABILITIES),
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "runc",
        "mounts": _mounts(rootless=rootless),
        "linux": _linux(rootless=rootless, euid=euid, egid=egid, cgroup2=cgroup2),
    }


def text(*, rootless: bool, euid: int, egid: int, cgroup2: bool) -> str:
    """Give the same as the text of the file."""
    spec = document(rootless=rootless, euid=euid, egid=egid, cgroup2=cgroup2)
    return encode.dumps_indented(spec, "\t")


def _mounts(*, rootless: bool) -> "list[Mount]":
    mounts: list[Mount] = []
    for entry in MOUNTS:
        destination, kind, source, options = entry
        if rootless and destination == "/sys":
            destination, kind, source, options = ROOTLESS_SYS
        mount: Mount = {"destination": destination, "type": kind, "source": source}
        if options:
            mount["options"] = [
                option
                for option in options.split(" ")
                if not (rootless and option.startswith(("uid=", "gid=")))
            ]
        mounts.append(mount)
    return mounts


def _linux(*, rootless: bool, euid: int, egid: int, cgroup2: bool) -> "Linux":
    # The order of the keys is that of Go's structs, and so of runc's output.
    linux: Linux = {}
    namespaces = [*NAMESPACES, "cgroup"] if cgroup2 else list(NAMESPACES)
    if rootless:
        linux["uidMappings"] = [{"containerID": 0, "hostID": euid, "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": egid, "size": 1}]
        namespaces.remove("network")
        namespaces.append("user")
    else:
        linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    linux["namespaces"] = [{"type": kind} for kind in namespaces]
    linux["maskedPaths"] = list(MASKED_PATHS)
    linux["readonlyPaths"] = list(READONLY_PATHS)
    return linux
