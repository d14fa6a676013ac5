# SPDX-License-Identifier: Apache-2.0
"""Saving and restoring containers where criu works: run inside the lab, as a program.

    PYTHONPATH=tools:. python checks_criu.py OCIRUN BUSYBOX

prints a line of JSON for each check; test_criu.py, on the host, makes a test of each.
"""

import array
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.checks_v2 import PLACE, Lab, read

import rootfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocirun.spec.model import Spec

#: counts in a variable of the shell, which is nowhere but in its memory
COUNT = "i=0; while :; do i=$((i+1)); echo $i >/tmp/new; mv /tmp/new /tmp/count; sleep 0.05; done"
ECHO = "while read line; do echo got $line; done"


class Saved(Lab):
    """A container of the check's name, its images, and its counter."""

    def __init__(self, ocirun: str, name: str) -> None:
        super().__init__(ocirun, name)
        self.images = PLACE / f"images-{name}"
        self.count_file = PLACE / "rootfs/tmp/count"

    def start(self, *args: str, change: "Callable[[Spec], object] | None" = None) -> int:
        # Nothing of ours, which criu would have to save.
        path = self.bundle(*args, change=change)
        subprocess.run(
            [self.ocirun, "run", "-d", "-b", path, self.name], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        return self.pid()

    def start_counting(self, change: "Callable[[Spec], object] | None" = None) -> int:
        self.count_file.unlink(missing_ok=True)
        pid = self.start("sh", "-c", COUNT, change=change)
        self.await_count(5)
        return pid

    def await_count(self, least: int) -> int:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.count_file.exists() and int(read(self.count_file) or 0) >= least:
                return int(read(self.count_file))
            select.select([], [], [], 0.1)
        raise AssertionError(f"the counter stays below {least}")

    def checkpoint(self, *words: str, code: int = 0) -> str:
        return self("checkpoint", "--image-path", str(self.images), *words, self.name, code=code)

    def restore(self, *words: str, code: int = 0) -> str:
        place = PLACE / "bundles" / self.name
        errors = PLACE / "errors"
        with errors.open("w") as file:
            done = subprocess.run(
                [self.ocirun, "restore", "-d", "-b", str(place), "--image-path", str(self.images),
                 *words, self.name],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file, check=False,
            )  # fmt: skip
        assert done.returncode == code, errors.read_text() + self.log()
        return errors.read_text()

    def log(self) -> str:
        return "".join(path.read_text()[-3000:] for path in self.images.glob("restore.log"))

    @contextlib.contextmanager
    def changing(self) -> "Iterator[Spec]":
        path = PLACE / "bundles" / self.name / "config.json"
        config: Spec = json.loads(path.read_text())
        yield config
        path.write_text(json.dumps(config))

    def pid(self) -> int:
        return int(json.loads(self("state", self.name))["pid"])

    def assert_gone(self) -> None:
        assert "does not exist" in self("state", self.name, code=1)
        assert not self.cgroup.exists()
        assert not Path("/run/ocirun", self.name).exists()
        mounts = read("/proc/self/mountinfo")
        assert "/run/ocirun" not in mounts
        assert str(PLACE / "rootfs") not in mounts


def check_counting_goes_on(lab: Saved) -> None:
    lab.start_counting()
    lab.checkpoint()
    lab.assert_gone()
    before = lab.await_count(5)
    lab.count_file.write_text("0")
    lab.restore("--pid-file", str(PLACE / "pid"))
    after = lab.await_count(1)
    assert before < after < before + 40, (before, after)
    assert lab.status() == "running"
    pid = lab.pid()
    assert read(PLACE / "pid") == str(pid)
    assert str(pid) in read(lab.cgroup / "cgroup.procs")
    assert "UP LOOPBACK" in lab.inside("ifconfig lo")
    # And once more, of what was restored, with a process of exec that stays.
    late = lab.inside("sleep 1000 </dev/null >/dev/null 2>&1 & echo $!")
    lab.checkpoint()
    lab.assert_gone()
    lab.restore()
    lab.await_count(after + 1)
    assert "1000" in lab.inside(f"cat /proc/{late.strip()}/cmdline")
    lab.remove()
    lab.assert_gone()


def check_leave_running(lab: Saved) -> None:
    pid = lab.start_counting()
    lab.checkpoint("--leave-running")
    assert lab.pid() == pid
    lab.await_count(lab.await_count(1) + 3)
    lab("pause", lab.name)
    lab.checkpoint("--leave-running")
    assert lab.status() == "paused"
    lab.remove()
    lab.restore()
    lab.remove()


def check_pre_dump(lab: Saved) -> None:
    pid = lab.start_counting()
    parent = lab.images.with_name("parent")
    lab("checkpoint", "--pre-dump", "--image-path", str(parent), lab.name)
    assert (lab.pid(), lab.status()) == (pid, "running")
    assert sorted(path.name for path in parent.glob("pages*"))
    said = lab.checkpoint("--parent-path", "../nowhere", code=1)
    assert "invalid --parent-path" in said
    lab.checkpoint("--parent-path", "../parent", "--work-path", str(PLACE / "work"))
    assert os.readlink(lab.images / "parent") == "../parent"
    assert (PLACE / "work/dump.log").exists()
    lab.restore("--work-path", str(PLACE / "work"))
    lab.await_count(lab.await_count(1) + 3)
    assert (PLACE / "work/restore.log").exists()
    lab.remove()


def check_pipes(lab: Saved) -> None:
    path = lab.bundle("sh", "-c", ECHO)
    first, second = (os.pipe2(0) for _ in range(2))
    words = [lab.ocirun, "run", "-d", "-b", path, lab.name]
    subprocess.run(words, stdin=first[0], stdout=second[1], stderr=second[1], check=True)
    os.write(first[1], b"one\n")
    assert os.read(second[0], 100) == b"got one\n"
    lab.checkpoint()
    for fd in (*first, *second):
        os.close(fd)
    first, second = os.pipe2(0), os.pipe2(0)
    words = [lab.ocirun, "restore", "-d", "-b", path, "--image-path", str(lab.images), lab.name]
    subprocess.run(words, stdin=first[0], stdout=second[1], stderr=second[1], check=True)
    os.close(second[1])
    os.write(first[1], b"two\n")
    assert os.read(second[0], 100) == b"got two\n"
    # The end of its input is the end of the program, and so of its output.
    os.close(first[0])
    os.close(first[1])
    assert os.read(second[0], 100) == b""
    lab.remove()


def check_foreground(lab: Saved) -> None:
    path = lab.bundle("sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 7")
    lab.start("sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 7")
    lab.checkpoint()
    (PLACE / "rootfs/tmp/go").touch()
    lab("restore", "-b", path, "--image-path", str(lab.images), lab.name, code=7)
    (PLACE / "rootfs/tmp/go").unlink()
    lab.assert_gone()


def check_terminal(lab: Saved) -> None:
    def change(spec: "Spec") -> None:
        spec["process"]["terminal"] = True

    path = lab.bundle("sh", "-c", ECHO, change=change)
    place = str(PLACE / "console")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        words = ["-d", "-b", path, "--console-socket", place]
        lab("run", *words, lab.name)
        master = _receive(listener)
        os.write(master, b"one\n")
        _expect(master, b"got one")
        lab.checkpoint()
        os.close(master)
        lab("restore", *words, "--image-path", str(lab.images), lab.name)
        master = _receive(listener)
        os.write(master, b"two\n")
        _expect(master, b"got two")
    lab.remove()
    os.close(master)


def _receive(listener: socket.socket) -> int:
    listener.settimeout(20)
    with listener.accept()[0] as connection:
        _, rights, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(4))
    return int(array.array("i", rights[0][2])[0])


