# SPDX-License-Identifier: Apache-2.0
"""Our tables of fields against the JSON schema that the spec publishes.

OCIRUN_SCHEMA names a directory with its files (config-schema.json and those that it refers to).
They are not part of this repository.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.peer.runtime import Config, Json

from ocirun.spec import schema

if TYPE_CHECKING:
    from ocirun.spec.schema import Fields, Kind

#: where our table is narrower, or wider, than the schema, and why
KNOWN = {
    "process.user.uid": "2**32-1 means no id to the kernel",
    "process.user.gid": "2**32-1 means no id to the kernel",
    "process.user.additionalGids[]": "2**32-1 means no id to the kernel",
    "linux.devices[].uid": "2**32-1 means no id to the kernel",
    "linux.devices[].gid": "2**32-1 means no id to the kernel",
    "process.oomScoreAdj": "the bounds of the kernel, proc(5)",
    "process.ioPriority.priority": "config.md: from 0 to 7",
    "process.rlimits[].type": "config.md names them; the schema has only their form",
    "linux.devices[].type": "a pattern of four letters",
    "linux.devices[].fileMode": "engines copy st_mode with the type of the file",
    "linux.resources.devices[].type": "config-linux.md names them; engines also write nothing",
    "linux.seccomp.syscalls[].args[].index": "a system call has six arguments",
    "linux.timeOffsets": "the rules between fields refuse other clocks",
    "linux.timeOffsets.boottime.nanosecs": "a nanosecond is part of a second",
    "linux.timeOffsets.monotonic.nanosecs": "a nanosecond is part of a second",
    "linux.rootfsPropagation": "also the recursive words and none, which engines write",
    "linux.memoryPolicy.mode": "rare.py has the words, and runc's text for one that is none",
    "linux.memoryPolicy.flags[]": "rare.py has the words, and runc's text for one that is none",
    "linux.personality!": "config-linux.md: domain is REQUIRED",
    "linux.resources.pids!": "an engine that has no limit to set writes an empty object",
    "linux.resources.blockIO.throttleReadBpsDevice[]!": "config-linux.md: rate is REQUIRED",
    "linux.resources.blockIO.throttleWriteBpsDevice[]!": "config-linux.md: rate is REQUIRED",
    "linux.resources.blockIO.throttleReadIOPSDevice[]!": "config-linux.md: rate is REQUIRED",
    "linux.resources.blockIO.throttleWriteIOPSDevice[]!": "config-linux.md: rate is REQUIRED",
}
KNOWN |= {
    f"hooks.{kind}[].timeout": "the schema has no upper bound; a number has 63 bits"
    for kind in schema.HOOKS
    if isinstance(kind, str)
}
#: sections of other platforms
FOREIGN = frozenset(("freebsd", "solaris", "vm", "windows", "zos"))


class Published:
    """The files of the schema."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files: dict[str, Config] = {}

    def file(self, name: str) -> Config:
        if name not in self._files:
            self._files[name] = json.loads((self.directory / name).read_text())
        return self._files[name]

    def resolve(self, node: Json, file: str) -> tuple[Config, str]:
        """Follow references, and merge what is said by allOf and anyOf."""
        assert isinstance(node, dict)
        while "$ref" in node:
            place, _, pointer = str(node["$ref"]).partition("#")
            file = place or file
            found: Json = self.file(file)
            for step in filter(None, pointer.split("/")):
                assert isinstance(found, dict)
                found = found[step]
            assert isinstance(found, dict)
            node = found
        parts = [*_items(node.get("allOf")), *_items(node.get("anyOf"))]
        if not parts:
            return node, file
        properties: Config = {}
        required: list[Json] = []
        for part in parts:
            merged, file = self.resolve(part, file)
            properties.update(_fields(merged))
            required += _items(merged.get("required"))
        return {"type": "object", "properties": properties, "required": required}, file

    def compare(self, node: Json, file: str, kind: "Kind", path: str) -> Iterator[str]:
        """Give the path of each field that our table has otherwise."""
        found, file = self.resolve(node, file)
        if found.get("type") == "object" or "properties" in found:
            yield from self._compare_object(found, file, kind, path)
        elif found.get("type") == "array":
            if isinstance(kind, list):
                yield from self.compare(found["items"], file, kind[0], f"{path}[]")
            else:
                yield path
        elif not _same(found, kind):
            yield path

    def _compare_object(self, found: Config, file: str, kind: "Kind", path: str) -> Iterator[str]:
        if not isinstance(kind, dict):
            yield path
            return
        each = found.get("additionalProperties") or next(
            iter(_values(found.get("patternProperties"))), None
        )
        if each:
            yield from self.compare(each, file, kind[str], path + "{}")
            return
        if str in kind:
            yield path
            for name, field in _fields(found).items():
                yield from self.compare(field, file, kind[str], f"{path}.{name}")
            return
        yield from self._compare_fields(found, file, kind, path)

    def _compare_fields(self, found: Config, file: str, kind: "Fields", path: str) -> Iterator[str]:
        required = kind.get(None, ())
        assert isinstance(required, tuple)
        if set(_items(found.get("required"))) != set(required):
            yield f"{path}!"
        theirs = _fields(found)
        # What only one of the two knows is marked, or the whole field is.
        yield from (f"{path}.{name}?" for name in kind if name and str(name) not in theirs)
        for name in theirs.keys() - FOREIGN:
            inside = f"{path}.{name}" if path else name
            if name not in kind:
                yield inside
            else:
                yield from self.compare(theirs[name], file, kind[name], inside)


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _values(value: Json) -> list[Json]:
    return list(value.values()) if isinstance(value, dict) else []


def _fields(node: Config) -> Config:
    properties = node.get("properties", {})
    assert isinstance(properties, dict)
    return properties


def _same(found: Config, kind: "Kind") -> bool:
    if isinstance(kind, tuple):
        return sorted(str(word) for word in _items(found.get("enum"))) == sorted(kind)
    if isinstance(kind, range):
        return (found.get("minimum"), found.get("maximum")) == (kind.start, kind.stop - 1)
    if kind is bool:
        return found.get("type") == "boolean"
    return kind in (str, schema.TEXT) and found.get("type") == "string" and "enum" not in found


def test_our_tables_are_those_of_the_published_schema() -> None:
    place = os.environ.get("OCIRUN_SCHEMA")
    if not place:
        pytest.skip("$OCIRUN_SCHEMA: the files of the published schema")
    published = Published(Path(place))
    root: Json = published.file("config-schema.json")
    found = sorted(set(published.compare(root, "config-schema.json", schema.SPEC, "")))
    assert [path for path in found if path not in KNOWN] == []
    assert [path for path in KNOWN if path not in found] == []
