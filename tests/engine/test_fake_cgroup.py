# SPDX-License-Identifier: Apache-2.0
"""Limits of controllers that a machine seldom has, in directories with the files of the kernel."""

from pathlib import Path

import pytest

from ocirun.engine import resources
from ocirun.linux.cgroup import v1, v2
from ocirun.linux.cgroup.settings import SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Resources

HUGE: "Resources" = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}
RDMA: "Resources" = {"rdma": {"mlx5_0": {"hcaHandles": 3}}}
NETWORK: "Resources" = {
    "network": {"classID": 0x100001, "priorities": [{"name": "eth0", "priority": 5}]}
}
WEIGHT: "Resources" = {"blockIO": {"weight": 500}}


def write(directory: Path, version: int, wanted: "Resources", *files: str) -> dict[str, str]:
    """Set limits in a cgroup that has these files; give what is in them then."""
    directory.mkdir()
    for file in files:
        (directory / file).touch()
    path = str(directory)
    controllers = ("hugetlb", "rdma", "net_cls", "net_prio", "blkio")
    v1_group = v1.Cgroup(dict.fromkeys(controllers, path), [])
    group = v1_group if version == 1 else v2.Cgroup(path, [])
    group.write(resources.settings(wanted, version))
    return {file: (directory / file).read_text() for file in files}


@pytest.mark.parametrize(("version", "end"), [(1, "limit_in_bytes"), (2, "max")])
def test_huge_pages_reserved_or_only_in_use(tmp_path: Path, version: int, end: str) -> None:
    both = (f"hugetlb.2MB.rsvd.{end}", f"hugetlb.2MB.{end}")
    assert write(tmp_path / "new", version, HUGE, *both) == dict.fromkeys(both, "4194304")
    # kernel < 5.7
    assert write(tmp_path / "old", version, HUGE, both[1]) == {both[1]: "4194304"}
    with pytest.raises(SettingError) as caught:
        write(tmp_path / "none", version, HUGE)
    assert "hugepageLimits[0]" in resources.explain(caught.value, version).message


@pytest.mark.parametrize("version", [1, 2])
def test_rdma(tmp_path: Path, version: int) -> None:
    found = write(tmp_path / "a", version, RDMA, "rdma.max")
    assert found == {"rdma.max": "mlx5_0 hca_handle=3"}


def test_network(tmp_path: Path) -> None:
    found = write(tmp_path / "a", 1, NETWORK, "net_cls.classid", "net_prio.ifpriomap")
    assert found == {"net_cls.classid": "1048577", "net_prio.ifpriomap": "eth0 5"}
    assert resources.ignored(NETWORK, 1) == []
    assert resources.settings(NETWORK, 2) == []
    assert len(resources.ignored(NETWORK, 2)) == 1


def test_weight_by_whichever_scheduler_there_is(tmp_path: Path) -> None:
    for version, first, second, converted in (
        (1, "blkio.weight", "blkio.bfq.weight", "500"),
        (2, "io.bfq.weight", "io.weight", "4950"),
    ):
        place = tmp_path / str(version)
        place.mkdir()
        found = write(place / "both", version, WEIGHT, first, second)
        assert found == {first: "500", second: ""}
        assert write(place / "second", version, WEIGHT, second) == {second: converted}
        with pytest.raises(SettingError):
            write(place / "none", version, WEIGHT)
