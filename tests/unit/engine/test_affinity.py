# SPDX-License-Identifier: Apache-2.0
"""When a process gets which CPUs: after the cgroup, but for the initial ones of exec."""

import pytest
from tests.unit.engine.planning import Step, build, names, setting_for, spec, steps

from ocirun.engine import entry
from ocirun.engine.plan import Fds
from ocirun.engine.wire import Plan
from ocirun.spec.model import CpuAffinity, Spec

ALL = b"\xff" * 1024
RESET = ("AFFINITY", 0, 1024, ALL)


def one(cpu: int) -> Step:
    return ("AFFINITY", 0, 8, (1 << cpu).to_bytes(8, "little"))


def entering(
    affinity: CpuAffinity | None, files: tuple[int, ...] = (), directory: int = -1
) -> Plan:
    """The way into a container for a process of exec."""
    document = spec()
    if affinity is not None:
        document["process"]["execCPUAffinity"] = affinity
    plan = Plan()
    setting = setting_for(document)
    setting.proc_slot = plan.slot()
    entry.add(plan, setting, document["process"], (9, -1), (list(files), directory))
    return plan


def test_reset_is_for_more_than_1024_cpus(document: Spec) -> None:
    """As many as Linux can be built for; the mask of glibc's cpu_set_t ends at 1024."""
    (found,) = (step for step in steps(build(document)) if step[0] == "AFFINITY")
    assert found == RESET
    assert len(ALL) * 8 == 8192


@pytest.mark.parametrize("version", [1, 2])
def test_reset_comes_after_the_cgroup(document: Spec, version: int) -> None:
    """Before, the kernel would keep to the CPUs of the caller's cpuset."""
    fds = Fds()
    if version == 1:
        fds.cgroup_files = [10, 11]
    else:
        fds.cgroup_directory = 12
    found = names(build(document, fds))
    assert found.count("AFFINITY") == 1
    last = max(at for at, name in enumerate(found) if name in ("WRITE", "CLONE"))
    assert last < found.index("AFFINITY") < found.index("BOUNDING")


def test_reset_may_fail(document: Spec) -> None:
    plan = build(document)
    assert [step.name for step in plan.operations if step.optional] == ["AFFINITY", "SETSID"]


def test_first_process_does_not_ask_for_that_of_exec(document: Spec) -> None:
    document["process"]["execCPUAffinity"] = {"initial": "0", "final": "1"}
    assert [step for step in steps(build(document)) if step[0] == "AFFINITY"] == [RESET]


@pytest.mark.parametrize(
    ("affinity", "before", "after"),
    [
        (None, [], [RESET]),
        ({}, [], [RESET]),
        ({"initial": "", "final": ""}, [], [RESET]),
        ({"initial": "1"}, [one(1)], []),
        ({"final": "1"}, [], [one(1)]),
        ({"initial": "0", "final": "2"}, [one(0)], [one(2)]),
    ],
)
@pytest.mark.parametrize(("files", "directory"), [((10, 11), -1), ((), 12)])
def test_of_exec(
    affinity: CpuAffinity | None,
    before: list[Step],
    after: list[Step],
    files: tuple[int, ...],
    directory: int,
) -> None:
    found = steps(entering(affinity, files, directory))
    masks = [at for at, step in enumerate(found) if step[0] == "AFFINITY"]
    joining = [at for at, step in enumerate(found) if step[0] in ("WRITE", "SETNS", "CLONE")]
    assert [found[at] for at in masks if at < joining[0]] == before
    assert [found[at] for at in masks if at > joining[-1]] == after
    assert len(masks) == len(before) + len(after)


def test_what_was_asked_for_must_not_fail() -> None:
    plan = entering({"initial": "0", "final": "1"})
    fields = [(step.field, step.optional) for step in plan.operations if step.name == "AFFINITY"]
    assert fields == [
        ("process.execCPUAffinity.initial", False),
        ("process.execCPUAffinity.final", False),
    ]
