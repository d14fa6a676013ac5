# SPDX-License-Identifier: Apache-2.0
"""The state root: where it is, and that a plain user's is made."""

import os
from pathlib import Path

import pytest

from ocirun.cli.call import DEFAULT_ROOT, Call, in_user_namespace, private_root
from ocirun.cli.commands import GLOBAL
from ocirun.cli.flags import Options, parse
from ocirun.cli.log import Journal
from ocirun.errors import KernelError, UsageError


def root(*words: str) -> str:
    options = Options(GLOBAL)
    parse(list(words), (options,), 0)
    return Call([], Options(()), options, Journal()).root()


def test_it_can_be_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert root("--root", "/a/../b/") == "/b"
    assert root("--root", "x") == f"{tmp_path}/x"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("path", ["/", "/..", "/usr/.."])
def test_it_is_never_the_root_directory(path: str) -> None:
    with pytest.raises(UsageError, match="--root should not be set to /"):
        root("--root", path)


@pytest.mark.skipif(os.geteuid() != 0 or in_user_namespace(), reason="not root of the host")
def test_that_of_the_host_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert root() == DEFAULT_ROOT
    assert list(tmp_path.iterdir()) == []


def test_without_a_runtime_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert root() == DEFAULT_ROOT


def test_that_of_a_plain_user(tmp_path: Path) -> None:
    for _ in range(2):
        assert private_root(str(tmp_path)) == f"{tmp_path}/ocirun"
        assert os.stat(f"{tmp_path}/ocirun").st_mode & 0o7777 == 0o1700


def test_a_runtime_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KernelError) as caught:
        private_root(f"{tmp_path}/none")
    assert caught.value.message == (
        f"make the state directory: {tmp_path}/none/ocirun: no such file or directory"
    )
