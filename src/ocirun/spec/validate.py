# SPDX-License-Identifier: Apache-2.0
"""Refuse, before any side effect, a document that the spec does not allow.

The message names the field by its path.  First the kinds of all fields
(schema.py), then the rules between fields; those of `linux` are in linux.py.  Pure: what needs the host (does
the rootfs exist, is this namespace ours, has this kernel that) is the engine's.
Reference: runtime-spec 1.3, config.md and config-linux.md.
"""

from ocirun.errors import SpecError
from ocirun.spec import schema
from ocirun.spec.shape import check, require_absolute, unexpected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Hook, Hooks, Mount, Process, Resources, Rlimit, Scheduler, Spec


def validate(document: "dict[str, object]") -> "Spec":
    """Check config.json; the same object comes back, typed, its null fields dropped.

    If keys were in another case than the spec's, it is a copy (see spelling.py).

    `process` may be absent: only start needs it (config.md, Process).
    """
    from ocirun.spec import linux  # not for exec

    # check() establishes the type.
    spec: Spec = check(document, schema.SPEC, "")  # type: ignore[assignment]
    check_version(spec["ociVersion"], "ociVersion")
    if "root" not in spec:
        raise SpecError("root: required, but missing")
    if not spec["root"]["path"]:
        raise SpecError("root.path: must not be empty")
    if "process" in spec:
        _check_process(spec["process"], "process.")
    namespaces = linux.check(spec.get("linux", {}))
    for name in ("hostname", "domainname"):
        if spec.get(name) and "uts" not in namespaces:
            raise SpecError(f"{name}: needs a uts namespace")
    _check_mounts(spec.get("mounts", []), namespaces)
    _check_hooks(spec.get("hooks", {}))
    if "" in spec.get("annotations", {}):
        raise SpecError("annotations: a key must not be empty")
    return spec


def validate_process(document: "dict[str, object]") -> "Process":
    """Check the document of `exec --process`."""
    # check() establishes the type.
    wanted: Process = check(document, schema.PROCESS, "")  # type: ignore[assignment]
    _check_process(wanted, "")
    return wanted


def validate_resources(document: "dict[str, object]") -> "Resources":
    """Check the document of `update --resources`."""
    from ocirun.spec import linux

    # check() establishes the type.
    wanted: Resources = check(document, schema.RESOURCES, "")  # type: ignore[assignment]
    linux.check_resources(wanted, "")
    return wanted


def check_version(version: str, path: str) -> None:
    """Take any 1.x: minor releases only add (semver.org), and what is unknown is ignored."""
    core = version.partition("+")[0].partition("-")[0]
    numbers = core.split(".")
    if len(numbers) != 3 or not all(n.isascii() and n.isdigit() for n in numbers):
        raise unexpected(version, "a version such as 1.3.0", path)
    if numbers[0] != "1":
        raise unexpected(version, "a version 1.x", path)


def _check_mounts(mounts: "list[Mount]", namespaces: "dict[str, str]") -> None:
    for index, mount in enumerate(mounts):
        path = f"mounts[{index}]"
        if not mount["destination"]:
            raise SpecError(f"{path}.destination: must not be empty")
        options = mount.get("options", ())
        maps = [bool(mount.get(field)) for field in ("uidMappings", "gidMappings")]
        if not (any(maps) or "idmap" in options or "ridmap" in options):
            continue
        if maps[0] != maps[1]:
            raise SpecError(f"{path}: needs both uidMappings and gidMappings, or neither")
        if not maps[0] and "user" not in namespaces:
            raise SpecError(f"{path}: an id-mapped mount needs uidMappings and gidMappings")
        if "bind" not in options and "rbind" not in options:
            raise SpecError(f"{path}: only a bind mount can be id-mapped")
        from ocirun.spec import linux

        linux.check_mappings(mount.get("uidMappings", []), f"{path}.uidMappings")
        linux.check_mappings(mount.get("gidMappings", []), f"{path}.gidMappings")


def _check_hooks(hooks: "Hooks") -> None:
    lists: dict[str, list[Hook]] = hooks  # type: ignore[assignment] # all its known values are lists
    for name, listed in lists.items():
        if name in schema.HOOKS:
            for index, hook in enumerate(listed):
                require_absolute(hook["path"], f"hooks.{name}[{index}].path")


def _check_process(process: "Process", path: str) -> None:
    """Refuse a process that cannot be started as written; `path` is its place."""
    if not process.get("args"):
        raise SpecError(f"{path}args: must not be empty")
    require_absolute(process["cwd"], f"{path}cwd")
    for index, entry in enumerate(process.get("env", ())):
        if entry.find("=") < 1:
            raise unexpected(entry, "NAME=value", f"{path}env[{index}]")
    if "rlimits" in process:
        _check_rlimits(process["rlimits"], f"{path}rlimits")
    # Without a terminal the size must be ignored, even an impossible one.
    if process.get("terminal") and "consoleSize" in process:
        _check_console_size(process["consoleSize"]["height"], f"{path}consoleSize.height")
        _check_console_size(process["consoleSize"]["width"], f"{path}consoleSize.width")
    if "scheduler" in process:
        _check_scheduler(process["scheduler"], f"{path}scheduler")
    if "execCPUAffinity" in process:
        from ocirun.spec import idlist

        affinity = process["execCPUAffinity"]
        idlist.parse(affinity.get("initial", ""), f"{path}execCPUAffinity.initial")
        idlist.parse(affinity.get("final", ""), f"{path}execCPUAffinity.final")


def _check_rlimits(rlimits: "list[Rlimit]", path: str) -> None:
    seen: set[str] = set()
    for index, rlimit in enumerate(rlimits):
        if rlimit["type"] in seen:
            raise SpecError(f"{path}[{index}].type: {rlimit['type']} is given twice")
        seen.add(rlimit["type"])
        # setrlimit(2): EINVAL.
        if rlimit["soft"] > rlimit["hard"]:
            raise SpecError(
                f"{path}[{index}].soft: {rlimit['soft']} is above the hard limit {rlimit['hard']}"
            )


def _check_console_size(cells: int, path: str) -> None:
    # The kernel's struct winsize holds 16 bits, ioctl_tty(2).
    if cells > 0xFFFF:
        raise unexpected(cells, "an integer between 0 and 65535", path)


def _check_scheduler(scheduler: "Scheduler", path: str) -> None:
    policy = scheduler["policy"]
    nice = scheduler.get("nice", 0)
    if policy in ("SCHED_OTHER", "SCHED_BATCH") and not -20 <= nice <= 19:
        raise unexpected(nice, "an integer between -20 and 19", f"{path}.nice")
    if scheduler.get("priority") and policy not in ("SCHED_FIFO", "SCHED_RR"):
        raise SpecError(f"{path}.priority: only for SCHED_FIFO and SCHED_RR, not {policy}")
    if policy != "SCHED_DEADLINE":
        for field in ("runtime", "deadline", "period"):
            if scheduler.get(field):
                raise SpecError(f"{path}.{field}: only for SCHED_DEADLINE, not {policy}")
