# SPDX-License-Identifier: Apache-2.0
"""The fields of every document and the kind of each, as tables of plain values.

A kind is one of
    str, bool         that type; a string must be fit for the kernel (no NUL byte)
    TEXT              a string that never reaches the kernel
    range(...)        an integer in that range
    ("a", "b")        one of these words
    [kind]            a list of that kind
    {str: kind}       an object with free keys
    {"name": kind}    an object with these fields; the key None lists the required ones
shape.py checks a document against them.  What one field means for another is not here.
References: config.md, config-linux.md and the JSON schema of runtime-spec.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    Kind: TypeAlias = "type[str | bool] | str | range | tuple[str, ...] | list[Kind] | Fields"
    Fields: TypeAlias = "Mapping[str | type[str] | None, Kind]"

TEXT = "text"
UINT16 = range(1 << 16)
UINT32 = range(1 << 32)
UINT64 = range(1 << 64)
INT32 = range(-(1 << 31), 1 << 31)
INT64 = range(-(1 << 63), 1 << 63)
# (uid_t) -1 means "leave it as it is" to setresuid(2) and its kin: the user would stay root.
ID = range((1 << 32) - 1)

ID_MAPPING: "Fields" = {
    None: ("containerID", "hostID", "size"),
    "containerID": UINT32,
    "hostID": UINT32,
    "size": UINT32,
}

MOUNT: "Fields" = {
    None: ("destination",),
    "destination": str,
    "type": str,
    "source": str,
    "options": [str],
    "uidMappings": [ID_MAPPING],
    "gidMappings": [ID_MAPPING],
}

HOOK: "Fields" = {
    None: ("path",),
    "path": str,
    "args": [str],
    "env": [str],
    "timeout": range(1, 1 << 63),
}

PROCESS: "Fields" = {
    None: ("cwd",),
    "terminal": bool,
    "consoleSize": {None: ("height", "width"), "height": UINT64, "width": UINT64},
    "user": {
        "uid": ID,
        "gid": ID,
        "umask": UINT32,
        "additionalGids": [ID],
        "username": str,
    },
    "args": [str],
    "commandLine": str,
    "env": [str],
    "cwd": str,
    # Names that this kernel does not know are a warning (config.md, Linux Process), so no words.
    "capabilities": {
        "bounding": [str],
        "effective": [str],
        "inheritable": [str],
        "permitted": [str],
        "ambient": [str],
    },
    "rlimits": [
        {
            None: ("type", "soft", "hard"),
            "type": (
                "RLIMIT_AS",
                "RLIMIT_CORE",
                "RLIMIT_CPU",
                "RLIMIT_DATA",
                "RLIMIT_FSIZE",
                "RLIMIT_LOCKS",
                "RLIMIT_MEMLOCK",
                "RLIMIT_MSGQUEUE",
                "RLIMIT_NICE",
                "RLIMIT_NOFILE",
                "RLIMIT_NPROC",
                "RLIMIT_RSS",
                "RLIMIT_RTPRIO",
                "RLIMIT_RTTIME",
                "RLIMIT_SIGPENDING",
                "RLIMIT_STACK",
            ),
            "soft": UINT64,
            "hard": UINT64,
        }
    ],
    "noNewPrivileges": bool,
    "apparmorProfile": str,
    "oomScoreAdj": range(-1000, 1001),
    "scheduler": {
        None: ("policy",),
        "policy": (
            "SCHED_OTHER",
            "SCHED_FIFO",
            "SCHED_RR",
            "SCHED_BATCH",
            "SCHED_ISO",
            "SCHED_IDLE",
            "SCHED_DEADLINE",
        ),
        "nice": INT32,
        "priority": INT32,
        "flags": [
            (
                "SCHED_FLAG_RESET_ON_FORK",
                "SCHED_FLAG_RECLAIM",
                "SCHED_FLAG_DL_OVERRUN",
                "SCHED_FLAG_KEEP_POLICY",
                "SCHED_FLAG_KEEP_PARAMS",
                "SCHED_FLAG_UTIL_CLAMP_MIN",
                "SCHED_FLAG_UTIL_CLAMP_MAX",
            )
        ],
        "runtime": UINT64,
        "deadline": UINT64,
        "period": UINT64,
    },
    "selinuxLabel": str,
    "ioPriority": {
        None: ("class",),
        "class": ("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"),
        "priority": range(8),
    },
    "execCPUAffinity": {"initial": str, "final": str},
}

THROTTLE_DEVICE: "Fields" = {
    None: ("major", "minor", "rate"),
    "major": INT64,
    "minor": INT64,
    "rate": UINT64,
}

RESOURCES: "Fields" = {
    "unified": {str: str},
    "devices": [
        {
            None: ("allow",),
            "allow": bool,
            "type": ("a", "b", "c", ""),
            "major": INT64,
            "minor": INT64,
            "access": str,
        }
    ],
    "pids": {"limit": INT64},
    "blockIO": {
        "weight": UINT16,
        "leafWeight": UINT16,
        "weightDevice": [
            {
                None: ("major", "minor"),
                "major": INT64,
                "minor": INT64,
                "weight": UINT16,
                "leafWeight": UINT16,
            }
        ],
        "throttleReadBpsDevice": [THROTTLE_DEVICE],
        "throttleWriteBpsDevice": [THROTTLE_DEVICE],
        "throttleReadIOPSDevice": [THROTTLE_DEVICE],
        "throttleWriteIOPSDevice": [THROTTLE_DEVICE],
    },
    "cpu": {
        "cpus": str,
        "mems": str,
        "period": UINT64,
        "quota": INT64,
        "burst": UINT64,
        "realtimePeriod": UINT64,
        "realtimeRuntime": INT64,
        "shares": UINT64,
        "idle": INT64,
    },
    "hugepageLimits": [{None: ("pageSize", "limit"), "pageSize": str, "limit": UINT64}],
    "memory": {
        "kernel": INT64,
        "kernelTCP": INT64,
        "limit": INT64,
        "reservation": INT64,
        "swap": INT64,
        "swappiness": UINT64,
        "disableOOMKiller": bool,
        "useHierarchy": bool,
        "checkBeforeUpdate": bool,
    },
    "network": {
        "classID": UINT32,
        "priorities": [{None: ("name", "priority"), "name": str, "priority": UINT32}],
    },
    "rdma": {str: {"hcaHandles": UINT32, "hcaObjects": UINT32}},
}

SECCOMP_ACTIONS = (
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
)

SECCOMP: "Fields" = {
    None: ("defaultAction",),
    "defaultAction": SECCOMP_ACTIONS,
    "defaultErrnoRet": UINT32,
    "flags": [
        (
            "SECCOMP_FILTER_FLAG_LOG",
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            "SECCOMP_FILTER_FLAG_TSYNC",
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        )
    ],
    "listenerPath": str,
    "listenerMetadata": TEXT,
    "architectures": [
        (
            "SCMP_ARCH_X86_64",
            "SCMP_ARCH_X86",
            "SCMP_ARCH_X32",
            "SCMP_ARCH_AARCH64",
            "SCMP_ARCH_ARM",
            "SCMP_ARCH_LOONGARCH64",
            "SCMP_ARCH_M68K",
            "SCMP_ARCH_MIPS",
            "SCMP_ARCH_MIPS64",
            "SCMP_ARCH_MIPS64N32",
            "SCMP_ARCH_MIPSEL",
            "SCMP_ARCH_MIPSEL64",
            "SCMP_ARCH_MIPSEL64N32",
            "SCMP_ARCH_PARISC",
            "SCMP_ARCH_PARISC64",
            "SCMP_ARCH_PPC",
            "SCMP_ARCH_PPC64",
            "SCMP_ARCH_PPC64LE",
            "SCMP_ARCH_RISCV64",
            "SCMP_ARCH_S390",
            "SCMP_ARCH_S390X",
            "SCMP_ARCH_SH",
            "SCMP_ARCH_SHEB",
        )
    ],
    "syscalls": [
        {
            None: ("names", "action"),
            "names": [str],
            "action": SECCOMP_ACTIONS,
            "errnoRet": UINT32,
            "args": [
                {
                    None: ("index", "value", "op"),
                    # A system call has six arguments.
                    "index": range(6),
                    "value": UINT64,
                    "valueTwo": UINT64,
                    "op": (
                        "SCMP_CMP_EQ",
                        "SCMP_CMP_GE",
                        "SCMP_CMP_GT",
                        "SCMP_CMP_LE",
                        "SCMP_CMP_LT",
                        "SCMP_CMP_MASKED_EQ",
                        "SCMP_CMP_NE",
                    ),
                }
            ],
        }
    ],
}

LINUX: "Fields" = {
    "namespaces": [
        {
            None: ("type",),
            "type": ("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"),
            "path": str,
        }
    ],
    "uidMappings": [ID_MAPPING],
    "gidMappings": [ID_MAPPING],
    "timeOffsets": {str: {"secs": INT64, "nanosecs": range(10**9)}},
    "devices": [
        {
            None: ("type", "path"),
            "type": ("b", "c", "p", "u"),
            "path": str,
            "major": INT64,
            "minor": INT64,
            # Engines copy st_mode here, with the bits of the file type.
            "fileMode": UINT32,
            "uid": ID,
            "gid": ID,
        }
    ],
    "netDevices": {str: {"name": str}},
    "cgroupsPath": str,
    "resources": RESOURCES,
    "rootfsPropagation": (
        "private",
        "rprivate",
        "shared",
        "rshared",
        "slave",
        "rslave",
        "unbindable",
        "runbindable",
        "",
    ),
    "seccomp": SECCOMP,
    "sysctl": {str: str},
    "maskedPaths": [str],
    "readonlyPaths": [str],
    "mountLabel": str,
    "intelRdt": {
        "closID": str,
        "schemata": [str],
        "l3CacheSchema": str,
        "memBwSchema": str,
        "enableMonitoring": bool,
    },
    "memoryPolicy": {
        # Their words are in features.py; rare.py has runc's text for one that is none.
        "mode": str,
        "nodes": str,
        "flags": [str],
    },
    "personality": {None: ("domain",), "domain": ("LINUX", "LINUX32"), "flags": [str]},
}

HOOKS: "Fields" = {
    "prestart": [HOOK],
    "createRuntime": [HOOK],
    "createContainer": [HOOK],
    "startContainer": [HOOK],
    "poststart": [HOOK],
    "poststop": [HOOK],
}

SPEC: "Fields" = {
    None: ("ociVersion",),
    "ociVersion": str,
    "root": {None: ("path",), "path": str, "readonly": bool},
    "mounts": [MOUNT],
    "process": PROCESS,
    "hostname": str,
    "domainname": str,
    "hooks": HOOKS,
    "annotations": {str: TEXT},
    "linux": LINUX,
    # Other platforms' sections are theirs to read: any object will do.
    "freebsd": {},
    "solaris": {},
    "vm": {},
    "windows": {},
    "zos": {},
}
