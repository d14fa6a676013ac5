# SPDX-License-Identifier: Apache-2.0
"""Whose children a foreground run waits for."""

import os
import select
import signal

import pytest

from ocirun.engine.foreground import Foreground


def child(code: int) -> int:
    """Start a process that ends at once, and come back when it has."""
    pid = os.fork()
    if not pid:
        os._exit(code)
    pidfd = os.pidfd_open(pid)
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    waiting.poll()
    os.close(pidfd)
    return pid


@pytest.fixture
def container() -> int:
    """Give a process that stands for the container's first one."""
    pid = os.fork()
    if not pid:
        signal.pause()
    return pid


def test_a_hook_is_left_to_who_runs_it(container: int) -> None:
    with Foreground(subreaper=True) as foreground:
        foreground.take(container, -1)
        assert os.waitpid(child(7), 0)[1] == 7 << 8
        os.kill(container, signal.SIGKILL)
        assert foreground.wait() == 128 + signal.SIGKILL
        assert os.waitpid(child(8), 0)[1] == 8 << 8


def test_orphans_are_waited_for_all_along(container: int) -> None:
    before = child(1)
    ours, theirs = os.pipe()
    with Foreground(subreaper=True) as foreground:
        foreground.take(container, -1)
        early = child(2)
        helper = os.fork()
        if not helper:
            # One more that ends while wait() waits; then the container may end.
            late = os.fork()
            if not late:
                os._exit(3)
            os.waitpid(late, 0)
            os.read(ours, 1)
            os.kill(container, signal.SIGTERM)
            os._exit(0)
        os.write(theirs, b"go")
        foreground.wait()
    os.close(ours)
    os.close(theirs)
    for pid in (before, early):
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, 0)
