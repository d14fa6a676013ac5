# SPDX-License-Identifier: Apache-2.0
"""The manual pages: whole, and understood by man(1)."""

import re
import shutil
import subprocess

import pytest

from ocirun.cli import manpage
from ocirun.cli.commands import COMMANDS, GLOBAL

PAGES = manpage.pages()


def rendered(name: str) -> str:
    if not shutil.which("groff"):
        pytest.skip("groff")
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", "-ww", "-rLL=100n"],
        input=PAGES[name],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", PAGES)
def test_roff_is_understood(name: str) -> None:
    assert rendered(name).count("SEE ALSO") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_is_there(name: str) -> None:
    text = rendered(f"ocirun-{name}.8")
    shown = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text))
    for names, _, _, about in COMMANDS[name][2]:
        for flag in names if about else ():
            assert (f"-{flag}" if len(flag) == 1 else f"--{flag}") in shown


def test_the_program() -> None:
    text = rendered("ocirun.8")
    for name in COMMANDS:
        assert f"ocirun-{name}(8)" in text
    for names, _, _, about in GLOBAL:
        assert not about or f"--{names[0]}" in text


def test_nothing_is_said_of_unknown_commands() -> None:
    assert set(manpage.MORE) <= set(COMMANDS)


def test_a_line_that_roff_would_obey() -> None:
    assert manpage._escape(".sp 3") == "\\&.sp 3"
    assert manpage._escape("a\\b-c") == "a\\eb\\-c"
