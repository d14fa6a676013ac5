# SPDX-License-Identifier: Apache-2.0
"""The hierarchies found in texts of /proc, for the hosts that there are."""

from collections.abc import Iterator

import pytest

from ocirun.linux.cgroup import layout
from ocirun.linux.cgroup.layout import Hierarchy, Layout

V1 = b"""\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
44 31 0:44 / /sys/fs/cgroup/elogind rw,relatime - cgroup cgroup rw,name=elogind
"""
V1_OWN = b"""\
9:name=systemd:/user.slice
7:name=elogind:/1
4:memory:/user.slice/user-0.slice
2:cpu,cpuacct:/user.slice
1:cpuset:/
"""
UNIFIED_BESIDE = b"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
V2 = b"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
NET_CLS = b"90 1 0:66 / /opt/vpn/net_cls rw,relatime - cgroup cgroup rw,net_cls\n"


def scan(
    mountinfo: bytes, own: bytes, *, covered: tuple[str, ...] = (), chunk: int = 4096
) -> Layout:
    chunks = (mountinfo[at : at + chunk] for at in range(0, len(mountinfo), chunk))
    return layout.scan(
        chunks, layout.parse_membership(own), lambda mount, _device: mount not in covered
    )


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_v1(chunk: int) -> None:
    found = scan(V1, V1_OWN, chunk=chunk)
    assert found.version == 1
    assert found.unified is None
    assert [hierarchy.controllers for hierarchy in found.v1] == [
        ["cpu", "cpuacct"],
        ["memory"],
        ["name=systemd"],
    ]
    assert found.v1[1].mount == "/sys/fs/cgroup/memory"
    assert found.v1[1].own == "/user.slice/user-0.slice"


def test_hybrid_is_v1_with_a_tree_beside() -> None:
    found = scan(V1 + UNIFIED_BESIDE, V1_OWN + b"0::/user.slice\n")
    assert found.version == 1
    assert found.unified is not None
    assert found.unified.mount == "/sys/fs/cgroup/unified"
    assert found.unified.own == "/user.slice"


def test_v2() -> None:
    found = scan(V2, b"0::/user.slice/session-1.scope\n")
    assert found.version == 2
    assert found.v1 == []


@pytest.mark.parametrize("mountinfo", [V2 + NET_CLS, NET_CLS + V2])
def test_v1_controller_of_some_program_does_not_make_the_host_v1(mountinfo: bytes) -> None:
    assert scan(mountinfo, b"1:net_cls:/\n0::/\n").version == 2


def test_nothing_mounted() -> None:
    assert scan(b"22 27 0:21 / /proc rw - proc proc rw\n", b"0::/\n").version == 0


def test_reads_no_further_than_needed() -> None:
    def chunks() -> Iterator[bytes]:
        yield V2
        pytest.fail("read on")

    assert layout.scan(chunks(), {"": "/"}, lambda _mount, _device: True).version == 2


def test_covered_mount_is_passed_over() -> None:
    other = b"70 1 0:32 / /mnt/memory rw - cgroup cgroup rw,memory\n"
    found = scan(V1[57:] + other, b"4:memory:/\n", covered=("/sys/fs/cgroup/memory",))
    assert [hierarchy.mount for hierarchy in found.v1] == ["/mnt/memory"]


def test_mount_point_with_a_space() -> None:
    found = scan(rb"30 1 0:5 / /my\040cgroups rw - cgroup2 none rw" + b"\n", b"0::/\n")
    assert found.unified is not None
    assert found.unified.mount == "/my cgroups"


@pytest.mark.parametrize(
    ("path", "directory"),
    [
        ("/a/b", "/m/a/b"),
        ("/", "/m"),
        ("/../../etc", "/m/etc"),
        ("//a//b/", "/m/a/b"),
        ("a", "/m/own/scope/a"),
        ("../../../a", "/m/own/scope/a"),
        ("a/../../b", "/m/own/scope/b"),
    ],
)
def test_directory(path: str, directory: str) -> None:
    assert Hierarchy([""], "/m", "/", "/own/scope").directory(path) == directory


def test_directory_beside_the_own_one() -> None:
    assert Hierarchy([""], "/m", "/", "/own/scope").directory("a", beside=True) == "/m/own/a"
    assert Hierarchy([""], "/m", "/", "/").directory("a", beside=True) == "/m/a"
    assert Hierarchy([""], "/m", "/", "/own").directory("/a", beside=True) == "/m/a"


@pytest.mark.parametrize(
    ("root", "own", "directory"),
    [
        ("/docker/c1", "/docker/c1", "/m"),
        ("/docker/c1", "/docker/c1/init", "/m/init"),
        ("/docker/c1", "/docker/c10", "/m"),
        ("/docker/c1", "/", "/m"),
        ("/", "/../..", "/m"),
    ],
)
def test_own_directory_inside_a_container(root: str, own: str, directory: str) -> None:
    assert Hierarchy(["memory"], "/m", root, own).own_directory() == directory
