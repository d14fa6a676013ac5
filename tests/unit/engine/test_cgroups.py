# SPDX-License-Identifier: Apache-2.0
"""Who gets a container's cgroup for its own."""

import pytest

from ocirun.engine.cgroups import owner
from ocirun.engine.namespaces import Namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Spec


def spec(uid: int = 0, options: tuple[str, ...] = (), where: str = "/sys/fs/cgroup") -> "Spec":
    return {
        "process": {"user": {"uid": uid}},
        "mounts": [{"destination": where, "type": "cgroup", "options": list(options)}],
        "linux": {
            "uidMappings": [
                {"containerID": 0, "hostID": 100000, "size": 5},
                {"containerID": 5, "hostID": 7, "size": 1},
            ]
        },
    }


@pytest.mark.parametrize(("uid", "wanted"), [(0, 100000), (4, 100004), (5, 7), (6, -1)])
def test_a_user_of_the_namespace(uid: int, wanted: int) -> None:
    spaces = Namespaces([{"type": "user"}, {"type": "cgroup"}])
    assert owner(spec(uid), spaces) == wanted


def test_a_user_of_the_host() -> None:
    assert owner(spec(6), Namespaces([{"type": "cgroup"}])) == 6


@pytest.mark.parametrize(
    "asked",
    [spec(6, ("nosuid", "ro")), spec(6, where="/elsewhere"), {"process": {"user": {"uid": 6}}}],
)
def test_without_a_mount_that_can_be_written(asked: "Spec") -> None:
    assert owner(asked, Namespaces([{"type": "cgroup"}])) == -1


def test_without_a_cgroup_namespace_of_its_own() -> None:
    assert owner(spec(6), Namespaces([])) == -1
    assert owner(spec(6), Namespaces([{"type": "cgroup", "path": "/proc/1/ns/cgroup"}])) == -1


def test_clearing_options_count() -> None:
    asked = spec(6, ("ro", "rw"), where="/sys/fs/cgroup/")
    assert owner(asked, Namespaces([{"type": "cgroup"}])) == 6
