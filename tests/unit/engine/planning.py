# SPDX-License-Identifier: Apache-2.0
"""A setting to make plans in, without a kernel: a host with cgroup v2 and nothing else."""

from collections.abc import Callable

from ocirun.engine import plan as plans
from ocirun.engine.namespaces import Namespaces
from ocirun.engine.process import Program
from ocirun.engine.setting import Setting
from ocirun.engine.wire import Argument, Operation, Plan
from ocirun.linux.cgroup.layout import Hierarchy, Layout
from ocirun.linux.seccomp_cache import Program as Filter
from ocirun.spec import template
from ocirun.spec.model import Spec

#: one operation, as a test writes it down: its name, then its arguments
Step = tuple[Argument, ...]

STATE = ('{"status":"', '","pid":', "}")


def spec() -> Spec:
    return template.document(rootless=False, euid=0, egid=0, cgroup2=True)


def setting_for(document: Spec) -> Setting:
    host = Layout([], Hierarchy([], "/sys/fs/cgroup", "/", "/"))
    namespaces = Namespaces(document.get("linux", {}).get("namespaces", []))
    # As open() would have it.
    namespaces.fds = dict(zip(namespaces.joined, range(20, 40), strict=False))
    setting = Setting(document, "/bundle", namespaces, host)
    setting.id = "box"
    setting.rootfs = "/bundle/rootfs"
    setting.in_userns = namespaces.private("user")
    return setting


def build(
    document: Spec,
    fds: plans.Fds | None = None,
    seccomp: Filter | None = None,
    change: Callable[[Setting], object] | None = None,
) -> Plan:
    setting = setting_for(document)
    if change:
        change(setting)
    program = Program(document["process"])
    return plans.build(setting, fds or plans.Fds(), program, seccomp, STATE)


def steps(plan: Plan, field: str = "") -> list[Step]:
    """The operations, or those of one field of the config."""
    return [
        (operation.name, *operation.args)
        for operation in plan.operations
        if not field or operation.field == field
    ]


def names(plan: Plan, field: str = "") -> list[str]:
    return [str(step[0]) for step in steps(plan, field)]


def find(plan: Plan, name: str) -> Operation:
    """The only operation of this name."""
    (found,) = (operation for operation in plan.operations if operation.name == name)
    return found
