# SPDX-License-Identifier: Apache-2.0
"""What --systemd-cgroup does where systemd is the init: run inside the lab, as a program.

    PYTHONPATH=.:tools python tests/lab/checks_systemd.py OCIRUN BUSYBOX [CHECK...]

prints a line of JSON for each check.  LAB_MANY says how many containers are made at once.

Each `check_*` function is one check; test_systemd.py, on the host, makes a test of each.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.lab import checks_systemd_failures
from tests.lab.checks_v2 import ended, read
from tests.lab.systemd_lab import PLACE, RUNTIME, TREE, USER, Lab, same

import rootfs

if TYPE_CHECKING:
    from ocirun.spec.model import Spec

MANY = int(os.environ.get("LAB_MANY", "20"))


def _limit(config: "Spec") -> None:
    config["linux"]["resources"] = {
        "memory": {"limit": 64 << 20, "swap": 96 << 20, "reservation": 32 << 20},
        "cpu": {"quota": 41234, "period": 100000, "shares": 2048, "cpus": "1", "mems": "0"},
        "pids": {"limit": 17},
        "blockIO": {"weight": 500},
        "unified": {"memory.high": str(60 << 20)},
    }


def check_a_life(lab: Lab) -> None:
    path = lab.bundle("sleep", "1000")
    words = (lab.ocirun, "--systemd-cgroup", "create", "-b", path, lab.name)
    assert lab.run(*words, output=subprocess.DEVNULL).returncode == 0
    pid = json.loads(lab("state", lab.name))["pid"]
    assert read(lab.cgroup / "cgroup.procs") == str(pid)
    wanted = {
        "ActiveState": "active", "Slice": "system.slice", "Delegate": "yes",
        "CPUAccounting": "yes", "MemoryAccounting": "yes", "IOAccounting": "yes",
        "TasksAccounting": "yes", "DefaultDependencies": "no",
        "Description": f"ocirun container {lab.name}", "DevicePolicy": "strict",
    }  # fmt: skip
    same(lab.shown(*wanted), wanted)
    lab("start", lab.name)
    assert lab("exec", lab.name, "cat", "/proc/self/cgroup") == "0::/\n"
    lab("pause", lab.name)
    assert json.loads(lab("state", lab.name))["status"] == "paused"
    lab("resume", lab.name)
    lab("kill", lab.name, "KILL")
    assert ended(pid)
    lab("delete", lab.name)
    lab.is_gone()


def check_foreground(lab: Lab) -> None:
    path = lab.bundle("sh", "-c", "cat /proc/self/cgroup; exit 7")
    assert lab("--systemd-cgroup", "run", "-b", path, lab.name, code=7) == "0::/\n"
    lab.is_gone()


def check_slice_and_name(lab: Lab) -> None:
    def place(config: "Spec") -> None:
        config["linux"]["cgroupsPath"] = "machine-a-b.slice:pre:the.name"

    pid = lab.start(change=place)
    cgroup = "machine.slice/machine-a.slice/machine-a-b.slice/pre-the.name.scope"
    assert read(f"/proc/{pid}/cgroup") == f"0::/{cgroup}"
    lab("delete", "-f", lab.name)
    assert not (TREE / cgroup).exists()


def check_limits_stay_at_a_daemon_reload(lab: Lab) -> None:
    files = {
        "memory.max": str(64 << 20), "memory.swap.max": str(32 << 20),
        "memory.low": str(32 << 20), "memory.high": str(60 << 20), "cpu.max": "42000 100000",
        "cpuset.cpus": "1", "cpuset.mems": "0", "pids.max": "17",
    }  # fmt: skip
    # In whole percents, and never less than was asked for: systemd keeps no others.
    wanted = {
        "MemoryMax": str(64 << 20), "MemorySwapMax": str(32 << 20), "MemoryLow": str(32 << 20),
        "MemoryHigh": str(60 << 20), "CPUQuotaPerSecUSec": "420ms", "CPUQuotaPeriodUSec": "100ms",
        "AllowedCPUs": "1", "AllowedMemoryNodes": "0", "TasksMax": "17",
    }  # fmt: skip
    lab.start(change=_limit)
    shown = lab.shown(*wanted, "CPUWeight", "IOWeight")
    weights = {"CPUWeight": shown.pop("CPUWeight"), "IOWeight": shown.pop("IOWeight")}
    same(shown, wanted)
    assert weights["CPUWeight"] == read(lab.cgroup / "cpu.weight")
    assert int(weights["IOWeight"]) > 4000
    same({file: read(lab.cgroup / file) for file in files}, files)
    assert lab.systemctl("daemon-reload") == ""
    same({file: read(lab.cgroup / file) for file in files}, files)
    lab.remove()


def check_a_period_without_a_quota(lab: Lab) -> None:
    def limit(config: "Spec") -> None:
        config["linux"]["resources"] = {"cpu": {"period": 900000}, "pids": {"limit": 20}}

    lab.start(change=limit)
    assert read(lab.cgroup / "cpu.max") == "max 900000"
    lab("update", "--cpu-quota", "450000", lab.name)
    assert read(lab.cgroup / "cpu.max") == "450000 900000"
    lab("update", "--cpu-quota", "-1", lab.name)
    assert read(lab.cgroup / "cpu.max") == "max 900000"
    wanted = {"CPUQuotaPeriodUSec": "900ms", "CPUQuotaPerSecUSec": "infinity", "TasksMax": "20"}
    same(lab.shown(*wanted), wanted)
    lab.remove()


def check_update(lab: Lab) -> None:
    lab.start(change=_limit)
    lab("update", "--memory", str(80 << 20), "--memory-swap", str(100 << 20), "--pids-limit", "30",
        "--cpu-quota", "61234", lab.name)  # fmt: skip
    wanted = {
        "MemoryMax": str(80 << 20), "MemorySwapMax": str(20 << 20), "TasksMax": "30",
        "CPUQuotaPerSecUSec": "620ms", "MemoryLow": str(32 << 20),
    }  # fmt: skip
    same(lab.shown(*wanted), wanted)
    assert read(lab.cgroup / "cpu.max") == "62000 100000"
    lab.systemctl("daemon-reload")
    assert read(lab.cgroup / "memory.max") == str(80 << 20)
    assert read(lab.cgroup / "pids.max") == "30"
    lab.remove()


def check_a_limit_of_one_process(lab: Lab) -> None:
    def limit(config: "Spec") -> None:
        config["linux"]["resources"] = {"pids": {"limit": 1}}

    path = lab.bundle("cat", "/proc/self/cgroup", change=limit)
    assert lab("--systemd-cgroup", "run", "-b", path, lab.name) == "0::/\n"


def check_devices_at_a_daemon_reload(lab: Lab) -> None:
    def allow(config: "Spec") -> None:
        for kinds in config["process"]["capabilities"].values():
            kinds.append("CAP_MKNOD")  # type: ignore[attr-defined]
        config["linux"]["resources"] = {
            "devices": [
                {"allow": False, "access": "rwm"},
                {"allow": True, "type": "c", "major": 10, "minor": 144, "access": "r"},
                # There is no such device, nor a node of it.
                {"allow": True, "type": "c", "major": 10, "minor": 99, "access": "rw"},
                {"allow": True, "type": "b", "major": 253, "access": "rwm"},
            ]
        }

    lab.start(change=allow)
    script = """
    if [ ! -e /dev/forbidden ]; then
        mknod /dev/forbidden c 10 183; mknod /dev/readable c 10 144; mknod /dev/absent c 10 99
        mknod /dev/block b 253 7
    fi
    : </dev/null; : >/dev/null; : </dev/zero; : </dev/full; : </dev/random; : </dev/urandom
    exec 3<>/dev/ptmx
    # Without a driver "no such device" means that it was allowed.
    for node in forbidden absent block pts/0 tty; do ( : <>/dev/$node ) || :; done 2>&1
    ( : </dev/readable ) 2>&1 || :
    ( : >/dev/readable ) 2>&1 || :
    rm -f /dev/made; mknod /dev/made c 7 7
    """
    for reload in (False, True):
        if reload:
            assert lab.systemctl("daemon-reload") == ""
        said = lab("exec", lab.name, "sh", "-ec", script)
        refused = [line for line in said.splitlines() if "not permitted" in line]
        nodes = [line.split("/dev/")[1].split(":")[0] for line in refused]
        assert nodes == ["forbidden", "readable"], said
    lab.remove()


def check_devices_that_are_all_allowed_but_some(lab: Lab) -> None:
    def allow(config: "Spec") -> None:
        config["linux"]["resources"] = {
            "devices": [
                {"allow": True, "access": "rwm"},
                {"allow": False, "type": "c", "major": 1, "minor": 9, "access": "r"},
            ]
        }

    def names() -> None:
        assert "not permitted" in lab("exec", lab.name, "cat", "/dev/urandom", code=1)
        lab("exec", lab.name, "head", "-c", "1", "/dev/zero")

    def deny_default(config: "Spec") -> None:
        allow(config)
        # An entry of linux.devices takes the place of the default rule for its path.
        config["linux"]["devices"] = [
            {"path": "/dev/urandom", "type": "c", "major": 1, "minor": 9, "fileMode": 0o666}
        ]

    lab.start(change=deny_default)
    names()
    lab.systemctl("daemon-reload")
    names()
    lab.remove()


def check_many_at_once(lab: Lab) -> None:
    path = lab.bundle("sleep", "1000")
    ids = [f"many{number}" for number in range(MANY)]
    commands = [
        subprocess.Popen(
            [lab.ocirun, "--systemd-cgroup", "create", "-b", path, each],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )
        for each in ids
    ]  # fmt: skip
    assert [command.wait() for command in commands] == [0] * MANY
    units = lab.systemctl("list-units", "--no-legend", "--state=active", "ocirun-many*.scope")
    assert len(units.splitlines()) == MANY
    commands = [subprocess.Popen([lab.ocirun, "delete", "-f", each]) for each in ids]
    assert [command.wait() for command in commands] == [0] * MANY
    assert lab.systemctl("list-units", "--all", "--no-legend", "ocirun-many*.scope") == ""
    assert not list((TREE / "system.slice").glob("ocirun-many*"))


CHECKS: dict[str, Callable[[Lab], None]] = {
    name.removeprefix("check_"): function
    for name, function in [*globals().items(), *vars(checks_systemd_failures).items()]
    if name.startswith("check_")
}


def _prepare(ocirun: str, busybox: str) -> None:
    (PLACE / "rootfs").mkdir(parents=True)
    rootfs.make(PLACE / "rootfs", busybox)
    for options, name in (([], "config.json"), (["--rootless"], "user.json")):
        (PLACE / "spec").mkdir()
        env = {**os.environ, "XDG_RUNTIME_DIR": RUNTIME}
        subprocess.run([ocirun, "spec", *options], cwd=PLACE / "spec", env=env, check=True)
        (PLACE / "spec/config.json").rename(PLACE / name)
        (PLACE / "spec").rmdir()
    config = json.loads((PLACE / "user.json").read_text())
    for key in ("uidMappings", "gidMappings"):
        config["linux"][key] = [{"containerID": 0, "hostID": USER, "size": 1}]
    (PLACE / "user.json").write_text(json.dumps(config))
    subprocess.run(["systemctl", "start", f"user@{USER}.service"], check=True)


def main(ocirun: str, busybox: str, *names: str) -> None:
    """Run all checks; one that fails does not keep the others from running."""
    _prepare(ocirun, busybox)
    for name, check in CHECKS.items():
        if names and name not in names:
            continue
        begun = time.monotonic()
        try:
            check(Lab(ocirun, name))
        except Exception:  # noqa: BLE001  (reported to the host)
            failure = traceback.format_exc()
        else:
            failure = ""
        sys.stdout.write(json.dumps([name, failure]) + "\n")
        sys.stdout.write(f"{time.monotonic() - begun:.1f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
