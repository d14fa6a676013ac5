# SPDX-License-Identifier: Apache-2.0
"""Hooks that run in the engine's own namespaces."""

import os
from pathlib import Path

import pytest

from ocirun.engine import hooks
from ocirun.errors import KernelError
from ocirun.spec.model import Hook


def run(directory: Path, *wanted: Hook) -> None:
    hooks.run({"poststop": list(wanted)}, "poststop", lambda: '{"id":"x"}', str(directory))


def shell(script: str, timeout: int = 0) -> Hook:
    hook: Hook = {
        "path": "/bin/sh",
        "args": ["sh", "-c", script],
        "env": ["A=1", "PATH=/bin:/usr/bin"],
    }
    if timeout:
        hook["timeout"] = timeout
    return hook


def test_what_it_gets(tmp_path: Path) -> None:
    run(tmp_path, shell('cat >state; echo "$A" >env; pwd >cwd'))
    assert (tmp_path / "state").read_text() == '{"id":"x"}'
    assert (tmp_path / "env").read_text() == "1\n"
    assert (tmp_path / "cwd").read_text() == f"{tmp_path}\n"


def test_order(tmp_path: Path) -> None:
    run(tmp_path, shell("echo 1 >>log"), shell("echo 2 >>log"))
    assert (tmp_path / "log").read_text() == "1\n2\n"


def test_nothing_after_one_that_fails(tmp_path: Path) -> None:
    with pytest.raises(KernelError) as raised:
        run(tmp_path, shell("exit 0"), shell("echo why >&2; echo more; exit 3"), shell("touch no"))
    said = "error running poststop hook #1: /bin/sh: exit status 3, stderr: why; more"
    assert raised.value.message == said
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", ["/nothing", "/etc"])
def test_no_program(tmp_path: Path, path: str) -> None:
    with pytest.raises(KernelError, match=rf"^error running poststop hook #0: {path}: "):
        run(tmp_path, {"path": path})


def test_time_limit(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"killed after its timeout of 1 seconds, stderr: pid"):
        run(tmp_path, shell("echo pid; exec sleep 1000", timeout=1))


@pytest.mark.parametrize("timeout", [60, 2_147_483, 2_147_484, 1 << 40])
def test_time_limit_of_days(tmp_path: Path, timeout: int) -> None:
    """poll(2) takes no more than 24 days, and raised OverflowError."""
    run(tmp_path, shell("touch ran", timeout=timeout))
    assert os.listdir(tmp_path) == ["ran"]


def test_end_of_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(KernelError) as raised:
        run(tmp_path, shell("yes | head -c 100000; echo the end; exit 1"))
    assert raised.value.message.endswith("the end")
    assert len(raised.value.message) < 6000


def test_no_descriptor_is_inherited(tmp_path: Path) -> None:
    fd = os.open("/etc", os.O_RDONLY)
    os.set_inheritable(fd, True)  # noqa: FBT003
    run(tmp_path, shell(f"test ! -e /proc/$$/fd/{fd}"))
    os.close(fd)
