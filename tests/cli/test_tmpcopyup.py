# SPDX-License-Identifier: Apache-2.0
"""The option tmpcopyup: a tmpfs that begins as what the image has there."""

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import append, both, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = pytest.mark.root

AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]
USER = both(
    append(linux__namespaces={"type": "user"}),
    put(linux__uidMappings=MAPPING, linux__gidMappings=MAPPING),
)


@pytest.fixture(autouse=True)
def _mapped_root(bundle: "Bundles") -> None:
    """The root of the user namespace makes the mount points."""
    os.chown(bundle.rootfs, 100000, 100000)


def copied(*options: str, where: str = "/data") -> "Change":
    entry = {
        "destination": where,
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["tmpcopyup", *options],
    }
    return append(mounts=entry)


def fill(rootfs: Path, first: int = 0) -> Path:
    """Put one of everything into the image; `first` is the host's number of its root."""
    data = rootfs / "data"
    (data / "sticky/deep").mkdir(parents=True)
    (data / "file").write_text("content")
    os.link(data / "file", data / "sticky/again")
    (data / "link").symlink_to("/etc/hostname")
    os.mkfifo(data / "pipe")
    modes = {"sticky": 0o1777, "file": 0o644, "sticky/deep": 0o555, "": 0o710}
    for name, mode in modes.items():
        (data / name).chmod(mode)
    os.chown(data / "file", first + 5, first + 6)
    for path in (data, data / "sticky", data / "sticky/deep", data / "pipe", data / "link"):
        os.chown(path, first, first, follow_symlinks=False)
    (data / "file").chmod(0o2644)
    return data


SCRIPT = """
    stat -c '%n %a %u:%g %h' /data /data/file /data/sticky /data/sticky/deep
    stat -c '%n %F' /data/pipe
    readlink /data/link
    cat /data/sticky/again
    echo; [ /data/file -ef /data/sticky/again ] && echo same
    grep ' /data ' /proc/mounts | cut -d' ' -f3
"""
SEEN = """\
/data 710 0:0 3
/data/file 2644 5:6 2
/data/sticky 1777 0:0 3
/data/sticky/deep 555 0:0 2
/data/pipe fifo
/etc/hostname
content
same
tmpfs"""


@pytest.mark.parametrize("own", [False, True])
def test_everything_is_there(look: "Look", *, own: bool) -> None:
    fill(look.bundle.rootfs, 100000 if own else 0)
    before = os.umask(0o077)
    try:
        assert look(SCRIPT, *([USER] if own else []), copied()) == SEEN
    finally:
        os.umask(before)


def test_the_image_stays_as_it_is(look: "Look") -> None:
    data = fill(look.bundle.rootfs)
    assert look("rm /data/file; echo other > /data/file; cat /data/file", copied()) == "other"
    assert (data / "file").read_text() == "content"


@pytest.mark.parametrize("options", [("ro",), ("mode=755", "uid=3"), ("size=64k",)])
def test_with_other_options(look: "Look", options: tuple[str, ...]) -> None:
    fill(look.bundle.rootfs)
    script = "cat /data/file; stat -c ' %a %u' /data; touch /data/x 2>/dev/null || echo closed"
    seen = {"ro": " 710 0\nclosed", "mode=755": " 755 3\nclosed", "size=64k": " 710 0"}[options[0]]
    assert look(script, copied(*options)) == "content" + seen


def test_nothing_to_copy(look: "Look") -> None:
    assert look("ls -A /new; stat -c %a /new", copied(where="/new")) == "1777"


def test_no_link_is_followed(look: "Look", open_directory: Path) -> None:
    """Neither to a file of the host, nor to a directory of it."""
    data = fill(look.bundle.rootfs)
    secret = open_directory / "secret"
    secret.write_text("secret")
    (data / "out").symlink_to(secret)
    (data / "up").symlink_to("../" * 20 + str(open_directory)[1:])
    found = look("readlink /data/out; cat /data/out /data/up/secret 2>&1 || true", copied())
    assert found.splitlines()[0] == str(secret)
    assert "No such file" in found
    secret.unlink()


