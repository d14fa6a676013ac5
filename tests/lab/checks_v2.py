# SPDX-License-Identifier: Apache-2.0
"""What a container does on a kernel with cgroup v2: run inside the lab, as a program.

    PYTHONPATH=tools python checks_v2.py OCIRUN BUSYBOX

prints a line of JSON for each check.

Each `check_*` function is one check; test_v2.py, on the host, makes a test of each.
"""

import errno
import json
import os
import select
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import rootfs

if TYPE_CHECKING:
    from ocirun.spec.model import Spec

TREE = Path("/sys/fs/cgroup")
PLACE = Path("/run/lab")
MOUNT_CGROUP = "/sys/fs/cgroup"

Change = Callable[["Spec"], object]


class Lab:
    """Runs the command; bundles and cgroups get the name of the check."""

    def __init__(self, ocirun: str, name: str) -> None:
        self.ocirun = ocirun
        self.name = name
        self.cgroup = TREE / "lab" / name

    def __call__(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [self.ocirun, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def bundle(self, *args: str, change: Change | None = None) -> str:
        """Make a bundle whose container has the check's cgroup, writable for itself."""
        path = PLACE / "bundles" / self.name
        path.mkdir(parents=True, exist_ok=True)
        config: Spec = json.loads((PLACE / "config.json").read_text())
        config["root"] = {"path": str(PLACE / "rootfs")}
        config["process"]["terminal"] = False
        config["process"]["args"] = list(args)
        config["linux"]["cgroupsPath"] = f"/lab/{self.name}"
        for mount in config["mounts"]:
            if mount["destination"] == MOUNT_CGROUP:
                mount["options"] = ["nosuid", "noexec", "nodev"]
        if change:
            change(config)
        (path / "config.json").write_text(json.dumps(config))
        return str(path)

    def start(self, *args: str, change: Change | None = None) -> int:
        """Run a container in the background and give its pid."""
        path = self.bundle(*(args or ("sleep", "1000")), change=change)
        # Not through a pipe, which the container would keep open.
        subprocess.run(
            [self.ocirun, "run", "-d", "-b", path, self.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        return int(json.loads(self("state", self.name))["pid"])

    def status(self) -> str:
        return str(json.loads(self("state", self.name))["status"])

    def inside(self, script: str) -> str:
        return self("exec", self.name, "sh", "-ec", script)

    def remove(self) -> None:
        self("delete", "-f", self.name)
        assert not self.cgroup.exists()


def read(path: Path | str) -> str:
    return Path(path).read_text().strip()


def ended(pid: int) -> bool:
    """Wait until a process is gone, which is not our child."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        # EINVAL: somebody is about to wait for it.
        if error.errno not in (errno.ESRCH, errno.EINVAL):
            raise
        return True
    try:
        return bool(select.select([pidfd], [], [], 10)[0])
    finally:
        os.close(pidfd)


def check_a_life(lab: Lab) -> None:
    path = lab.bundle("sleep", "1000")
    subprocess.run(
        [lab.ocirun, "create", "-b", path, lab.name], stdout=subprocess.DEVNULL, check=True
    )
    assert lab.status() == "created"
    pid = json.loads(lab("state", lab.name))["pid"]
    # Born in its cgroup, and alone there.
    assert read(lab.cgroup / "cgroup.procs") == str(pid)
    lab("start", lab.name)
    assert lab.status() == "running"
    lab("kill", lab.name, "KILL")
    assert ended(pid)
    assert lab.status() == "stopped"
    lab("delete", lab.name)
    assert not lab.cgroup.exists()
    assert not (TREE / "lab").exists()


def check_foreground(lab: Lab) -> None:
    path = lab.bundle("sh", "-c", "cat /proc/self/cgroup; exit 7")
    assert lab("run", "-b", path, lab.name, code=7) == "0::/\n"
    assert not lab.cgroup.exists()


def check_limits(lab: Lab) -> None:
    def limit(config: "Spec") -> None:
        config["linux"]["resources"] = {
            "memory": {"limit": 64 << 20, "swap": 96 << 20},
            "cpu": {"quota": 50000, "period": 100000, "shares": 1024},
            "pids": {"limit": 17},
        }

    wanted = {
        "memory.max": str(64 << 20),
        "memory.swap.max": str(32 << 20),
        "cpu.max": "50000 100000",
        "cpu.weight": "100",
        "pids.max": "17",
    }
    lab.start(change=limit)
    assert {file: read(lab.cgroup / file) for file in wanted} == wanted
    files = " ".join(f"{MOUNT_CGROUP}/{file}" for file in wanted)
    assert lab.inside(f"cat {files}").splitlines() == list(wanted.values())
    assert lab.inside("cat /proc/self/cgroup") == "0::/\n"
    lab.remove()


def check_a_limit_of_one_process(lab: Lab) -> None:
    def limit(config: "Spec") -> None:
        config["linux"]["resources"] = {"pids": {"limit": 1}}

    path = lab.bundle("cat", f"{MOUNT_CGROUP}/pids.max", change=limit)
    assert lab("run", "-b", path, lab.name) == "1\n"


def check_pause(lab: Lab) -> None:
    lab.start()
    lab("pause", lab.name)
    assert lab.status() == "paused"
    assert read(lab.cgroup / "cgroup.freeze") == "1"
    assert "frozen 1" in read(lab.cgroup / "cgroup.events")
    assert "cannot exec in a paused container" in lab("exec", lab.name, "true", code=255)
    lab("resume", lab.name)
    assert lab.status() == "running"
    lab("pause", lab.name)
    lab.remove()


def check_devices(lab: Lab) -> None:
    def allow(config: "Spec") -> None:
        for kinds in config["process"]["capabilities"].values():
            kinds.append("CAP_MKNOD")  # type: ignore[attr-defined]
        config["linux"]["resources"] = {
            "devices": [
                {"allow": False, "access": "rwm"},
                {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"},
            ]
        }

    lab.start(change=allow)
    # Making any node is allowed, opening it is not: 1:1 is /dev/mem, 1:11 is /dev/kmsg.
    script = """
    mknod /dev/forbidden c 1 1; mknod /dev/readable c 1 11
    head -c 1 /dev/zero >/dev/null; head -c 1 /dev/urandom >/dev/null
    (: </dev/readable) && echo readable
    (: </dev/forbidden) || :
    (: >/dev/readable) || :
    """
    lines = lab.inside(script).splitlines()
    assert lines[0] == "readable"
    refused = [line for line in lines[1:] if "Operation not permitted" in line]
    assert [line.split()[3].rstrip(":") for line in refused] == ["/dev/forbidden", "/dev/readable"]
    lab.remove()


def check_cgroups_made_inside(lab: Lab) -> None:
    lab.start()
    procs = f"{MOUNT_CGROUP}/a/b/cgroup.procs"
    lab.inside(f"mkdir -p {MOUNT_CGROUP}/a/b; echo 1 >{procs}; echo $$ >{procs}")
    lab.inside(f"echo $$ >{procs}; echo +memory >{MOUNT_CGROUP}/cgroup.subtree_control")
    # Now no process can be in the container's own cgroup: exec goes where the first one is.
    assert lab.inside("cat /proc/self/cgroup") == "0::/a/b\n"
    assert "busy" in lab("exec", "--cgroup", "/", lab.name, "true", code=255)
    lab.remove()


def check_no_pid_namespace(lab: Lab) -> None:
    def share(config: "Spec") -> None:
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [each for each in spaces if each["type"] != "pid"]

    lab.start("sh", "-c", "sleep 1000 & sleep 1001 & exec sleep 1002", change=share)
    pids: list[int] = []
    deadline = time.monotonic() + 10
    while len(pids) < 3 and time.monotonic() < deadline:
        pids = [int(pid) for pid in read(lab.cgroup / "cgroup.procs").split()]
    assert len(pids) == 3
    lab("kill", lab.name, "KILL")
    assert all(ended(pid) for pid in pids)
    lab("delete", lab.name)
    assert not lab.cgroup.exists()


def check_a_cgroup_in_use(lab: Lab) -> None:
    pid = lab.start()
    said = lab("run", "-b", lab.bundle("true"), "other", code=1)
    assert "container's cgroup is not empty" in said
    assert read(lab.cgroup / "cgroup.procs") == str(pid)
    assert lab.status() == "running"
    lab.remove()


def check_a_user_namespace(lab: Lab) -> None:
    def map_ids(config: "Spec") -> None:
        config["linux"]["namespaces"].append({"type": "user"})
        for key in ("uidMappings", "gidMappings"):
            config["linux"][key] = [{"containerID": 0, "hostID": 100000, "size": 1000}]

    lab.start(change=map_ids)
    assert lab.inside("cat /proc/self/cgroup") == "0::/\n"
    assert lab.inside(f"cat {MOUNT_CGROUP}/cgroup.procs").split()[0] == "1"
    lab.remove()


def check_delegation(lab: Lab) -> None:
    def private(config: "Spec") -> None:
        config["linux"]["namespaces"].append({"type": "user"})
        for key in ("uidMappings", "gidMappings"):
            config["linux"][key] = [{"containerID": 0, "hostID": 100000, "size": 1000}]
        config["process"]["user"]["uid"] = 7

    def readonly(config: "Spec") -> None:
        private(config)
        next(m for m in config["mounts"] if m["destination"] == MOUNT_CGROUP)["options"] = ["ro"]

    def shared(config: "Spec") -> None:
        private(config)
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [each for each in spaces if each["type"] != "cgroup"]

    procs, limit = lab.cgroup / "cgroup.procs", lab.cgroup / "memory.max"
    lab.start(change=private)
    assert [path.stat().st_uid for path in (lab.cgroup, procs, limit)] == [100007, 100007, 0]
    assert lab.cgroup.parent.stat().st_uid == 0
    lab.inside(f"mkdir {MOUNT_CGROUP}/inner && echo $$ >{MOUNT_CGROUP}/inner/cgroup.procs")
    lab.remove()
    for change in (readonly, shared):
        lab.start(change=change)
        assert {path.stat().st_uid for path in (lab.cgroup, procs)} == {0}
        lab.remove()


def check_an_update(lab: Lab) -> None:
    mega = 1 << 20

    def limit(config: "Spec") -> None:
        config["linux"]["resources"] = {
            "memory": {"limit": 32 * mega, "swap": 48 * mega},
            "cpu": {"quota": 50000, "period": 100000, "shares": 1024},
        }

    files = ("memory.max", "memory.swap.max", "cpu.max", "cpu.weight", "pids.max")
    lab.start(change=limit)
    for words, wanted in (
        # The limit of memory and swap together stays; v2 has that of swap alone.
        ("--memory 40M", f"{40 * mega}|{8 * mega}|50000 100000|100|max"),
        ("--memory-swap 50M", f"{40 * mega}|{10 * mega}|50000 100000|100|max"),
        ("--memory 60M --memory-swap 60M", f"{60 * mega}|0|50000 100000|100|max"),
        ("--memory-swap -1", f"{60 * mega}|max|50000 100000|100|max"),
        ("--cpu-period 20000", f"{60 * mega}|max|50000 20000|100|max"),
        ("--cpu-quota 7000", f"{60 * mega}|max|7000 20000|100|max"),
        ("--cpu-share 2048 --pids-limit 9", f"{60 * mega}|max|7000 20000|174|9"),
        ("--memory -1", "max|max|7000 20000|174|9"),
    ):
        lab("update", *words.split(), lab.name)
        assert "|".join(read(lab.cgroup / file) for file in files) == wanted, words
    lab.remove()


def check_an_update_that_is_refused(lab: Lab) -> None:
    lab.start()
    path = PLACE / "resources.json"
    for resources, said in (
        ({"memory": {"limit": 1024, "checkBeforeUpdate": True}}, "rejecting memory limit"),
        ({"memory": {"limit": 1024, "swap": 2048, "checkBeforeUpdate": True}},
         "rejecting memory+swap limit"),
        ({"memory": {"swap": 1 << 30}}, "unable to set a swap limit without memory.limit"),
        ({"pids": {"limit": 5}, "unified": {"pids.nothing": "1"}}, "unified.pids.nothing"),
    ):  # fmt: skip
        path.write_text(json.dumps(resources))
        assert said in lab("update", "-r", str(path), lab.name, code=1)
        assert read(lab.cgroup / "memory.max") == "max"
        assert read(lab.cgroup / "pids.max") == "max"
    path.write_text(json.dumps({"unified": {"memory.high": "20971520", "pids.max": "7"}}))
    lab("update", "-r", str(path), lab.name)
    assert read(lab.cgroup / "memory.high") == "20971520"
    assert read(lab.cgroup / "pids.max") == "7"
    lab.remove()


def check_events(lab: Lab) -> None:
    def limit(config: "Spec") -> None:
        config["linux"]["resources"] = {"memory": {"limit": 24 << 20, "swap": 24 << 20}}

    lab.start(change=limit)
    data = json.loads(lab("events", "--stats", lab.name))["data"]
    assert data["pids"]["current"] == 1
    assert data["memory"]["usage"]["limit"] == 24 << 20
    words = [lab.ocirun, "events", "--interval", "300ms", lab.name]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert '"stats"' in running.stdout.readline()
        hungry = "x=$(dd if=/dev/zero bs=1M count=64 2>/dev/null | tr '\\0' x)"
        lab("exec", lab.name, "sh", "-c", hungry, code=137)
        lines = iter(running.stdout.readline, "")
        assert next(line for line in lines if "stats" not in line) == (
            '{"type":"oom","id":"events"}\n'
        )
        lab("kill", lab.name, "KILL")
        running.stdout.read()
        assert running.wait(10) == 0
    lab.remove()


CHECKS: dict[str, Callable[[Lab], None]] = {
    name.removeprefix("check_"): function
    for name, function in list(globals().items())
    if name.startswith("check_")
}


def main(ocirun: str, busybox: str) -> None:
    """Run all checks; one that fails does not keep the others from running."""
    (PLACE / "rootfs").mkdir(parents=True)
    rootfs.make(PLACE / "rootfs", busybox)
    subprocess.run([ocirun, "spec"], cwd=PLACE, check=True)
    for name, check in CHECKS.items():
        try:
            check(Lab(ocirun, name))
        except Exception:  # noqa: BLE001  (reported to the host)
            failure = traceback.format_exc()
        else:
            failure = ""
        sys.stdout.write(json.dumps([name, failure]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
