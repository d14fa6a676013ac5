# SPDX-License-Identifier: Apache-2.0
"""From names of capabilities to masks, and what is said of those that cannot be had."""

from ocirun.engine.capabilities import masks
from ocirun.spec.model import Capabilities, Process

CHOWN, KILL, BPF = 1 << 0, 1 << 5, 1 << 39


def found(sets: Capabilities) -> tuple[dict[str, int], list[str]]:
    process: Process = {"args": ["x"], "cwd": "/", "capabilities": sets}
    # In a user namespace of its own: what this machine lacks makes no difference.
    return masks(process, own_userns=True)


def test_masks() -> None:
    sets: Capabilities = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_BPF"],
        "effective": ["CAP_KILL", "CAP_KILL"],
        "permitted": [],
    }
    assert found(sets) == (
        {"bounding": CHOWN | KILL | BPF, "effective": KILL, "permitted": 0},
        [],
    )


def test_none() -> None:
    assert masks({"args": ["x"], "cwd": "/"}, own_userns=False) == ({}, [])


def test_a_field_that_is_no_set_is_ignored() -> None:
    sets: Capabilities = {"bounding": ["CAP_KILL"], "unknown": 5}  # type: ignore[typeddict-unknown-key]
    assert found(sets) == ({"bounding": KILL}, [])


def test_unknown_ones_are_named_once() -> None:
    sets: Capabilities = {
        "bounding": ["CAP_ZZZ", "CAP_CHOWN", "CAP_AAA"],
        "effective": ["CAP_ZZZ"],
    }
    wanted, warnings = found(sets)
    assert wanted == {"bounding": CHOWN, "effective": 0}
    assert warnings == ["ignoring unknown or unavailable capabilities: [CAP_AAA CAP_ZZZ]"]


def test_ambient_needs_the_other_two() -> None:
    both = ["CAP_CHOWN", "CAP_KILL"]
    _, warnings = found({"permitted": both, "inheritable": ["CAP_KILL"], "ambient": both})
    assert len(warnings) == 1
    assert "CAP_CHOWN" in warnings[0]
    assert found({"permitted": both, "inheritable": both, "ambient": both})[1] == []
