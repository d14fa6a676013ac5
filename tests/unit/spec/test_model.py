# SPDX-License-Identifier: Apache-2.0
"""The types say what the tables check: two descriptions of the spec that must agree."""

from typing import get_args, get_origin, get_type_hints, is_typeddict

from ocirun.spec import model, schema


def differences(hint: object, kind: object, path: str) -> list[str]:
    if isinstance(kind, range):
        agrees = hint is int
    elif isinstance(kind, tuple) or kind == schema.TEXT:
        agrees = hint is str
    elif isinstance(kind, type):
        agrees = hint is kind
    elif isinstance(kind, list):
        agrees = get_origin(hint) is list
        if agrees:
            return differences(get_args(hint)[0], kind[0], f"{path}[]")
    else:
        assert isinstance(kind, dict)
        return object_differences(hint, kind, path)
    return [] if agrees else [f"{path}: {hint} is not {kind}"]


def object_differences(hint: object, kind: dict[object, object], path: str) -> list[str]:
    if str in kind:
        assert get_origin(hint) is dict, path
        return differences(get_args(hint)[1], kind[str], f"{path}[]")
    if not kind:
        return [] if hint == dict[str, object] else [path]
    assert isinstance(hint, type), path
    assert is_typeddict(hint), path
    hints = get_type_hints(hint)
    names = {name for name in kind if name is not None}
    found = [f"{path}.{name}" for name in names ^ set(hints)]
    for name in names & set(hints):
        found += differences(hints[str(name)], kind[name], f"{path}.{name}")
    return found


def test_config() -> None:
    assert differences(model.Spec, schema.SPEC, "config") == []


def test_the_comparison_sees_a_difference() -> None:
    assert differences(model.Root, {"path": str}, "root") == ["root.readonly"]
    assert differences(model.Root, {"path": str, "readonly": str}, "root")
    assert differences(list[str], [range(3)], "x")


def test_required_fields_are_known_fields() -> None:
    tables: list[object] = [schema.SPEC]
    while tables:
        table = tables.pop()
        if isinstance(table, list):
            tables.extend(table)
        elif isinstance(table, dict):
            assert set(table.get(None, ())) <= set(table)
            tables.extend(table.values())
