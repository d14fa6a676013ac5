# SPDX-License-Identifier: Apache-2.0
"""Which namespaces a container's process is in, by what /proc says of it (namespaces(7))."""

import os
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import append, drop, put, refused
from tests.cli.inside import namespace, status

if TYPE_CHECKING:
    from tests.cli.inside import Look

    from ocirun.spec.model import Spec

pytestmark = pytest.mark.root

#: the word of the spec -> the name below /proc/PID/ns
NAMES = {
    "pid": "pid",
    "network": "net",
    "ipc": "ipc",
    "uts": "uts",
    "mount": "mnt",
    "cgroup": "cgroup",
    "user": "user",
    "time": "time",
}
DEFAULT = {"pid", "network", "ipc", "uts", "mount"}
MAPPED = put(
    linux__uidMappings=[{"containerID": 0, "hostID": 100000, "size": 65536}],
    linux__gidMappings=[{"containerID": 0, "hostID": 200000, "size": 65536}],
)


def made_for(pid: int) -> set[str]:
    """Give the kinds of namespaces that are not ours."""
    return {kind for kind, name in NAMES.items() if namespace(pid, name) != namespace("self", name)}


def only(*kinds: str) -> "dict[str, list[dict[str, str]]]":
    return {"linux__namespaces": [{"type": kind} for kind in kinds]}


def test_the_default_ones(look: "Look") -> None:
    assert made_for(look.start()) == DEFAULT
    look.end()


@pytest.mark.parametrize("kind", ["network", "ipc"])
def test_what_is_left_out_is_shared(look: "Look", kind: str) -> None:
    assert made_for(look.start(drop(kind))) == DEFAULT - {kind}
    look.end()


def test_the_host_s_pids(look: "Look") -> None:
    pid = look.start(drop("pid"))
    assert made_for(pid) == DEFAULT - {"pid"}
    done = look.command("exec", look.name, "sh", "-c", f"cat /proc/{pid}/comm")
    assert done.stdout == "sleep\n"
    look.end()


def test_the_host_s_name(look: "Look") -> None:
    change = drop("uts")

    def without_name(spec: "Spec") -> None:
        change(spec)
        del spec["hostname"]

    assert look("hostname", without_name) == os.uname().nodename


@pytest.mark.parametrize("kind", ["cgroup", "time"])
def test_more_of_them(look: "Look", kind: str) -> None:
    assert made_for(look.start(append(linux__namespaces={"type": kind}))) == DEFAULT | {kind}
    look.end()


def test_a_cgroup_namespace_hides_the_way_to_the_root(look: "Look") -> None:
    script = "cut -d: -f3 /proc/self/cgroup | sort -u"
    assert look(script, append(linux__namespaces={"type": "cgroup"})) == "/"


def test_time_offsets(look: "Look") -> None:
    with open("/proc/uptime", encoding="ascii") as file:
        here = float(file.read().split()[0])
    offset = put(linux__timeOffsets={"boottime": {"secs": 100000}})
    there = look("cut -d' ' -f1 /proc/uptime", append(linux__namespaces={"type": "time"}), offset)
    assert 100000 <= float(there) - here < 100100


def test_host_and_domain_name(look: "Look") -> None:
    names = put(hostname="box", domainname="example.org")
    script = "hostname; cat /proc/sys/kernel/domainname"
    assert look(script, names) == "box\nexample.org"


@pytest.fixture
def other() -> Iterator[int]:
    """A process in namespaces of its own."""
    unshare = "unshare --net --ipc --uts --pid --fork --kill-child --mount-proc cat".split()
    with subprocess.Popen(unshare, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"ready\n")
        process.stdin.flush()
        process.stdout.readline()
        children = f"/proc/{process.pid}/task/{process.pid}/children"
        with open(children, encoding="ascii") as file:
            pid = int(file.read())
        yield pid
        process.stdin.close()


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "pid"])
def test_by_path(look: "Look", other: int, kind: str) -> None:
    entry = {"type": kind, "path": f"/proc/{other}/ns/{NAMES[kind]}"}
    pid = look.start(drop(kind), append(linux__namespaces=entry))
    assert made_for(pid) == DEFAULT
    for one in DEFAULT:
        same = namespace(pid, NAMES[one]) == namespace(other, NAMES[one])
        assert same == (one == kind)
    look.end()


def test_a_user_namespace(look: "Look") -> None:
    os.chown(look.bundle.rootfs, 100000, 200000)
    pid = look.start(append(linux__namespaces={"type": "user"}), MAPPED)
    assert made_for(pid) == DEFAULT | {"user"}
    found = status(pid)
    assert found["Uid"].split() == ["100000"] * 4
    assert found["Gid"].split() == ["200000"] * 4
    with open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
        assert file.read().split() == ["0", "100000", "65536"]
    with open(f"/proc/{pid}/gid_map", encoding="ascii") as file:
        assert file.read().split() == ["0", "200000", "65536"]
    # The files of the host's root are nobody's inside, and closed.
    script = "id -u; id -g; stat -c %u /etc; touch /etc/x 2>/dev/null || echo refused"
    done = look.command("exec", look.name, "sh", "-c", script)
    assert done.stdout == "0\n0\n65534\nrefused\n"
    look.end()


def test_a_user_namespace_by_path(look: "Look") -> None:
    os.chown(look.bundle.rootfs, 100000, 200000)
    pid = look.start(append(linux__namespaces={"type": "user"}), MAPPED)
    joining = append(linux__namespaces={"type": "user", "path": f"/proc/{pid}/ns/user"})
    first, look.name = look.name, f"{look.name}-second"
    second = look.start(joining)
    assert namespace(second, "user") == namespace(pid, "user")
    assert namespace(second, "net") != namespace(pid, "net")
    assert status(second)["Uid"].split() == ["100000"] * 4
    look.end()
    look.name = first
    look.end()


def test_mappings_without_a_user_namespace(look: "Look") -> None:
    done = look.command("run", "-b", str(look.bundle("true", change=MAPPED)), look.name)
    refused(done, "linux.uidMappings: needs a user namespace")


def test_a_sysctl_beside_a_namespace_of_the_host(look: "Look") -> None:
    """Only the namespace that the sysctl belongs to has to be the container's own."""
    ours = append(linux__namespaces={"type": "ipc", "path": "/proc/self/ns/ipc"})
    change = put(linux__sysctl={"net.ipv4.ip_forward": "1"})
    assert look("cat /proc/sys/net/ipv4/ip_forward", drop("ipc"), ours, change) == "1"


def test_the_loopback_interface_is_up(look: "Look") -> None:
    assert look("cat /sys/class/net/lo/operstate; ls /sys/class/net") == "unknown\nlo"
