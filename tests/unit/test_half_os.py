# SPDX-License-Identifier: Apache-2.0
"""The module `os` of the half-started interpreter: as far as it goes, it is the usual one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import ocirun.engine

PLACE = Path(ocirun.engine.__file__).parents[2]
#: makes the module as ocirun/packed.py does, under an interpreter that has not imported `os` yet
MAKE = """
import sys
sys.path.append({place!r})
import ocirun.packed
class Finder:
    def get_code(self, name):
        with open({place!r} + "/ocirun/half_os.py", encoding="utf-8") as file:
            return compile(file.read(), "half_os.py", "exec")
sys.modules.pop("os", None)
sys.modules.pop("os.path", None)
sys.modules.pop("posixpath", None)
sys.modules.pop("genericpath", None)
sys.modules.pop("_collections_abc", None)
ocirun.packed._install_half_os(Finder())
import os
"""


def under_it(program: str, **environment: str) -> object:
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-P",
            "-X",
            "utf8",
            "-c",
            MAKE.format(place=str(PLACE)) + program,
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_names_are_those_of_the_usual_one() -> None:
    program = """
names = {name: repr(value) for name, value in vars(os).items() if callable(value)}
half = "_collections_abc" not in sys.modules
import json
print(json.dumps({"half": half, **names}))
"""
    found = under_it(program)
    assert isinstance(found, dict)
    assert found.pop("half")
    names = set(found)
    own = {"fsencode", "fsdecode", "__getattr__"}
    assert {name for name in names if name not in own and not hasattr(os, name)} == set()
    assert {"open", "memfd_create", "pidfd_open", "_exit", "fspath"} <= names


def test_names_of_files() -> None:
    program = """
found = [os.fsdecode(b"a\\xff") == "a\\udcff", os.fsencode("a\\udcff") == b"a\\xff"]
found += [os.path.join("a", "b"), os.path.isdir("/"), os.path.abspath("/a/../b")]
import json
print(json.dumps(found))
"""
    assert under_it(program) == [True, True, "a/b", True, "/b"]


def test_environment() -> None:
    program = """
found = {name: os.environ[name] for name in ("A", "B")}, "_collections_abc" not in sys.modules
import json
print(json.dumps(found))
"""
    assert under_it(program, A="ä", B="") == [{"A": "ä", "B": ""}, True]


def test_the_rest_comes_when_it_is_asked_for() -> None:
    program = """
before = os.path
try:
    os.no_such_thing
except AttributeError as error:
    said = str(error)
import json
print(json.dumps([callable(os.makedirs), os.environ is not None, "A" in os.environ, said,
                  os.path is before, type(os.environ).__name__]))
"""
    said = "module 'os' has no attribute 'no_such_thing'"
    assert under_it(program, A="1") == [True, True, True, said, True, "_Environ"]
