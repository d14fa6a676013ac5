# SPDX-License-Identifier: Apache-2.0
"""Which namespaces are made, which are joined, and that a path is what it is said to be."""

import os
from pathlib import Path

import pytest

from ocirun.engine.namespaces import TYPES, Namespaces, check_mounts
from ocirun.errors import KernelError, SpecError
from ocirun.spec.model import Spec


def test_made_and_joined() -> None:
    found = Namespaces(
        [{"type": "pid"}, {"type": "mount", "path": ""}, {"type": "user", "path": "/u"}]
    )
    assert found.made == {"pid", "mount"}
    assert found.joined == {"user": "/u"}
    assert found.flags == 0x20000000 | 0x00020000
    assert found.private("user")
    assert found.private("pid")
    assert not found.private("network")


def test_flags_are_the_kernel_s() -> None:
    """Each flag is what its namespace says of itself (ioctl_ns(2))."""
    for kind, (flag, name) in TYPES.items():
        spec = Namespaces([{"type": kind, "path": f"/proc/self/ns/{name}"}])
        if not os.path.exists(f"/proc/self/ns/{name}"):
            continue
        spec.open()
        assert list(spec.fds) == [kind]
        assert spec.is_ours(kind)
        assert flag
        spec.close()
        assert spec.fds == {}


def test_another_kind() -> None:
    spec = Namespaces([{"type": "pid"}, {"type": "network", "path": "/proc/self/ns/uts"}])
    with pytest.raises(SpecError) as raised:
        spec.open()
    spec.close()
    said = "linux.namespaces[1].path: /proc/self/ns/uts is a uts namespace, wanted network"
    assert raised.value.message == said


@pytest.mark.parametrize("kind", ["file", "directory", "fifo"])
def test_no_namespace(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ns"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.touch()
    spec = Namespaces([{"type": "network", "path": str(path)}])
    with pytest.raises(SpecError, match=r"^linux.namespaces\[0\].path: .* is no namespace"):
        spec.open()
    spec.close()


def test_nothing_there() -> None:
    spec = Namespaces([{"type": "network", "path": "/nothing"}])
    with pytest.raises(KernelError) as raised:
        spec.open()
    said = "linux.namespaces[0].path: open /nothing: no such file or directory"
    assert raised.value.message == said
    assert raised.value.hint


def test_one_that_is_not_open_is_not_ours() -> None:
    assert not Namespaces([{"type": "network"}]).is_ours("network")


@pytest.mark.parametrize("field", ["maskedPaths", "readonlyPaths"])
def test_protection_needs_a_mount_namespace(document: Spec, field: str) -> None:
    linux = document["linux"]
    for name in {"maskedPaths", "readonlyPaths"} - {field}:
        linux[name] = []  # type: ignore[literal-required]
    check_mounts(document, Namespaces([{"type": "mount"}]))
    with pytest.raises(SpecError, match=f"^linux.{field}: "):
        check_mounts(document, Namespaces([{"type": "pid"}]))
    linux[field] = []  # type: ignore[literal-required]
    check_mounts(document, Namespaces([{"type": "pid"}]))
