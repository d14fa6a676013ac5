# SPDX-License-Identifier: Apache-2.0
"""Containers of an ordinary user, and of root with a user namespace."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command

    from ocirun.spec.model import Spec

pytestmark = [pytest.mark.root, pytest.mark.userns]

#: nobody has these ids
UID, GID = 65533, 65532
RANGE = 100000


class User:
    """A user without any rights, with a home, and the command."""

    def __init__(self, home: Path, ocirun: str) -> None:
        self.home = home
        self.ocirun = ocirun
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home / "run"),
        }

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program as the user, in the bundle."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                words,
                cwd=self.home / "bundle",
                env={**self.environment, **more},
                user=UID,
                group=GID,
                extra_groups=[],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                check=False,
            )
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, done.returncode, out.read(), err.read())

    def __call__(self, *words: str) -> str:
        """Run the command, which must succeed."""
        done = self.run(self.ocirun, *words)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def fails(self, *words: str) -> str:
        done = self.run(self.ocirun, *words)
        assert done.returncode == 1
        return done.stderr

    def change(self, *args: str, change: "Callable[[Spec], object] | None" = None) -> None:
        """Write the config of `spec --rootless` with another program."""
        path = self.home / "bundle" / "config.json"
        path.unlink(missing_ok=True)
        self("spec", "--rootless")
        config: Spec = json.loads(path.read_text())
        config["process"]["terminal"] = False
        config["process"]["args"] = list(args)
        if change:
            change(config)
        path.write_text(json.dumps(config))


@pytest.fixture
def user(ocirun: str, busybox_rootfs: Path, open_directory: Path) -> Iterator[User]:
    home = Path(tempfile.mkdtemp(prefix="home-", dir=open_directory))
    (home / "bundle").mkdir()
    (home / "run").mkdir(mode=0o700)
    shutil.copytree(busybox_rootfs, home / "bundle" / "rootfs", symlinks=True)
    for directory, _, names in os.walk(home):
        for path in (directory, *(f"{directory}/{name}" for name in names)):
            os.lchown(path, UID, GID)
    found = User(home, ocirun)
    if found.run(ocirun, "--version").returncode:
        pytest.skip(f"a place for {ocirun} that other users may reach")
    yield found
    left = sorted(os.listdir(home / "run"))
    shutil.rmtree(home)
    assert left in ([], ["ocirun"])


def test_one_id_is_mapped(user: User) -> None:
    script = "id -u; cat /proc/self/uid_map; echo x >/dev/null; ls /sys >/dev/null; umask"
    user.change("sh", "-c", script)
    lines = user("run", "one").splitlines()
    assert lines[0] == "0"
    assert lines[1].split() == ["0", str(UID), "1"]
    assert lines[2] == "0022"
    assert user("list", "-q") == ""


def test_a_life(user: User) -> None:
    user.change("sleep", "1000")
    assert user("create", "one") == ""
    user("start", "one")
    pid = json.loads(user("state", "one"))["pid"]
    assert user("exec", "one", "id", "-u") == "0\n"
    assert json.loads(user("ps", "--format=json", "one")) == [pid]
    assert (user.home / "run" / "ocirun" / "one").is_dir()
    assert user("list", "-q") == "one\n"
    assert "it has no cgroup" in user.fails("pause", "one")
    user("kill", "one", "KILL")
    user("delete", "-f", "one")
    assert user("list", "-q") == ""


def test_terminal(user: User) -> None:
    def with_terminal(config: "Spec") -> None:
        config["process"]["terminal"] = True

    user.change("sh", "-c", "tty; stty size", change=with_terminal)
    script = f"stty rows 31 columns 77; exec {user.ocirun} run one"
    done = user.run("script", "-qec", script, "/dev/null")
    # script(1) shows the end of its input, too.
    assert done.stdout.removeprefix("^@").split() == ["/dev/pts/0", "31", "77"]


def test_a_limit_needs_a_cgroup(user: User) -> None:
    def limit(config: "Spec") -> None:
        config["linux"]["resources"] = {"memory": {"limit": 100 << 20}}

    user.change("true", change=limit)
    said = user.fails("run", "one")
    assert "make the cgroup" in said
    assert "ask root to delegate a cgroup to you" in said
    assert user("list", "-q") == ""


def test_a_range_needs_subuid(user: User) -> None:
    def map_range(config: "Spec") -> None:
        config["linux"]["uidMappings"].append({"containerID": 1, "hostID": RANGE, "size": 10})

    user.change("true", change=map_range)
    said = user.fails("run", "one")
    if shutil.which("newuidmap"):
        assert "newuidmap 0 65533 1 1 100000 10: " in said
        assert "/etc/subuid" in said
    else:
        assert "needs newuidmap, which is not installed" in said


def test_no_state_root(user: User) -> None:
    user.change("true")
    done = user.run(user.ocirun, "run", "one", XDG_RUNTIME_DIR="")
    assert done.returncode == 1
    assert done.stderr.startswith("ocirun: error: make the state directory: /run/ocirun/one: ")
    assert "choose another place with --root" in done.stderr


def test_namespaces_forbidden(user: User) -> None:
    user.change("true")
    # The limit of a user namespace of our own, for what is below it.
    script = f"echo 0 >/proc/sys/user/max_user_namespaces; exec {user.ocirun} run one"
    done = user.run("unshare", "-Ur", "sh", "-c", script)
    assert done.returncode == 1
    assert "no space left on device" in done.stderr
    assert "sysctl user.max_user_namespaces" in done.stderr


def _map(config: "Spec") -> None:
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": RANGE, "size": 65536}]
    config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": RANGE, "size": 65536}]


def test_root_maps_ids(command: "Command", bundle: "Bundles", name: str) -> None:
    path = bundle("sh", "-c", "id -u; cat /proc/self/uid_map; echo x >/dev/null", change=_map)
    done = command("run", "-b", str(path), name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["0", "0", str(RANGE), "65536"]


@pytest.mark.parametrize("owner", [0, 12345])
def test_sources_that_only_root_may_reach(
    command: "Command", bundle: "Bundles", name: str, tmp_path: Path, owner: int
) -> None:
    mounts = []
    for number in range(2):
        closed = tmp_path / f"closed-{number}"
        (closed / "inner").mkdir(parents=True)
        (closed / "inner" / "file").write_text(f"{number}\n")
        # An absolute link on the way.
        (closed / "link").symlink_to(closed / "inner")
        os.chown(closed, owner, owner)
        closed.chmod(0o700)
        mounts.append((str(closed / "link"), f"/mnt/{number}"))

    def add(config: "Spec") -> None:
        _map(config)
        config["mounts"] += [
            {"destination": target, "source": source, "options": ["rbind", "ro"]}
            for source, target in mounts
        ]
        config["root"]["readonly"] = False

    path = bundle("sh", "-c", "cat /mnt/0/file /mnt/1/file; ls /proc/self/fd | wc -l", change=add)
    os.chown(bundle.rootfs, RANGE, RANGE)
    done = command("run", "-b", str(path), name)
    assert (done.returncode, done.stderr) == (0, "")
    # Standard streams, and the directory that ls reads.
    assert done.stdout.split() == ["0", "1", "4"]


def test_a_root_that_only_root_may_reach(
    command: "Command", bundle: "Bundles", name: str, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    shutil.copytree(bundle.rootfs, closed / "rootfs", symlinks=True)
    closed.chmod(0o700)

    def move(config: "Spec") -> None:
        _map(config)
        config["root"]["path"] = str(closed / "rootfs")

    done = command("run", "-b", str(bundle("echo", "here", change=move)), name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "here\n", "")
