# SPDX-License-Identifier: Apache-2.0
"""What a user reads when a config cannot be had: one line, the field or the path, a way out.

Every row is also a test that nothing stays behind: see `_no_leak` and `state_root`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import WARNING, append, both, drop, put, refused

from ocirun.engine.bundle import SIZE_MAX

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root


def _make_sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, SIZE_MAX + 1)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "no such file or directory"),
    "a directory": (lambda path: path.mkdir(), "not a regular file"),
    "a FIFO": (os.mkfifo, "not a regular file"),
    "empty": (lambda path: path.write_text(""), "the file is empty"),
    "large": (_make_sparse, "larger than 16 MiB"),
    "broken": (lambda path: path.write_text('{\n "ociVersion": 1.3.0\n}'), "line 2, column 19: "),
    "a list": (lambda path: path.write_text("[]"), "not a JSON object"),
    "a dangling link": (lambda path: path.symlink_to("none"), "no such file or directory"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("word", ["create", "run"])
def test_config_file(command: "Command", tmp_path: Path, name: str, word: str, kind: str) -> None:
    path = tmp_path / "bundle" / "config.json"
    path.parent.mkdir()
    make, text = FILES[kind]
    make(path)
    refused(command(word, "--bundle", str(path.parent), name), str(path), text)


def test_no_bundle(command: "Command", tmp_path: Path, name: str) -> None:
    done = command("run", "-b", str(tmp_path / "none"), name)
    refused(done, f"bundle {tmp_path}/none: no such directory", "--bundle")


def _limit(hard: int, soft: int = 1) -> "Change":
    return put(process__rlimits=[{"type": "RLIMIT_NOFILE", "hard": hard, "soft": soft}])


def _join(path: str) -> "Change":
    return both(drop("network"), append(linux__namespaces={"type": "network", "path": path}))


def _mount(destination: str, kind: str, source: str, *options: str) -> "Change":
    entry = {"destination": destination, "type": kind, "source": source, "options": options}
    return append(mounts=entry)


#: what is wrong -> the change that makes it so, and what the message has to say
CONFIGS: dict[str, tuple["Change", tuple[str, ...]]] = {
    "args a string": (
        put(process__args="sh"),
        ("process.args: expected a list of strings, found a string",),
    ),
    "terminal a string": (put(process__terminal="no"), ("process.terminal: ", "true or false")),
    "no process": (lambda spec: spec.pop("process"), ("process: missing", "process.args")),
    "version 2": (put(ociVersion="2.0.0"), ('ociVersion: expected a version 1.x, found "2.0.0"',)),
    "version x": (
        put(ociVersion="x"),
        ('ociVersion: expected a version such as 1.3.0, found "x"',),
    ),
    "no root": (put(root__path="/none"), ("root.path: /none: no such file", "unpack")),
    "root a file": (put(root__path="config.json"), ("root.path: ", "not a directory")),
    "root the host's": (put(root__path="/"), ("root.path: / is the host's own root",)),
    "no args": (put(process__args=[]), ("process.args: must not be empty",)),
    "an empty arg": (
        put(process__args=[""]),
        ('exec: "": executable file not found in $PATH', "process.args[0]"),
    ),
    "not in PATH": (
        put(process__args=["none"]),
        ('exec: "none": executable file not found in $PATH', "process.env"),
    ),
    "no such program": (
        put(process__args=["/none"]),
        ('exec: "/none": stat /none: no such file or directory', "root filesystem"),
    ),
    "not executable": (
        put(process__args=["/etc/passwd"]),
        ('exec: "/etc/passwd": permission denied', "chmod"),
    ),
    "a directory": (put(process__args=["/tmp"]), ('exec: "/tmp": is a directory',)),
    "cwd a file": (put(process__cwd="/etc/passwd"), ("process.cwd", "not a directory")),
    "cwd below a file": (put(process__cwd="/etc/passwd/x"), ("process.cwd", "not a directory")),
    "cwd relative": (put(process__cwd="x"), ("process.cwd: expected an absolute path",)),
    "rlimit too high": (
        _limit(1 << 40),
        ("process.rlimits[0]", "RLIMIT_NOFILE", "operation not permitted", "hard limit"),
    ),
    "rlimit soft above hard": (_limit(1, 10), ("process.rlimits[0].soft: 10 is above",)),
    "rlimit unknown": (
        put(process__rlimits=[{"type": "RLIMIT_X", "hard": 1, "soft": 1}]),
        ('process.rlimits[0].type: unknown value "RLIMIT_X" (known are ',),
    ),
    "namespace type": (
        append(linux__namespaces={"type": "x"}),
        ('linux.namespaces[5].type: unknown value "x" (known are ',),
    ),
    "namespace twice": (
        append(linux__namespaces={"type": "pid"}),
        ("linux.namespaces[5].type: pid is given twice",),
    ),
    "namespace of another type": (
        _join("/proc/self/ns/uts"),
        ("linux.namespaces[4].path: /proc/self/ns/uts is a uts namespace, wanted network",),
    ),
    "namespace a plain file": (
        _join("/etc/passwd"),
        ("linux.namespaces[4].path: /etc/passwd is no namespace",),
    ),
    "namespace missing": (
        _join("/none"),
        ("linux.namespaces[4].path: ", "/none: no such file or directory", "still alive"),
    ),
    "mount source": (
        _mount("/mnt", "bind", "/none", "bind"),
        (
            'mounts[7]: error mounting "/none" to rootfs at "/mnt": ',
            "bind /none: no such file or directory (the source of a mount has to exist on the host",
        ),
    ),
    "mount type": (
        _mount("/mnt", "nofs", "nofs"),
        (
            'mounts[7]: error mounting "nofs" to rootfs at "/mnt": ',
            "nofs: no such device",
            "/proc/filesystems",
        ),
    ),
    "mount option": (
        _mount("/mnt", "tmpfs", "tmpfs", "fly"),
        (
            'error mounting "tmpfs" to rootfs at "/mnt": set the mount option fly: ',
            "(tmpfs: Unknown parameter 'fly')",
        ),
    ),
    "a file on a directory": (
        _mount("/etc", "bind", "/etc/passwd", "bind"),
        ('to rootfs at "/etc": attach the mount: not a directory', "a file on a file"),
    ),
    "a directory on a file": (
        _mount("/etc/passwd", "bind", "/etc", "bind"),
        ('to rootfs at "/etc/passwd": attach the mount: not a directory', "a file on a file"),
    ),
    "a filesystem on a file": (
        _mount("/etc/passwd", "tmpfs", "tmpfs"),
        ('to rootfs at "/etc/passwd": attach the mount: not a directory', "a file on a file"),
    ),
    "mount below a file": (
        _mount("/etc/passwd/x", "tmpfs", "tmpfs"),
        ('"/etc/passwd/x": make the mount point /etc/passwd/x: not a directory',),
    ),
    "cgroup": (
        put(linux__cgroupsPath="/a\nb"),
        ("make the cgroup: /sys/fs/cgroup", "invalid argument", "linux.cgroupsPath"),
    ),
    "cgroup of all": (
        put(linux__cgroupsPath="/a/../.."),
        ("linux.cgroupsPath: /a/../.. is no cgroup of the container's own (name one below it)",),
    ),
    "cgroup's limit": (
        put(linux__resources__cpu={"cpus": "4000"}),
        ("set linux.resources.cpu.cpus: write '4000' to /sys/fs/cgroup", "out of range"),
    ),
    "sysctl of the host": (
        put(linux__sysctl={"kernel.none": "1"}),
        ('linux.sysctl["kernel.none"]: not in a separate kernel namespace',),
    ),
    "sysctl of the host's namespace by path": (
        both(
            drop("uts"),
            append(linux__namespaces={"type": "uts", "path": "/proc/self/ns/uts"}),
            put(linux__sysctl={"kernel.domainname": "x"}, hostname=""),
        ),
        ('linux.sysctl["kernel.domainname"]: not allowed in host uts namespace',),
    ),
    "sysctl refused": (
        put(linux__sysctl={"net.ipv4.ip_forward": "x"}),
        ("linux.sysctl[\"net.ipv4.ip_forward\"]: write 'x'", "invalid argument"),
    ),
    "oom score": (put(process__oomScoreAdj=2000), ("process.oomScoreAdj: ", "2000")),
    "shared mounts": (drop("mount"), ("linux.maskedPaths: needs a mount namespace",)),
    "device": (
        put(linux__devices=[{"path": "/dev/x", "type": "c"}]),
        ("linux.devices[0].major: required, but missing",),
    ),
    "seccomp action": (
        put(linux__seccomp={"defaultAction": "X"}),
        ('linux.seccomp.defaultAction: unknown value "X" (known are ',),
    ),
    "mapping refused": (
        both(
            append(linux__namespaces={"type": "user"}),
            put(linux__gidMappings=[{"containerID": 0, "hostID": 0, "size": 1}]),
            put(linux__uidMappings=[{"containerID": 0, "hostID": id, "size": 1} for id in (0, 5)]),
        ),
        ("uid_map", "0 0 1, 0 5 1: invalid argument", "linux.uidMappings"),
    ),
    "detached terminal": (put(process__terminal=True), ("cannot allocate tty", "--console-socket")),
}


@pytest.mark.parametrize("what", CONFIGS)
@pytest.mark.parametrize("word", ["create", "run -d"])
def test_config(command: "Command", bundle: "Bundles", name: str, word: str, what: str) -> None:
    change, words = CONFIGS[what]
    path = bundle("true", change=change)
    refused(command(*word.split(), "--bundle", str(path), name), *words)


@pytest.mark.skipif(not os.path.isdir("/sys/fs/cgroup/devices"), reason="devices of cgroup v1")
def test_device_rules_that_the_kernel_cannot_hold(
    command: "Command", bundle: "Bundles", name: str
) -> None:
    rules = [{"allow": True, "type": "c", "access": "rw"}]
    rules.append({"allow": False, "type": "c", "major": 1, "minor": 3, "access": "rw"})
    path = bundle("true", change=put(linux__resources__devices=rules))
    done = command("create", "--bundle", str(path), name)
    refused(done, "set linux.resources.devices: cannot take c 1:3 rw out of a wider rule")


def test_root_is_a_link(command: "Command", bundle: "Bundles", name: str) -> None:
    path = bundle("true", change=put(root__path="link"))
    (path / "link").symlink_to(bundle.rootfs)
    refused(command("run", "-b", str(path), name), f"root.path: {path}/link is a symbolic link")


def test_script_without_interpreter(command: "Command", bundle: "Bundles", name: str) -> None:
    script = bundle.rootfs / "script"
    script.write_text("#!/none\n")
    script.chmod(0o755)
    done = command("run", "-b", str(bundle("/script")), name)
    refused(done, "exec /script: no such file or directory", "#! line")


def test_unknown_capability(command: "Command", bundle: "Bundles", name: str) -> None:
    path = bundle("true", change=append(process__capabilities__bounding="CAP_FLY"))
    done = command("run", "-b", str(path), name)
    assert done.returncode == 0
    assert done.stderr.startswith(WARNING)
    assert done.stderr.endswith("capabilities: [CAP_FLY]\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("word", ["create", "run -d", "run"])
def test_pid_file(command: "Command", bundle: "Bundles", name: str, word: str) -> None:
    words = [*word.split(), "-b", str(bundle("true")), "--pid-file", "/none/pid", name]
    refused(command(*words), "write the pid file: /none/pid: no such file or directory")


@pytest.mark.parametrize(("path", "said"), [("/none", "no such file"), ("/etc/passwd", "refused")])
def test_console_socket(
    command: "Command", bundle: "Bundles", name: str, path: str, said: str
) -> None:
    config = bundle("true", change=put(process__terminal=True))
    done = command("create", "--console-socket", path, "-b", str(config), name)
    refused(done, f"console socket: {path}: ", said, "listening")


def test_console_socket_without_terminal(command: "Command", bundle: "Bundles", name: str) -> None:
    done = command("create", "--console-socket", "/none", "-b", str(bundle("true")), name)
    refused(done, "cannot use console socket", "process.terminal")


@pytest.mark.parametrize("word", ["", ".", "..", "a/b", "../a", "a b", "a\nb", "ä"])
def test_wrong_id(command: "Command", bundle: "Bundles", word: str) -> None:
    path = str(bundle("true"))
    for words in (["create", "-b", path], ["run", "-b", path], ["state"], ["delete", "-f"]):
        refused(command(*words, "--", word), "invalid container ID format: ", "letters, digits")


def test_id_twice(command: "Command", bundle: "Bundles", name: str) -> None:
    path = str(bundle("sleep", "1000"))
    assert command("create", "-b", path, name).returncode == 0
    before = command("state", name).stdout
    for word in ("create", "run"):
        done = command(word, "-b", path, name)
        refused(done, f"container with given ID already exists: {name}", f"ocirun delete {name}")
    assert command("state", name).stdout == before
    assert command("delete", "-f", name).returncode == 0


@pytest.mark.userns
def test_another_config(command: "Command", bundle: "Bundles", name: str, tmp_path: Path) -> None:
    """crun's --config: the bundle stays the place from which relative paths count."""
    path = bundle("true")
    other = tmp_path / "other.json"
    (path / "config.json").rename(other)
    refused(command("run", "-b", str(path), name), "config.json not found")
    refused(command("run", "-b", str(path), "--config", "/none.json", name), "none.json not found")
    done = command("run", "-b", str(path), "--config", str(other), name)
    assert (done.returncode, done.stderr) == (0, "")
