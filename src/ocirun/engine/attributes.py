# SPDX-License-Identifier: Apache-2.0
"""The operations for what few processes have: scheduling, I/O priority, personality, memory policy.

They come when the process is in its cgroup and namespaces and still has the rights of
root, and before a seccomp filter, which may forbid these calls to the program.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan
    from ocirun.spec.model import MemoryPolicy, Process, Scheduler

# Numbers of personality(2); the spec leaves out the "PER_" of the kernel.
_PERSONALITIES = {"LINUX": 0, "LINUX32": 8}


def add(plan: "Plan", setting: "Setting", process: "Process") -> None:
    """Append what is asked for; that of the container holds for a process of exec too."""
    from ocirun.linux import sched

    linux = setting.spec.get("linux", {})
    if "scheduler" in process:
        plan.field = "process.scheduler"
        if linux.get("resources", {}).get("cpu", {}).get("cpus"):
            plan.field += " (with linux.resources.cpu.cpus)"
        plan.add("SCHEDULER", 0, _sched_attr(process["scheduler"]), 0)
    if "ioPriority" in process:
        plan.field = "process.ioPriority"
        wanted = process["ioPriority"]
        io_class = sched.IO_CLASSES[wanted["class"]]
        value = sched.io_priority(io_class, wanted.get("priority", 0))
        plan.add("IO_PRIORITY", sched.IOPRIO_WHO_PROCESS, 0, value)
    if "personality" in linux:
        plan.field = "linux.personality"
        plan.add("PERSONALITY", _PERSONALITIES[linux["personality"]["domain"]])
        if flags := linux["personality"].get("flags"):
            # The spec has no flag yet (config-linux.md, "Personality").
            setting.warnings.append(f"ignoring unsupported personality flags: {flags}")
    if "memoryPolicy" in linux:
        plan.field = "linux.memoryPolicy"
        _add_memory_policy(plan, linux["memoryPolicy"])


def _sched_attr(wanted: "Scheduler") -> bytes:
    from ocirun.linux import sched

    flags = 0
    for name in wanted.get("flags", ()):
        flags |= sched.FLAGS[name]
    deadlines = (wanted.get("runtime", 0), wanted.get("deadline", 0), wanted.get("period", 0))
    nice, priority = wanted.get("nice", 0), wanted.get("priority", 0)
    return sched.attr(sched.POLICIES[wanted["policy"]], flags, nice, priority, deadlines)


def _add_memory_policy(plan: "Plan", wanted: "MemoryPolicy") -> None:
    from ocirun.linux import mempolicy, sched
    from ocirun.spec import idlist

    mode = mempolicy.MODES[wanted["mode"]]
    for name in wanted.get("flags", ()):
        mode |= mempolicy.FLAGS[name]
    nodes = idlist.parse(wanted.get("nodes", ""), "linux.memoryPolicy.nodes")
    if nodes:
        mask = sched.mask(nodes)
        # One more than there are: the kernel begins by taking one away.
        plan.add("MEMORY_POLICY", mode, mask, 8 * len(mask) + 1)
    else:
        plan.add("MEMORY_POLICY", mode, None, 0)
