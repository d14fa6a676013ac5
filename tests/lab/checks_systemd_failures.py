# SPDX-License-Identifier: Apache-2.0
"""The other half of checks_systemd.py: what fails, and what a user may do without root."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.checks_v2 import ended, read
from tests.lab.systemd_lab import PLACE, RUNTIME, USER, Change, Lab, same

if TYPE_CHECKING:
    from ocirun.spec.model import Spec


def check_a_unit_of_somebody_else(lab: Lab) -> None:
    other = subprocess.Popen(["systemd-run", "-q", "--scope", f"--unit={lab.unit}", "sleep", "99"])
    deadline = time.monotonic() + 20
    while lab.shown("ActiveState")["ActiveState"] != "active" and time.monotonic() < deadline:
        pass
    path = lab.bundle("true")
    said = lab("--systemd-cgroup", "run", "-b", path, lab.name, code=1)
    assert f"{lab.unit}: container's cgroup is not empty" in said
    assert lab.name not in lab("list", "-q").split()
    assert lab.shown("ActiveState") == {"ActiveState": "active"}
    assert other.poll() is None
    other.kill()
    other.wait()


def check_a_failed_unit_of_the_same_name(lab: Lab) -> None:
    words = ["systemd-run", "-q", "--scope", f"--unit={lab.unit}", "-p", "RuntimeMaxSec=1"]
    subprocess.run([*words, "sleep", "99"], check=False)
    assert lab.systemctl("is-failed", lab.unit) == "failed\n"
    lab.start()
    assert lab.shown("ActiveState") == {"ActiveState": "active"}
    lab.remove()


def check_a_container_that_fails(lab: Lab) -> None:
    def limit(config: "Spec") -> None:
        config["linux"]["resources"] = {"memory": {"limit": 8 << 20, "swap": 8 << 20}}
        config["annotations"] = {
            "org.systemd.property.RuntimeMaxSec": "uint64 2",
            "org.systemd.property.TimeoutStopSec": "1.5",
        }

    pid = lab.start(change=limit)
    assert lab.shown("RuntimeMaxUSec") == {"RuntimeMaxUSec": "2s"}
    assert ended(pid)
    deadline = time.monotonic() + 20
    while "failed" not in lab.systemctl("is-failed", lab.unit) and time.monotonic() < deadline:
        pass
    assert lab.systemctl("is-failed", lab.unit) == "failed\n"
    lab("delete", lab.name)
    lab.is_gone()


def check_annotations(lab: Lab) -> None:
    def annotate(config: "Spec") -> None:
        config["annotations"] = {
            "org.systemd.property.TimeoutStopUSec": "uint64 123456789",
            "org.systemd.property.CollectMode": "'inactive-or-failed'",
            "org.systemd.property.MemorySwapMax": "uint64 4096",
            "org.systemd.property.Documentation": "['man:ocirun(8)']",
        }

    lab.start(change=annotate)
    wanted = {
        "TimeoutStopUSec": "2min 3.456789s", "CollectMode": "inactive-or-failed",
        "MemorySwapMax": "4096", "Documentation": "man:ocirun(8)",
    }  # fmt: skip
    found = lab.shown(*wanted)
    found["Documentation"] = found["Documentation"].strip('"')
    same(found, wanted)
    lab.remove()


def check_what_is_refused(lab: Lab) -> None:
    def path(text: str) -> Change:
        def change(config: "Spec") -> None:
            config["linux"]["cgroupsPath"] = text

        return change

    def note(name: str, text: str) -> Change:
        def change(config: "Spec") -> None:
            config["annotations"] = {f"org.systemd.property.{name}": text}

        return change

    for change, words in (
        (path("/a/path"), 'expected cgroupsPath to be of format "slice:prefix:name"'),
        (path("a/b.slice:p:n"), "invalid slice name: a/b.slice"),
        (path("system.slice:p:n.slice"), "systemd keeps no processes in a slice"),
        (path("system.slice:p:a b"), "linux.cgroupsPath: start p-a b.scope"),
        (note("A1", "true"), "is no name of a property"),
        (note("Documentation", "[unquoted"), 'annotations["org.systemd.property.Documentation"]'),
        (note("NoSuchThing", "true"), "NoSuchThing"),
    ):
        said = lab.fail(change=change)
        assert words in said, said
        assert "Traceback" not in said


def check_a_hook_that_fails(lab: Lab) -> None:
    def hook(config: "Spec") -> None:
        config["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}

    assert "createRuntime" in lab.fail(change=hook)
    lab.is_gone()


def check_a_damaged_state(lab: Lab) -> None:
    pid = lab.start()
    Path(f"/run/ocirun/{lab.name}/state.json").write_text("{")
    lab("delete", "-f", lab.name)
    assert ended(pid)
    lab.is_gone()


def check_without_a_pid_namespace(lab: Lab) -> None:
    def share(config: "Spec") -> None:
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [each for each in spaces if each["type"] != "pid"]

    lab.start("sh", "-c", "sleep 1000 & exec sleep 1001", change=share)
    lab.remove()


def check_systemd_s_own_bus(lab: Lab) -> None:
    lab.env["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/run/dbus/system_bus_socket"
    lab.start()
    lab.remove()


def check_a_bus_that_fails(lab: Lab) -> None:
    path = PLACE / "bus"
    lab.env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={path}"
    said = lab.fail()
    assert f"reach the systemd of the system: {path}: connect: No such file" in said
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    assert "connect: Connection refused" in lab.fail()
    listener.listen()
    pid = os.fork()
    if not pid:
        for answer in (b"", b"OK x\r\n", b"REJECTED\r\n", b"nonsense" * 1000):
            with listener.accept()[0] as peer:
                peer.recv(100)
                peer.sendall(answer)
                if answer[:2] == b"OK":
                    peer.recv(100)
        os._exit(0)
    assert "closed by the other side during the authentication" in lab.fail()
    assert "closed by the other side during the" in lab.fail()
    assert "it does not let us in: REJECTED" in lab.fail()
    assert "what it says is not D-Bus" in lab.fail()
    os.waitpid(pid, 0)
    # One that never answers: whoever waits for it can be interrupted, and is soon gone.
    command = subprocess.Popen(
        [lab.ocirun, "--systemd-cgroup", "run", "-b", lab.bundle("true"), lab.name],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=lab.env,
    )  # fmt: skip
    with listener.accept()[0] as peer:
        peer.recv(100)
        command.send_signal(signal.SIGTERM)
        assert command.wait(20) != 0
    assert lab.name not in lab("list", "-q").split()
    path.unlink()


def check_as_a_user(lab: Lab) -> None:
    lab = Lab(lab.ocirun, lab.name, USER)

    def limit(config: "Spec") -> None:
        config["linux"]["resources"] = {
            "memory": {"limit": 64 << 20}, "pids": {"limit": 20},
        }  # fmt: skip

    lab.start(change=limit)
    wanted = {
        "Slice": "user.slice",
        "Delegate": "yes",
        "MemoryMax": str(64 << 20),
        "TasksMax": "20",
    }
    same(lab.shown(*wanted), wanted)
    assert read(lab.cgroup / "memory.max") == str(64 << 20)
    assert read(lab.cgroup / "pids.max") == "20"
    before = read(lab.cgroup / "cgroup.procs").split()
    # Not through a pipe, which the process would keep open.
    lab.run(lab.ocirun, "exec", "-d", lab.name, "sleep", "100", output=subprocess.DEVNULL)
    assert len(read(lab.cgroup / "cgroup.procs").split()) == len(before) + 1
    lab("update", "--memory", str(80 << 20), lab.name)
    assert lab.shown("MemoryMax") == {"MemoryMax": str(80 << 20)}
    lab("pause", lab.name)
    lab("resume", lab.name)
    lab("kill", lab.name, "KILL")
    lab.remove()


def check_as_a_user_without_a_bus(lab: Lab) -> None:
    lab = Lab(lab.ocirun, lab.name, USER)
    bus, private = Path(f"{RUNTIME}/bus"), Path(f"{RUNTIME}/systemd/private")
    bus.rename(f"{RUNTIME}/bus.away")
    try:
        lab.start()
        lab("exec", lab.name, "true")
        lab.remove()
        private.rename(f"{RUNTIME}/systemd/private.away")
        said = lab("--systemd-cgroup", "run", "-b", lab.bundle("true"), lab.name, code=1)
        assert "dbus-user-session" in said
        assert "reach the systemd of this user" in said
        del lab.env["XDG_RUNTIME_DIR"]
        said = lab("--root", f"{RUNTIME}/root", "--systemd-cgroup", "run", "-b",
                   lab.bundle("true"), lab.name, code=1)  # fmt: skip
        assert "XDG_RUNTIME_DIR" in said
    finally:
        Path(f"{RUNTIME}/bus.away").rename(bus)
        Path(f"{RUNTIME}/systemd/private.away").rename(private)


def check_words_for_the_managers(lab: Lab) -> None:
    path = lab.bundle("sh", "-c", "cat /proc/self/cgroup")
    for manager in ("systemd", "cgroupfs"):
        said = lab("--cgroup-manager", manager, "run", "-b", path, lab.name)
        assert said == "0::/\n"
    own = read("/proc/self/cgroup")

    def share(config: "Spec") -> None:
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [each for each in spaces if each["type"] != "cgroup"]
        config["linux"]["resources"] = {}

    path = lab.bundle("cat", "/proc/self/cgroup", change=share)
    assert lab("--cgroup-manager=disabled", "run", "-b", path, lab.name) == own + "\n"
