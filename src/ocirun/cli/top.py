# SPDX-License-Identifier: Apache-2.0
"""`ocirun top`: what all containers use, redrawn in place; or the same numbers as JSON."""

import os
import select
import time

from ocirun.cli import duration
from ocirun.cli.call import STDOUT, write
from ocirun.cli.readable import TITLES, row
from ocirun.engine import usage
from ocirun.errors import UsageError
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocirun.cli.call import Call
    from ocirun.engine.usage import Usage

INTERVAL = "2s"


def invoke(call: "Call") -> int:
    """Print a sample after each interval, until a key q or a signal ends it."""
    style = call.options.text("format", "table")
    if style not in {"table", "json"}:
        raise UsageError("invalid format option", "use table or json")
    nanoseconds = duration.nanoseconds(call.options.text("interval", INTERVAL))
    if nanoseconds <= 0:
        raise UsageError("--interval: must be more than zero", "for instance --interval 2s")
    once = call.options.switch("once")
    samples = _samples(call.root(), nanoseconds)
    if style == "json":
        for documents in samples:
            write(encode.dumps(documents) + "\n")
            if once:
                break
        return 0
    if once or not os.isatty(STDOUT):
        from ocirun.cli.list import table

        write(table([list(TITLES), *([*row(found)] for found in next(samples))]))
        return 0
    from ocirun.cli import screen

    screen.show(samples)
    return 0


def _samples(root: str, nanoseconds: int) -> "Iterator[list[dict[str, object]]]":
    """Give one list of documents after each interval."""
    before = {found.id: found for found in usage.sample(root, time.monotonic_ns())}
    while _pause(nanoseconds):
        now = usage.sample(root, time.monotonic_ns())
        yield [usage.document(found, before.get(found.id)) for found in _busiest(now, before)]
        before = {found.id: found for found in now}


def _busiest(now: "list[Usage]", before: "dict[str, Usage]") -> "list[Usage]":
    def used(found: "Usage") -> int:
        old = before.get(found.id)
        return (found.cpu or 0) - ((old.cpu or 0) if old else 0)

    return sorted(now, key=used, reverse=True)


def _pause(nanoseconds: int) -> bool:
    """Wait for the interval's end, or for a key; tell whether to go on."""
    until = time.monotonic_ns() + nanoseconds
    keys = select.poll()
    if os.isatty(0) and os.isatty(STDOUT):
        keys.register(0, select.POLLIN)
    while (left := until - time.monotonic_ns()) > 0:
        if keys.poll(left / 1e6) and os.read(0, 64).lower() in (b"q", b"\x03", b"\x04", b""):
            return False
    return True
