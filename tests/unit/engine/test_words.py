# SPDX-License-Identifier: Apache-2.0
"""Every operation can be said in words."""

import pytest
from tests.unit.engine import planning

from ocirun.engine import wire, words
from ocirun.engine.wire import Plan
from ocirun.spec.model import Spec


@pytest.mark.parametrize("name", wire.OPERATIONS)
def test_every_operation_has_words(name: str) -> None:
    plan = Plan()
    plan.add(name, *range(wire.OPERATIONS[name][1]))
    said = words.describe(plan.operations, 0)
    assert said
    assert "{" not in said
    assert said == said.strip()


def test_no_words_for_what_there_is_not() -> None:
    assert set(words._WORDS) == set(wire.OPERATIONS)


def test_arguments_are_said(plan: Plan) -> None:
    plan.add("MKDIR", 0, b"/dir\xff")
    plan.add("IDENTITY", 12, 34)
    plan.add("CHDIR", "/a dir", 0)
    said = [words.describe(plan.operations, index) for index in range(3)]
    assert said == [
        "make the directory /dir\udcff",
        "become uid 12, gid 34",
        "chdir to cwd ('/a dir')",
    ]


def test_a_mount_says_where(plan: Plan) -> None:
    plan.field = "mounts[3]"
    plan.add("TARGET", 1, 0, "/mnt/here", 64, 0)
    plan.add("FSOPEN", 2, "tmpfs")
    plan.field = "linux.maskedPaths"
    plan.add("FSOPEN", 2, "tmpfs")
    assert words.describe(plan.operations, 1) == "mount a filesystem of type tmpfs at /mnt/here"
    assert words.describe(plan.operations, 2) == "mount a filesystem of type tmpfs"


def test_a_whole_plan(document: Spec) -> None:
    plan = planning.build(document)
    lines = words.lines(plan.operations)
    assert len(lines) == len(plan.operations)
    assert all("\n" not in line for line in lines)
    assert lines[-1].split()[1] == "EXEC"
