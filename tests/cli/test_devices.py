# SPDX-License-Identifier: Apache-2.0
"""`linux.devices`: nodes that are made, and, in a user namespace, nodes of the host."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import append, both, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

    from ocirun.spec.model import Device

pytestmark = pytest.mark.root

MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]
USER = both(
    append(linux__namespaces={"type": "user"}),
    put(linux__uidMappings=MAPPING, linux__gidMappings=MAPPING),
)


@pytest.fixture(autouse=True)
def _mapped_root(bundle: "Bundles") -> None:
    """The root of the user namespace makes the mount points."""
    os.chown(bundle.rootfs, 100000, 100000)


def devices(*wanted: "Device") -> "Change":
    return put(linux__devices=list(wanted))


def test_kinds_modes_and_owners(look: "Look") -> None:
    change = devices(
        {"path": "/dev/deep/char", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640},
        {"path": "/dev/block", "type": "b", "major": 259, "minor": 70000, "uid": 5, "gid": 6},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o600, "uid": 7},
        {"path": "/elsewhere", "type": "u", "major": 1, "minor": 7},
    )
    script = "stat -c '%F %a %t:%T %u:%g' /dev/deep/char /dev/block /dev/pipe /elsewhere"
    assert look(script, change).splitlines() == [
        "character special file 640 a:e5 0:0",
        "block special file 666 103:11170 5:6",
        "fifo 600 0:0 7:0",
        "character special file 666 1:7 0:0",
    ]
    (look.bundle.rootfs / "elsewhere").unlink()


@pytest.mark.parametrize("own", [False, True])
def test_the_multiplexer_is_the_container_s_own(look: "Look", *, own: bool) -> None:
    change = devices({"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2})
    assert look("readlink /dev/ptmx", *([USER] if own else []), change) == "pts/ptmx"


def test_something_else_at_the_path(command: "Command", bundle: "Bundles", name: str) -> None:
    path = bundle.rootfs / "node"
    change = devices({"path": "/node", "type": "c", "major": 1, "minor": 3})
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    assert command("run", "-b", str(bundle("true", change=change)), name).returncode == 0
    for mode, number in ((stat.S_IFCHR, (1, 5)), (stat.S_IFBLK, (1, 3)), (stat.S_IFREG, (0, 0))):
        path.unlink()
        os.mknod(path, mode | 0o600, os.makedev(*number))
        done = command("run", "-b", str(bundle("true", change=change)), name)
        refused(done, "linux.devices[0]: make the device /node: file exists", "something else")
    path.unlink()


def test_device_of_the_host_in_a_user_namespace(look: "Look") -> None:
    change = devices({"path": "/dev/full", "type": "c", "major": 1, "minor": 7})
    assert look("stat -c '%t:%T %u' /dev/full", USER, change) == "1:7 65534"


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (("/dev/null", "c", 1, 5), ("host has c 1:3 at /dev/null, wanted c 1:5",)),
        (("/dev/null", "b", 1, 3), ("host has c 1:3 at /dev/null, wanted b 1:3",)),
        (("/etc/passwd", "c", 1, 3), ("host has no device at /etc/passwd, wanted c 1:3",)),
        (("/dev/nothing", "c", 1, 3), ("/dev/nothing: no such file or directory",)),
    ],
)
def test_another_device_of_the_host(
    command: "Command",
    bundle: "Bundles",
    name: str,
    device: tuple[str, str, int, int],
    words: tuple[str, ...],
) -> None:
    """Once whatever the host had at the path was bound."""
    path, kind, major, minor = device
    entry: Device = {"path": path, "major": major, "minor": minor}
    entry["type"] = kind
    done = command("run", "-b", str(bundle("true", change=both(USER, devices(entry)))), name)
    refused(done, "linux.devices[0]: ", "only have devices of the host", *words)


def test_nothing_is_made_in_a_dev_of_the_host(look: "Look", open_directory: Path) -> None:
    """A /dev that is bound is somebody else's (runc does the same)."""
    dev = open_directory / "dev"
    dev.mkdir()
    (dev / "null").touch()
    entry = {"destination": "/dev", "source": str(dev), "options": ["bind"]}

    def only_that(spec: object) -> None:
        assert isinstance(spec, dict)
        keep = [one for one in spec["mounts"] if one["destination"] in ("/proc", "/sys")]
        spec["mounts"] = [*keep, entry]

    assert look("ls -A /dev", only_that) == "null"
    (dev / "null").unlink()
    dev.rmdir()


def test_tun_is_allowed(look: "Look") -> None:
    """Containers with a VPN rely on it, with and without a rule."""
    change = devices({"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200})
    script = "exec 3<>/dev/net/tun && echo open"
    kinds = {"allow": False, "access": "rwm"}
    limited = put(linux__resources={"devices": [kinds]})
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("/dev/net/tun")
    assert look(script, change, limited) == "open"
