# SPDX-License-Identifier: Apache-2.0
"""Mounts of the kernel's own filesystems, where a new one is not permitted, or not enough."""

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import WARNING, append, both, drop, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = pytest.mark.root

MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]
USER = both(
    append(linux__namespaces={"type": "user"}),
    put(linux__uidMappings=MAPPING, linux__gidMappings=MAPPING),
)
TYPE_OF_SYS = "stat -f -c %t /sys"
SYSFS = "62656572"


@pytest.fixture(autouse=True)
def _mapped_root(bundle: "Bundles") -> None:
    """The root of the user namespace makes the mount points."""
    os.chown(bundle.rootfs, 100000, 100000)


def test_sysfs_with_the_network_of_the_host(look: "Look") -> None:
    """Only who owns the network namespace may mount one; the host's is bound instead."""
    script = f"{TYPE_OF_SYS}; ls /sys/class/net; touch /sys/x 2>/dev/null || echo closed"
    found = look(script, USER, drop("network"), put(linux__maskedPaths=[])).splitlines()
    assert found[0] == SYSFS
    assert found[1:-1] == sorted(os.listdir("/sys/class/net"))
    assert found[-1] == "closed"


def test_sysfs_of_the_host_keeps_its_options(look: "Look") -> None:
    found = look("grep ' /sys ' /proc/self/mountinfo", USER, drop("network"))
    assert {"ro", "nosuid", "noexec", "nodev"} <= set(found.split()[5].split(","))


def test_sysfs_with_a_network_that_is_joined(look: "Look") -> None:
    """A network namespace of the host's user namespace is the host's as well."""
    joined = append(linux__namespaces={"type": "network", "path": "/proc/self/ns/net"})
    assert look(TYPE_OF_SYS, USER, drop("network"), joined) == SYSFS


def test_sysfs_with_the_network_of_the_user_namespace(look: "Look") -> None:
    first = look.name
    pid = look.start(USER)
    look.name += "-2"
    user = append(linux__namespaces={"type": "user", "path": f"/proc/{pid}/ns/user"})
    network = append(linux__namespaces={"type": "network", "path": f"/proc/{pid}/ns/net"})
    script = f"{TYPE_OF_SYS}; ls /sys/class/net"
    assert look(script, user, drop("network"), network) == f"{SYSFS}\nlo"
    look.name = first
    look.end()


def test_proc_with_the_processes_of_the_host(look: "Look") -> None:
    change = both(USER, drop("pid"), put(linux__maskedPaths=[], linux__readonlyPaths=[]))
    assert look("stat -f -c %t /proc; cat /proc/1/comm", change).splitlines() == [
        "9fa0",
        Path("/proc/1/comm").read_text().strip(),
    ]


def test_relative_destination(command: "Command", bundle: "Bundles", name: str) -> None:
    entry = {"destination": "mnt/here", "type": "tmpfs", "options": ["size=64k"]}
    path = bundle("sh", "-c", "stat -f -c %T /mnt/here", change=append(mounts=entry))
    done = command("run", "-b", str(path), name)
    assert (done.returncode, done.stdout) == (0, "tmpfs\n")
    assert done.stderr.startswith(WARNING)
    assert "mounts[7].destination: mnt/here is relative" in done.stderr
    assert "taken as /mnt/here" in done.stderr


COVERED = """
    mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"
"""


def test_sysctl_where_a_mount_covers_them(command: "Command", bundle: "Bundles", name: str) -> None:
    """As in a container, where /proc/sys is read-only: it is written all the same, but below
    a procfs of our own."""
    change = put(linux__sysctl={"net.ipv4.ip_forward": "1"})
    before = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    path = bundle("cat", "/proc/sys/net/ipv4/ip_forward", change=change)
    words = command.words("run", "-b", str(path), name)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", COVERED, "sh", *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=command.environment,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == before


@pytest.mark.parametrize("where", ["/proc/uptime", "/proc/meminfo", "/proc/loadavg"])
def test_what_only_informs_may_be_covered(look: "Look", open_directory: Path, where: str) -> None:
    forged = open_directory / "forged"
    forged.write_text("forged")
    entry = {"destination": where, "source": str(forged), "options": ["bind"]}
    assert look(f"cat {where}", append(mounts=entry)) == "forged"
    forged.unlink()


@pytest.mark.parametrize("kind", ["file", "tmpfs", "a link to it"])
def test_all_else_in_proc_may_not(
    command: "Command", bundle: "Bundles", name: str, kind: str
) -> None:
    """CVE-2019-16884: the runtime, or the LSM, would believe what it reads there."""
    where = "/proc/self/attr" if kind == "tmpfs" else "/proc/version"
    if kind == "a link to it":
        (bundle.rootfs / "link").symlink_to(where)
        where = "/link"
    entry = {"destination": where, "source": "/etc/passwd", "options": ["bind"]}
    if kind == "tmpfs":
        entry = {"destination": where, "type": "tmpfs"}
    done = command("run", "-b", str(bundle("true", change=append(mounts=entry))), name)
    refused(
        done,
        "mounts[7]: error mounting ",
        "make the mount point",
        "entries of /proc cannot be mounted over",
    )
