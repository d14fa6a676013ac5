# SPDX-License-Identifier: Apache-2.0
"""`update`, by the files of the container's cgroup; for v2 alone see tests/lab."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import put, refused

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = pytest.mark.root

MEGA = 1 << 20
V2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
#: name of a file on v1 -> on v2
FILES = {
    "memory.limit_in_bytes": "memory.max",
    "memory.soft_limit_in_bytes": "memory.low",
    "pids.max": "pids.max",
    "cpuset.cpus": "cpuset.cpus",
}
RESOURCES = {
    "memory": {"limit": 32 * MEGA, "reservation": 24 * MEGA},
    "cpu": {"shares": 100, "quota": 500000, "period": 1000000},
    "pids": {"limit": 20},
}


class Limited:
    """A container that runs with the RESOURCES above."""

    def __init__(self, look: "Look") -> None:
        self.look = look
        self.command = look.command
        self.name = look.name
        pid = look.start(put(linux__resources=RESOURCES))
        self.paths: dict[str, str] = {}
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            for name in names.split(","):
                self.paths[name] = path

    def read(self, file: str) -> str:
        """Read a file of the cgroup, by its name on v1."""
        controller = file.partition(".")[0]
        if V2:
            return Path(f"/sys/fs/cgroup{self.paths['']}/{FILES[file]}").read_text().strip()
        return (
            Path(f"/sys/fs/cgroup/{controller}{self.paths[controller]}/{file}").read_text().strip()
        )

    def cpu(self) -> tuple[str, ...]:
        """Give quota and period."""
        if V2:
            return tuple(Path(f"/sys/fs/cgroup{self.paths['']}/cpu.max").read_text().split())
        return self.read("cpu.cfs_quota_us"), self.read("cpu.cfs_period_us")

    def update(self, *words: str) -> None:
        done = self.command("update", *words, self.name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done

    def update_from_stdin(self, document: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command.words("update", "-r", "-", self.name),
            input=json.dumps(document), capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def limited(look: "Look") -> Iterator[Limited]:
    yield Limited(look)
    look.end()


def test_one_limit_and_the_others_stay(limited: Limited) -> None:
    limited.update("--pids-limit", "30")
    assert limited.read("pids.max") == "30"
    assert limited.read("memory.limit_in_bytes") == str(32 * MEGA)
    assert limited.read("memory.soft_limit_in_bytes") == str(24 * MEGA)
    assert limited.cpu() == ("500000", "1000000")
    limited.update("--memory", "64M", "--memory-reservation", "48m")
    assert limited.read("memory.limit_in_bytes") == str(64 * MEGA)
    assert limited.read("memory.soft_limit_in_bytes") == str(48 * MEGA)
    assert limited.read("pids.max") == "30"


def test_what_was_changed_by_others_stays(limited: Limited) -> None:
    # As an engine's plug-in does, behind our back.
    path = Path(f"/sys/fs/cgroup/{'' if V2 else 'pids'}{limited.paths['' if V2 else 'pids']}")
    Path(path, "pids.max").write_text("77")
    limited.update("--memory", "64M")
    assert limited.read("pids.max") == "77"


def test_quota_and_period(limited: Limited) -> None:
    for words, wanted in (
        (("--cpu-period", "900000"), ("500000", "900000")),
        (("--cpu-quota", "600000"), ("600000", "900000")),
        (("--cpu-quota", "-1"), ("max" if V2 else "-1", "900000")),
        (("--cpu-quota", "3000", "--cpu-period", "10000"), ("3000", "10000")),
        (("--pids-limit", "5"), ("3000", "10000")),
        (("--cpu-period", "20000"), ("3000", "20000")),
    ):
        limited.update(*words)
        assert limited.cpu() == wanted, words


def test_the_same_twice(limited: Limited) -> None:
    for _ in range(2):
        limited.update("--memory", "50M", "--cpu-share", "200", "--cpu-quota", "9000")
        assert limited.read("memory.limit_in_bytes") == str(50 * MEGA)


@pytest.mark.skipif(V2, reason="cgroup v1")
def test_memory_with_swap_in_both_directions(limited: Limited) -> None:
    if not Path(
        f"/sys/fs/cgroup/memory{limited.paths['memory']}/memory.memsw.limit_in_bytes"
    ).exists():
        pytest.skip("memory.memsw.limit_in_bytes (boot with swapaccount=1)")
    for limit, swap in ((30, 50), (60, 80), (20, 30), (30, 30), (10, 10)):
        limited.update("--memory", f"{limit}M", "--memory-swap", f"{swap}M")
        assert limited.read("memory.limit_in_bytes") == str(limit * MEGA)
        assert limited.read("memory.memsw.limit_in_bytes") == str(swap * MEGA)
    # Above the limit of memory and swap, which stays.
    done = limited.command("update", "--memory", "40M", limited.name)
    refused(done, "linux.resources.memory.limit", "invalid argument", "memory.swap")
    limited.update("--memory", "-1")
    assert int(limited.read("memory.memsw.limit_in_bytes")) > 1 << 60


def test_a_document(limited: Limited, tmp_path: Path) -> None:
    document = {"cpu": {"quota": 8000, "cpus": "0"}, "pids": {"limit": -1}, "memory": None}
    done = limited.update_from_stdin(document)
    assert (done.returncode, done.stderr) == (0, "")
    assert limited.cpu() == ("8000", "1000000")
    assert limited.read("cpuset.cpus") == "0"
    assert limited.read("pids.max") == "max"
    file = tmp_path / "resources.json"
    file.write_text(json.dumps({"pids": {"limit": 0}}))
    # All other flags for limits are passed over then.
    limited.update("--resources", str(file), "--memory", "1")
    assert limited.read("pids.max") == "1"
    assert limited.read("memory.limit_in_bytes") == str(32 * MEGA)


def test_device_rules_of_a_document_are_not_its_business(limited: Limited) -> None:
    rules = [{"allow": False, "access": "rwm"}, {"allow": True}]
    assert limited.update_from_stdin({"devices": rules, "pids": {"limit": 40}}).returncode == 0
    done = limited.command("exec", limited.name, "sh", "-c", "echo >/dev/null && echo open")
    assert done.stdout == "open\n"


def test_a_refused_limit_sets_the_others_back(limited: Limited) -> None:
    before = limited.cpu()
    done = limited.update_from_stdin(
        {"cpu": {"quota": 7000, "period": 9000, "cpus": "4000"}, "memory": {"limit": 60 * MEGA}}
    )
    refused(done, "linux.resources.cpu.cpus")
    assert limited.cpu() == before
    assert limited.read("memory.limit_in_bytes") == str(32 * MEGA)
    # And it is not remembered.
    limited.update("--cpu-period", "900000")
    assert limited.cpu() == ("500000", "900000")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--memory", "much"), ("invalid value for memory: invalid size",)),
        (("--cpu-share", "-5"), ("invalid value for cpu-share",)),
        (("--blkio-weight", "70000"), ("blockIO.weight", "65535")),
        (("--pids-limit", "x"), ('invalid value "x" for flag -pids-limit',)),
        (("-r", "/nonexistent"), ("read /nonexistent: no such file or directory",)),
        (("--cpu-idle", "2"), ("linux.resources.cpu.idle: write '2'", "invalid argument")),
    ],
)
def test_bad_input(limited: Limited, words: tuple[str, ...], said: tuple[str, ...]) -> None:
    refused(limited.command("update", *words, limited.name), *said)
    assert limited.read("pids.max") == "20"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"memory": {"limit": "1"}}, ("memory.limit: expected an integer",)),
        ({"unified": {"a/b": "1"}}, ("unified", "a/b")),
        ([], ("not a JSON object",)),
    ],
)
def test_bad_documents(limited: Limited, document: object, said: tuple[str, ...]) -> None:
    refused(limited.update_from_stdin(document), *said)


def test_an_unknown_resource_is_told(limited: Limited) -> None:
    done = limited.update_from_stdin({"GPU": {}})
    assert done.returncode == 0
    assert "GPU is ignored" in done.stderr


def test_keys_in_another_case(limited: Limited) -> None:
    """As runc takes them; see src/ocirun/spec/spelling.py."""
    done = limited.update_from_stdin({"Devices": [{}], "PIDs": {"Limit": 33}})
    assert (done.returncode, done.stderr) == (0, "")
    assert limited.read("pids.max") == "33"


def test_paused_stays_paused(limited: Limited) -> None:
    assert limited.command("pause", limited.name).returncode == 0
    limited.update("--pids-limit", "30")
    state = json.loads(limited.command("state", limited.name).stdout)
    assert state["status"] == "paused"
    assert limited.command("resume", limited.name).returncode == 0


def test_a_container_that_is_not_there_or_has_ended(
    command: "Command", look: "Look", name: str
) -> None:
    refused(command("update", "--memory", "1M", name), "does not exist")
    pid = look.start()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    refused(command("update", "--memory", "1M", name), "container not running")
    assert command("delete", name).returncode == 0
