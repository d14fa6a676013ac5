# SPDX-License-Identifier: Apache-2.0
"""What `run` would do with a bundle: all steps in order, and what this host cannot do.

Nothing is made, and no right is needed.  The steps are those of the real thing: the
plan comes from the same functions, and nothing else decides what it holds.
"""

from ocirun.engine import cgroups, details, doctor, doctor_cgroups, plan as plans, resources, words
from ocirun.engine.create import Creation
from ocirun.engine.findings import BAD, Finding, Host
from ocirun.engine.request import Request
from ocirun.errors import KernelError
from ocirun.linux.cgroup import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocirun.engine.wire import Operation
    from ocirun.linux.cgroup import Cgroup

#: a state root in which nothing can be made, so that no filter is stored
NOWHERE = "/dev/null"
ENGINE, STUB = "engine", "stub"
#: operations that only keep the stub's own descriptors in order
HOUSEKEEPING = frozenset(("FD", "CLOSE"))


class Step:
    """One step: who does it, in words, and the field of the config that asked for it."""

    __slots__ = ("field", "name", "what", "who")

    def __init__(self, who: str, what: str, field: str, name: str = "") -> None:
        self.who = who
        self.what = what
        self.field = field
        #: of the stub's operation
        self.name = name

    def document(self) -> dict[str, object]:
        """Give it as a JSON object."""
        found = {"by": self.who, "field": self.field, "what": self.what}
        return {**found, "operation": self.name} if self.name else {**found}


class Explanation:
    """The steps of a run, the warnings that it would print, and what would stop it."""

    __slots__ = ("problems", "steps", "warnings")

    def __init__(self, steps: list[Step], warnings: list[str], problems: list[Finding]) -> None:
        self.steps = steps
        self.warnings = warnings
        self.problems = problems


def explain(bundle: str, container_id: str) -> Explanation:
    """Read a bundle as `run` does; raise what `run` would refuse in the document itself."""
    request = Request(NOWHERE, container_id, bundle)
    warnings: list[str] = []
    request.warn = warnings.append
    creation = Creation(request, detach=False)
    creation.host = layout.read()
    setting = creation.plan_setting()
    plan = plans.build(setting, plans.Fds(), creation.program, creation.seccomp, ("", "", ""))
    warnings += setting.warnings
    cgroup = _cgroup(creation)
    steps = [
        *_before(creation, cgroup),
        *(_step(plan.operations, index) for index in range(len(plan.operations))),
        *_after(creation, cgroup),
    ]
    return Explanation(steps, warnings, list(_problems(creation, cgroup)))


def _step(operations: "list[Operation]", index: int) -> Step:
    operation = operations[index]
    what = words.describe(operations, index)
    if detail := details.of(operation):
        what = f"{what}: {detail}"
    return Step(STUB, what, operation.field, operation.name)


def _cgroup(creation: Creation) -> "Cgroup | None":
    linux = creation.spec.get("linux", {})
    try:
        request = creation.request
        return cgroups.locate(linux, request.id, creation.host, rootless=request.rootless)
    except KernelError:
        return None


def _before(creation: Creation, cgroup: "Cgroup | None") -> "Iterator[Step]":
    linux = creation.spec.get("linux", {})
    yield Step(ENGINE, f"read and check {creation.request.bundle}/config.json", "")
    if creation.seccomp:
        count = len(creation.seccomp.instructions) // 8
        yield Step(ENGINE, f"compile the filter: {count} instructions", "linux.seccomp")
    yield Step(ENGINE, f"make the state directory of {creation.request.id}, and lock it", "")
    if cgroup:
        for path in dict.fromkeys(cgroup.paths.values()):
            yield Step(ENGINE, f"make the cgroup {path}", "linux.cgroupsPath")
        for limit in resources.settings(linux.get("resources", {}), cgroup.version):
            what = f"write {limit[2]} to {limit[1]}"
            yield Step(ENGINE, what, limit[3])
        rules = len(resources.device_rules(linux))
        yield Step(ENGINE, f"allow devices by {rules} rules", "linux.resources.devices")
    for kind, path in creation.namespaces.joined.items():
        yield Step(ENGINE, f"open {path}", f"linux.namespaces ({kind})")
    yield Step(ENGINE, "start the stub, which carries out the plan", "")
    if cgroup:
        yield Step(STUB, "enter the cgroup", "linux.cgroupsPath")


def _after(creation: Creation, cgroup: "Cgroup | None") -> "Iterator[Step]":
    hooks = creation.spec.get("hooks", {})
    for hook in hooks.get("poststart", ()):
        yield Step(ENGINE, f"run {hook['path']}", "hooks.poststart")
    yield Step(ENGINE, "pass signals on, and wait for the end of the program", "")
    if cgroup:
        yield Step(ENGINE, "end what is left in the cgroup, and remove it", "linux.cgroupsPath")
    yield Step(ENGINE, "remove the state directory", "")
    for hook in hooks.get("poststop", ()):
        yield Step(ENGINE, f"run {hook['path']}", "hooks.poststop")


def _problems(creation: Creation, cgroup: "Cgroup | None") -> "Iterator[Finding]":
    host = Host()
    linux = creation.spec.get("linux", {})
    for finding in doctor.namespaces(host):
        if finding.state == BAD and finding.item in creation.namespaces.made:
            finding.item = f"linux.namespaces ({finding.item})"
            yield finding
    ids = linux.get("uidMappings", []) + linux.get("gidMappings", [])
    if not host.privileged and any(entry["size"] > 1 for entry in ids):
        for finding in doctor.subordinate_ids(host):
            if finding.remedy:
                finding.item = f"linux.uidMappings, linux.gidMappings: {finding.item}"
                yield finding
    if not host.privileged and "user" not in creation.namespaces.made:
        yield Finding(
            "linux.namespaces",
            BAD,
            "an ordinary user needs a user namespace",
            "ocirun spec --rootless",
        )
    yield from _limits_without_controller(creation, cgroup, host)
    yield from _missing_sources(creation)


def _limits_without_controller(
    creation: Creation, cgroup: "Cgroup | None", host: Host
) -> "Iterator[Finding]":
    linux = creation.spec.get("linux", {})
    limits = linux.get("resources", {})
    if not limits.keys() - {"devices"}:
        return
    if cgroup is None:
        yield from doctor_cgroups.hierarchies(host)
        return
    lacking = {
        finding.item.removeprefix("controller "): finding
        for finding in doctor_cgroups.controllers(host)
        if finding.remedy
    }
    names = {"blkio": "io"}
    for controller, file, _, field, _ in resources.settings(limits, cgroup.version):
        found = lacking.get(names.get(controller, controller))
        if found:
            yield Finding(field, BAD, f"no {file}: {found.seen}", found.remedy)
    for finding in doctor_cgroups.rights(host):
        if finding.remedy:
            finding.item = "linux.resources"
            yield finding


def _missing_sources(creation: Creation) -> "Iterator[Finding]":
    from os.path import exists

    from ocirun.linux.mount import Options

    for index, entry in enumerate(creation.spec.get("mounts", ())):
        source = entry.get("source", "")
        if not Options(entry.get("options", [])).bind:
            continue
        path = source if source.startswith("/") else f"{creation.request.bundle}/{source}"
        if not exists(path):
            yield Finding(
                f"mounts[{index}].source", BAD, f"{path} does not exist", "make it, or correct it"
            )
