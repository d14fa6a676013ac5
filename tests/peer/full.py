# SPDX-License-Identifier: Apache-2.0
"""A config with all that this spec has, as far as any host runs it, and what few hosts do.

mutations.py breaks it one field at a time.  The program ends at once.  The masked paths matter:
they keep a container from running in the mount namespace of the host.
"""

import json
from collections.abc import Callable

from tests.peer.mounts import DEV, MQUEUE, PROC, PTS, SHM, SYS
from tests.peer.runtime import Config, Json

MAPPING: Json = [{"containerID": 0, "hostID": 1000, "size": 10}]
HOOK: Config = {
    "path": "@BUSYBOX@",
    "args": ["true"],
    "env": ["A=1"],
    "timeout": 10,
}
CAPABILITIES: Json = ["CAP_KILL", "CAP_CHOWN"]

BASE: Config = {
    "ociVersion": "1.0.2",
    "root": {"path": "rootfs", "readonly": False},
    "hostname": "box",
    "domainname": "example.org",
    "annotations": {"org.example.key": "value"},
    "process": {
        "terminal": False,
        "consoleSize": {"height": 25, "width": 80},
        "user": {"uid": 0, "gid": 0, "umask": 18, "additionalGids": [5, 6]},
        "args": ["/bin/true", "argument"],
        "env": ["PATH=/usr/bin:/bin", "A=1"],
        "cwd": "/",
        "capabilities": {
            "bounding": CAPABILITIES,
            "effective": CAPABILITIES,
            "inheritable": CAPABILITIES,
            "permitted": CAPABILITIES,
            "ambient": CAPABILITIES,
        },
        "rlimits": [
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
        ],
        "noNewPrivileges": True,
        "oomScoreAdj": 100,
        "scheduler": {"policy": "SCHED_BATCH", "nice": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
        "execCPUAffinity": {"initial": "0", "final": "0-1"},
    },
    "mounts": [
        PROC,
        DEV,
        PTS,
        SHM,
        MQUEUE,
        SYS,
        {
            "destination": "/mnt/0",
            "type": "bind",
            "source": "@BUNDLE@/source/directory",
            "options": ["bind", "ro", "rprivate"],
            "uidMappings": MAPPING,
            "gidMappings": MAPPING,
        },
    ],
    "hooks": {
        "prestart": [HOOK],
        "createRuntime": [HOOK],
        "createContainer": [HOOK],
        "startContainer": [{**HOOK, "path": "/bin/true"}],
        "poststart": [HOOK],
        "poststop": [HOOK],
    },
    "linux": {
        "namespaces": [
            {"type": "mount"},
            {"type": "pid"},
            {"type": "ipc"},
            {"type": "uts"},
            {"type": "network", "path": ""},
            {"type": "cgroup"},
            {"type": "time"},
        ],
        "cgroupsPath": "/@NAME@",
        "timeOffsets": {"boottime": {"secs": 10, "nanosecs": 5}, "monotonic": {"secs": -1}},
        "devices": [
            {
                "type": "c",
                "path": "/dev/first",
                "major": 1,
                "minor": 3,
                "fileMode": 438,
                "uid": 0,
                "gid": 0,
            }
        ],
        "resources": {
            "devices": [
                {"allow": False, "access": "rwm"},
                {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
            ],
            "memory": {
                "limit": 200 << 20,
                "reservation": 100 << 20,
                "swap": 300 << 20,
                "swappiness": 60,
                "disableOOMKiller": False,
                "useHierarchy": True,
                "checkBeforeUpdate": False,
                "kernel": -1,
                "kernelTCP": -1,
            },
            "cpu": {
                "shares": 500,
                "quota": 50000,
                "period": 100000,
                "burst": 0,
                "cpus": "0-1",
                "mems": "0",
            },
            "pids": {"limit": 1000},
            "blockIO": {"weight": 0},
        },
        "rootfsPropagation": "slave",
        "seccomp": {
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"],
            "syscalls": [
                {
                    "names": ["mknodat", "swapon"],
                    "action": "SCMP_ACT_ERRNO",
                    "errnoRet": 1,
                    "args": [{"index": 1, "value": 7, "valueTwo": 0, "op": "SCMP_CMP_EQ"}],
                }
            ],
        },
        "sysctl": {"net.ipv4.ip_forward": "1", "kernel.msgmax": "8192"},
        "maskedPaths": ["/proc/kcore", "/sys/firmware"],
        "readonlyPaths": ["/proc/sys"],
        "personality": {"domain": "LINUX", "flags": []},
        "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
    },
}

#: what a container can also have; each is put into BASE for its own mutations alone
EXTRA: tuple[tuple[str, Json], ...] = (
    ("linux.uidMappings", MAPPING),
    ("linux.gidMappings", MAPPING),
    ("linux.netDevices", {"none0": {"name": "none1"}}),
    ("linux.mountLabel", ""),
    ("linux.intelRdt", {"closID": "group", "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=10"}),
    ("process.apparmorProfile", ""),
    ("process.selinuxLabel", ""),
    ("process.commandLine", "true"),
    ("linux.seccomp.defaultErrnoRet", 1),
    ("linux.seccomp.listenerPath", ""),
    ("linux.seccomp.listenerMetadata", ""),
    ("linux.resources.unified", {"pids.max": "1000"}),
    ("linux.resources.hugepageLimits", [{"pageSize": "2MB", "limit": 0}]),
    ("linux.resources.network", {"classID": 1, "priorities": [{"name": "lo", "priority": 1}]}),
    ("linux.resources.rdma", {"none0": {"hcaHandles": 1, "hcaObjects": 1}}),
    ("linux.resources.cpu.realtimePeriod", 1000000),
    ("linux.resources.cpu.realtimeRuntime", 0),
    ("linux.resources.cpu.idle", 0),
    (
        "linux.resources.blockIO.weightDevice",
        [{"major": 254, "minor": 0, "weight": 10, "leafWeight": 10}],
    ),
    ("linux.resources.blockIO.leafWeight", 10),
    (
        "linux.resources.blockIO.throttleReadBpsDevice",
        [{"major": 254, "minor": 0, "rate": 1000000}],
    ),
    ("process.scheduler.runtime", 0),
    ("process.scheduler.deadline", 0),
    ("process.scheduler.period", 0),
    ("process.scheduler.priority", 0),
    ("process.user.username", "nobody"),
)

#: what an older peer does not know, by the words of conftest.SINCE
NEWER = {
    "time": ("linux.timeOffsets", "linux.namespaces.6"),
    "scheduler": ("process.scheduler",),
    "ioPriority": ("process.ioPriority",),
    "execCPUAffinity": ("process.execCPUAffinity",),
    "personality": ("linux.personality",),
    "memoryPolicy": ("linux.memoryPolicy",),
    "domainname": ("domainname",),
    "idmap": ("mounts.6.uidMappings", "mounts.6.gidMappings"),
    "netDevices": ("linux.netDevices",),
    "idle": ("linux.resources.cpu.idle",),
    "burst": ("linux.resources.cpu.burst",),
}


def base(knows: Callable[[str], bool]) -> Config:
    """Give BASE without what a peer does not know; no two places in it share an object."""
    config = json.loads(json.dumps(BASE))
    assert isinstance(config, dict)
    for word, paths in NEWER.items():
        for path in () if knows(word) else paths:
            _drop(config, path.split("."))
    return config


def extra(knows: Callable[[str], bool]) -> list[tuple[str, Json]]:
    """Give what of EXTRA a peer knows."""
    lacking = tuple(path for word in NEWER for path in NEWER[word] if not knows(word))
    return [entry for entry in EXTRA if not entry[0].startswith(lacking)]


def _drop(config: Json, path: list[str]) -> None:
    for step in path[:-1]:
        if isinstance(config, dict):
            config = config.get(step)
        elif isinstance(config, list):
            config = config[int(step)]
    if isinstance(config, dict):
        config.pop(path[-1], None)
    elif isinstance(config, list):
        del config[int(path[-1])]
