# SPDX-License-Identifier: Apache-2.0
"""The files of this repository, for the tests that read them."""

import functools
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[1]


@functools.cache
def listing() -> tuple[str, ...]:
    """All files that are, or would be, committed; relative to the top."""
    git = ["git", "-c", f"safe.directory={TOP}", "ls-files", "-z"]
    try:
        found = subprocess.run(
            [*git, "--cached", "--others", "--exclude-standard"],
            cwd=TOP,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        # Not a checkout, or no git: an unpacked archive has little else in it.
        found = [str(path.relative_to(TOP)) for path in TOP.rglob("*") if _is_source(path)]
    return tuple(sorted(name for name in found if name and (TOP / name).is_file()))


def _is_source(path: Path) -> bool:
    parts = path.relative_to(TOP).parts
    made = {".git", ".venv", "build", "demo", "__pycache__", ".mypy_cache", ".ruff_cache"}
    return not made.intersection(parts) and path.suffix not in {".so", ".pyc"}


def files(*suffixes: str, under: str = "") -> list[str]:
    """All files with one of these suffixes below a directory."""
    prefix = under and under + "/"
    return [name for name in listing() if name.endswith(suffixes) and name.startswith(prefix)]


def read(path: str) -> str:
    """The text of a file of the repository."""
    return (TOP / path).read_text(encoding="utf-8")
