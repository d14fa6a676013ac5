# SPDX-License-Identifier: Apache-2.0
"""What a container is, seen from inside, and from outside by the host's /proc."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from tests.cli.changes import append, both, drop, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

#: the spec's word -> the name below /proc/PID/ns
NAMESPACES = {
    "pid": "pid",
    "network": "net",
    "ipc": "ipc",
    "uts": "uts",
    "mount": "mnt",
    "cgroup": "cgroup",
    "user": "user",
    "time": "time",
}
#: what `ocirun spec` asks for, without a word about cgroup, user and time
PRIVATE = {"pid", "network", "ipc", "uts", "mount"}
MAPPING = [{"containerID": 0, "hostID": 200000, "size": 65536}]
USER = both(
    append(linux__namespaces={"type": "user"}),
    put(linux__uidMappings=MAPPING, linux__gidMappings=MAPPING),
)


class See(Protocol):
    """Runs a shell script in a container; gives its output."""

    def __call__(self, script: str, change: "Change | None" = None) -> str: ...


class Live(Protocol):
    """Starts a container, or creates it; gives its pid."""

    def __call__(self, change: "Change | None" = None, word: str = "run -d") -> int: ...


@pytest.fixture
def see(command: "Command", bundle: "Bundles", name: str) -> See:
    def run(script: str, change: "Change | None" = None) -> str:
        done = command("run", "-b", str(bundle("sh", "-c", script, change=change)), name)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    return run


@pytest.fixture
def live(command: "Command", bundle: "Bundles", name: str) -> Iterator[Live]:
    def start(change: "Change | None" = None, word: str = "run -d") -> int:
        path = str(bundle("sleep", "1000", change=change))
        done = command(*word.split(), "-b", path, name)
        assert (done.returncode, done.stderr) == (0, ""), done
        pid: int = json.loads(command("state", name).stdout)["pid"]
        return pid

    yield start
    assert command("delete", "--force", name).returncode == 0


def _namespace(pid: int | str, kind: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/{NAMESPACES[kind]}")


def _own(pid: int) -> set[str]:
    return {kind for kind in NAMESPACES if _namespace(pid, kind) != _namespace("self", kind)}


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("word", ["create", "run -d"])
def test_default_namespaces(live: Live, word: str) -> None:
    assert _own(live(word=word)) == PRIVATE


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts"])
def test_a_namespace_shared_with_the_host(live: Live, kind: str) -> None:
    assert _own(live(both(drop(kind), lambda spec: spec.pop("hostname")))) == PRIVATE - {kind}


def test_more_namespaces(live: Live) -> None:
    change = both(USER, *(append(linux__namespaces={"type": kind}) for kind in ("cgroup", "time")))
    assert _own(live(change)) == set(NAMESPACES)


def test_namespaces_of_another_container(
    live: Live, command: "Command", bundle: "Bundles", name: str
) -> None:
    kinds = ("pid", "network", "ipc", "uts")
    first = live()
    paths = [{"type": k, "path": f"/proc/{first}/ns/{NAMESPACES[k]}"} for k in kinds]
    change = both(drop(*kinds), *(append(linux__namespaces=entry) for entry in paths))
    path = str(bundle("sleep", "1000", change=both(change, lambda spec: spec.pop("hostname"))))
    other = f"{name}-2"
    assert command("run", "-d", "-b", path, other).returncode == 0
    second = json.loads(command("state", other).stdout)["pid"]
    for kind in kinds:
        assert _namespace(second, kind) == _namespace(first, kind)
    assert _namespace(second, "mount") != _namespace(first, "mount")
    assert command("delete", "-f", other).returncode == 0
    # Ours by adoption; the first one's pid namespace cannot end while it is a zombie in there.
    os.waitpid(second, 0)


def _mounts(pid: int) -> dict[str, list[str]]:
    """Mount point -> fields of mountinfo, the optional ones joined."""
    found = {}
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        words = left.split()
        found[words[4]] = [words[5], " ".join(words[6:]), *right.split()]
    return found


def test_mounts(live: Live) -> None:
    entry = {
        "destination": "/mnt/deep",
        "type": "tmpfs",
        "source": "x",
        "options": ["ro", "nosuid", "noexec", "nodev", "noatime", "size=64k", "mode=700"],
    }
    mounts = _mounts(live(append(mounts=entry)))
    assert set(mounts["/"][0].split(",")) >= {"ro"}
    assert set(mounts["/mnt/deep"][0].split(",")) == {"ro", "nosuid", "noexec", "nodev", "noatime"}
    assert mounts["/mnt/deep"][2] == "tmpfs"
    assert {"size=64k", "mode=700"} <= set(mounts["/mnt/deep"][4].split(","))
    for path, kind in (("/proc", "proc"), ("/dev/pts", "devpts"), ("/dev/mqueue", "mqueue")):
        assert mounts[path][2] == kind
    assert "shared:" not in " ".join(fields[1] for fields in mounts.values())


@pytest.mark.parametrize(
    ("word", "optional"),
    [("private", ""), ("slave", ""), ("shared", "shared:"), ("unbindable", "unbindable")],
)
def test_propagation_of_a_mount(live: Live, word: str, optional: str) -> None:
    entry = {"destination": "/mnt", "type": "tmpfs", "source": "x", "options": [word]}
    found = _mounts(live(append(mounts=entry)))["/mnt"][1]
    assert found.startswith(optional)
    assert bool(found) == bool(optional)


def test_recursive_read_only_bind(see: See, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    entry = {"destination": "/mnt", "type": "bind", "source": str(tmp_path)}
    change = append(mounts={**entry, "options": ["rbind", "rro"]})
    script = "cat /mnt/file; touch /mnt/new 2>&1 || true"
    assert see(script, change) == "texttouch: /mnt/new: Read-only file system\n"


def test_masked_and_read_only_paths(see: See) -> None:
    change = put(
        linux__maskedPaths=["/proc/meminfo", "/proc/none", "/proc/fs"],
        linux__readonlyPaths=["/proc/sys"],
    )
    script = (
        "wc -c </proc/meminfo; ls /proc/fs | wc -l;"
        " (echo x >/proc/sys/kernel/domainname) 2>&1 | grep -o Read-only"
    )
    assert see(script, change).split() == ["0", "0", "Read-only"]


def test_read_only_root(see: See) -> None:
    assert "Read-only file system" in see("touch /x 2>&1 || true")
    see("touch /x", put(root__readonly=False))


def test_devices(see: See) -> None:
    device = {"path": "/dev/mine", "type": "c", "major": 1, "minor": 3}
    change = append(linux__devices={**device, "fileMode": 0o640, "uid": 5, "gid": 6})
    script = "stat -c '%n %F %t:%T %a %u:%g' /dev/null /dev/tty /dev/mine; readlink /dev/fd"
    assert see(script, change).splitlines() == [
        "/dev/null character special file 1:3 666 0:0",
        "/dev/tty character special file 5:0 666 0:0",
        "/dev/mine character special file 1:3 640 5:6",
        "/proc/self/fd",
    ]


def test_devices_that_are_not_allowed(see: See) -> None:
    change = append(linux__devices={"path": "/dev/mem", "type": "c", "major": 1, "minor": 1})
    assert "Operation not permitted" in see("head -c1 /dev/mem 2>&1 || true", change)


def test_sysctl_and_names(see: See) -> None:
    change = put(
        linux__sysctl={"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"},
        hostname="here",
        domainname="there",
    )
    script = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax; hostname"
    assert see(script + "; cat /proc/sys/kernel/domainname", change).split() == [
        "1",
        "4096",
        "here",
        "there",
    ]


def test_capabilities(live: Live) -> None:
    kill, net_bind = 1 << 5, 1 << 10
    wanted = {
        "bounding": ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "effective": ["CAP_KILL"],
        "permitted": ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "inheritable": ["CAP_KILL"],
        "ambient": ["CAP_KILL"],
    }
    user = {"uid": 1000, "gid": 1001, "additionalGids": [5, 7], "umask": 0o077}
    found = _status(live(put(process__capabilities=wanted, process__user=user)))
    masks = [int(found[f"Cap{kind}"], 16) for kind in ("Bnd", "Inh", "Amb", "Prm", "Eff")]
    # A program without file capabilities keeps what is ambient, capabilities(7).
    assert masks == [kill | net_bind, kill, kill, kill, kill]
    assert found["NoNewPrivs"] == "1"
    assert found["Uid"].split() == ["1000"] * 4
    assert found["Gid"].split() == ["1001"] * 4
    assert found["Groups"].split() == ["5", "7"]
    assert found["Umask"] == "0077"


def test_no_capabilities_and_new_privileges(live: Live) -> None:
    change = both(
        put(process__noNewPrivileges=False), lambda spec: spec["process"].pop("capabilities")
    )
    found = _status(live(change))
    assert found["NoNewPrivs"] == "0"
    assert all(not int(found[f"Cap{kind}"], 16) for kind in ("Bnd", "Inh", "Amb", "Prm", "Eff"))


@pytest.mark.leaves("state")  # the filter, compiled, for the next container
@pytest.mark.parametrize("sealed", [True, False])
def test_seccomp(see: See, sealed: bool) -> None:  # noqa: FBT001
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    change = put(linux__seccomp=profile, process__noNewPrivileges=sealed, root__readonly=False)
    script = "grep Seccomp: /proc/self/status; mkdir /x 2>&1 || true"
    state, said = see(script, change).splitlines()
    assert state.split() == ["Seccomp:", "2"]
    assert said.endswith("Function not implemented")


def test_rlimits(live: Live) -> None:
    limits = [
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": (1 << 64) - 1},
    ]
    text = Path(f"/proc/{live(put(process__rlimits=limits))}/limits").read_text()
    found = {line[:25].strip(): line[25:].split()[:2] for line in text.splitlines()}
    assert found["Max open files"] == ["100", "200"]
    assert found["Max core file size"] == ["0", "unlimited"]


@pytest.mark.parametrize("score", [None, 0, 500])
def test_oom_score(live: Live, score: int | None) -> None:
    own = Path("/proc/self/oom_score_adj")
    before = own.read_text()
    own.write_text("10")
    try:
        pid = live(put(process__oomScoreAdj=score) if score is not None else None)
    finally:
        own.write_text(before)
    found = int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    assert found == (10 if score is None else score)


def test_working_directory(see: See, bundle: "Bundles") -> None:
    (bundle.rootfs / "link").symlink_to("/tmp")
    assert see("pwd", put(process__cwd="/made/deep")) == "/made/deep\n"
    assert see("pwd -P", put(process__cwd="/link")) == "/tmp\n"


@pytest.mark.parametrize("fd", [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
def test_a_working_directory_outside(
    command: "Command", bundle: "Bundles", name: str, fd: int
) -> None:
    """CVE-2024-21626: a descriptor of the host as the working directory."""
    path = bundle("pwd", change=put(process__cwd=f"/proc/self/fd/{fd}"))
    refused(command("run", "-b", str(path), name), "process.cwd", f"/proc/self/fd/{fd}")


def test_environment(see: See) -> None:
    env = ["PATH=/bin", "A=1", "A=2", "EMPTY="]
    assert see("env | sort", put(process__env=env)).splitlines() == [
        "A=2",
        "EMPTY=",
        "HOME=/root",
        "PATH=/bin",
        "PWD=/",
        "SHLVL=1",
    ]


@pytest.mark.parametrize(
    ("uid", "env", "home"),
    [(65534, [], "/"), (7, [], "/"), (0, ["HOME=/x"], "/x"), (0, ["HOME="], "/root")],
)
def test_home(see: See, uid: int, env: list[str], home: str) -> None:
    change = put(process__env=["PATH=/bin", *env], process__user={"uid": uid, "gid": uid})
    assert see("echo $HOME", change) == f"{home}\n"


def test_cgroup(live: Live, name: str) -> None:
    resources = {"pids": {"limit": 9}, "memory": {"limit": 1 << 26}, "cpu": {"shares": 512}}
    change = put(linux__resources=resources, linux__cgroupsPath=f"/{name}/inner")
    paths = Path(f"/proc/{live(change)}/cgroup").read_text().split()
    if len(paths) == 1:
        pytest.skip("cgroup v1")
    assert {line.split(":")[2] for line in paths if not line.startswith("0:")} == {f"/{name}/inner"}
    for file, value in (
        ("pids/{}/pids.max", 9),
        ("memory/{}/memory.limit_in_bytes", 1 << 26),
        ("cpu/{}/cpu.shares", 512),
    ):
        path = Path("/sys/fs/cgroup", file.format(f"{name}/inner"))
        assert int(path.read_text()) == value


def test_user_namespace(live: Live) -> None:
    change = both(USER, put(process__user={"uid": 3, "gid": 4, "additionalGids": [5]}))
    pid = live(change)
    assert Path(f"/proc/{pid}/uid_map").read_text().split() == ["0", "200000", "65536"]
    found = _status(pid)
    assert found["Uid"].split() == ["200003"] * 4
    assert found["Gid"].split() == ["200004"] * 4
    assert found["Groups"].split() == ["200005"]


def test_clocks(see: See) -> None:
    change = both(
        append(linux__namespaces={"type": "time"}),
        put(linux__timeOffsets={"boottime": {"secs": 1_000_000_000}}),
    )
    assert int(see("cut -d. -f1 /proc/uptime", change)) >= 1_000_000_000


def test_descriptors(see: See) -> None:
    assert see("ls -1 /proc/$$/fd; true").split() == ["0", "1", "2"]


def test_preserved_descriptors(command: "Command", bundle: "Bundles", name: str) -> None:
    path = bundle("sh", "-c", "ls -1 /proc/$$/fd; readlink /proc/$$/fd/3")
    words = [command.path, "--root", str(command.root), "run", "--preserve-fds", "2"]
    script = 'exec 3</dev/zero 4</dev/null 5</dev/null; exec "$@"'
    shell = type(command)("/bin/sh", command.root)
    done = shell.bare("-c", script, "sh", *words, "-b", str(path), name)
    assert done.stdout.split() == ["0", "1", "2", "3", "4", "/dev/zero"], done.stderr


@pytest.mark.parametrize("word", ["create", "run -d"])
def test_no_descriptor_of_the_host(live: Live, word: str) -> None:
    pid = live(word=word)
    found = {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    for fd in set(found) - {0, 1, 2}:
        assert word == "create"
        assert found[fd].startswith("socket:"), found


def test_the_waiting_program_cannot_be_written(live: Live) -> None:
    """CVE-2019-5736: what /proc/PID/exe leads to is not a file of the host, and is sealed."""
    path = f"/proc/{live(word='create')}/exe"
    assert os.readlink(path).startswith("/memfd:")
    assert stat.S_ISREG(os.stat(path).st_mode)
    with pytest.raises(OSError, match=r"Text file busy|Operation not permitted"):
        os.close(os.open(path, os.O_WRONLY))
