# SPDX-License-Identifier: Apache-2.0
"""The steps for scheduling, I/O priority, personality and memory policy."""

from struct import pack

import pytest
from tests.unit.engine.planning import Step, build, names, setting_for, steps

from ocirun.engine import attributes
from ocirun.engine.wire import Plan
from ocirun.linux import mempolicy, sched
from ocirun.linux.seccomp_cache import Program as Filter
from ocirun.spec import features
from ocirun.spec.model import MemoryPolicy, Scheduler, Spec

OPERATIONS = ["SCHEDULER", "IO_PRIORITY", "PERSONALITY", "MEMORY_POLICY"]


def ask_for_all(document: Spec) -> None:
    document["process"]["scheduler"] = {"policy": "SCHED_BATCH", "nice": 3}
    document["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE"}
    document["linux"]["personality"] = {"domain": "LINUX32"}
    document["linux"]["memoryPolicy"] = {"mode": "MPOL_LOCAL"}


def test_nothing_is_asked_for(document: Spec) -> None:
    assert not set(OPERATIONS) & set(names(build(document)))


@pytest.mark.parametrize("sealed", [True, False])
def test_order(document: Spec, *, sealed: bool) -> None:
    """After all processes are made, before the filter and before the rights go."""
    ask_for_all(document)
    document["process"]["noNewPrivileges"] = sealed
    found = names(build(document, seccomp=Filter(bytes(8), 0)))
    wanted = [name for name in found if name in OPERATIONS]
    assert wanted == OPERATIONS
    before, after = found.index("SCHEDULER"), found.index("MEMORY_POLICY")
    assert max(at for at, name in enumerate(found) if name == "CLONE") < before
    assert found.index("PIVOT_ROOT") < before
    assert after < found.index("SECCOMP")
    assert after < found.index("BOUNDING")


@pytest.mark.parametrize(
    ("wanted", "packed"),
    [
        ({"policy": "SCHED_OTHER", "nice": -20}, (0, 0, -20, 0, 0, 0, 0)),
        ({"policy": "SCHED_FIFO", "priority": 99}, (1, 0, 0, 99, 0, 0, 0)),
        ({"policy": "SCHED_RR", "priority": 1, "flags": []}, (2, 0, 0, 1, 0, 0, 0)),
        ({"policy": "SCHED_BATCH", "nice": 19}, (3, 0, 19, 0, 0, 0, 0)),
        ({"policy": "SCHED_ISO"}, (4, 0, 0, 0, 0, 0, 0)),
        ({"policy": "SCHED_IDLE", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, (5, 1, 0, 0, 0, 0, 0)),
        (
            {
                "policy": "SCHED_DEADLINE",
                "flags": ["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"],
                "runtime": 1,
                "deadline": 2,
                "period": 1 << 40,
            },
            (6, 6, 0, 0, 1, 2, 1 << 40),
        ),
    ],
)
def test_scheduler(document: Spec, wanted: Scheduler, packed: tuple[int, ...]) -> None:
    document["process"]["scheduler"] = wanted
    attr = pack("=II Q iI QQQ II", 56, packed[0], *packed[1:], 0, 0)
    assert steps(build(document), "process.scheduler") == [("SCHEDULER", 0, attr, 0)]


def test_scheduler_and_cpus_are_named_together(document: Spec) -> None:
    document["process"]["scheduler"] = {"policy": "SCHED_DEADLINE"}
    document["linux"]["resources"] = {"cpu": {"cpus": "0"}}
    (found,) = (step for step in build(document).operations if step.name == "SCHEDULER")
    assert found.field == "process.scheduler (with linux.resources.cpu.cpus)"


@pytest.mark.parametrize(
    ("io_class", "number"),
    [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)],
)
def test_io_priority(document: Spec, io_class: str, number: int) -> None:
    document["process"]["ioPriority"] = {"class": io_class, "priority": 6}
    wanted = [("IO_PRIORITY", 1, 0, number << 13 | 6)]
    assert steps(build(document), "process.ioPriority") == wanted


@pytest.mark.parametrize(("domain", "number"), [("LINUX", 0), ("LINUX32", 8)])
def test_personality(document: Spec, domain: str, number: int) -> None:
    document["linux"]["personality"] = {"domain": domain}
    assert steps(build(document), "linux.personality") == [("PERSONALITY", number)]


def test_flags_of_a_personality_are_a_warning(document: Spec) -> None:
    """The spec allows the field, and says that no value is supported yet."""
    document["linux"]["personality"] = {"domain": "LINUX", "flags": ["X"]}
    setting = setting_for(document)
    attributes.add(Plan(), setting, document["process"])
    assert setting.warnings == ["ignoring unsupported personality flags: ['X']"]


@pytest.mark.parametrize(
    ("wanted", "step"),
    [
        ({"mode": "MPOL_DEFAULT"}, ("MEMORY_POLICY", 0, None, 0)),
        ({"mode": "MPOL_PREFERRED", "nodes": ""}, ("MEMORY_POLICY", 1, None, 0)),
        ({"mode": "MPOL_BIND", "nodes": "0"}, ("MEMORY_POLICY", 2, b"\1" + bytes(7), 65)),
        (
            {
                "mode": "MPOL_INTERLEAVE",
                "nodes": "0,64-65",
                "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_NUMA_BALANCING"],
            },
            ("MEMORY_POLICY", 3 | 0xA000, b"\1" + bytes(7) + b"\3" + bytes(7), 129),
        ),
    ],
)
def test_memory_policy(document: Spec, wanted: MemoryPolicy, step: Step) -> None:
    document["linux"]["memoryPolicy"] = wanted
    assert steps(build(document), "linux.memoryPolicy") == [step]


def test_every_word_has_its_number() -> None:
    assert sorted(mempolicy.MODES) == sorted(features.MEMORY_POLICY_MODES)
    assert sorted(mempolicy.FLAGS) == sorted(features.MEMORY_POLICY_FLAGS)
    assert len(sched.POLICIES) == len(sched.FLAGS) == 7
