# SPDX-License-Identifier: Apache-2.0
"""Changes of a config by the dotted names of its fields, and the form that errors have."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

    from tests.bundle import Change

    from ocirun.spec.model import Spec

WARNING = "ocirun: warning: "


def put(**fields: object) -> "Change":
    """Set fields; in a keyword two underscores stand for the dot: process__cwd="/"."""

    def change(spec: "Spec") -> None:
        for path, value in fields.items():
            place, last = _find(spec, path)
            place[last] = value

    return change


def append(**fields: object) -> "Change":
    """Append to lists, which are made where there are none."""

    def change(spec: "Spec") -> None:
        for path, value in fields.items():
            place, last = _find(spec, path)
            entries = place.setdefault(last, [])
            assert isinstance(entries, list)
            entries.append(value)

    return change


def drop(*kinds: str) -> "Change":
    """Share these namespaces with the host."""

    def change(spec: "Spec") -> None:
        kept = [entry for entry in spec["linux"]["namespaces"] if entry["type"] not in kinds]
        spec["linux"]["namespaces"] = kept

    return change


def both(*changes: "Change") -> "Change":
    """Make several changes, in order."""

    def change(spec: "Spec") -> None:
        for one in changes:
            one(spec)

    return change


def _find(spec: "Spec", path: str) -> "tuple[dict[str, object], str]":
    place: dict[str, object] = spec  # type: ignore[assignment]  # by name only
    *way, last = path.split("__")
    for step in way:
        inner = place.setdefault(step, {})
        assert isinstance(inner, dict)
        place = inner
    return place, last


def refused(done: "subprocess.CompletedProcess[str]", *words: str, code: int = 1) -> None:
    """Check that a command failed with one line, in our form, that has these words."""
    assert (done.returncode, done.stdout) == (code, ""), done
    lines = [line for line in done.stderr.splitlines() if not line.startswith(WARNING)]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("ocirun: error: ")
    assert not lines[0].endswith(".")
    for word in ("Traceback", "internal error", "[Errno"):
        assert word not in lines[0]
    for word in words:
        assert word in lines[0]
