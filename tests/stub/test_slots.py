# SPDX-License-Identifier: Apache-2.0
"""An operation on an empty slot does nothing, or fails; it never takes another descriptor."""

import errno

import pytest
from tests.stub.dialogue import Begin

from ocirun.engine import wire
from ocirun.engine.wire import NO_SLOT, Plan


@pytest.mark.parametrize("slot", [0, wire.SLOTS - 1, NO_SLOT])
def test_nothing_to_do(begin: Begin, plan: Plan, slot: int) -> None:
    plan.add("CLOSE", slot)
    plan.add("WRITE", slot, "text")
    plan.add("CLONE_TREE", 1, slot, 0)
    plan.add("SETATTR", slot, 1, 0, 0, 0, 0)
    plan.add("ATTACH", slot, slot)
    plan.add("MASK", slot, slot, slot)
    plan.add("FSMODE", slot, slot)
    plan.add("SYNC", 1)
    assert begin(plan).expect(wire.SYNC).index == 7


NEEDS: dict[str, tuple["wire.Argument", ...]] = {
    "WRITE_AT": (0, "self/oom_score_adj", "0"),
    "READ_AT": (0, "self/comm", 0),
    "SETNS": (0, 0),
    "FSCONFIG": (0, "key", None),
    "FSMOUNT": (1, 0, 0),
    "PARENT_PRIVATE": (0,),
    "PIVOT_ROOT": (0,),
    "CHROOT": (0,),
    "FCHDIR": (0,),
    "CONSOLE": (0, 0, 0, 0),
    "NULL_STDIO": (0, 1),
    "MKDIR": (0, "/x"),
    "RESOLVE": (1, 0, "/x", 0),
    "TARGET": (1, 0, "/x", NO_SLOT, 0),
    "MKNOD": (0, "/x", 0o010600, 0, 0, 0),
    "IDMAP": (0, 1, 0),
    "SYMLINK": (0, "/x", "/x", 0),
}


@pytest.mark.parametrize("name", NEEDS)
def test_nothing_to_do_it_with(begin: Begin, plan: Plan, name: str) -> None:
    plan.add(name, *NEEDS[name])
    index, error = begin(plan).failure()
    assert index == 0
    assert error in (errno.EBADF, errno.EINVAL, errno.EPROTO)


def test_slot_that_is_given_twice(begin: Begin, plan: Plan) -> None:
    """The descriptor that it had is closed."""
    plan.add("OPEN", 0, "/etc")
    plan.add("OPEN", 0, "/usr")
    plan.add("SYNC", 1)
    plan.add("CLOSE", 0)
    plan.add("SYNC", 2)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    assert {"/etc", "/usr"} & stub.open_files() == {"/usr"}
    stub.go()
    stub.expect(wire.SYNC)
    assert {"/etc", "/usr"} & stub.open_files() == set()


def test_descriptors_do_not_outlive_an_exec(begin: Begin, plan: Plan) -> None:
    """Every descriptor is close-on-exec from its birth (proc_pid_fdinfo(5))."""
    plan.add("OPEN", 0, "/etc")
    plan.add("OPEN_PROC", 1, "/proc")
    plan.add("RESOLVE", 2, 0, "/passwd", 0)
    plan.add("TARGET", 3, 0, "/passwd", NO_SLOT, 0)
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    for fd in stub.descriptors():
        assert fd < 3 or stub.flags(fd) & 0o2000000, fd
