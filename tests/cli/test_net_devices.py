# SPDX-License-Identifier: Apache-2.0
"""`linux.netDevices`, with pairs of virtual devices in a network namespace that stands for the host.

Its other end shows that a device is up, and is not on the way when the pair is removed.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import append, both, drop, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not shutil.which("ip"), reason="iproute2"),
]

MAC = "02:11:22:33:44:55"
ADDRESSES = """
ip address add 10.1.2.3/24 broadcast 10.1.2.200 dev dev0
ip address add 10.1.9.1 peer 10.1.9.2/32 dev dev0
ip address add fd00::5/64 nodad dev dev0
ip address add 127.0.0.33/32 scope host dev dev0
ip address add 10.1.2.9/24 valid_lft 3000 preferred_lft 3000 dev dev0
"""


class Host:
    """A process in a network namespace of its own, by which others get there."""

    def __init__(self, command: "Command", bundle: "Bundles", name: str) -> None:
        self.command = command
        self.bundle = bundle
        self.name = name
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo ready; read end"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"
        self.netns = f"/proc/{self.process.pid}/ns/net"
        self("ip link add dev0 type veth peer name far0; ip link set far0 up")
        self(f"ip link set dev0 mtu 1789 address {MAC} up")

    def close(self) -> None:
        self.process.communicate()

    def __call__(self, script: str) -> str:
        """Run a script there."""
        words = ["nsenter", f"--net={self.netns}", "sh", "-ec", script]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def run(self, script: str, *changes: "Change") -> "subprocess.CompletedProcess[str]":
        """Run a container whose devices come from there."""
        path = self.bundle("sh", "-ec", script, change=both(*changes))
        words = self.command.words("run", "-b", str(path), self.name)
        return subprocess.run(
            ["nsenter", f"--net={self.netns}", *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def look(self, script: str, *changes: "Change") -> str:
        done = self.run(script, *changes)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def devices(self) -> set[str]:
        return {link["ifname"] for link in json.loads(self("ip -json link show"))}


@pytest.fixture
def host(command: "Command", bundle: "Bundles", name: str) -> Iterator[Host]:
    made = Host(command, bundle, name)
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[str]:
    """Give the path of one more network namespace, for a container to join."""
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo ready; read end"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    yield f"/proc/{process.pid}/ns/net"
    process.communicate()


def devices(**wanted: dict[str, str]) -> "Change":
    return put(linux__netDevices=wanted)


def join(path: str) -> "Change":
    return both(drop("network"), append(linux__namespaces={"type": "network", "path": path}))


def test_a_device_moves_with_all_that_it_is(host: Host) -> None:
    host(ADDRESSES)
    said = host.look("ip address show dev dev0", devices(dev0={}))
    for word in ("mtu 1789", f"link/ether {MAC}", "<BROADCAST,MULTICAST,UP,LOWER_UP"):
        assert word in said
    assert "inet 10.1.2.3/24 brd 10.1.2.200 scope global" in said
    assert "inet 10.1.9.1 peer 10.1.9.2/32 scope global" in said
    assert "inet6 fd00::5/64 scope global" in said
    # Neither what is of no use elsewhere, nor what was lent.
    assert "127.0.0.33" not in said
    assert "10.1.2.9" not in said


def test_the_first_hook_finds_it_moved(host: Host, tmp_path: "object") -> None:
    hook = {
        "path": "/bin/sh",
        "args": [
            "sh", "-c",
            f"pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); grep dev0 /proc/$pid/net/dev >{tmp_path}/seen",
        ],
        "env": ["PATH=/usr/bin:/bin"],
    }  # fmt: skip
    host.look("true", devices(dev0={}), append(hooks__createRuntime=hook))
    with open(f"{tmp_path}/seen", encoding="utf-8") as file:
        assert "dev0" in file.read()


def test_names(host: Host) -> None:
    host("ip link add dev1 type veth peer name far1; ip link add dev2 type veth peer name far2")
    wanted = devices(dev0={"name": "inside"}, dev1={"name": "eth%d"}, dev2={"name": "eth%d"})
    said = host.look("ls /sys/class/net", wanted)
    assert said.split() == ["eth0", "eth1", "inside", "lo"]


def test_a_joined_namespace_keeps_it(host: Host, other: str) -> None:
    host("ip address add 10.1.2.3/24 dev dev0")
    subprocess.run(
        ["nsenter", f"--net={other}", "ip", "link", "add", "dev0", "type", "bridge"], check=True
    )
    host.look("ip link show inside", devices(dev0={"name": "inside"}), join(other))
    said = subprocess.run(
        ["nsenter", f"--net={other}", "ip", "address", "show", "dev", "inside"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert "10.1.2.3/24" in said
    assert host.devices() == {"lo", "far0"}


def test_a_user_namespace(host: Host) -> None:
    mapping = [{"containerID": 0, "hostID": 100000, "size": 1000}]
    ids = put(linux__uidMappings=mapping, linux__gidMappings=mapping)
    own = append(linux__namespaces={"type": "user"})
    host("ip address add 10.1.2.3/24 dev dev0")
    assert "10.1.2.3/24" in host.look("ip address show dev dev0", devices(dev0={}), own, ids)


def test_a_clash_moves_nothing(host: Host, other: str) -> None:
    subprocess.run(
        ["nsenter", f"--net={other}", "ip", "link", "add", "taken", "type", "bridge"], check=True
    )
    host("ip address add 10.1.2.3/24 dev dev0; ip link add dev1 type veth peer name far1")
    wanted = devices(dev1={"name": "new"}, dev0={"name": "taken"})
    done = host.run("true", wanted, join(other))
    refused(done, 'linux.netDevices["dev0"]: there is a device taken in the container already')
    said = host("ip address show dev dev0; ip link show dev1")
    assert "10.1.2.3/24" in said
    assert "UP,LOWER_UP" in said


def test_the_host_s_namespace(host: Host) -> None:
    done = host.run("true", devices(dev0={}), join(host.netns))
    refused(done, "linux.netDevices: the container is in the host's network namespace")
    refused(host.run("true", devices(dev0={}), drop("network")), "needs a network namespace")
    assert "dev0" in host.devices()


def test_a_device_that_there_is_not(host: Host) -> None:
    refused(host.run("true", devices(dev7={})), 'linux.netDevices["dev7"]: there is no such')


def test_a_device_that_cannot_move(host: Host) -> None:
    done = host.run("true", devices(lo={"name": "loop"}))
    refused(done, 'linux.netDevices["lo"]: move it to the container: invalid argument')


def test_two_devices_with_one_name(host: Host) -> None:
    host("ip link add dev1 type veth peer name far1")
    wanted = devices(dev0={"name": "x"}, dev1={"name": "x"})
    refused(host.run("true", wanted), 'linux.netDevices["dev1"]: dev0 is to be called x already')


def test_without_the_rights_of_root(host: Host, command: "Command", bundle: "Bundles") -> None:
    path = bundle("true", change=devices(dev0={}))
    done = command("--rootless", "true", "run", "-b", str(path), host.name)
    refused(done, "linux.netDevices: network devices are not supported for rootless containers")
