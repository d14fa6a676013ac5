# SPDX-License-Identifier: Apache-2.0
"""`ocirun update`: change the limits of a container that runs; those not named stay.

With `--resources` all other flags for limits are passed over, and so are the document's device
rules, which cannot be changed later: both as runc has it, because engines rely on it.
"""

import os

from ocirun.cli.size import size
from ocirun.engine import update
from ocirun.errors import KernelError, UsageError
from ocirun.spec import load, schema, validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call
    from ocirun.cli.flags import Options

STDIN = 0

# flag -> section, field; by how their values are written.
_COUNTS = {
    "cpu-burst": ("cpu", "burst"),
    "cpu-period": ("cpu", "period"),
    "cpu-rt-period": ("cpu", "realtimePeriod"),
    "cpu-share": ("cpu", "shares"),
}
_NUMBERS = {
    "cpu-idle": ("cpu", "idle"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime"),
}
_SIZES = {
    "memory": ("memory", "limit"),
    "memory-swap": ("memory", "swap"),
    "kernel-memory": ("memory", "kernel"),
    "kernel-memory-tcp": ("memory", "kernelTCP"),
    "memory-reservation": ("memory", "reservation"),
}
_LISTS = {"cpuset-cpus": ("cpu", "cpus"), "cpuset-mems": ("cpu", "mems")}


def invoke(call: "Call") -> int:
    """Change the limits."""
    file = call.options.text("resources")
    document = read_file(file) if file else from_flags(call.options)
    # Not looked at: they cannot be changed, but engines send them along.
    for name in [name for name in document if name.lower() == "devices"]:
        del document[name]
    wanted = validate.validate_resources(document)
    for name in sorted(wanted.keys() - schema.RESOURCES.keys()):
        call.journal.warning(f"{file}: {name} is ignored: no resource has this name")
    schemas = (call.options.text("l3-cache-schema"), call.options.text("mem-bw-schema"))
    update.update(call.root(), call.id, wanted, call.journal.warning, schemas)
    return 0


def read_file(path: str) -> "dict[str, object]":
    """Read the JSON document of `--resources`; "-" is standard input."""
    name = "standard input" if path == "-" else path
    try:
        fd = STDIN if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with open(fd, "rb", closefd=fd != STDIN) as file:
            data = file.read()
    except OSError as error:
        said = (error.strerror or "").lower()
        raise KernelError(f"read {name}: {said}", "see --resources") from None
    return load.parse(data, name)


def from_flags(options: "Options") -> "dict[str, object]":
    """Give the document that the flags stand for; an empty value is none."""
    found: dict[str, dict[str, object]] = {}

    def add(place: tuple[str, str], value: object) -> None:
        found.setdefault(place[0], {})[place[1]] = value

    for table, convert in ((_COUNTS, _count), (_NUMBERS, _number), (_SIZES, _size), (_LISTS, str)):
        for flag, place in table.items():
            text = options.text(flag)
            if text:
                try:
                    add(place, convert(text))
                except ValueError as error:
                    raise UsageError(f"invalid value for {flag}: {error}") from None
    if options.number("blkio-weight"):
        add(("blockIO", "weight"), options.number("blkio-weight"))
    if options.given("pids-limit"):
        add(("pids", "limit"), options.number("pids-limit"))
    return dict(found)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'parsing "{text}": invalid syntax')
    return _in_range(text, 0, 1 << 64)


def _number(text: str) -> int:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f'parsing "{text}": invalid syntax')
    return _in_range(text, -(1 << 63), 1 << 63)


def _in_range(text: str, least: int, end: int) -> int:
    # int() takes no more than some thousand digits.
    value = int(text) if len(text) <= 32 else end
    if not least <= value < end:
        raise ValueError(f'parsing "{text}": value out of range')
    return value


def _size(text: str) -> int:
    return -1 if text == "-1" else size(text)
