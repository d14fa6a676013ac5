# SPDX-License-Identifier: Apache-2.0
"""SELinux where a policy is loaded: the labels of processes, keys, and filesystems."""

import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import both, put, refused

from ocirun.linux import lsm

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command
    from tests.cli.inside import Exec, Look

pytestmark = pytest.mark.root

LABEL = "system_u:system_r:container_t:s0:c4,c5"
FILES = "system_u:object_r:container_file_t:s0:c4,c5"
KEYCTL, KEYCTL_GET_SECURITY = {"x86_64": 250}.get(os.uname().machine, 219), 17
CURRENT = "cat /proc/self/attr/current | tr -d '\\0'"


@pytest.fixture(autouse=True)
def _policy() -> None:
    if not lsm.has_selinux():
        pytest.skip("a host with SELinux in force")
    try:
        for label in (LABEL, FILES):
            Path("/sys/fs/selinux/context").write_text(label)
    except OSError:
        pytest.skip("an SELinux policy with containers")


def label_of_keyring(name: str) -> str:
    """Give the label of a container's session keyring (keyctl_get_security(3))."""
    lines = [line.split() for line in Path("/proc/keys").read_text().splitlines()]
    (number,) = (int(line[0], 16) for line in lines if line[8] == f"_ses.{name}:")
    found = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(KEYCTL, KEYCTL_GET_SECURITY, ctypes.c_int(number), found, 256) > 0
    return found.value.decode()


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("uid", [0, 1000])
def test_of_the_program(look: "Look", uid: int, *, sealed: bool) -> None:
    user = put(process__user={"uid": uid, "gid": uid}, process__noNewPrivileges=sealed)
    assert look(CURRENT, both(put(process__selinuxLabel=LABEL), user)) == LABEL


def test_categories_in_another_order(look: "Look") -> None:
    assert look(CURRENT, put(process__selinuxLabel=LABEL.replace("c4,c5", "c5,c4"))) == LABEL


def test_of_keys_and_exec(container: "Exec") -> None:
    name = container.look.name
    container.look.start(put(process__selinuxLabel=LABEL))
    assert label_of_keyring(name) == LABEL
    other = LABEL.replace("c4,c5", "c1")
    words = ("sh", "-c", CURRENT)
    assert container.command("exec", name, *words).stdout == LABEL
    assert container.command("exec", "--process-label", other, name, *words).stdout == other
    assert container(*words) == LABEL
    assert container(*words, selinuxLabel=other) == other
    assert label_of_keyring(name) == LABEL
    container.look.end()


def test_of_filesystems(look: "Look") -> None:
    """New ones have the label of the container; those of the kernel keep theirs."""
    root = f"/proc/{look.start(put(linux__mountLabel=FILES))}/root"

    def label(path: str) -> str:
        return os.getxattr(f"{root}/{path}", "security.selinux").rstrip(b"\0").decode()

    masked = [path for path in ("proc/acpi", "sys/firmware") if os.path.isdir(f"/{path}")]
    for path in ("dev", "dev/null", "dev/shm", "dev/pts", "dev/mqueue", *masked):
        assert label(path) == FILES, path
    for path in ("proc", "sys"):
        assert label(path) != FILES, path
    look.end()


@pytest.mark.parametrize("field", ["process__selinuxLabel", "linux__mountLabel"])
def test_label_that_the_policy_does_not_know(
    command: "Command", bundle: "Bundles", name: str, field: str
) -> None:
    path = bundle("true", change=put(**{field: LABEL.replace("container_t", "ocirun_none_t")}))
    refused(command("run", "-b", str(path), name), "invalid argument", "does not know")
