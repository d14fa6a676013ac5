# SPDX-License-Identifier: Apache-2.0
"""Configs by chance, such as an engine could write: each field of the spec is there or not.

They are meant to work.  A few do not (a limit that the host cannot set, a mount over another),
and then both runtimes have to refuse them.  Reference: config.md, config-linux.md.
"""

import os
import resource
from collections.abc import Callable

from hypothesis import strategies as st
from tests.peer.attributes import attributes
from tests.peer.mounts import mounts
from tests.peer.resources import resources
from tests.peer.runtime import EXEC, Config, Json

#: a field by a name of ours -> whether the peer has it
Knows = Callable[[str], bool]

SECTIONS = (
    "user capabilities rlimits sysctl masks hostname hooks seccomp annotations devices"
    " resources attributes propagation process"
).split()

CAPABILITIES = """
    CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID
    CAP_SETUID CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_CHROOT
    CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_SYS_RESOURCE CAP_MKNOD CAP_AUDIT_WRITE CAP_SYSLOG CAP_BPF
""".split()

#: (name, namespace, values)
SYSCTLS = (
    ("net.ipv4.ip_forward", "network", ("0", "1")),
    ("net/ipv4/ip_default_ttl", "network", ("65", "128")),
    ("net.ipv4.conf.lo.rp_filter", "network", ("0", "2")),
    ("net.core.somaxconn", "network", ("100", "4096")),
    ("kernel.msgmax", "ipc", ("8192", "1024")),
    ("kernel/shmmni", "ipc", ("4096", "100")),
    ("kernel.shm_rmid_forced", "ipc", ("0", "1")),
    ("kernel.sem", "ipc", ("250 32000 100 128",)),
    ("fs.mqueue.msg_max", "ipc", ("10", "30")),
    ("kernel.domainname", "uts", ("example.org",)),
    ("user.max_ipc_namespaces", "user", ("10",)),
)

RLIMITS = """
    AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK
""".split()
#: below this, a shell would not get far, nor a runtime in Go
LEAST = {"AS": 1 << 35, "DATA": 1 << 35, "NOFILE": 40, "NPROC": 500, "STACK": 1 << 20, "CPU": 60}
LEAST |= {"FSIZE": 1 << 16, "RTTIME": 1 << 20}

#: what a shell can live without
SYSCALLS = (
    "mkdir mkdirat acct sync personality ptrace keyctl swapon mknodat symlinkat chmod".split()
)

MAPPINGS: tuple[list[Json], ...] = (
    [{"containerID": 0, "hostID": 100000, "size": 65536}],
    [
        {"containerID": 0, "hostID": 100000, "size": 1},
        {"containerID": 1, "hostID": 200000, "size": 65535},
    ],
    [
        {"containerID": 0, "hostID": 100000, "size": 10},
        {"containerID": 1000, "hostID": 1, "size": 9},
    ],
    [{"containerID": 0, "hostID": 0, "size": 70000}],
)


#: those that have all the ids that a process may be given
ALL_IDS = MAPPINGS[:2] + MAPPINGS[3:]


