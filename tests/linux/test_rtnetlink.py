# SPDX-License-Identifier: Apache-2.0
"""Network devices and addresses, against ip(8); and sockets made in another namespace."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator

import pytest

from ocirun import _linux
from ocirun.linux.rtnetlink import Routing

AF_NETLINK, SOCK_RAW = 16, 3
CLONE_NEWNET = 0x40000000

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("ip"), reason="iproute2")]


@pytest.fixture
def other() -> Iterator[int]:
    """Give a descriptor of another network namespace."""
    script = (
        "ip link add dev0 type veth peer name far0 && ip address add 10.1.2.3/24 dev dev0"
        " && ip address add 127.9.9.9/8 scope host dev dev0 && echo ready && read end"
    )
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    fd = os.open(f"/proc/{process.pid}/ns/net", os.O_RDONLY)
    yield fd
    os.close(fd)
    process.communicate()


def ip(netns_fd: int, *words: str) -> str:
    command = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{netns_fd}", "ip", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_socket_elsewhere_and_no_thread_of_ours(other: int) -> None:
    before = os.readlink("/proc/self/ns/net")
    fd = _linux.socket_in(other, AF_NETLINK, SOCK_RAW, 0)
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    os.close(fd)
    assert os.readlink("/proc/self/ns/net") == before
    assert os.readlink("/proc/thread-self/ns/net") == before
    spaces = {
        os.readlink(f"/proc/self/task/{task}/ns/net") for task in os.listdir("/proc/self/task")
    }
    assert spaces == {before}


def test_from_several_threads_at_once(other: int) -> None:
    found: list[set[str]] = []

    def look() -> None:
        for _ in range(20):
            with Routing(other) as there:
                found.append(set(there.devices()))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"lo", "dev0", "far0"}] * 80


@pytest.mark.parametrize("path", ["/dev/null", "/proc/self/ns/uts"])
def test_no_network_namespace(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    with pytest.raises(OSError, match="Invalid argument"):
        _linux.socket_in(fd, AF_NETLINK, SOCK_RAW, 0)
    os.close(fd)


def test_our_own_devices() -> None:
    with Routing() as here:
        found = here.devices()
    assert found == {link["ifname"]: link["ifindex"] for link in json.loads(subprocess.run(
        ["ip", "-json", "link"], check=True, capture_output=True).stdout)}  # fmt: skip


def test_an_address_is_read_and_given_again(other: int) -> None:
    with Routing(other) as there:
        devices = there.devices()
        addresses = there.addresses(devices["dev0"])
        lasting = [address for address in addresses if address.is_lasting]
        assert [(one.family, one.prefix) for one in lasting] == [(2, 24)]
        there.add_address(devices["far0"], lasting[0])
        there.set_up(devices["far0"])
    said = ip(other, "address", "show", "dev", "far0")
    assert "inet 10.1.2.3/24 scope global" in said
    assert ",UP" in said


def test_what_the_kernel_says_is_in_the_error(other: int) -> None:
    with Routing(other) as there:
        devices = there.devices()
        address = there.addresses(devices["dev0"])[0]
        with pytest.raises(OSError, match="File exists") as caught:
            there.add_address(devices["dev0"], address)
        assert caught.value.errno == errno.EEXIST
        with pytest.raises(OSError, match="No such device"):
            there.set_up(4711)
        ours = os.open("/proc/self/ns/net", os.O_RDONLY)
        with pytest.raises(OSError, match="Invalid argument"):
            there.move(devices["lo"], "x", ours)
        os.close(ours)
