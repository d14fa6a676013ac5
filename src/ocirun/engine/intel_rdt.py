# SPDX-License-Identifier: Apache-2.0
"""`linux.intelRdt`: the container's group of the resctrl filesystem.

A group that a closID names may be others' too, so it is never removed, and never changed to
mean something else; one that is called like the container is ours (runtime-spec, "IntelRdt").
"""

import os

from ocirun.errors import KernelError, SpecError, StateError
from ocirun.linux import resctrl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    from ocirun.engine.state import State
    from ocirun.spec.model import IntelRdt

    class Record(TypedDict):
        """What is kept with the state of the container."""

        root: str
        group: str
        #: the group that counts, or ""
        counted: str
        #: what create made and delete removes, outermost first
        made: list[str]


_PART = "intelRdt"
_FIELD = "linux.intelRdt"


def check(rdt: "IntelRdt", container_id: str, root: str) -> None:
    """Refuse what this host cannot do, before anything is made."""
    if not root:
        raise SpecError(
            f"{_FIELD}: no resctrl filesystem is mounted",
            "mount -t resctrl resctrl /sys/fs/resctrl, on a CPU that can do it",
        )
    for field, resource in (("l3CacheSchema", "L3"), ("memBwSchema", "MB")):
        if rdt.get(field) and not resctrl.has(root, resource):
            raise SpecError(f"{_FIELD}.{field}: this CPU or kernel has no {resource} to share out")
    if (rdt.get("closID") or container_id) in resctrl.RESERVED:
        what = f"{_FIELD}.closID" if rdt.get("closID") else "container ID"
        raise SpecError(f"{what}: resctrl has a directory of this name", "choose another one")
    group = _group(rdt, container_id, root)
    if not rdt.get("closID"):
        return
    if not os.path.isdir(group):
        if not _lines(rdt):
            raise SpecError(
                f"{_FIELD}.closID: {group} does not exist",
                "make it, or say in schemata what it is to be",
            )
        return
    for field in ("l3CacheSchema", "memBwSchema"):
        line = rdt.get(field, "")
        if line and not resctrl.holds(resctrl.read(group, "schemata"), line):  # type: ignore[arg-type]
            raise SpecError(
                f"{_FIELD}.{field}: {group} is there already, with other values",
                "leave the schemas out to use it as it is, or choose another closID",
            )


def make(rdt: "IntelRdt", state: "State", root: str) -> list[int]:
    """Make the groups; give the files that the process writes "0" to, to enter them."""
    group = _group(rdt, state.id, root)
    counted = f"{group}/mon_groups/{state.id}" if rdt.get("enableMonitoring") else ""
    # Before anything is made, so that even after a crash it is known what to remove.
    wanted = [path for path in (group, counted) if path and not os.path.isdir(path)]
    ours = [path for path in wanted if path == counted or not rdt.get("closID")]
    record: Record = {"root": root, "group": group, "counted": counted, "made": ours}
    state.save_part(_PART, record)
    fds: list[int] = []
    try:
        for path in wanted:
            os.mkdir(path, 0o755)
        if _lines(rdt):
            resctrl.write_schemata(group, _lines(rdt))
        fds.extend(_open_tasks(path) for path in (group, counted) if path)
    except OSError as error:
        for fd in fds:
            os.close(fd)
        if group in wanted and group not in ours:
            # Not others' yet, and never to be removed later.
            _remove([group])
        raise _failed(_FIELD, root, error) from error
    return fds


def open_tasks(state: "State") -> list[int]:
    """Open what one more process of the container enters its groups by; the caller closes it."""
    record = _record(state)
    if not record:
        return []
    fds: list[int] = []
    try:
        fds.extend(_open_tasks(path) for path in (record["group"], record["counted"]) if path)
    except FileNotFoundError:
        # Somebody removed the group: then its processes are in the default one.
        pass
    return fds


def remove(state: "State") -> None:
    """Remove the groups that create made."""
    record = _record(state)
    if record:
        _remove(record["made"])


def check_update(state: "State", l3_cache: str, bandwidth: str) -> None:
    """Refuse schemas that the container's group cannot get."""
    record = _record(state)
    if not record:
        raise StateError(
            f"container {state.id}: updating a non-existent Intel RDT configuration is not supported",
            "linux.intelRdt must be in its config from the start",
        )
    for what, resource, line in (
        ("l3 cache", "L3", l3_cache),
        ("memory bandwidth", "MB", bandwidth),
    ):
        if line and not resctrl.has(record["root"], resource):
            raise KernelError(f"Intel RDT: {what} schema is not enabled")
        if line and ("\n" in line or not line.startswith(f"{resource}:")):
            raise SpecError(f"the {what} schema must be one line that begins with {resource}:")


def update(state: "State", l3_cache: str, bandwidth: str) -> None:
    """Change the schemas of the container's group."""
    record = _record(state)
    assert record  # check_update() has seen it
    try:
        resctrl.write_schemata(record["group"], [line for line in (l3_cache, bandwidth) if line])
    except OSError as error:
        raise _failed("update Intel RDT", record["root"], error) from error


def statistics(state: "State") -> "dict[str, object]":
    """Give the part of the `stats` event, with the names of runc; {} without resctrl."""
    record = _record(state)
    if not record:
        return {}
    found = resctrl.statistics(
        record["root"], record["group"], record["counted"] or record["group"]
    )
    document: dict[str, object] = {}
    for key, info, name in (
        ("L3", "l3_cache_info", "l3_cache_schema"),
        ("MB", "mem_bw_info", "mem_bw_schema"),
    ):
        part = found.get(key)
        if isinstance(part, dict):
            document[info] = part["info"]
            document[f"{name}_root"] = part["root"]
            document[name] = part["group"]
    document["schemata"] = found["schemata"]
    counted = found.get("counted")
    if isinstance(counted, list):
        for key, names in (
            ("mbm_stats", ("mbm_total_bytes", "mbm_local_bytes")),
            ("cmt_stats", ("llc_occupancy",)),
        ):
            document[key] = [{name: one.get(name, 0) for name in names} for one in counted]
    return document


def _group(rdt: "IntelRdt", container_id: str, root: str) -> str:
    closid = rdt.get("closID") or container_id
    return root if closid == "/" else f"{root}/{closid}"


def _lines(rdt: "IntelRdt") -> list[str]:
    schemas = (rdt.get("l3CacheSchema", ""), rdt.get("memBwSchema", ""), *rdt.get("schemata", []))
    return [line for line in schemas if line]


def _open_tasks(group: str) -> int:
    return os.open(f"{group}/tasks", os.O_WRONLY | os.O_CLOEXEC)


def _record(state: "State") -> "Record | None":
    return state.part(_PART)  # type: ignore[return-value]  # make() wrote it


def _remove(made: list[str]) -> None:
    for path in reversed(made):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            continue


def _failed(what: str, root: str, error: OSError) -> KernelError:
    more = resctrl.last_status(root)
    said = (error.strerror or "").lower()
    where = error.filename or f"{root}: write schemata"
    return KernelError(f"{what}: {where}: {said}{f' ({more})' if more else ''}")