@st.composite
def configs(draw: st.DrawFn, knows: Knows, name: str) -> Config:
    """Give a config; `name` is unique on this machine, for its cgroup."""
    chosen = draw(st.sets(st.sampled_from(SECTIONS), max_size=6))
    namespaces = draw(_namespaces(knows))
    types = {str(namespace["type"]) for namespace in namespaces if "path" not in namespace}
    env: list[Json] = ["PATH=/usr/bin:/bin", *draw(st.sampled_from(ENVIRONMENTS))]
    process: Config = {"cwd": "/", "args": ["/bin/sh", "-c", "@PROBE@"], "env": env}
    linux: Config = {"namespaces": list(namespaces)}
    config: Config = {"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "process": process}
    config["linux"] = linux
    config["mounts"] = draw(mounts(knows, types))
    if "user" in types:
        mappings = draw(st.sampled_from(MAPPINGS if chosen.isdisjoint(("user",)) else ALL_IDS))
        linux["uidMappings"] = linux["gidMappings"] = mappings
    linux["cgroupsPath"] = draw(st.sampled_from((f"/{name}", f"/{name}-parent/{name}", name)))
    if draw(st.booleans()):
        del linux["cgroupsPath"]
    for section in sorted(chosen - {"resources", "attributes", "devices"}):
        draw(BUILDERS[section](config, process, linux, types))
    _drop_unknown(knows, linux)
    if "attributes" in chosen:
        draw(attributes(knows, config, process, linux, types))
    if chosen & {"resources", "devices"}:
        draw(resources(knows, chosen, linux))
    if "uts" in types and knows("domainname") and "hostname" in chosen:
        config["domainname"] = draw(st.sampled_from(("example.org", "")))
    if not draw(st.integers(0, 3)):
        config[EXEC] = draw(_exec())
    if draw(st.booleans()):
        config["root"] = {"path": "rootfs", "readonly": draw(st.booleans())}
    return config


ENVIRONMENTS: tuple[list[Json], ...] = (
    [],
    ["HOME=/tmp"],
    ["HOME="],
    ["A=1", "B=", "A=2"],
    ["TERM=xterm", "LANG=C.UTF-8", "TEXT=two words", "SIGN=a=b"],
    ["PATH=/bin"],
)


@st.composite
def _namespaces(draw: st.DrawFn, knows: Knows) -> list[Config]:
    kinds = ["mount"]
    if draw(st.integers(0, 9)):
        kinds.append("pid")
    optional = ["ipc", "uts", "network", "cgroup", *(["time"] if knows("time") else [])]
    kinds += [kind for kind in optional if draw(st.integers(0, 3))]
    if not draw(st.integers(0, 4)):
        kinds.append("user")
    namespaces: list[Config] = [{"type": kind} for kind in draw(st.permutations(kinds))]
    if "user" not in kinds and not draw(st.integers(0, 5)):
        for namespace in namespaces:
            if namespace["type"] in ("ipc", "uts", "network") and draw(st.booleans()):
                file = str(namespace["type"]).replace("network", "net")
                namespace["path"] = f"/proc/{os.getpid()}/ns/{file}"
    return namespaces


@st.composite
def _exec(draw: st.DrawFn) -> Config:
    """Give the document of `exec --process`."""
    args: list[Json] = ["/bin/sh", "-c", "@PROBE@"]
    process: Config = {"cwd": "/", "args": args}
    process["env"] = ["PATH=/bin", *draw(st.sampled_from(ENVIRONMENTS))]
    for section in ("user", "capabilities", "rlimits", "process"):
        if draw(st.booleans()):
            draw(BUILDERS[section]({}, process, {}, set()))
    return process


Build = Callable[[Config, Config, Config, set[str]], st.SearchStrategy[None]]


@st.composite
def _user(draw: st.DrawFn, _: Config, process: Config, __: Config, ___: set[str]) -> None:
    ids = st.sampled_from((0, 0, 1, 5, 1000, 1001, 65534))
    user: Config = {"uid": draw(ids), "gid": draw(ids)}
    if draw(st.booleans()):
        user["additionalGids"] = list(draw(st.lists(ids, max_size=4)))
    if draw(st.booleans()):
        user["umask"] = draw(st.sampled_from((0, 0o22, 0o77, 0o777)))
    process["user"] = user


@st.composite
def _capabilities(draw: st.DrawFn, _: Config, process: Config, __: Config, ___: set[str]) -> None:
    some = st.lists(st.sampled_from(CAPABILITIES), max_size=8, unique=True)
    bounding = draw(some)
    sets = {"bounding": bounding, "permitted": draw(st.sampled_from((bounding, draw(some))))}
    sets["effective"] = sets["permitted"][: draw(st.integers(0, 8))]
    sets["inheritable"] = draw(st.sampled_from((bounding, [], bounding[:2])))
    sets["ambient"] = sets["inheritable"][: draw(st.integers(0, 3))]
    left_out = draw(st.sampled_from(((), (), ("ambient",), ("ambient", "inheritable"))))
    process["capabilities"] = {key: list(sets[key]) for key in sets if key not in left_out}


@st.composite
def _rlimits(draw: st.DrawFn, _: Config, process: Config, __: Config, ___: set[str]) -> None:
    limits: list[Json] = []
    for name in draw(st.lists(st.sampled_from(RLIMITS), max_size=5, unique=True)):
        number = getattr(resource, f"RLIMIT_{name}", None)
        most = resource.getrlimit(number)[1] if number is not None else 0
        if most == resource.RLIM_INFINITY:
            most = (1 << 64) - 1
        least = min(LEAST.get(name, 0), most)
        hard = draw(st.sampled_from((most, least, (least + most) // 2)))
        soft = draw(st.sampled_from((hard, least, (least + hard) // 2)))
        limits.append({"type": f"RLIMIT_{name}", "soft": soft, "hard": hard})
    process["rlimits"] = limits


@st.composite
def _sysctl(draw: st.DrawFn, _: Config, process: Config, linux: Config, types: set[str]) -> None:
    known = [entry for entry in SYSCTLS if entry[1] in types]
    if not known:
        return
    chosen = draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True))
    linux["sysctl"] = {name: draw(st.sampled_from(values)) for name, _, values in chosen}
    paths = " ".join(name.replace(".", "/") for name, _, _ in chosen)
    env = process["env"]
    assert isinstance(env, list)
    env.append(f"SYSCTLS={paths}")


@st.composite
def _masks(draw: st.DrawFn, _: Config, __: Config, linux: Config, ___: set[str]) -> None:
    masked = "/proc/kcore /proc/keys /proc/acpi /sys/firmware /nonexistent /etc/group /usr /mnt/0"
    readonly = "/proc/sys /proc/bus /proc/irq /proc/sysrq-trigger /nonexistent /etc /tmp /mnt/1"
    for field, paths in (("maskedPaths", masked), ("readonlyPaths", readonly)):
        linux[field] = list(draw(st.lists(st.sampled_from(paths.split()), max_size=4)))


@st.composite
def _names(draw: st.DrawFn, config: Config, _: Config, __: Config, types: set[str]) -> None:
    if "uts" in types:
        config["hostname"] = draw(st.sampled_from(("box", "box.example.org", "")))


#: it writes who it is, what it was given, and the state without what differs in each run
HOOK = """echo $0 $1 HOME=$HOME A=$A "$(sed -E 's/"pid": ?[0-9]+/"pid":0/')" >>"""


HOOK_ENVIRONMENTS: tuple[list[Json], ...] = (["A=1"], ["A=1", "PATH=/bin", "A=2"], [])


@st.composite
def _hooks(draw: st.DrawFn, config: Config, _: Config, __: Config, ___: set[str]) -> None:
    kinds = "prestart createRuntime createContainer startContainer poststart poststop".split()
    hooks: Config = {}
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=4, unique=True)):
        entries: list[Json] = []
        for index in range(draw(st.integers(0, 2))):
            inside = kind == "startContainer"
            script = HOOK + (" /tmp/hook 2>/dev/null || true" if inside else " $2/hooks")
            args: list[Json] = ["sh", "-c", script, kind, str(index), "@BUNDLE@"]
            hook: Config = {"path": "/bin/sh" if inside else "@BUSYBOX@", "args": args}
            if draw(st.booleans()):
                hook["env"] = draw(st.sampled_from(HOOK_ENVIRONMENTS))
            if draw(st.booleans()):
                hook["timeout"] = draw(st.sampled_from((10, 1000)))
            entries.append(hook)
        hooks[kind] = entries
    config["hooks"] = hooks


#: no call twice: two rules that say the same, or contradict each other, are an error
SOME_CALLS = st.lists(
    st.sampled_from((SYSCALLS[:3], SYSCALLS[3:6], SYSCALLS[6:9], SYSCALLS[9:])),
    max_size=3,
    unique_by=tuple,
)


@st.composite
def _seccomp(draw: st.DrawFn, _: Config, __: Config, linux: Config, ___: set[str]) -> None:
    rules: list[Json] = []
    for names in draw(SOME_CALLS):
        action = draw(st.sampled_from(("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG")))
        rule: Config = {"names": list(names), "action": action}
        if action == "SCMP_ACT_ERRNO" and draw(st.booleans()):
            rule["errnoRet"] = draw(st.sampled_from((1, 2, 38)))
        if draw(st.booleans()):
            rule["args"] = [{"index": 1, "value": 0o777, "op": "SCMP_CMP_EQ"}]
        rules.append(rule)
    seccomp: Config = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}
    if draw(st.booleans()):
        architectures = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64")
        seccomp["architectures"] = list(draw(st.sets(st.sampled_from(architectures))))
    if draw(st.booleans()):
        flags = ("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
        seccomp["flags"] = list(draw(st.sets(st.sampled_from(flags))))
    linux["seccomp"] = seccomp


@st.composite
def _annotations(draw: st.DrawFn, config: Config, _: Config, __: Config, ___: set[str]) -> None:
    keys = st.sampled_from(("org.example.key", "a", "org.opencontainers.image.os"))
    values = st.sampled_from(("", "value", "two\nlines", "\u00fcber"))
    config["annotations"] = dict(draw(st.dictionaries(keys, values)))


@st.composite
def _propagation(draw: st.DrawFn, _: Config, __: Config, linux: Config, ___: set[str]) -> None:
    words = "private rprivate shared rshared slave rslave unbindable runbindable".split()
    linux["rootfsPropagation"] = draw(st.sampled_from(words))


def _drop_unknown(knows: Knows, linux: Config) -> None:
    word = str(linux.get("rootfsPropagation", ""))
    if "unbindable" in word and not knows("an unbindable root"):
        del linux["rootfsPropagation"]


@st.composite
def _process(draw: st.DrawFn, _: Config, process: Config, __: Config, ___: set[str]) -> None:
    process["cwd"] = draw(st.sampled_from(("/", "/tmp", "/root", "/new/directory", "/dev")))
    process["noNewPrivileges"] = draw(st.booleans())
    if draw(st.booleans()):
        process["oomScoreAdj"] = draw(st.sampled_from((0, 100, 999, 1000)))
    if draw(st.booleans()):
        process["terminal"] = False
        process["consoleSize"] = {"height": 30, "width": 90}


BUILDERS: dict[str, Build] = {
    "user": _user,
    "capabilities": _capabilities,
    "rlimits": _rlimits,
    "sysctl": _sysctl,
    "masks": _masks,
    "hostname": _names,
    "hooks": _hooks,
    "seccomp": _seccomp,
    "annotations": _annotations,
    "propagation": _propagation,
    "process": _process,
}
