# SPDX-License-Identifier: Apache-2.0
"""How a directory becomes the root, and what is hidden in it."""

import pytest
from tests.unit.engine.planning import build, names, steps

from ocirun.engine.wire import RESOLVE_OPTIONAL
from ocirun.errors import SpecError
from ocirun.spec.model import Spec

REC = 0x8000
UNBINDABLE, PRIVATE, SLAVE, SHARED = (1 << bit for bit in range(17, 21))


def test_root(document: Spec) -> None:
    found = steps(build(document), "root.path")
    assert [step[0] for step in found] == [
        *("OPEN", "PARENT_PRIVATE", "CLONE_TREE", "ATTACH", "CLOSE"),
        "PIVOT_ROOT",
    ]
    assert found[0][2] == "/bundle/rootfs"


@pytest.mark.parametrize(
    ("word", "kind", "flags"),
    [
        ("", SLAVE, REC),
        ("slave", SLAVE, 0),
        ("rslave", SLAVE, REC),
        ("private", PRIVATE, 0),
        ("rprivate", PRIVATE, REC),
        ("shared", SHARED, 0),
        ("rshared", SHARED, REC),
        ("unbindable", UNBINDABLE, 0),
        ("runbindable", UNBINDABLE, REC),
    ],
)
def test_propagation(document: Spec, word: str, kind: int, flags: int) -> None:
    if word:
        document["linux"]["rootfsPropagation"] = word
    found = steps(build(document), "linux.rootfsPropagation")
    set_ = [step[5:] for step in found if step[0] == "SETATTR"]
    # Once for "/" as it was, and once more for the new one where that makes a difference.
    again = kind in (SHARED, UNBINDABLE)
    assert set_ == [(kind, flags)] * (2 if again else 1)


def test_without_a_mount_namespace(document: Spec) -> None:
    document["linux"] = {}
    plan = build(document)
    assert "CHROOT" in names(plan, "root.path")
    # "/" is the host's: nothing of it is changed.
    assert "SETATTR" not in names(plan, "linux.rootfsPropagation")


def test_no_pivot(document: Spec) -> None:
    def change(setting: object) -> None:
        setattr(setting, "no_pivot", True)  # noqa: B010
        setattr(setting, "bare_mounts", ["/a/proc", "/proc"])  # noqa: B010

    found = steps(build(document, change=change), "root.path")
    assert [step[0] for step in found][5:10] == ["HIDE", "HIDE", "FCHDIR", "MOVE_ROOT", "CHROOT"]
    document["linux"]["rootfsPropagation"] = "private"
    with pytest.raises(SpecError, match=r"^linux.rootfsPropagation: --no-pivot"):
        build(document, change=change)


def test_read_only_paths(document: Spec) -> None:
    document["linux"]["readonlyPaths"] = ["/proc/sys"]
    found = steps(build(document), "linux.readonlyPaths[0]")
    resolved, copied, changed, attached, *_ = found
    assert resolved[0] == "RESOLVE"
    assert resolved[3:] == ("/proc/sys", RESOLVE_OPTIONAL)
    assert copied[0::3] == ("CLONE_TREE", REC)
    assert changed[2:] == (1, 0, 0, 0, 0)
    assert attached == ("ATTACH", copied[1], resolved[1])


def test_masked_paths(document: Spec) -> None:
    document["linux"]["maskedPaths"] = [
        "/proc/kcore",
        "/proc/keys",
        "/proc/./kcore",
        "/proc/kcore/",
    ]
    plan = build(document)
    head = steps(plan, "linux.maskedPaths")
    assert head[0][0::2] == ("OPEN", "/dev/null"), "the host's, which no image can forge"
    assert ("FSCONFIG", head[1][1], "ro", None) in head
    masked = [step[3] for step in steps(plan) if step[0] == "RESOLVE" and step[4]]
    assert masked.count("/proc/kcore") == 1
    assert names(plan).count("MASK") == 2


def test_nothing_to_mask(document: Spec) -> None:
    document["linux"]["maskedPaths"] = []
    assert "MASK" not in names(build(document))


def test_read_only_root_comes_last(document: Spec) -> None:
    plan = build(document)
    at = [step.field for step in plan.operations].index("root.readonly")
    found = names(plan)
    assert found[at] == "SETATTR"
    assert "MASK" in found[:at]
    assert found[at + 1] == "PIVOT_ROOT"
    document["root"]["readonly"] = False
    assert names(build(document), "root.readonly") == []
