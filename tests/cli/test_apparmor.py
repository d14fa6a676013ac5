# SPDX-License-Identifier: Apache-2.0
"""AppArmor where it is in force: which profile a process has, and that it holds."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import put, refused

from ocirun.linux import lsm

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command
    from tests.cli.inside import Exec, Look

    from ocirun.spec.model import Spec

pytestmark = pytest.mark.root

#: two profiles that allow everything, but the first one not to read a certain file
PROFILES = """
profile ocirun-test flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, mount, umount, pivot_root, signal, ptrace,
  deny /etc/secret r,
}
profile ocirun-test-other flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, mount, umount, pivot_root, signal, ptrace,
}
"""
WHICH = "cat /proc/self/attr/current; cat /etc/secret 2>/dev/null || echo denied"
CONFINED, OTHER = "ocirun-test (enforce)\ndenied", "ocirun-test-other (enforce)\nsecret"


@pytest.fixture(autouse=True)
def profiles(tmp_path: Path, busybox_rootfs: Path, bundle: "Bundles") -> Iterator[None]:
    """Load the profiles, and put the file into the root filesystem that bundles have."""
    parser = shutil.which("apparmor_parser", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if not parser or not lsm.has_apparmor():
        pytest.skip("a host with AppArmor in force, and apparmor_parser")
    (busybox_rootfs / "etc" / "secret").write_text("secret\n")
    bundle.rootfs = busybox_rootfs
    file = tmp_path / "profiles"
    file.write_text(PROFILES)
    subprocess.run([parser, "-K", "-r", str(file)], check=True)
    yield
    subprocess.run([parser, "-R", str(file)], check=True)


def profile(name: str = "ocirun-test") -> "Change":
    return put(process__apparmorProfile=name)


MAPPING = [{"containerID": 0, "hostID": 0, "size": 65536}]
NO_OPENAT2 = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["openat2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}],
}


@pytest.mark.leaves("state")  # the filter, compiled, for the next container
@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    "fields",
    [{}, {"process__user": {"uid": 1000, "gid": 1000}}, {"linux__seccomp": NO_OPENAT2}],
    ids=["root", "user", "filter"],
)
def test_of_the_program(look: "Look", fields: dict[str, object], *, sealed: bool) -> None:
    assert look(WHICH, profile(), put(process__noNewPrivileges=sealed, **fields)) == CONFINED


def test_in_a_user_namespace(look: "Look") -> None:
    def change(spec: "Spec") -> None:
        spec["linux"]["namespaces"].append({"type": "user"})

    mapped = put(linux__uidMappings=MAPPING, linux__gidMappings=MAPPING)
    assert look(WHICH, profile(), change, mapped) == CONFINED


def test_without_a_procfs_in_the_container(look: "Look") -> None:
    """CVE-2019-16884: a volume over /proc once took the label."""

    def change(spec: "Spec") -> None:
        proc = next(mount for mount in spec["mounts"] if mount["destination"] == "/proc")
        proc["type"], proc["source"] = "tmpfs", "tmpfs"

    plain = put(linux__maskedPaths=[], linux__readonlyPaths=[])
    assert look("cat /etc/secret 2>/dev/null || echo denied", profile(), change, plain) == "denied"


def test_of_a_hook_in_the_container(look: "Look") -> None:
    """Its program may be the image's, so it is confined like the container."""
    script = "cat /proc/self/attr/current > /tmp/hook"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script]}
    hooked = put(hooks__startContainer=[hook], root__readonly=False)
    assert look("cat /tmp/hook", profile(), hooked) == "ocirun-test (enforce)"


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("unconfined", "unconfined\nsecret"),
        ("ocirun-test//&ocirun-test-other", "ocirun-test//&" + OTHER.replace("secret", "denied")),
    ],
)
def test_other_names(look: "Look", which: str, said: str) -> None:
    assert look(WHICH, profile(which)) == said


def test_of_a_container_that_stays(look: "Look") -> None:
    pid = look.start(profile())
    assert Path(f"/proc/{pid}/attr/current").read_text() == "ocirun-test (enforce)\n"
    look.end()


def test_profile_that_is_not_loaded(command: "Command", bundle: "Bundles", name: str) -> None:
    done = command("run", "-b", str(bundle("true", change=profile("ocirun-none"))), name)
    refused(done, "process.apparmorProfile: ", "no such file", "load the profile first")


def test_exec(container: "Exec") -> None:
    name = container.look.name
    container.look.start(profile())
    words = ("sh", "-c", WHICH)
    for flags, said in [
        ((), CONFINED),
        (("-u", "1000"), CONFINED),
        (("--no-new-privs=false",), CONFINED),
        (("--apparmor", "ocirun-test-other"), OTHER),
    ]:
        assert container.command("exec", *flags, name, *words).stdout.strip() == said
    # A file that says nothing of it does not lead out of the profile.
    assert container(*words) == CONFINED
    assert container(*words, apparmorProfile="ocirun-test-other") == OTHER
    done = container.command("exec", "--apparmor", "ocirun-none", name, "true")
    refused(done, "process.apparmorProfile: ", "load the profile first", code=255)
    container.look.end()
