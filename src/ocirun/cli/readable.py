# SPDX-License-Identifier: Apache-2.0
"""The numbers of `ocirun top` as people read them."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TITLES = (
    "ID",
    "STATUS",
    "CPU%",
    "MEMORY",
    "LIMIT",
    "PIDS",
    "READ/S",
    "WRITE/S",
    "WAIT% C|M|I",
)


RESOURCES = ("cpu", "memory", "io")


def row(found: dict[str, object]) -> "Iterator[str]":
    """Give the numbers of a container for people, in the order of TITLES."""
    yield str(found["id"])
    yield str(found["status"])
    yield _plain(found["cpuPercent"])
    yield size(found["memory"])
    yield size(found["memoryLimit"])
    limit = found["pidsLimit"]
    yield _plain(found["pids"]) + (f"/{limit}" if limit else "")
    yield size(found["readPerSecond"])
    yield size(found["writtenPerSecond"])
    pressure = found["pressure"]
    assert isinstance(pressure, dict)
    known = any(name in pressure for name in RESOURCES)
    yield "|".join(_plain(pressure.get(name)) for name in RESOURCES) if known else "-"


def _plain(value: object) -> str:
    return "-" if value is None else str(value)


def size(value: object) -> str:
    """Give a number of bytes with three digits and a unit, in powers of 1024."""
    if not isinstance(value, int | float):
        return "-"
    left = float(value)
    for unit in ("B", "K", "M", "G", "T"):
        if left < 999.5 or unit == "T":
            break
        left /= 1024
    return f"{left:.0f}{unit}" if unit == "B" or left >= 100 else f"{left:.3g}{unit}"
