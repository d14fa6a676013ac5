# SPDX-License-Identifier: Apache-2.0
"""`linux.intelRdt` against a filesystem that behaves as resctrl does: see tests/resctrl.py."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import resctrl
from tests.bundle import Bundles
from tests.cli.changes import put

from ocirun.engine import delete, wire
from ocirun.engine.create import create
from ocirun.engine.request import Request
from ocirun.engine.run import run
from ocirun.errors import KernelError, OcirunError, SpecError
from ocirun.linux.resctrl import mount_point

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(60),
    pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="/dev/fuse"),
]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Give the place where resctrl is mounted."""
    place = tmp_path / "resctrl"
    place.mkdir()
    with resctrl.mounted(place) as mounted:
        yield mounted


class Maker:
    """Makes containers with an intelRdt, and runs the command on them."""

    def __init__(self, root: Path, bundle: Bundles, state: Path, name: str, ocirun: str) -> None:
        self.root = root
        self.bundle = bundle
        self.state = state
        self.name = name
        self.ocirun = ocirun

    def request(self, **rdt: object) -> Request:
        path = self.bundle("sleep", "1000", change=put(linux__intelRdt=rdt))
        request = Request(str(self.state), self.name, str(path))
        request.resctrl = str(self.root)
        return request

    def start(self, **rdt: object) -> None:
        run(self.request(**rdt), detach=True)

    def refused(self, **rdt: object) -> str:
        """Check that nothing is made, and give the message."""
        before = self.groups()
        with pytest.raises(OcirunError) as caught:
            create(self.request(**rdt))
        assert self.groups() == before
        assert os.listdir(self.state) == []
        return f"{caught.value.message} ({caught.value.hint})"

    def delete(self) -> None:
        delete.delete(str(self.state), self.name, force=True)

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.ocirun, "--root", str(self.state), *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def groups(self) -> set[str]:
        found = set()
        for path in self.root.rglob("tasks"):
            found.add(str(path.parent.relative_to(self.root)))
        return found

    def schemata(self, group: str) -> list[str]:
        return (self.root / group / "schemata").read_text().split()

    def tasks(self, group: str) -> list[str]:
        return (self.root / group / "tasks").read_text().split()


@pytest.fixture
def maker(root: Path, bundle: Bundles, state_root: Path, name: str, ocirun: str) -> Maker:
    return Maker(root, bundle, state_root, name, ocirun)


def test_a_group_of_its_own(maker: Maker, name: str) -> None:
    maker.start(l3CacheSchema="L3:0=7f0;1=1f", memBwSchema="MB:0=25;1=70", schemata=["L3:1=f"])
    # In this order, so the last line has the last word.
    assert maker.schemata(name) == ["MB:0=", "30;1=", "70", "L3:0=7f0;1=00f"]
    assert len(maker.tasks(name)) == 1
    assert maker.groups() == {".", name}
    maker.delete()
    assert maker.groups() == {"."}


def test_nothing_asked_but_the_group(maker: Maker, name: str) -> None:
    maker.start()
    assert maker.schemata(name) == ["MB:0=100;1=100", "L3:0=7ff;1=7ff"]
    maker.delete()
    assert maker.groups() == {"."}


def test_monitoring(maker: Maker, name: str) -> None:
    maker.start(enableMonitoring=True)
    counted = f"{name}/mon_groups/{name}"
    assert maker.groups() == {".", name, counted}
    assert len(maker.tasks(counted)) == 1
    maker.delete()
    assert maker.groups() == {"."}


def test_a_group_that_others_made_stays(maker: Maker, root: Path) -> None:
    (root / "gold").mkdir()
    (root / "gold" / "schemata").write_text("L3:0=f\n")
    before = maker.schemata("gold")
    maker.start(closID="gold", enableMonitoring=True)
    assert len(maker.tasks("gold")) == 1
    assert maker.schemata("gold") == before
    maker.delete()
    assert maker.groups() == {".", "gold"}
    # Leading zeros, and what is not named, make no difference.
    maker.start(closID="gold", l3CacheSchema="L3:00=00f")
    maker.delete()
    assert "with other values" in maker.refused(closID="gold", l3CacheSchema="L3:0=ff")
    assert maker.schemata("gold") == before


def test_a_named_group_that_there_is_not(maker: Maker) -> None:
    said = maker.refused(closID="gold")
    assert "linux.intelRdt.closID" in said
    assert "does not exist" in said
    maker.start(closID="gold", schemata=["MB:0=50"])
    maker.delete()
    # The next one is to find it.
    assert maker.groups() == {".", "gold"}


def test_the_default_group(maker: Maker, name: str) -> None:
    maker.start(closID="/", enableMonitoring=True)
    assert maker.groups() == {".", f"mon_groups/{name}"}
    assert len(maker.tasks(".")) == 1
    maker.delete()
    assert maker.groups() == {"."}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("L2:0=f", "Unknown or unsupported resource name 'L2'"),
        ("L3:0=0", "Mask out of range"),
        ("MB:0=5", "MB value 5 out of range"),
    ],
)
@pytest.mark.parametrize("closid", ["", "gold"])
def test_a_line_that_the_kernel_refuses(maker: Maker, line: str, said: str, closid: str) -> None:
    message = maker.refused(schemata=[line], closID=closid, enableMonitoring=True)
    assert message.startswith("linux.intelRdt: ")
    assert said in message


