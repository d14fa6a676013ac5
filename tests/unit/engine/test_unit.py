# SPDX-License-Identifier: Apache-2.0
"""Names of units and slices, by value."""

import pytest

from ocirun.engine.unit import expand, parse
from ocirun.errors import SpecError


@pytest.mark.parametrize(
    ("path", "user", "name", "slice_"),
    [
        ("", False, "ocirun-ID.scope", "system.slice"),
        ("", True, "ocirun-ID.scope", "user.slice"),
        ("::name", False, "-name.scope", "system.slice"),
        ("machine.slice:libpod:abc", False, "libpod-abc.scope", "machine.slice"),
        ("kubepods-besteffort-pod1.slice:cri-containerd:9f", False,
         "cri-containerd-9f.scope", "kubepods-besteffort-pod1.slice"),
        ("-:p:n", False, "p-n.scope", "-.slice"),
        (":p:n", True, "p-n.scope", "user.slice"),
    ],
)  # fmt: skip
def test_what_cgroupspath_says(path: str, user: bool, name: str, slice_: str) -> None:  # noqa: FBT001
    unit = parse({"cgroupsPath": path}, "ID", user=user)
    assert (unit.name, unit.slice, unit.user) == (name, slice_, user)


@pytest.mark.parametrize(
    "path",
    ["/a/path", "a:b", "a.slice:b:c:d", "a:b:c", "a/b.slice:p:n", "a--b.slice:p:n", ".slice:p:n",
     "-a.slice:p:n", "a.slice:p:", "a.slice:p:n.slice", "a.slice:p/q:n"],
)  # fmt: skip
def test_what_it_may_not_say(path: str) -> None:
    with pytest.raises(SpecError, match=r"^linux\.cgroupsPath: "):
        parse({"cgroupsPath": path}, "ID", user=False)


def test_slices_are_a_tree() -> None:
    assert expand("-.slice") == ""
    assert expand("system.slice") == "/system.slice"
    assert expand("a-b-c.slice") == "/a.slice/a-b.slice/a-b-c.slice"
    unit = parse({"cgroupsPath": "a-b.slice:p:n"}, "ID", user=False)
    assert unit.path() == "/a.slice/a-b.slice/p-n.scope"
