# SPDX-License-Identifier: Apache-2.0
"""The systemd unit of a container: its name, its slice, and which manager has it.

With --systemd-cgroup, linux.cgroupsPath is not a path but SLICE:PREFIX:NAME, for a unit
PREFIX-NAME.scope in SLICE.  systemd.unit(5), systemd.slice(5), systemd.scope(5).
"""

from ocirun.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Linux

_FIELD = "linux.cgroupsPath"
_SLICE, _ROOT = ".slice", "-.slice"
#: the name of the file in the state directory that keeps it
PART = "unit"


class Unit:
    """A scope of the system's manager, or with `user` of that of a user."""

    __slots__ = ("name", "slice", "user")

    def __init__(self, name: str, slice_: str, *, user: bool) -> None:
        self.name = name
        self.slice = slice_
        self.user = user

    def path(self) -> str:
        """Give where its cgroup is below that of its manager."""
        return f"{expand(self.slice)}/{self.name}"


def parse(linux: "Linux", container_id: str, *, user: bool) -> Unit:
    """Give the unit that the config asks for; SpecError if it asks for none that can be."""
    path = linux.get("cgroupsPath") or f":ocirun:{container_id}"
    parts = path.split(":")
    if len(parts) != 3:
        raise SpecError(
            f'{_FIELD}: expected cgroupsPath to be of format "slice:prefix:name"'
            f" for systemd cgroups, got {path!r} instead",
            f"such as system.slice:ocirun:{container_id}; or leave it out, or --systemd-cgroup",
        )
    slice_, prefix, name = parts
    slice_ = slice_ or ("user.slice" if user else "system.slice")
    if slice_ == "-":
        slice_ = _ROOT
    expand(slice_)
    if name.endswith(_SLICE):
        raise SpecError(
            f"{_FIELD}: {name}: systemd keeps no processes in a slice",
            "give a name without .slice at its end; the first part is the slice",
        )
    if not name or "/" in prefix + name:
        raise SpecError(f"{_FIELD}: {path!r}: the name is missing, or has a slash")
    return Unit(f"{prefix}-{name}.scope", slice_, user=user)


def expand(slice_: str) -> str:
    """Give the path of a slice: each dash in its name is a level of its own.

    a-b.slice is at /a.slice/a-b.slice, and -.slice is the root.
    """
    if slice_ == _ROOT:
        return ""
    stem = slice_.removesuffix(_SLICE)
    names = stem.split("-")
    if stem == slice_ or "/" in stem or not all(names):
        raise SpecError(
            f"{_FIELD}: invalid slice name: {slice_}", "such as system.slice, or a-b.slice"
        )
    levels = ["-".join(names[: count + 1]) + _SLICE for count in range(len(names))]
    return "/" + "/".join(levels)