def test_too_many_groups(maker: Maker, root: Path) -> None:
    for name in "abc":
        (root / name).mkdir()
    assert "Out of CLOSIDs" in maker.refused()


def test_what_this_cpu_cannot(maker: Maker, tmp_path: Path) -> None:
    maker.root = tmp_path / "poor"
    (maker.root / "info").mkdir(parents=True)
    for field, line in (("l3CacheSchema", "L3:0=1"), ("memBwSchema", "MB:0=10")):
        assert f"linux.intelRdt.{field}: this CPU or kernel has no" in maker.refused(
            **{field: line}
        )


def test_without_resctrl(maker: Maker) -> None:
    if mount_point():
        pytest.skip("a host without resctrl")
    request = maker.request()
    request.resctrl = ""
    with pytest.raises(SpecError) as caught:
        create(request)
    assert caught.value.message == "linux.intelRdt: no resctrl filesystem is mounted"


@pytest.mark.parametrize("closid", ["info", "mon_groups", "mon_data"])
def test_names_of_the_filesystem_itself(maker: Maker, closid: str) -> None:
    assert "linux.intelRdt.closID: resctrl has a directory" in maker.refused(closID=closid)
    maker.name = closid
    assert "container ID: resctrl has a directory" in maker.refused()


def test_a_failure_later_on(maker: Maker) -> None:
    request = maker.request(enableMonitoring=True)
    request.fail_at = 12
    with pytest.raises(KernelError):
        create(request)
    assert request.fail_at != wire.NEVER
    assert maker.groups() == {"."}


def test_a_state_that_cannot_be_read(maker: Maker, name: str) -> None:
    maker.start(enableMonitoring=True)
    (maker.state / name / "state.json").write_text("{")
    maker.delete()
    assert maker.groups() == {"."}


def test_exec_joins(maker: Maker, name: str) -> None:
    maker.start(enableMonitoring=True)
    assert maker.command("exec", name, "true").returncode == 0
    # The one that it was has ended; but it was written here.
    for group in (name, f"{name}/mon_groups/{name}"):
        assert len(maker.tasks(group)) == 2
    maker.delete()


def test_update(maker: Maker, name: str) -> None:
    maker.start()
    words = ("--l3-cache-schema", "L3:0=f", "--mem-bw-schema", "MB:1=40")
    done = maker.command("update", *words, name)
    assert (done.returncode, done.stderr) == (0, "")
    assert maker.schemata(name) == ["MB:0=100;1=", "40", "L3:0=00f;1=7ff"]
    for schema, said in (
        ("L3:0=0", "Mask out of range"),
        ("MB:0=50", "must be one line that begins with L3:"),
    ):
        done = maker.command("update", "--l3-cache-schema", schema, "--pids-limit", "7", name)
        assert done.returncode == 1
        assert said in done.stderr
    limits = json.loads(maker.command("events", "--stats", name).stdout)["data"]["pids"]
    assert limits == {"current": 1}
    maker.delete()


def test_update_of_what_there_is_not(maker: Maker, name: str) -> None:
    path = maker.bundle("sleep", "1000")
    run(Request(str(maker.state), name, str(path)), detach=True)
    done = maker.command("update", "--l3-cache-schema", "L3:0=f", name)
    assert done.returncode == 1
    assert "updating a non-existent Intel RDT configuration is not supported" in done.stderr
    maker.delete()


def test_statistics(maker: Maker, name: str) -> None:
    maker.start(l3CacheSchema="L3:0=f", enableMonitoring=True)
    done = maker.command("events", "--stats", name)
    assert json.loads(done.stdout)["data"]["intel_rdt"] == {
        "l3_cache_info": {"cbm_mask": "7ff", "min_cbm_bits": 1, "num_closids": 4},
        "l3_cache_schema_root": "L3:0=7ff;1=7ff",
        "l3_cache_schema": "L3:0=00f;1=7ff",
        "mem_bw_info": {
            "bandwidth_gran": 10,
            "delay_linear": 1,
            "min_bandwidth": 10,
            "num_closids": 4,
        },
        "mem_bw_schema_root": "MB:0=100;1=100",
        "mem_bw_schema": "MB:0=100;1=100",
        "schemata": ["MB:0=100;1=100", "L3:0=00f;1=7ff"],
        "mbm_stats": [
            {"mbm_total_bytes": 0, "mbm_local_bytes": 0},
            {"mbm_total_bytes": 1, "mbm_local_bytes": 1},
        ],
        "cmt_stats": [{"llc_occupancy": 0}, {"llc_occupancy": 1}],
    }
    maker.delete()
