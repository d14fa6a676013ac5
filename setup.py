# SPDX-License-Identifier: Apache-2.0
"""Builds the three C parts, the pack and the manual pages; everything else is in pyproject.toml.

- `ocirun._linux`, an extension module for the limited API (src/_linux);
- `ocirun/stub`, a static program without libc that becomes a container's first process (stub);
- `ocirun/modules.pack`, the bytecode of all modules in one file (ocirun/packed.py);
- `share/man/man8`, the manual pages (ocirun/cli/manpage.py);
- `bin/ocirun`, a static program without libc that starts the interpreter (launcher).

The launcher knows where the package lies below its prefix, which depends on the interpreter's
version: so the wheel is for one version of Python, though the extension is not.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from glob import glob

from setuptools import Command, Extension, setup
from setuptools.command.build import build

# The build does not look here for modules.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pack  # isort: skip

# setuptools' own copy, once setuptools is imported.
from distutils import log  # isort: skip
from distutils.command.build_scripts import build_scripts  # isort: skip

WARNINGS = (
    "-Wall -Wextra -Wshadow -Wstrict-prototypes -Wpointer-arith -Wformat=2 -Wswitch-enum"
    " -Wundef -Wvla -Wimplicit-fallthrough -Wnull-dereference -Wconversion"
).split()
if os.environ.get("OCIRUN_STRICT"):
    WARNINGS.append("-Werror")

# Few pages: no unwind tables, no build id, no padding between the segments.
FREESTANDING = (
    "-std=gnu17 -O2 -Wmissing-prototypes -Wmissing-declarations -ffreestanding -nostdlib -static -fno-pie -no-pie -fno-stack-protector"
    " -fcf-protection=none -fno-asynchronous-unwind-tables -fno-unwind-tables"
    " -fno-tree-loop-distribute-patterns -U_FORTIFY_SOURCE"
    " -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack -s"
).split()
if os.uname().machine != "x86_64":
    FREESTANDING.remove("-fcf-protection=none")


COMPILER = shlex.split(os.environ.get("CC", "gcc"))
LIBC = {"-lm", "-ldl", "-lpthread", "-lrt", "-lutil"}


def compile_program(sources: list[str], target: str, *options: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    subprocess.run([*COMPILER, *WARNINGS, *options, "-o", target, *sources], check=True)


def static_library(word: str) -> str:
    """A library's archive in place of -lNAME: each that the loader has to find costs."""
    if word in LIBC or not word.startswith("-l"):
        return word
    question = [*COMPILER, f"-print-file-name=lib{word[2:]}.a"]
    path = subprocess.run(question, check=True, capture_output=True, text=True).stdout.strip()
    return path if os.path.isabs(path) else word


def link(sources: list[str], target: str, archive: str, *options: str) -> None:
    """Compile with the interpreter's static library, and what that was linked with."""
    words = [sysconfig.get_config_var(name) or "" for name in ("MODLIBS", "LIBS", "SYSLIBS")]
    libraries = map(static_library, dict.fromkeys(shlex.split(" ".join(words))))
    # Its place in memory is fixed, so that nothing is to be relocated.  Modules that are
    # loaded later look for the interpreter's functions in the program.
    fixed = ("-std=gnu17", "-O2", "-fno-pie", "-no-pie", "-Wl,-export-dynamic", "-s")
    compile_program([*sources, archive, *libraries], target, *options, *fixed)


class BuildFile(Command):
    """Makes one file of the package; setuptools calls the methods (SubCommand)."""

    user_options = []
    editable_mode = False
    build_lib: str | None

    def initialize_options(self) -> None:
        self.build_lib = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def get_output_mapping(self) -> dict[str, str]:
        return {}


class BuildStub(BuildFile):
    """Compiles stub/*.c into the package, next to its modules."""

    def target(self) -> str:
        return os.path.join(self.build_lib if not self.editable_mode else "src", "ocirun/stub")

    def run(self) -> None:
        compile_program(sorted(glob("stub/*.c")), self.target(), *FREESTANDING, "-Istub")

    def get_source_files(self) -> list[str]:
        return sorted(glob("stub/*.[ch]"))

    def get_outputs(self) -> list[str]:
        return [self.target()]


class BuildPack(BuildFile):
    """Puts the code of all modules into one file, which is read faster (ocirun/packed.py)."""

    def target(self) -> str:
        return os.path.join(self.build_lib or "", "ocirun/modules.pack")

    def run(self) -> None:
        # With the sources at hand, as in an editable installation, they are what counts.
        if self.editable_mode:
            return
        os.makedirs(os.path.dirname(self.target()), exist_ok=True)
        with open(self.target(), "wb") as file:
            file.write(pack.pack())

    def get_source_files(self) -> list[str]:
        return ["pack.py"]

    def get_outputs(self) -> list[str]:
        return [] if self.editable_mode else [self.target()]


