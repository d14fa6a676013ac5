# SPDX-License-Identifier: Apache-2.0
"""The scripts of `ocirun completion`, asked by the shells that they are for."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

import pytest
from tests.bundle import Bundles
from tests.cli.changes import refused
from tests.cli.conftest import Command

from ocirun.cli.commands import COMMANDS


class Complete(Protocol):
    def __call__(self, *words: str) -> set[str]: ...


BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_ocirun
printf '%s\\n' "${COMPREPLY[@]}"
"""
#: zsh completes only in an editor; zpty(1) gives it one
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; PATH=$PATH; fpath=($1 \\$fpath); autoload -U compinit; compinit -u -D"
zpty -w shell "zstyle ':completion:*' list-separator ' '; LISTMAX=1000; stty cols 200; echo ready-\\$((1+1))"
zpty -r shell heard '*ready-2*'
zpty -w -n shell "$2"$'\\t'$'\\t'
sleep 1
while zpty -r -t shell line; do print -r -- "$line"; done
zpty -w shell $'\\C-u exit'
for ((i = 0; i < 100; i++)); do zpty -t shell || break; zpty -r -t shell line; sleep 0.1; done
zpty -d shell
"""


@pytest.fixture(params=["bash", "fish"])
def complete(request: pytest.FixtureRequest, command: Command, tmp_path: Path) -> Complete:
    shell: str = request.param
    if not shutil.which(shell):
        pytest.skip(shell)
    (tmp_path / "ocirun").symlink_to(command.path)
    script = tmp_path / "script"
    script.write_text(command("completion", shell).stdout)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def ask(*words: str) -> set[str]:
        if shell == "bash":
            argv = ["bash", "-c", BASH, "bash", str(script), "ocirun", *words]
        else:
            line = " ".join(["ocirun", *words])
            argv = ["fish", "-c", f"source {script}; complete -C '{line}'"]
        done = subprocess.run(argv, capture_output=True, text=True, env=environment, check=True)
        assert done.stderr == ""
        return {line.partition("\t")[0] for line in done.stdout.splitlines() if line}

    return ask


def test_commands(complete: Complete) -> None:
    assert set(COMMANDS) <= complete("")
    assert complete("res") == {"restore", "resume"}


def test_flags_of_a_command(complete: Complete) -> None:
    assert complete("delete", "--fo") == {"--force"}
    assert complete("exec", "--ign") == {"--ignore-paused"}


def test_global_flags(complete: Complete) -> None:
    assert complete("--log-f") == {"--log-format"}


def test_words_of_a_flag(complete: Complete) -> None:
    assert {"table", "json"} <= complete("list", "--format", "")


def test_directories(complete: Complete, tmp_path: Path) -> None:
    (tmp_path / "a-directory").mkdir()
    (tmp_path / "a-file").touch()
    found = complete("run", "--bundle", f"{tmp_path}/a-")
    assert {entry.rstrip("/") for entry in found} == {f"{tmp_path}/a-directory"}


@pytest.mark.root
def test_containers(command: Command, bundle: Bundles, name: str, tmp_path: Path) -> None:
    """Only bash's script passes --root on; the default root is not ours to fill."""
    assert command("create", "-b", str(bundle("true")), name).returncode == 0
    script = tmp_path / "script"
    script.write_text(command("completion", "bash").stdout)
    words = [command.path, "--root", str(command.root), "start", ""]
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", str(script), *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [name]
    assert command("delete", "--force", name).returncode == 0


def test_zsh(command: Command, tmp_path: Path) -> None:
    if not shutil.which("zsh"):
        pytest.skip("zsh")
    (tmp_path / "ocirun").symlink_to(command.path)
    (tmp_path / "_ocirun").write_text(command("completion", "zsh").stdout)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "xterm"}

    def ask(line: str) -> str:
        shown = subprocess.run(
            ["zsh", "-f", "-c", ZSH, "zsh", str(tmp_path), line],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        ).stdout
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x07|\r", "", shown)

    assert "ocirun features" in ask("ocirun feat")
    assert "freeze all processes" in ask("ocirun p")
    assert "--ignore-paused" in ask("ocirun exec --ign")


def test_unknown_shell(command: Command) -> None:
    refused(command("completion", "tcsh"), "unknown shell tcsh", "bash")