@pytest.mark.parametrize("change", [put(), USER], ids=["root", "user namespace"])
def test_what_is_copied_counts_as_the_container_s(
    command: "Command", bundle: "Bundles", name: str, change: "Change"
) -> None:
    """How much there is to copy is the image's word; the limit is not."""
    large = bundle.rootfs / "data" / "large"
    large.parent.mkdir()
    large.write_bytes(b"x" * (24 << 20))
    for path in (large, large.parent):
        os.chown(path, 100000, 100000)
    limits = put(linux__resources={"memory": {"limit": 64 << 20}})
    path = bundle("sleep", "1000", change=both(copied(), change, limits))
    assert command("create", "-b", str(path), name).returncode == 0
    document = json.loads(command("events", "--stats", name).stdout)
    assert command("delete", "--force", name).returncode == 0
    assert 24 << 20 < document["data"]["memory"]["usage"]["usage"] < 64 << 20


@pytest.mark.parametrize("change", [put(), USER], ids=["root", "user namespace"])
def test_more_than_the_memory_limit(
    command: "Command", bundle: "Bundles", name: str, change: "Change"
) -> None:
    large = bundle.rootfs / "data" / "large"
    large.parent.mkdir()
    large.write_bytes(b"x" * (48 << 20))
    for path in (large, large.parent):
        os.chown(path, 100000, 100000)
    limits = put(linux__resources={"memory": {"limit": 16 << 20, "swap": 16 << 20}})
    path = bundle("true", change=both(copied(), change, limits))
    refused(command("run", "-b", str(path), name), "tmpcopyup", "linux.resources.memory.limit")


def test_what_is_mounted_below_is_not_copied(look: "Look", open_directory: Path) -> None:
    fill(look.bundle.rootfs)
    volume = open_directory / "volume"
    volume.mkdir()
    (volume / "big").touch()
    below = append(
        mounts={"destination": "/data/below", "source": str(volume), "options": ["bind"]}
    )
    assert look("ls /data", below, copied()) == "file\nlink\npipe\nsticky"
    (volume / "big").unlink()
    volume.rmdir()


@pytest.mark.parametrize("own", [False, True])
def test_too_much_for_the_tmpfs(
    command: "Command", bundle: "Bundles", name: str, *, own: bool
) -> None:
    data = fill(bundle.rootfs)
    (data / "sticky/big").write_bytes(b"x" * 200000)
    changes = both(*([USER] if own else []), copied("size=16k"))
    (data / "file").chmod(0o644)
    data.chmod(0o755)
    (data / "sticky/deep").chmod(0o755)
    done = command("run", "-b", str(bundle("true", change=changes)), name)
    refused(done, "mounts[7]: tmpcopyup: copy sticky/big: no space left on device", "size=")


def test_only_what_the_container_s_root_may_read(
    command: "Command", bundle: "Bundles", name: str
) -> None:
    """A file of the host's root, closed to others, must not be opened by our rights."""
    data = fill(bundle.rootfs, 100000)
    (data / "secret").write_text("secret")
    (data / "secret").chmod(0o600)
    done = command("run", "-b", str(bundle("true", change=both(USER, copied()))), name)
    refused(done, "tmpcopyup: copy secret: permission denied", "root of the user namespace")


def test_for_a_tmpfs_only(command: "Command", bundle: "Bundles", name: str) -> None:
    entry = {"destination": "/mnt", "type": "sysfs", "options": ["tmpcopyup"]}
    done = command("run", "-b", str(bundle("true", change=append(mounts=entry))), name)
    refused(done, "mounts[7].options: tmpcopyup is for the type tmpfs")


def test_as_an_ordinary_user(
    command: "Command", bundle: "Bundles", name: str, open_directory: Path
) -> None:
    """With a single id there is no right of root anywhere."""
    data = fill(bundle.rootfs)
    for path in (data, data / "file", data / "sticky", data / "sticky/deep"):
        os.chown(path, 65534, 65534)
    single = [{"containerID": 0, "hostID": 65534, "size": 1}]
    change = both(
        append(linux__namespaces={"type": "user"}),
        put(linux__uidMappings=single, linux__gidMappings=single),
        _rootless,
        copied(),
    )
    path = bundle("stat", "-c", "%n %a %u", "/data/file", "/data/sticky", change=change)
    state = open_directory / "copy-up-state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    done = subprocess.run(
        [*AS_NOBODY, command.path, "--root", str(state), "run", "-b", str(path), name],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert (done.stdout, done.stderr) == ("/data/file 2644 0\n/data/sticky 1777 0\n", "")
    state.rmdir()


def _rootless(spec: object) -> None:
    assert isinstance(spec, dict)
    spec["mounts"] = [one for one in spec["mounts"] if one["type"] in ("proc", "tmpfs")]
    spec["linux"].pop("resources", None)
    spec["linux"]["namespaces"] = [
        one for one in spec["linux"]["namespaces"] if one["type"] != "network"
    ]
