# SPDX-License-Identifier: Apache-2.0
"""What can be seen of a container's first process, from outside and in a form that can be compared.

Each fact is one line of text under a key such as `status/CapEff` or `mount 03`.  What differs
from run to run and means nothing (ids of mounts, numbers of devices) is left out or counted
anew.  References: proc(5), sched_setattr(2), ioprio_get(2).
"""

import ctypes
import os
import stat
from collections.abc import Iterator
from pathlib import Path

Facts = dict[str, str]

NAMESPACES = "cgroup ipc mnt net pid time user uts".split()

STATUS = (
    "Umask Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters"
    " Speculation_Store_Bypass SpeculationIndirectBranch Cpus_allowed_list Mems_allowed_list"
    " SigBlk SigIgn SigCgt Threads THP_enabled CoreDumping"
).split()

PLAIN = (
    "oom_score_adj uid_map gid_map setgroups timens_offsets personality coredump_filter environ"
    " cmdline attr/current"
).split()

#: the files of a cgroup that say what was asked for, on v1 and on v2
SETTINGS = frozenset(
    """
    blkio.throttle.read_bps_device blkio.throttle.read_iops_device
    blkio.throttle.write_bps_device blkio.throttle.write_iops_device blkio.weight
    blkio.weight_device blkio.bfq.weight blkio.bfq.weight_device
    cpu.cfs_burst_us cpu.cfs_period_us cpu.cfs_quota_us cpu.idle cpu.rt_period_us
    cpu.rt_runtime_us cpu.shares
    cpuset.cpus cpuset.mems cpuset.cpu_exclusive cpuset.mem_exclusive cpuset.memory_migrate
    devices.list
    memory.kmem.limit_in_bytes memory.kmem.tcp.limit_in_bytes memory.limit_in_bytes
    memory.memsw.limit_in_bytes memory.oom_control memory.soft_limit_in_bytes memory.swappiness
    memory.use_hierarchy net_cls.classid net_prio.ifpriomap notify_on_release pids.max
    cpu.max cpu.max.burst cpu.weight cgroup.subtree_control io.max io.weight io.bfq.weight
    memory.high memory.low memory.max memory.min memory.oom.group memory.swap.max
    """.split()
)

#: sched_getattr(2) and ioprio_get(2) by machine
NUMBERS = {"x86_64": (315, 252), "aarch64": (275, 31)}

_syscall = ctypes.CDLL(None, use_errno=True).syscall


def observe(pid: int) -> Facts:
    """Give all facts about a process that stays while we look."""
    facts: Facts = {}
    facts.update(_mounts(pid))
    facts.update(_status(pid))
    facts.update((f"limit/{line[:25].strip()}", line[26:].strip()) for line in _limits(pid))
    for name in PLAIN:
        facts[name] = " ".join(_read(f"/proc/{pid}/{name}").replace("\0", "\n").split("\n"))
    facts.update(_namespaces(pid))
    facts.update(_scheduling(pid))
    facts.update(_descriptors(pid))
    facts.update(_network(pid))
    facts["cwd"] = _link(f"/proc/{pid}/cwd")
    facts.update(_files(f"/proc/{pid}/root"))
    facts.update(_cgroups(pid))
    return facts


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        return os.strerror(error.errno or 0)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError as error:
        return os.strerror(error.errno or 0)


def _mounts(pid: int) -> Facts:
    """Give each mount by its place; peer groups are counted anew, in the order of these places."""
    lines: dict[str, str] = {}
    for line in _read(f"/proc/{pid}/mountinfo").splitlines():
        point = line.split(" ")[4]
        number = 1 + sum(key.rpartition(" ")[0] == f"mount {point}" for key in lines)
        lines[f"mount {point} #{number}"] = line
    groups: dict[str, int] = {}
    return {key: _mount(lines[key], groups) for key in sorted(lines)}


def _mount(line: str, groups: dict[str, int]) -> str:
    before, _, after = line.partition(" - ")
    _, _, device, root, _, options, *optional = before.split(" ")
    kind, source, super_options = after.split(" ", 2)
    numbered = []
    for word in filter(None, optional):
        name, colon, group = word.partition(":")
        numbered.append(name + (f":{groups.setdefault(group, len(groups))}" if colon else ""))
    # Block devices keep their number; the others have one for each instance.
    where = device if not device.startswith("0:") else "-"
    return " ".join([where, root, options, *numbered, "-", kind, source, super_options])


