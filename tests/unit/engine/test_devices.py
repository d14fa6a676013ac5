# SPDX-License-Identifier: Apache-2.0
"""What is made in /dev."""

import os

import pytest
from tests.unit.engine.planning import Step, build, steps

from ocirun.engine.devices import DEFAULT
from ocirun.engine.wire import TARGET_FILE
from ocirun.spec.model import Device, Spec


def nodes(document: Spec) -> list[Step]:
    return [step[2:] for step in steps(build(document)) if step[0] == "MKNOD"]


def test_default_devices(document: Spec) -> None:
    assert nodes(document) == [
        (path, 0o020666, os.makedev(major, minor), 0, 0) for path, major, minor in DEFAULT
    ]
    assert {path for path, _, _ in DEFAULT} == {
        *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
    }


@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        (
            {"path": "/dev/x", "type": "c", "major": 10, "minor": 229},
            (0o020666, os.makedev(10, 229), 0, 0),
        ),
        (
            {"path": "/dev/x", "type": "u", "major": 1, "minor": 3, "fileMode": 0o600},
            (0o020600, os.makedev(1, 3), 0, 0),
        ),
        (
            {"path": "/dev/x", "type": "b", "major": 259, "minor": 70000, "uid": 5, "gid": 6},
            (0o060666, os.makedev(259, 70000), 5, 6),
        ),
        ({"path": "/dev/x", "type": "p"}, (0o010666, 0, 0, 0)),
        # A mode says nothing of the type, whatever else is in it.
        (
            {"path": "/dev/x", "type": "c", "major": 1, "minor": 1, "fileMode": 0o102644},
            (0o022644, os.makedev(1, 1), 0, 0),
        ),
    ],
)
def test_device(document: Spec, device: Device, wanted: tuple[int, ...]) -> None:
    document["linux"]["devices"] = [device]
    assert nodes(document)[-1] == ("/dev/x", *wanted)


def test_one_of_the_defaults_by_other_means(document: Spec) -> None:
    device: Device = {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600}
    document["linux"]["devices"] = [device]
    found = [step for step in nodes(document) if step[0] == "/dev/null"]
    assert [step[1] for step in found] == [0o020600]


def test_links(document: Spec) -> None:
    found = [step[2:] for step in steps(build(document)) if step[0] == "SYMLINK"]
    assert found == [
        ("pts/ptmx", "/dev/ptmx", 1),
        ("/proc/self/fd", "/dev/fd", 0),
        ("/proc/self/fd/0", "/dev/stdin", 0),
        ("/proc/self/fd/1", "/dev/stdout", 0),
        ("/proc/self/fd/2", "/dev/stderr", 0),
    ]


def test_user_namespace(document: Spec) -> None:
    """No user namespace may make devices: the host's own are bound, but FIFOs are made."""
    document["linux"]["namespaces"].append({"type": "user"})
    document["linux"]["devices"] = [{"path": "/dev/pipe", "type": "p"}]
    assert [step[0] for step in nodes(document)] == ["/dev/pipe"]
    found = steps(build(document), "linux.devices")
    assert [step[0] for step in found][:4] == ["TARGET", "SOURCE", "CLONE_TREE", "ATTACH"]
    assert found[0][3::2] == ("/dev/null", TARGET_FILE)
    assert found[1][2] == "/dev/null"


def test_device_of_the_host_is_checked(document: Spec) -> None:
    """What is bound in a user namespace has to be what the config says."""
    document["linux"]["namespaces"].append({"type": "user"})
    document["linux"]["devices"] = [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3}]
    found = [step[0] for step in steps(build(document), "linux.devices[0]")]
    assert found[:5] == ["TARGET", "SOURCE", "EXCHANGE", "CLONE_TREE", "ATTACH"]


@pytest.mark.parametrize("path", ["/dev/ptmx", "/dev//ptmx", "/dev/./ptmx"])
def test_the_multiplexer_stays_a_link(document: Spec, path: str) -> None:
    document["linux"]["devices"] = [{"path": path, "type": "c", "major": 5, "minor": 2}]
    assert "ptmx" not in str(nodes(document))


def test_a_default_one_by_another_spelling(document: Spec) -> None:
    document["linux"]["devices"] = [{"path": "/dev//null", "type": "c", "major": 1, "minor": 3}]
    assert [step[0] for step in nodes(document) if "null" in str(step[0])] == ["/dev//null"]
