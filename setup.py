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

import marshal
import os
import shlex
import subprocess
import sys
import sysconfig
from glob import glob
from importlib.util import MAGIC_NUMBER

from setuptools import Command, Extension, setup
from setuptools.command.build import build

# setuptools' own copy, once setuptools is imported.
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


def compile_program(sources: list[str], target: str, *extra: str) -> None:
    compiler = shlex.split(os.environ.get("CC", "gcc"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    subprocess.run(
        [*compiler, *FREESTANDING, *WARNINGS, *extra, "-o", target, *sources], check=True
    )


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
        compile_program(sorted(glob("stub/*.c")), self.target(), "-Istub")

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
        if not self.editable_mode:
            self.pack()

    def pack(self) -> None:
        index: dict[str, tuple[bool, int, int]] = {}
        chunks = []
        place = 0
        loader = None
        for path in sorted(glob("src/ocirun/**/*.py", recursive=True)):
            parts = os.path.relpath(path, "src").removesuffix(".py").split("/")
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            # As under -OO, without docstrings and assertions: 15 % less to read.
            code = compile(text, path.removeprefix("src/"), "exec", dont_inherit=True, optimize=2)
            if name == "ocirun.packed":
                loader = code
            chunk = marshal.dumps(code)
            index[name] = (is_package, place, len(chunk))
            chunks.append(chunk)
            place += len(chunk)
        head = marshal.dumps((loader, index))
        os.makedirs(os.path.dirname(self.target()), exist_ok=True)
        with open(self.target(), "wb") as file:
            file.write(MAGIC_NUMBER + len(head).to_bytes(4, "little") + head + b"".join(chunks))

    def get_source_files(self) -> list[str]:
        return []

    def get_outputs(self) -> list[str]:
        return [] if self.editable_mode else [self.target()]


class BuildLauncher(build_scripts):
    """Compiles the launcher where scripts are built, to be installed in bin."""

    def run(self) -> None:
        scripts, library = sysconfig.get_path("scripts"), sysconfig.get_path("platlib")
        below = os.path.relpath(library, os.path.dirname(scripts))
        base = os.path.dirname(os.path.realpath(sys._base_executable))
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        compile_program(
            ["launcher/ocirun.c"],
            os.path.join(self.build_dir, "ocirun"),
            "-Istub",
            f'-DLIBRARY="{below}"',
            f'-DPYTHON="{python}"',
            f'-DINTERPRETER="{base}/{python}"',
        )

    def get_source_files(self) -> list[str]:
        return ["launcher/ocirun.c", "stub/sys.h"]


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


build.sub_commands = [*build.sub_commands, ("build_stub", None), ("build_pack", None)]

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
