# SPDX-License-Identifier: Apache-2.0
"""Every field of full.py broken in every way that its value offers: thousands of bad configs."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.peer.full import base, extra
from tests.peer.runtime import Config, Json

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Mutation:
    """One config with one thing wrong in it (or not, after all)."""

    path: str
    #: what was done to the field
    what: str
    text: str


def mutations(knows: Callable[[str], bool]) -> Iterator[Mutation]:
    """Give all of them for a peer that knows these fields, in an order that never changes."""
    yield from _of(base(knows), ())
    for name, value in extra(knows):
        config = base(knows)
        path: Path = tuple(name.split("."))
        _put(config, path, value)
        config = _copy(config)
        if name in ("linux.uidMappings", "linux.gidMappings"):
            _add_user_namespace(config, value)
        yield from _of(config, path)


def _add_user_namespace(config: Config, mappings: Json) -> None:
    linux = config["linux"]
    assert isinstance(linux, dict)
    linux["uidMappings"] = linux["gidMappings"] = mappings
    namespaces = linux["namespaces"]
    assert isinstance(namespaces, list)
    namespaces.append({"type": "user"})


def _of(config: Config, top: Path) -> Iterator[Mutation]:
    for path, value in _walk(config, top):
        for what, new in _wrong(value):
            changed = _copy(config)
            _put(changed, path, new)
            yield Mutation(_name(path), what, json.dumps(changed))
        if path:
            changed = _copy(config)
            _drop(changed, path)
            yield Mutation(_name(path), "left out", json.dumps(changed))


def _walk(config: Json, top: Path) -> Iterator[tuple[Path, Json]]:
    pending: list[tuple[Path, Json]] = [(top, _get(config, top))]
    while pending:
        path, value = pending.pop(0)
        yield path, value
        if isinstance(value, dict):
            pending += [((*path, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            pending += [((*path, index), item) for index, item in enumerate(value[:2])]


def _wrong(value: Json) -> Iterator[tuple[str, Json]]:
    """Give what a value could be instead."""
    yield "null", None
    others: tuple[Json, ...] = ("text", 5, 1.5, True, [], {})
    for other in others:
        if type(other) is not type(value):
            yield f"{type(other).__name__} in its place", other
    if isinstance(value, str):
        yield from _wrong_text(value)
    elif type(value) is int:
        for number in (-2, -1, 0, 1, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63, 1 << 64):
            yield f"number {number}", number
        yield "number -2**63-1", -(1 << 63) - 1
        yield "float", float(value)
    elif isinstance(value, list):
        yield "empty", []
        if value:
            yield "twice the same", [value[0], *value]
            yield "null in it", [*value, None]
            yield "a list in it", [*value, []]
            yield "text in it", [*value, "text"]
            yield "a number in it", [*value, 5]
    elif isinstance(value, dict):
        yield "empty", {}
        yield "an unknown field", {**value, "unknown": {"a": [1]}}
        yield "a field without name", {**value, "": "x"}
        yield "a name with NUL", {**value, "a\0b": "x"}
        yield "names in other case", {key.upper(): item for key, item in value.items()}


def _wrong_text(value: str) -> Iterator[tuple[str, Json]]:
    yield "empty", ""
    yield "NUL", value + "\0x"
    yield "NUL first", "\0" + value
    yield "unknown word", value + "_x"
    yield "other case", value.swapcase()
    yield "space after it", value + " "
    yield "line break after it", value + "\n"
    yield "long", value + "x" * 5000
    yield "relative", value.lstrip("/") if value.startswith("/") else "./" + value
    yield "up", value + "/../../.."


def _copy(value: Config) -> Config:
    """Give a copy in which no two places share an object, as copy.deepcopy() would let them."""
    copied = json.loads(json.dumps(value))
    assert isinstance(copied, dict)
    return copied


def _get(value: Json, path: Path) -> Json:
    for step in path:
        if isinstance(value, dict):
            value = value[str(step)]
        elif isinstance(value, list):
            value = value[int(step)]
    return value


def _put(config: Json, path: Path, new: Json) -> None:
    above = _get(config, path[:-1])
    if not path:
        assert isinstance(config, dict)
        config.clear()
        config.update(new if isinstance(new, dict) else {"": new})
    elif isinstance(above, dict):
        above[str(path[-1])] = new
    elif isinstance(above, list):
        above[int(path[-1])] = new


def _drop(config: Json, path: Path) -> None:
    above = _get(config, path[:-1])
    if isinstance(above, dict):
        del above[str(path[-1])]
    elif isinstance(above, list):
        del above[int(path[-1])]


def _name(path: Path) -> str:
    """Write a path as error messages do."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif text.rpartition(".")[2] in MAPS:
            text += f'["{step}"]'
        else:
            text += f".{step}" if text else step
    return text


MAPS = frozenset(("annotations", "sysctl", "timeOffsets", "netDevices", "unified", "rdma"))
