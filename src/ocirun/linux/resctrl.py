# SPDX-License-Identifier: Apache-2.0
"""Shares of caches and memory bandwidth: the groups of the resctrl filesystem.

A group is a directory at its top, with a `schemata` and a `tasks` file; below its
`mon_groups` are groups that only count.  Where it is mounted is a value here; `mount_point`
finds it.  The kernel's filesystems/resctrl.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    Numbers = dict[str, int]

#: directories of its own, which no group can be called
RESERVED = ("info", "mon_groups", "mon_data")


def mount_point() -> str:
    """Give the place where resctrl is mounted, or ""."""
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            left, _, right = line.partition(b" - ")
            if right.startswith(b"resctrl "):
                return os.fsdecode(left.split(b" ", 5)[4])
    return ""


def has(root: str, resource: str) -> bool:
    """Tell whether the CPU can share a resource out: "L3", "MB", or can count: "L3_MON"."""
    return os.path.isdir(f"{root}/info/{resource}")


def read(directory: str, file: str) -> str:
    """Return the text of a file."""
    with open(f"{directory}/{file}", "rb") as opened:
        return opened.read().decode(errors="replace")


def write_schemata(group: str, lines: list[str]) -> None:
    """Write all lines in one system call, as they were given."""
    fd = os.open(f"{group}/schemata", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, "".join(f"{line}\n" for line in lines).encode())
    finally:
        os.close(fd)


def last_status(root: str) -> str:
    """Return what the kernel says of the last failure, beside the errno; "" if nothing."""
    try:
        text = read(f"{root}/info", "last_cmd_status").strip()
    except OSError:
        return ""
    return "" if text == "ok" else text


def holds(schemata: str, line: str) -> bool:
    """Tell whether a group's schemata already say what this line says; pure."""
    name, values = _parse(line)
    now = dict(_parse(one) for one in schemata.splitlines()).get(name, {})
    return all(now.get(domain) == value for domain, value in values.items())


def _parse(line: str) -> "tuple[str, dict[str, int | str]]":
    name, _, rest = line.strip().partition(":")
    found: dict[str, int | str] = {}
    for part in rest.split(";"):
        domain, _, value = part.strip().partition("=")
        # A mask of bits is hexadecimal, a bandwidth is not; leading zeros mean nothing.
        try:
            found[domain.lstrip("0") or "0"] = int(value, 10 if name.strip() == "MB" else 16)
        except ValueError:
            found[domain] = value
    return name.strip(), found


def statistics(root: str, group: str, counted: str) -> "dict[str, object]":
    """Return what `root` can do, what `group` may use, and what `counted` has used."""
    found: dict[str, object] = {}
    everything, own = read(root, "schemata"), read(group, "schemata")
    for key, resource, names in (
        ("L3", "L3", ("cbm_mask", "min_cbm_bits", "num_closids")),
        ("MB", "MB", ("bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids")),
    ):
        if has(root, resource):
            texts = {name: read(f"{root}/info/{resource}", name).strip() for name in names}
            found[key] = {
                "info": {n: t if n == "cbm_mask" else int(t) for n, t in texts.items()},
                "root": _line(everything, key),
                "group": _line(own, key),
            }
    found["schemata"] = [line.strip() for line in own.strip().splitlines()]
    if has(root, "L3_MON"):
        found["counted"] = _counters(f"{counted}/mon_data")
    return found


def _line(schemata: str, name: str) -> str:
    lines = [line.strip() for line in schemata.splitlines()]
    return next((line for line in lines if line.startswith(f"{name}:")), "")


def _counters(directory: str) -> "list[Numbers]":
    found = []
    for domain in sorted(os.listdir(directory)):
        numbers = {}
        for file in sorted(os.listdir(f"{directory}/{domain}")):
            text = read(f"{directory}/{domain}", file).strip()
            # "Unavailable", "Unassigned": just now nothing can be told.
            numbers[file] = int(text) if text.isdigit() else 0
        found.append(numbers)
    return found
