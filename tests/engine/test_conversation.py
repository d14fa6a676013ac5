# SPDX-License-Identifier: Apache-2.0
"""Ending a conversation at any moment takes all of the stub's processes along."""

import os
import socket
from collections.abc import Iterator

import pytest
from tests import leak
from tests.engine.everything import wait_for

from ocirun.engine.conversation import Conversation
from ocirun.engine.wire import NO_SLOT, Plan
from ocirun.errors import KernelError


@pytest.fixture
def plan() -> Iterator[Plan]:
    """Give a plan whose process is made by another one, which ends at once."""
    before = set(leak.children())
    plan = Plan()
    plan.add("CLONE", 0, NO_SLOT)
    plan.add("SYNC", 1)
    yield plan
    # Zombies too.
    assert set(leak.children()) == before


def test_before_anything_was_heard(plan: Plan) -> None:
    """The pid of the new process lay unread in the socket; its zombie stayed."""
    conversation = Conversation(plan, ())
    os.waitid(os.P_PID, conversation.pid, os.WEXITED | os.WNOWAIT)
    conversation.kill()


@pytest.mark.parametrize("seed", range(50))
def test_at_any_moment(plan: Plan, seed: int) -> None:
    del seed
    Conversation(plan, ()).kill()


def test_descriptors_that_came_unasked(plan: Plan) -> None:
    plan.operations.pop()
    plan.add("HOME", 4, 0)
    before = set(leak.fds())
    conversation = Conversation(plan, ())
    os.waitid(os.P_PID, conversation.pid, os.WEXITED | os.WNOWAIT)
    conversation.kill()
    assert set(leak.fds()) == before


def test_while_it_waits(plan: Plan) -> None:
    conversation = Conversation(plan, ())
    assert conversation.next().value == 1
    conversation.kill()


def test_after_its_end(plan: Plan) -> None:
    conversation = Conversation(plan, ())
    conversation.next()
    conversation.go()
    with pytest.raises(KernelError):
        conversation.next()
    conversation.kill()


def test_killed_from_outside(plan: Plan) -> None:
    conversation = Conversation(plan, ())
    conversation.next()
    os.kill(conversation.pid, 9)
    with pytest.raises(KernelError, match="died before its start: signal 9"):
        conversation.next()
    conversation.kill()


def test_killed_before_it_said_anything(plan: Plan) -> None:
    """Which process died is known from its pid, though it never sent a message of its own."""
    plan.operations.pop()
    ours, theirs = socket.socketpair()
    plan.add("FD", 0, theirs.fileno())
    plan.add("HOOK", "/bin/sh", (b"sh", b"-c", b"kill -9 $PPID"), (), "", "", 0, NO_SLOT)
    conversation = Conversation(plan, (theirs.fileno(),))
    with pytest.raises(KernelError, match="signal 9"):
        conversation.next()
    conversation.kill()
    ours.close()
    theirs.close()
    # The hook itself became an orphan, and so ours.
    assert wait_for(int(line.split()[0]) for line in leak.children()) == []
    leak.inventory()
