# SPDX-License-Identifier: Apache-2.0
"""The installed program: what it starts, and what it keeps out."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
LAUNCHER = TOP / ".venv" / "bin" / "ocirun"
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"

pytestmark = pytest.mark.skipif(not LAUNCHER.exists(), reason="./dev build")


def run(program: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = options.get("environment", {})
    assert isinstance(environment, dict)
    directory = options.get("directory", "/")
    return subprocess.run(
        [program, *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=str(directory),
    )


def has_interpreter_linked_in() -> bool:
    """It needs the loader then, for libc and for modules that are shared libraries."""
    return b"/ld-" in LAUNCHER.read_bytes()


@pytest.fixture(params=["as it was built", "with an updated interpreter"])
def prefix(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Give a copy of the environment, at another place and with a space in its name.

    The interpreter of the second is another file than at the build: it is executed always.
    """
    path = tmp_path / "an environment"
    (path / "bin").mkdir(parents=True)
    shutil.copy(LAUNCHER, path / "bin" / "ocirun")
    shutil.copy(LAUNCHER.parents[1] / "pyvenv.cfg", path)
    library = f"lib/{VERSION}/site-packages"
    (path / library).mkdir(parents=True)
    shutil.copytree(LAUNCHER.parents[1] / library / "ocirun", path / library / "ocirun")
    if request.param != "as it was built":
        shutil.copy(os.path.realpath(sys.executable), path / "bin" / VERSION)
        (path / "pyvenv.cfg").write_text(f"home = {path}/bin\n")
    return path


def test_needs_no_library_but_libc() -> None:
    if not has_interpreter_linked_in():
        return  # a static program
    done = run(LAUNCHER, environment={"LD_TRACE_LOADED_OBJECTS": "1"})
    names = {line.split()[0].partition(".so")[0] for line in done.stdout.splitlines()}
    assert {name.rpartition("/")[2].partition("-")[0] for name in names} <= {
        *("linux", "libc", "libm", "libdl", "libpthread", "librt", "libutil", "ld"),
    }


ARCHIVE = Path(
    sysconfig.get_config_var("LIBPL") or "/", sysconfig.get_config_var("LIBRARY") or "libpython.a"
)


@pytest.mark.skipif(not ARCHIVE.exists(), reason=f"{ARCHIVE} (python3-dev)")
def test_interpreter_is_linked_in_where_it_can_be() -> None:
    """The build falls back in silence, for it cannot know whether it matters."""
    assert has_interpreter_linked_in()


@pytest.mark.skipif(not ARCHIVE.exists(), reason=f"{ARCHIVE} (python3-dev)")
@pytest.mark.parametrize("prefix", ["as it was built"], indirect=True)
def test_interpreter_that_was_not_changed_is_not_executed(prefix: Path) -> None:
    python = prefix / "bin" / VERSION
    shutil.copy2(os.path.realpath(sys.executable), python)
    python.chmod(0o600)
    (prefix / "pyvenv.cfg").write_text(f"home = {prefix}/bin\n")
    assert run(prefix / "bin" / "ocirun", "--version").returncode == 0
    os.utime(python)
    done = run(prefix / "bin" / "ocirun", "--version")
    assert done.stderr == f"ocirun: {python}: the interpreter cannot be started\n"


@pytest.mark.parametrize("words", [["features"], ["--version"], ["state", "--help"]])
def test_whole_interpreter_comes_when_it_is_needed(words: list[str]) -> None:
    """What is in no pack is imported, by commands that are called seldom."""
    done = run(LAUNCHER, *words)
    assert (done.returncode, done.stderr) == (0, "")


def test_codecs_of_the_whole_interpreter() -> None:
    done = run(LAUNCHER, "no\x1bsuch")
    assert done.returncode == 1
    assert "'no\\x1bsuch'" in done.stderr


def test_package_without_its_pack(prefix: Path) -> None:
    (prefix / "lib" / VERSION / "site-packages" / "ocirun" / "modules.pack").unlink()
    done = run(prefix / "bin" / "ocirun", "features")
    assert (done.returncode, done.stderr) == (0, "")


def test_ignores_what_python_would_obey(tmp_path: Path) -> None:
    for name in ("os.py", "sitecustomize.py", "ocirun.py", "_json.py"):
        (tmp_path / name).write_text("raise SystemExit('hostile')\n")
    environment = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONHOME": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "os.py"),
        "PYTHONINSPECT": "1",
        "PATH": str(tmp_path),
    }
    done = run(LAUNCHER, "--version", environment=environment, directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_passes_arguments_as_they_are() -> None:
    done = run(LAUNCHER, "no such\ncommand", "", "--")
    assert done.returncode == 1
    assert "no such" in done.stderr


def test_many_arguments() -> None:
    done = run(LAUNCHER, "state", *["x" * 100] * 10_000)
    assert done.returncode == 1
    assert done.stderr.startswith("ocirun: ")


def test_works_at_another_place(prefix: Path) -> None:
    assert run(prefix / "bin" / "ocirun", "--version").returncode == 0


def test_works_through_a_link(prefix: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(prefix / "bin" / "ocirun")
    assert run(link, "--version").returncode == 0


def test_interpreter_next_to_it(prefix: Path) -> None:
    """Installed without a virtual environment, it takes the interpreter of its prefix."""
    (prefix / "pyvenv.cfg").unlink()
    if not (prefix / "bin" / VERSION).exists():
        (prefix / "bin" / VERSION).symlink_to(os.path.realpath(sys.executable))
    assert run(prefix / "bin" / "ocirun", "--version").returncode == 0


def test_missing_interpreter(prefix: Path) -> None:
    (prefix / "pyvenv.cfg").write_text("include-system-site-packages = false\nhome = /nowhere\n")
    done = run(prefix / "bin" / "ocirun", "--version")
    assert done.returncode == 1
    wanted = f"ocirun: /nowhere/{VERSION}: the interpreter is missing: install ocirun again\n"
    assert done.stderr == wanted


def test_missing_package(prefix: Path) -> None:
    package = prefix / "lib" / VERSION / "site-packages" / "ocirun"
    shutil.rmtree(package)
    done = run(prefix / "bin" / "ocirun", "--version")
    assert done.returncode == 1
    assert done.stderr == f"ocirun: {package}/__main__.py: is missing: install ocirun again\n"


def test_writes_no_bytecode(prefix: Path) -> None:
    """A caller's umask would be that of the files."""
    shutil.rmtree(prefix / "lib" / VERSION / "site-packages" / "ocirun" / "__pycache__")
    run(prefix / "bin" / "ocirun", "--version")
    assert not list(prefix.glob("lib/*/site-packages/ocirun/__pycache__"))
