# SPDX-License-Identifier: Apache-2.0
"""The C parts are quiet under gcc's static analysis and all the warnings of setup.py."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from tests.repository import TOP, files, read

#: what setup.py defines for the launcher on its command line
DEFINES = ('-DLIBRARY="../lib"', '-DPYTHON="python3"', '-DINTERPRETER="/usr/bin/python3"')
EMBEDDED_DEFINES = (
    *('-DPREFIX="/usr"', '-DEXEC_PREFIX="/usr"', "-DINTERPRETER_SIZE=0", "-DINTERPRETER_TIME=0"),
    *('-DSTANDARD_LIBRARY="/usr/lib"', '-DSHARED_LIBRARY="/usr/lib"', '-DLOADER="LICENSE"'),
)


def words_of(name: str) -> list[str]:
    """The compiler's options that setup.py keeps in a variable."""
    for node in ast.parse(read("setup.py")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            texts = [item.value for item in ast.walk(node.value) if isinstance(item, ast.Constant)]
            return [word for text in texts for word in str(text).split()]
    raise AssertionError(name)


def options_for(path: str) -> list[str]:
    if path.startswith("src/") or path == "launcher/embedded.c":
        include = sysconfig.get_path("include")
        if not Path(include, "Python.h").exists():
            pytest.skip("Python.h (python3-dev)")
        if path == "launcher/embedded.c":
            return ["-std=gnu17", "-O2", "-isystem", include, *DEFINES, *EMBEDDED_DEFINES]
        return ["-std=gnu17", "-O2", "-DPy_LIMITED_API=0x030B0000", "-isystem", include]
    linking = re.compile(r"-Wl,.*|-nostdlib|-static|-no-pie|-s|-U_FORTIFY_SOURCE")
    freestanding = [word for word in words_of("FREESTANDING") if not linking.fullmatch(word)]
    if os.uname().machine != "x86_64":
        freestanding.remove("-fcf-protection=none")
    return [*freestanding, "-Istub", *DEFINES]


def gcc() -> str:
    command = shlex.split(os.environ.get("CC", "gcc"))[0]
    if not shutil.which(command):
        pytest.skip(f"{command} (a C compiler)")
    about = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    if "Free Software Foundation" not in about.stdout:
        pytest.skip("gcc (for -fanalyzer)")
    return command


@pytest.mark.parametrize("path", files(".c"))
def test_quiet(path: str, tmp_path: Path) -> None:
    warnings = [word for word in words_of("WARNINGS") if word.startswith("-W")]
    assert "-Wall" in warnings
    done = subprocess.run(
        [
            *(gcc(), "-fanalyzer", "-Werror", *warnings, *options_for(path)),
            *("-c", "-o", str(tmp_path / "object"), path),
        ],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