def _expect(master: int, text: bytes) -> None:
    found = b""
    while text not in found:
        assert select.select([master], [], [], 20)[0], found
        found += os.read(master, 1000)


def check_mounts(lab: Saved) -> None:
    outer, inner, linked = (PLACE / name for name in ("outer", "inner", "linked"))
    for path in (outer, inner, linked):
        path.mkdir()
        (path / "file").write_text(path.name)
    (PLACE / "rootfs/real").mkdir()
    (PLACE / "rootfs/link").symlink_to("/real")
    (PLACE / "single").write_text("single")

    def change(spec: "Spec") -> None:
        spec["mounts"] += [
            {"destination": where, "type": "bind", "source": str(source), "options": ["bind"]}
            for where, source in (
                ("/outer", outer), ("/outer/for/inner", inner), ("/link", linked),
                ("/etc/single", PLACE / "single"),
            )
        ]  # fmt: skip
        spec["linux"]["maskedPaths"] = ["/proc/kcore", "/proc/acpi", "/sys/firmware"]

    lab.start_counting(change)
    look = (
        "cat /outer/file /outer/for/inner/file /real/file /etc/single; ls /sys/firmware; wc -c"
        " </proc/kcore; sed 's/^[0-9]* [0-9]* [0-9:]* //; s/ - .*//; s/ [a-z]*:[0-9]*//g'"
        " </proc/self/mountinfo | cut -d' ' -f2,3 | sort; echo >/proc/sysrq-trigger || echo ro"
    )
    before = lab.inside(look + " 2>&1")
    lab.checkpoint()
    # What was made in it for the other one: it is made again.
    (outer / "for/inner").rmdir()
    (outer / "for").rmdir()
    lab.restore()
    lab.await_count(1)
    assert lab.inside(look + " 2>&1") == before
    assert before.startswith("outerinnerlinkedsingle0\n"), before
    lab.remove()
    lab.assert_gone()


def check_a_network_namespace_by_path(lab: Saved) -> None:
    with subprocess.Popen(["unshare", "-n", "sleep", "99"]) as holder:
        path = f"/proc/{holder.pid}/ns/net"
        while os.readlink(path) == os.readlink("/proc/self/ns/net"):
            select.select([], [], [], 0.1)

        def change(spec: "Spec") -> None:
            for namespace in spec["linux"]["namespaces"]:
                if namespace["type"] == "network":
                    namespace["path"] = path
            spec["linux"]["netDevices"] = {"lab-dummy": {"name": "inside"}}

        subprocess.run(["busybox", "ip", "link", "add", "lab-dummy", "type", "dummy"], check=True)
        lab.start_counting(change)
        lab.checkpoint()
        lab.restore()
        assert os.readlink(f"/proc/{lab.pid()}/ns/net") == os.readlink(path)
        assert "inside" in lab.inside("ip link")
        lab.remove()
        holder.kill()


