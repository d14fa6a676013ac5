# SPDX-License-Identifier: Apache-2.0
"""A creation that fails leaves nothing, at whichever of its operations it fails.

The stub is told to refuse one operation after the other, until a creation succeeds.
Each failure is one line for the user, and then there is no process (not even a
zombie), mount, cgroup, state directory or open file that was not there before.
"""

import ctypes.util
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import leak
from tests.bundle import Bundles, Change

from ocirun.engine import create, delete, run
from ocirun.errors import OcirunError
from ocirun.spec.model import Hook, SeccompSyscall, Spec

pytestmark = pytest.mark.root

#: the first id of the host that stands for one in a user namespace
FIRST = 100000
TRUE = "/bin/true"

#: in the state root: shared by all containers, kept on purpose
SHARED = {"@cache"}


def everything(config: Spec) -> None:
    """Ask for a bit of all that takes operations of its own."""
    config["mounts"] += [
        {"destination": "/new/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k"]},
        {"destination": "/new/file", "source": "/etc/hostname", "options": ["bind", "ro"]},
    ]
    linux = config["linux"]
    linux["maskedPaths"] = ["/proc/keys", "/proc/kcore", "/sys/firmware"]
    linux["readonlyPaths"] = ["/proc/sys", "/proc/bus"]
    resources = linux.setdefault("resources", {})
    resources["memory"] = {"limit": 64 << 20}
    resources["pids"] = {"limit": 32}
    hook: Hook = {"path": TRUE}
    config["hooks"] = {
        "createRuntime": [hook],
        "createContainer": [hook],
        "startContainer": [hook],
    }
    config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 512, "soft": 512}]
    config["process"]["oomScoreAdj"] = 10
    if ctypes.util.find_library("seccomp"):
        rule: SeccompSyscall = {"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}
        linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}


def mapped(config: Spec) -> None:
    """The same in a user namespace, whose ids root maps."""
    everything(config)
    linux = config["linux"]
    linux["namespaces"].append({"type": "user"})
    linux["uidMappings"] = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
    linux["gidMappings"] = [{"containerID": 0, "hostID": FIRST, "size": 65536}]


def create_(request: create.Request) -> None:
    create.create(request)


def run_detached(request: create.Request) -> None:
    run.run(request, detach=True)


def failure(make: Callable[[create.Request], None], request: create.Request) -> OcirunError | None:
    try:
        make(request)
    except OcirunError as error:
        return error
    return None


def give_to(owner: int, top: Path) -> None:
    os.chown(top, owner, owner)
    for directory, names, files in os.walk(top):
        for name in [*names, *files]:
            os.chown(f"{directory}/{name}", owner, owner, follow_symlinks=False)


def traces(before: leak.Inventory, root: Path, rootfs: Path) -> dict[str, list[str]]:
    """What is there now and was not before."""
    # Before the inventory, which reaps what has ended.
    processes = set(leak.children()) - before["processes"]
    left = leak.more(before, leak.inventory())
    # Other tests may mount theirs meanwhile.
    mounts = {mount for mount in left.pop("mounts", set()) if str(rootfs) in mount}
    if mounts:
        left["mounts"] = mounts
    if processes:
        left["processes"] = processes
    state = set(os.listdir(root)) - SHARED if root.exists() else set()
    if state:
        left["state"] = state
    return {kind: sorted(names) for kind, names in left.items()}


@pytest.mark.parametrize("change", [everything, mapped])
@pytest.mark.parametrize("make", [create_, run_detached])
def test_every_operation(
    bundle: Bundles,
    busybox_rootfs: Path,
    tmp_path: Path,
    name: str,
    make: Callable[[create.Request], None],
    change: Change,
) -> None:
    if change is mapped:
        give_to(FIRST, busybox_rootfs)
    path = bundle("sleep", "1000", change=change)
    root = tmp_path / "root"
    before = leak.inventory()
    for index in itertools.count():
        request = create.Request(str(root), name, str(path))
        request.fail_at = index
        error = failure(make, request)
        if not error:
            break
        assert not error.message.startswith(":"), (index, error.message)
        assert "\n" not in error.message + error.hint, index
        assert "input/output error" in error.message, (index, error.message)
        assert not traces(before, root, busybox_rootfs), (index, error.message)
    delete.delete(str(root), name, force=True)
    leak.inventory()  # reaps the container's process, which is a child of ours
    assert not traces(before, root, busybox_rootfs)
    assert index > 100, "the plan has become short, or does not fail where it is told to"
