# SPDX-License-Identifier: Apache-2.0
"""The CPUs that a process may use: all of the container's cpuset, unless exec is told otherwise.

What the caller was bound to, by taskset(1) or by a manager of CPUs, is not meant for
the container.  Reference: sched_setaffinity(2); config.md, "execCPUAffinity".
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.wire import Plan
    from ocirun.spec.model import Process

# 8192 CPUs, the most that a kernel can be built for: one that has fewer takes no notice of
# the rest, nor of those that are not in the cpuset.
_ALL = b"\xff" * 1024


def add_reset(plan: "Plan") -> None:
    """Append what allows all CPUs; to be called for a process that is in its cgroup."""
    plan.field = "CPU affinity"
    # The filter of an outer container may forbid it, who then has bound us on purpose.
    plan.attempt("AFFINITY", 0, len(_ALL), _ALL)


def add_initial(plan: "Plan", process: "Process") -> None:
    """Append the CPUs that an exec uses before it is in the container's cgroup, if any."""
    _add(plan, process.get("execCPUAffinity", {}).get("initial", ""), "initial")


def add_final(plan: "Plan", process: "Process") -> None:
    """Append the CPUs that it uses from there on."""
    affinity = process.get("execCPUAffinity", {})
    if affinity.get("final"):
        _add(plan, affinity["final"], "final")
    elif not affinity.get("initial"):
        add_reset(plan)


def _add(plan: "Plan", text: str, name: str) -> None:
    from ocirun.linux import sched
    from ocirun.spec import idlist

    plan.field = f"process.execCPUAffinity.{name}"
    if ids := idlist.parse(text, plan.field):
        mask = sched.mask(ids)
        plan.add("AFFINITY", 0, len(mask), mask)
