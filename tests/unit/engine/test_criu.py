# SPDX-License-Identifier: Apache-2.0
"""What criu is asked for, as far as it follows from a config alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocirun.engine import criu
from ocirun.errors import StateError, UsageError
from ocirun.linux.cgroup.layout import Hierarchy, Layout

if TYPE_CHECKING:
    from ocirun.spec.model import Spec


def spec(*namespaces: str) -> "Spec":
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/data", "type": "none", "source": "data", "options": ["rbind"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"},
        {"destination": "/etc/hosts", "type": "bind", "source": "/hosts", "options": ["bind"]},
    ]
    devices = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]
    kinds = [{"type": kind} for kind in namespaces]
    return {"mounts": mounts, "linux": {"devices": devices, "namespaces": kinds}}  # type: ignore[typeddict-item]


def external(config: "Spec", host: Layout, rootfs: Path) -> dict[str, str]:
    paths = {"cpu": "/sys/fs/cgroup/cpu/c"}
    found = dict(criu.external_mounts(config, "/bundle", str(rootfs), host, paths))
    assert {"/dev/null", "/dev/fuse"} <= found.keys()
    return {where: source for where, source in found.items() if not where.startswith("/dev")}


V1 = Layout(
    [
        Hierarchy(["cpu", "cpuacct"], "/sys/fs/cgroup/cpu,cpuacct", "/", "/own"),
        Hierarchy(["pids"], "/sys/fs/cgroup/pids", "/", "/own"),
    ],
    None,
)
V2 = Layout([], Hierarchy([""], "/sys/fs/cgroup", "/", "/own"))


def test_external_mounts(tmp_path: Path) -> None:
    bound = {"/data": "/bundle/data", "/etc/hosts": "/hosts"}
    assert external(spec(), V2, tmp_path) == bound
    # Mounted in the container's own namespace, and so criu's to restore.
    assert external(spec("cgroup"), V1, tmp_path) == bound
    assert external(spec(), V1, tmp_path) == {
        **bound,
        "/sys/fs/cgroup/cpu,cpuacct": "/sys/fs/cgroup/cpu/c",
        "/sys/fs/cgroup/pids": "/sys/fs/cgroup/pids/own",
    }


def test_keys_of_namespaces_are_those_of_runc() -> None:
    assert [criu.external_key(kind) for kind in criu.EXTERNAL] == ["extRootNetNS", "extRootPidNS"]


def test_the_configuration_that_an_annotation_names() -> None:
    assert criu.configuration({"org.criu.config": "/a"}) == "/a"
    assert criu.configuration({"org.criu.config": ""}) == ""


def test_modes_for_cgroups() -> None:
    for mode in ("", "soft", "full", "strict", "ignore"):
        criu.check_mode(mode)
    with pytest.raises(UsageError, match="invalid manage-cgroups-mode value: none"):
        criu.check_mode("none")


def test_states() -> None:
    criu.refuse_unless("running", ("running", "paused"))
    with pytest.raises(StateError, match="Container cannot be checkpointed in created state"):
        criu.refuse_unless("created", ("running", "paused"))
