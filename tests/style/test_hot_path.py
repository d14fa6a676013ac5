# SPDX-License-Identifier: Apache-2.0
"""The commands that an engine calls several times for each container import nothing dear.

What the interpreter itself reports (-X importtime) is looked at, in commands that really
run, so no import hides: not a late one, and not one by the standard library.
"""

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import CodeType

import pytest
from tests.bundle import Bundles
from tests.repository import files, read

import ocirun.engine

PACKAGE = Path(ocirun.engine.__file__).parents[1]
#: as launcher/ocirun.c has them
FLAGS = ["-I", "-S", "-P", "-B", "-X", "utf8", "-X", "importtime"]
IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)

#: each costs 1 to 57 ms, of 10 for the interpreter
DEAR = {
    "argparse",
    "ast",
    "asyncio",
    "base64",
    "collections",
    "contextlib",
    "copy",
    "ctypes",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "importlib.util",
    "inspect",
    "json",
    "logging",
    "operator",
    "pathlib",
    "random",
    "re",
    "shutil",
    "signal",
    "site",
    "socket",
    "struct",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "traceback",
    "types",
    "typing",
    "urllib",
    "weakref",
    "__future__",
}


#: as launcher/embedded.c starts it, but that the other half of the interpreter is there already
HALF = """
import importlib.machinery, sys
place, shared, *sys.argv[1:] = sys.argv[1:]
sys.path.append(place)
import ocirun._linux, ocirun.packed
for name in [name for name in sys.modules if name.startswith("importlib.") or name == "warnings"]:
    del sys.modules[name]
def complete():
    raise SystemExit("the other half was asked for")
sys.meta_path[:] = [finder for finder in sys.meta_path if finder.__name__ != "PathFinder"]
import _io, builtins
del builtins.open, sys.stdin
sys.modules.pop("io")
print("import time: start", file=sys.stderr, flush=True)
ocirun.packed.start(place, "", shared, complete)
"""


def imported_by_half(*words: str) -> set[str]:
    """Run a command line as the launcher with an interpreter does; give what it imported."""
    place, shared = str(PACKAGE.parent), sysconfig.get_config_var("DESTSHARED")
    return imported(*words, start=["-c", HALF, place, shared])


def imported(*words: str, start: list[str] | None = None) -> set[str]:
    """Run a command line as the launcher does; give all modules it imported."""
    with tempfile.TemporaryFile("w+") as report:  # a container would keep a pipe open
        done = subprocess.run(
            [sys.executable, *FLAGS, *(start or [str(PACKAGE / "__main__.py")]), *words],
            stdin=subprocess.DEVNULL,
            stdout=report,
            stderr=report,
            check=False,
            env={},
        )
        report.seek(0)
        text = report.read()
    rest = [line for line in text.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 0, rest
    modules = set(IMPORTED.findall(text.rpartition("import time: start\n")[2]))
    assert "ocirun.cli.main" in modules
    return modules


@pytest.mark.root
@pytest.mark.parametrize("half", [False, True])
def test_life_of_a_container(bundle: Bundles, state_root: Path, name: str, *, half: bool) -> None:
    root = ["--root", str(state_root)]
    path = str(bundle("sh", "-c", "exec sleep 100"))
    for words in (
        ["create", "--bundle", path, name],
        ["state", name],
        ["start", name],
        ["exec", name, "true"],
        ["kill", name, "KILL"],
        ["delete", "--force", name],
        ["run", "--bundle", str(bundle("true")), name],
    ):
        if half:
            found = imported_by_half(*root, *words)
            assert found & {"io", "_collections_abc", "resource"} == set(), words
        else:
            found = imported(*root, *words)
        assert found & DEAR == set(), words


@pytest.mark.userns
@pytest.mark.skipif(os.geteuid() == 0, reason="an ordinary user")
def test_run_as_an_ordinary_user(bundle: Bundles, state_root: Path, name: str) -> None:
    words = ["--root", str(state_root), "run", "--bundle", str(bundle("true")), name]
    assert not imported(*words) & DEAR


def surrogates(code: CodeType) -> list[str]:
    texts = [part for item in code.co_consts if isinstance(item, str) for part in item]
    found = [code.co_qualname for part in texts if "\ud800" <= part <= "\udfff"]
    for item in code.co_consts:
        if isinstance(item, CodeType):
            found += surrogates(item)
    return found


def test_no_constant_needs_a_codec() -> None:
    """One lone surrogate, and loading the module brings the package encodings: 0.4 ms."""
    found = {}
    for path in files(".py", under="src"):
        if names := surrogates(compile(read(path), path, "exec")):
            found[path] = names
    assert found == {}


def test_systemd() -> None:
    """Where it is the init and makes the cgroups, this is paid for by each container too."""
    flags = [flag for flag in FLAGS if flag != "-P"]
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import ocirun.engine.systemd"
    done = subprocess.run(
        [sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True
    )
    modules = set(IMPORTED.findall(done.stderr))
    assert "ocirun.linux.dbus_format" in modules
    assert not modules & DEAR


def test_import_of_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", "-c", "import ocirun"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours = [name for name in IMPORTED.findall(done.stderr) if name.startswith("ocirun")]
    assert ours == ["ocirun"]
