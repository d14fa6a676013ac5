# SPDX-License-Identifier: Apache-2.0
"""When each step of a run began and ended: what `--trace` writes and `explain --trace` draws.

The stub writes down the start of every operation in a memfd; its end is the start of
the next one.  Times are those of CLOCK_REALTIME, the one clock that a time namespace
does not shift (time_namespaces(7)).
"""

import os
import time
from _struct import Struct

from ocirun.engine import words
from ocirun.errors import KernelError, SpecError
from ocirun.spec import encode, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypedDict

    from ocirun.engine.wire import Operation

    class Entry(TypedDict):
        """One step; times are nanoseconds from the start of the first."""

        by: str
        what: str
        field: str
        start: int
        end: int


VERSION = 1
ENGINE, STUB = "engine", "stub"
_RECORD = Struct("<qqq")  # index of the operation, seconds, nanoseconds
_FIELDS = (("by", str), ("what", str), ("field", str), ("start", int), ("end", int))


class Trace:
    """The steps of one run, as they come."""

    __slots__ = ("_file", "_operations", "_path", "_steps", "fd")

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            # Now: afterwards there is a container, and no way back.
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            said = (error.strerror or "").lower()
            raise KernelError(f"open the trace: {path}: {said}", "see --trace") from error
        #: for the stub, which inherits it
        self.fd = os.memfd_create("trace", os.MFD_CLOEXEC)
        self._operations: list[Operation] = []
        #: start, words, field
        self._steps: list[tuple[int, str, str]] = []

    def step(self, what: str, field: str = "") -> None:
        """Begin a step of the engine; the one before ends."""
        self._steps.append((time.time_ns(), what, field))

    def begin(self, operations: "list[Operation]") -> None:
        """Remember what the stub will carry out."""
        self._operations = operations

    def save(self, container_id: str, warn: "Callable[[str], None]") -> None:
        """Write the file; the last step ends now."""
        end = time.time_ns()
        entries = [*self._engine(end), *self._stub(end)]
        os.close(self.fd)
        zero = min((entry["start"] for entry in entries), default=end)
        for entry in entries:
            entry["start"] -= zero
            entry["end"] -= zero
        document = {"version": VERSION, "id": container_id, "steps": entries}
        try:
            with open(self._file, "w", encoding="utf-8") as file:
                file.write(encode.dumps(document) + "\n")
        except OSError as error:
            warn(f"write the trace: {self._path}: {(error.strerror or '').lower()}")

    def _engine(self, end: int) -> "list[Entry]":
        ends = [start for start, _, _ in self._steps[1:]] + [end]
        return [
            {"by": ENGINE, "what": what, "field": field, "start": start, "end": until}
            for (start, what, field), until in zip(self._steps, ends, strict=True)
        ]

    def _stub(self, end: int) -> "list[Entry]":
        data = os.pread(self.fd, os.fstat(self.fd).st_size, 0)
        records = [_RECORD.unpack_from(data, at) for at in range(0, len(data), _RECORD.size)]
        starts = [seconds * 10**9 + rest for _, seconds, rest in records]
        ends = [*starts[1:], end]
        return [
            {
                "by": STUB,
                "what": words.describe(self._operations, index),
                "field": self._operations[index].field,
                "start": start,
                "end": until,
            }
            for (index, _, _), start, until in zip(records, starts, ends, strict=True)
        ]


def read(path: str) -> "list[Entry]":
    """Read what save() wrote, in the order of the starts."""
    try:
        with open(path, "rb") as file:
            document = load.parse(file.read(), path)
    except OSError as error:
        said = (error.strerror or "").lower()
        raise KernelError(f"read the trace: {path}: {said}", "run --trace writes one") from error
    steps = document.get("steps")
    if document.get("version") != VERSION or not isinstance(steps, list) or not steps:
        raise SpecError(f"{path}: this is no trace", "ocirun run --trace FILE writes one")
    for index, entry in enumerate(steps):
        for name, kind in _FIELDS:
            if not isinstance(entry, dict) or not isinstance(entry.get(name), kind):
                raise SpecError(f"{path}: steps[{index}].{name} is missing or wrong")
    found: list[Entry] = steps
    return sorted(found, key=lambda entry: entry["start"])
