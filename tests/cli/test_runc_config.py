# SPDX-License-Identifier: Apache-2.0
"""The config.json that `runc spec` of version 1.0.3 wrote, as it is still found in bundles."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.keyboard import Keyboard

if TYPE_CHECKING:
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
MASK = 1 << 29 | 1 << 5 | 1 << 10
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _mount(destination: str, kind: str, source: str, options: str = "") -> dict[str, object]:
    mount: dict[str, object] = {"destination": destination, "type": kind, "source": source}
    return {**mount, "options": options.split()} if options else mount


def config(*sets: str) -> dict[str, object]:
    """Give the config, with the capabilities in these sets."""
    process = {
        "terminal": True,
        "user": {"uid": 0, "gid": 0},
        "args": ["sh"],
        "env": [f"PATH={PATH}", "TERM=xterm"],
        "cwd": "/",
        "capabilities": dict.fromkeys(sets, CAPABILITIES),
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": True,
    }
    shm = "nosuid noexec nodev mode=1777 size=65536k"
    pts = "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5"
    mounts = [
        _mount("/proc", "proc", "proc"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid strictatime mode=755 size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", pts),
        _mount("/dev/shm", "tmpfs", "shm", shm),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid noexec nodev"),
        _mount("/sys", "sysfs", "sysfs", "nosuid noexec nodev ro"),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid noexec nodev relatime ro"),
    ]
    masked = "acpi asound kcore keys latency_stats timer_list timer_stats sched_debug scsi"
    linux = {
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
        "maskedPaths": [*(f"/proc/{name}" for name in masked.split()), "/sys/firmware"],
        "readonlyPaths": [f"/proc/{name}" for name in "bus fs irq sys sysrq-trigger".split()],
    }
    return {
        "ociVersion": "1.0.2-dev",
        "process": process,
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "runc",
        "mounts": mounts,
        "linux": linux,
    }


@pytest.mark.parametrize("inheritable", [True, False])
def test_it_runs(
    command: "Command",
    busybox_rootfs: Path,
    tmp_path: Path,
    name: str,
    inheritable: bool,  # noqa: FBT001
) -> None:
    """In a later patch release the inheritable set went, and the ambient one stayed."""
    sets = ["bounding", "effective", "permitted", "ambient", *(["inheritable"] * inheritable)]
    os.rename(busybox_rootfs, tmp_path / "rootfs")
    busybox_rootfs.mkdir()
    (tmp_path / "config.json").write_text(json.dumps(config(*sets)))
    words = command.words("run", "--bundle", str(tmp_path), name)
    with Keyboard(*words, env=command.environment) as person:
        warnings = person.read_until("/ # ").count(
            "ocirun: warning: can't raise ambient capability"
        )
        assert warnings == (0 if inheritable else len(CAPABILITIES))
        person.type("hostname; ulimit -n; grep Cap /proc/self/status\n")
        answer = person.read_until("/ # ").split("\r\n")
        assert answer[1:3] == ["runc", "1024"]
        masks = {line[3:6]: int(line.split()[1], 16) for line in answer[3:8]}
        ambient = MASK if inheritable else 0
        assert masks == {
            "Inh": ambient,
            "Prm": MASK,
            "Eff": MASK,
            "Bnd": MASK,
            "Amb": ambient,
        }
        person.type("ls /sys/fs/cgroup | grep -c . ; touch /sys/fs/cgroup/x\n")
        count, refusal = person.read_until("/ # ").split("\r\n")[1:3]
        assert int(count) > 0
        assert refusal.endswith("Read-only file system")
        person.type("exit 4\n")
        assert person.end() == 4