def _status(pid: int) -> Facts:
    facts: Facts = {}
    for line in _read(f"/proc/{pid}/status").splitlines():
        name, _, value = line.partition(":")
        if name in STATUS:
            facts[f"status/{name}"] = " ".join(value.split())
        elif name == "NSpid":
            facts["status/levels of pids"] = str(len(value.split()))
    return facts


def _limits(pid: int) -> Iterator[str]:
    yield from _read(f"/proc/{pid}/limits").splitlines()[1:]


def _namespaces(pid: int) -> Facts:
    return {
        f"namespace/{name}": "the caller's"
        if _link(f"/proc/{pid}/ns/{name}") == _link(f"/proc/self/ns/{name}")
        else "another"
        for name in NAMESPACES
    }


def _scheduling(pid: int) -> Facts:
    fields = _read(f"/proc/{pid}/stat").rpartition(") ")[2].split()
    facts = {
        "stat/session": "its own" if fields[3] == str(pid) else "another's",
        "stat/group": "its own" if fields[2] == str(pid) else "another's",
        "stat/terminal": "none" if fields[4] == "0" else "one",
        "stat/nice": fields[16],
    }
    if numbers := NUMBERS.get(os.uname().machine):
        attr = ctypes.create_string_buffer(48)
        failed = _syscall(numbers[0], pid, attr, len(attr), 0)
        facts["scheduler"] = f"error {ctypes.get_errno()}" if failed else attr.raw.hex()
        facts["I/O priority"] = str(_syscall(numbers[1], 1, pid))
    facts["memory policy"] = _read(f"/proc/{pid}/numa_maps").partition("\n")[0].split(" ")[1]
    return facts


def _descriptors(pid: int) -> Facts:
    """Give what each descriptor is; pipes have no name that lasts."""
    return {
        f"fd/{fd}": _link(f"/proc/{pid}/fd/{fd}").partition("[")[0]
        for fd in sorted(os.listdir(f"/proc/{pid}/fd"), key=int)
    }


def _network(pid: int) -> Facts:
    interfaces = [
        line.partition(":")[0].strip() for line in _read(f"/proc/{pid}/net/dev").splitlines()[2:]
    ]
    up = "127.0.0.1" in _read(f"/proc/{pid}/net/fib_trie")
    return {"network": " ".join(sorted(interfaces)) + (", loopback up" if up else "")}


def _files(root: str) -> Facts:
    """List the root filesystem by lstat(2), but for what the kernel makes in its own."""
    facts: Facts = {}
    device = os.stat(root).st_dev
    pending = [""]
    while pending:
        directory = pending.pop()
        try:
            names = sorted(os.listdir(root + "/" + directory))
        except OSError as error:
            facts[f"file /{directory}/"] = os.strerror(error.errno or 0)
            continue
        for name in names:
            path = f"{directory}/{name}".lstrip("/")
            found = os.lstat(f"{root}/{path}")
            facts[f"file /{path}"] = _describe(f"{root}/{path}", found)
            inside = found.st_dev == device or path.startswith(("dev", "mnt"))
            if stat.S_ISDIR(found.st_mode) and inside:
                pending.append(path)
    return facts


def _describe(path: str, found: os.stat_result) -> str:
    words = [stat.filemode(found.st_mode), str(found.st_uid), str(found.st_gid)]
    if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        words.append(f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}")
    if stat.S_ISREG(found.st_mode):
        words.append("empty" if not found.st_size else "a file")
    if stat.S_ISLNK(found.st_mode):
        words.append("-> " + _link(path))
    return " ".join(words)


def _cgroups(pid: int) -> Facts:
    facts: Facts = {}
    for line in _read(f"/proc/{pid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        name = controllers.removeprefix("name=") or "unified"
        facts[f"cgroup/{name}"] = path
        if path == "/":
            continue  # the host's own
        directory = Path("/sys/fs/cgroup") / name.split(",")[0]
        if not controllers and not directory.is_dir():
            directory = directory.parent
        for setting in sorted(SETTINGS.intersection(_names(f"{directory}{path}"))):
            text = _read(f"{directory}{path}/{setting}").splitlines()
            facts[f"cgroup/{name}/{setting}"] = "; ".join(sorted(text))
    return facts


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