def check_hooks(lab: Saved) -> None:
    def hook(script: str) -> "dict[str, object]":
        return {"path": "/bin/sh", "args": ["sh", "-c", script]}

    diary = PLACE / "diary"

    def change(spec: "Spec") -> None:
        kinds = ("prestart", "createRuntime", "poststart", "poststop")
        written = {kind: [hook(f"echo {kind} $(cat) >>{diary}")] for kind in kinds}
        spec["hooks"] = written  # type: ignore[typeddict-item]  # by name only

    lab.start_counting(change)
    lab.checkpoint()
    diary.unlink()
    lab.restore()
    pid = lab.pid()
    lab.remove()
    told = [line.split(" ", 1) for line in diary.read_text().splitlines()]
    assert [kind for kind, _ in told] == ["prestart", "createRuntime", "poststop"]
    assert [json.loads(state).get("pid") for _, state in told] == [pid, pid, None]
    # One that fails: nothing stays of the container, but it has its poststop.
    with lab.changing() as config:
        config["hooks"]["createRuntime"] = [hook("echo no; exit 3")]  # type: ignore[list-item]
    diary.unlink()
    assert "error running createRuntime hook #0: /bin/sh: exit status 3" in lab.restore(code=1)
    assert [line.split()[0] for line in diary.read_text().splitlines()] == ["prestart", "poststop"]
    lab.assert_gone()


def check_another_cgroup(lab: Saved) -> None:
    lab.start_counting()
    lab.checkpoint("--manage-cgroups-mode", "ignore")
    lab.cgroup = lab.cgroup.with_name("elsewhere")
    with lab.changing() as config:
        config["linux"]["cgroupsPath"] = "/lab/elsewhere"
        config["linux"]["resources"] = {"pids": {"limit": 33}}
    lab.restore("--manage-cgroups-mode", "ignore")
    pid = lab.pid()
    assert read(f"/proc/{pid}/cgroup") == "0::/lab/elsewhere"
    assert read(lab.cgroup / "pids.max") == "33"
    assert not lab.cgroup.with_name(lab.name).exists()
    lab.remove()


def check_a_configuration(lab: Saved) -> None:
    setting = PLACE / "criu.conf"
    setting.write_text("log-file other.log\n")

    def change(spec: "Spec") -> None:
        spec["annotations"] = {"org.criu.config": str(setting)}

    lab.start_counting(change)
    lab.checkpoint()
    assert (lab.images / "other.log").exists()
    assert not (lab.images / "dump.log").exists()
    lab.restore()
    lab.remove()
    # Without the annotation, what the host has for us.
    Path("/etc/criu").mkdir(exist_ok=True)
    for name in ("runc", "ocirun"):
        Path(f"/etc/criu/{name}.conf").write_text(f"log-file {name}.log\n")
        lab.start_counting()
        lab.checkpoint()
        assert (lab.images / f"{name}.log").exists(), name
    for name in ("runc", "ocirun"):
        Path(f"/etc/criu/{name}.conf").unlink()


def check_what_criu_refuses(lab: Saved) -> None:
    """A file that is open and deleted, and too large: the container runs on as it was."""
    script = "dd if=/dev/zero of=/tmp/big bs=1M count=3 2>/dev/null; exec 9</tmp/big; rm /tmp/big;"
    lab.count_file.unlink(missing_ok=True)
    pid = lab.start("sh", "-c", script + COUNT)
    lab.await_count(5)
    said = lab.checkpoint(code=1)
    assert said.startswith("ocirun: error: checkpoint what_criu_refuses: criu: "), said
    assert "ghost" in said
    assert f"its log is {lab.images}/dump.log" in said
    assert os.listdir(lab.images) == ["dump.log"]
    assert (lab.pid(), lab.status()) == (pid, "running")
    lab.await_count(lab.await_count(1) + 3)
    lab.remove()


CHECKS: "dict[str, Callable[[Saved], None]]" = {
    name.removeprefix("check_"): function
    for name, function in list(globals().items())
    if name.startswith("check_")
}


def main(ocirun: str, busybox: str, *wanted: str) -> None:
    """Run the checks; one that fails does not keep the others from running."""
    (PLACE / "rootfs").mkdir(parents=True)
    rootfs.make(PLACE / "rootfs", busybox)
    subprocess.run([ocirun, "spec"], cwd=PLACE, check=True)
    for name in wanted or CHECKS:
        lab = Saved(ocirun, name)
        try:
            CHECKS[name](lab)
        except Exception:  # noqa: BLE001  (reported to the host)
            failure = traceback.format_exc() + lab.log()
            subprocess.run([ocirun, "delete", "-f", name], check=False)
        else:
            failure = ""
        sys.stdout.write(json.dumps([name, failure]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