class BuildLauncher(build_scripts):
    """Compiles the launcher where scripts are built, to be installed in bin.

    With the interpreter linked in if its static library is there and works so, and if not
    as a static program that executes it.
    """

    def run(self) -> None:
        scripts, library = sysconfig.get_path("scripts"), sysconfig.get_path("platlib")
        below = os.path.relpath(library, os.path.dirname(scripts))
        base = os.path.dirname(os.path.realpath(sys._base_executable))
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        target = os.path.join(self.build_dir, "ocirun")
        defines = {"LIBRARY": below, "PYTHON": python, "INTERPRETER": f"{base}/{python}"}
        options = [f'-D{name}="{value}"' for name, value in defines.items()]
        try:
            self.embed(target, options, below)
        except (OSError, subprocess.CalledProcessError) as error:
            log.warn("the launcher executes the interpreter: %s", error)
            compile_program(["launcher/ocirun.c"], target, *FREESTANDING, "-Istub", *options)

    def embed(self, target: str, options: list[str], below: str) -> None:
        archive = os.path.join(
            sysconfig.get_config_var("LIBPL") or "", sysconfig.get_config_var("LIBRARY") or ""
        )
        os.stat(archive)
        loader = os.path.join(self.build_dir, "loader")
        # Another file is another interpreter, or an update of this one: its stat(2) is compared.
        interpreter = os.stat(os.path.realpath(sys._base_executable))
        options = [
            *options,
            f"-DINTERPRETER_SIZE={interpreter.st_size}",
            f"-DINTERPRETER_TIME={int(interpreter.st_mtime)}",
            f'-DSTANDARD_LIBRARY="{sysconfig.get_path("stdlib")}"',
            f'-DSHARED_LIBRARY="{sysconfig.get_config_var("DESTSHARED")}"',
            f'-DPREFIX="{sys.base_prefix}"',
            f'-DEXEC_PREFIX="{sys.base_exec_prefix}"',
            *("-DEMBEDDED", "-Istub", "-Ilauncher", "-Isrc/_linux", "-isystem"),
            *(sysconfig.get_path("include"), f'-DLOADER="{loader}"'),
        ]
        os.makedirs(self.build_dir, exist_ok=True)
        with open(loader, "wb") as file:
            file.write(pack.loader())
        sources = ["launcher/ocirun.c", "launcher/embedded.c", *sorted(glob("src/_linux/*.c"))]
        with tempfile.TemporaryDirectory() as prefix:
            trial = os.path.join(prefix, "bin", "ocirun")
            link(sources, trial, archive, *options, "-DTRIAL")
            self.prove(prefix, trial, below)
        link(sources, target, archive, *options)

    def prove(self, prefix: str, program: str, below: str) -> None:
        """Run what needs the first half of the interpreter's start, and what needs all of it."""
        os.makedirs(os.path.dirname(os.path.join(prefix, below)))
        os.symlink(
            os.path.abspath(self.get_finalized_command("build").build_lib),
            os.path.join(prefix, below),
        )
        for words in (["state", "--help"], ["features"], ["--version"]):
            subprocess.run(
                [program, *words], env={}, check=True, timeout=60, stdout=subprocess.DEVNULL
            )

    def get_source_files(self) -> list[str]:
        return [*sorted(glob("launcher/*.[ch]")), "stub/sys.h"]


def write_manual_pages() -> list[str]:
    """Write the manual pages below build, from the table of commands; give their places."""
    # The package as it is here, and without its C parts, which are not built yet.
    sys.path.insert(0, os.path.abspath("src"))
    from ocirun.cli import manpage

    os.makedirs("build/man", exist_ok=True)
    for name, text in manpage.pages().items():
        with open(f"build/man/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    return [f"build/man/{name}" for name in manpage.pages()]


# Before the launcher, which is tried on them.
build.sub_commands = [("build_stub", None), ("build_pack", None), *build.sub_commands]

setup(
    ext_modules=[
        Extension(
            "ocirun._linux",
            sources=sorted(glob("src/_linux/*.c")),
            depends=sorted(glob("src/_linux/*.h")),
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=["-std=gnu17", "-fvisibility=hidden", *WARNINGS],
            extra_link_args=["-Wl,-s"],
            py_limited_api=True,
        )
    ],
    scripts=["launcher/ocirun.c"],
    data_files=[("share/man/man8", write_manual_pages())],
    cmdclass={"build_stub": BuildStub, "build_pack": BuildPack, "build_scripts": BuildLauncher},
)
