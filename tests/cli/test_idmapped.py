# SPDX-License-Identifier: Apache-2.0
"""Bind mounts whose files have other owners in the container (mount_setattr(2))."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import append, both, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

    from ocirun.spec.model import IdMapping, Mount

pytestmark = pytest.mark.root

AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

HOST = [{"containerID": 0, "hostID": 100000, "size": 65536}]
USER = both(
    append(linux__namespaces={"type": "user"}),
    put(linux__uidMappings=HOST, linux__gidMappings=HOST),
)
NOBODY = "65534 65534"


@pytest.fixture(autouse=True)
def _mapped_root(bundle: "Bundles") -> None:
    """The root of the user namespace makes the mount points."""
    os.chown(bundle.rootfs, 100000, 100000)


def mapped(first: int, to: int, size: int = 10) -> "dict[str, list[IdMapping]]":
    lines: list[IdMapping] = [{"containerID": first, "hostID": to, "size": size}]
    return {"uidMappings": lines, "gidMappings": lines}


@pytest.fixture
def source(open_directory: Path) -> Iterator[Path]:
    """A directory with a file of 100:100, and one of 105:105 in a mount below."""
    top = open_directory / "idmapped"
    (top / "sub").mkdir(parents=True)
    (top / "plain").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "sub", top / "sub"], check=True)
    for path, owner in (("file", 100), ("plain/file", 100), ("sub/file", 105)):
        (top / path).touch()
        os.chown(top / path, owner, owner)
    yield top
    subprocess.run(["umount", top / "sub"], check=True)
    shutil.rmtree(top)


def mount(source: Path, *options: str, **more: object) -> "Change":
    entry = {"destination": "/mnt", "source": str(source), "options": list(options), **more}
    return append(mounts=entry)


OWNERS = "stat -c '%u %g' /mnt/file /mnt/sub/file"


@pytest.mark.parametrize(
    ("word", "below"), [((), "105 105"), (("idmap",), "105 105"), (("ridmap",), "1005 1005")]
)
def test_mapping_of_the_mount(
    look: "Look", source: Path, word: tuple[str, ...], below: str
) -> None:
    """Only ridmap goes for what is mounted below."""
    change = mount(source, "rbind", *word, **mapped(100, 1000))
    assert look(OWNERS, change) == f"1000 1000\n{below}"


@pytest.mark.parametrize(
    ("word", "below"), [((), NOBODY), (("idmap",), NOBODY), (("ridmap",), "25 25")]
)
def test_mapping_of_the_mount_in_a_user_namespace(
    look: "Look", source: Path, word: tuple[str, ...], below: str
) -> None:
    """hostID is what the host sees, not the container."""
    change = mount(source, "rbind", *word, **mapped(100, 100020))
    assert look(OWNERS, USER, change) == f"20 20\n{below}"


@pytest.mark.parametrize(("word", "below"), [("idmap", NOBODY), ("ridmap", "105 105")])
def test_mapping_of_the_user_namespace(look: "Look", source: Path, word: str, below: str) -> None:
    assert look(OWNERS, USER, mount(source, "rbind", word)) == f"100 100\n{below}"


def test_mapping_of_a_user_namespace_that_is_joined(look: "Look", source: Path) -> None:
    first = look.name
    pid = look.start(USER)
    look.name += "-2"
    joined = append(linux__namespaces={"type": "user", "path": f"/proc/{pid}/ns/user"})
    assert look(OWNERS, joined, mount(source, "rbind", "ridmap")) == "100 100\n105 105"
    look.name = first
    look.end()


@pytest.mark.parametrize(
    ("option", "seen"),
    [
        ("ridmap=uids=100-7-10;gids=100-8-10", "7 8\n12 13"),
        ("idmap=uids=100-7-10;gids=100-8-10", "7 8\n105 105"),
    ],
)
def test_mapping_in_the_option(look: "Look", source: Path, option: str, seen: str) -> None:
    assert look(OWNERS, mount(source, "rbind", option)) == seen


def test_mapping_in_the_option_relative_to_the_container(look: "Look", source: Path) -> None:
    option = "ridmap=uids=@100-7-10;gids=@100-8-10"
    assert look(OWNERS, USER, mount(source, "rbind", option)) == "7 8\n12 13"


def test_several_lines_and_other_gids(look: "Look", source: Path) -> None:
    uids = [{"containerID": n, "hostID": n * 7, "size": 1} for n in range(98, 104)]
    gids = [{"containerID": 90, "hostID": 190, "size": 50}]
    assert look(
        "stat -c '%u %g' /mnt/file", mount(source, "bind", uidMappings=uids, gidMappings=gids)
    ) == ("700 200")


def test_what_is_written_gets_the_owner_back(look: "Look", source: Path) -> None:
    change = mount(source / "plain", "bind", **mapped(0, 100000, 65536))
    assert look("touch /mnt/new; stat -c '%u %g' /mnt/new", USER, change) == "0 0"
    found = (source / "plain/new").stat()
    assert (found.st_uid, found.st_gid) == (0, 0)


def test_who_has_no_number_cannot_write(
    command: "Command", bundle: "Bundles", name: str, source: Path
) -> None:
    change = mount(source, "bind", **mapped(100, 1000))
    done = command("run", "-b", str(bundle("touch", "/mnt/new", change=change)), name)
    assert done.returncode == 1
    assert "Value too large" in done.stderr


def test_attributes_and_propagation_go_with_it(look: "Look", source: Path) -> None:
    change = mount(source / "plain", "bind", "ro", "nosuid", "shared", **mapped(100, 1000))
    found = look("grep ' /mnt ' /proc/self/mountinfo", USER, change)
    words = found.split()
    assert {"ro", "nosuid", "idmapped"} <= set(words[5].split(","))
    assert words[6].startswith("shared:")


def test_source_that_the_root_of_the_user_namespace_cannot_reach(
    look: "Look", source: Path
) -> None:
    closed = source / "closed"
    (closed / "inner").mkdir(parents=True)
    (closed / "inner/file").touch()
    closed.chmod(0o700)
    change = mount(closed / "inner", "bind", **mapped(0, 100000))
    assert look("stat -c %u /mnt/file", USER, change) == "0"


def test_source_in_the_container_s_own_tree(look: "Look", source: Path) -> None:
    """A mount of the list is the source of a later one: the order is kept."""
    inside = str(look.bundle.rootfs / "mnt")
    again = {
        "destination": "/var",
        "source": inside,
        "options": ["rbind", "ridmap"],
        **mapped(100, 100030),
    }
    change = both(USER, mount(source, "rbind"), append(mounts=again))
    assert look("stat -c %u /var/file /var/sub/file", change) == "30\n35"


@pytest.mark.parametrize("own", [True, False])
def test_many_of_them_leave_no_descriptor(look: "Look", source: Path, *, own: bool) -> None:
    """More than the stub has slots, and more mappings than are kept open."""
    entries: list[Mount] = [
        {
            "destination": f"/mnt/{number}",
            "source": str(source / "plain"),
            "options": ["bind"],
            **mapped(100, 100000 + number % 20),  # type: ignore[typeddict-item]
        }
        for number in range(70)
    ]
    limit = put(process__rlimits=[{"type": "RLIMIT_NOFILE", "soft": 20, "hard": 20}])
    changes = [append(mounts=entry) for entry in entries]
    script = "stat -c %u /mnt/69/file; ls /proc/self/fd | wc -l"
    uid, fds = look(script, both(*changes, limit, *([USER] if own else []))).split()
    assert uid == ("9" if own else "100009")
    assert int(fds) <= 4


def test_source_with_a_mount_below_must_be_bound_with_it(
    command: "Command", bundle: "Bundles", name: str, source: Path
) -> None:
    """The kernel lets no user namespace uncover what a mount hides."""
    change = both(USER, mount(source, "bind", **mapped(0, 100000)))
    done = command("run", "-b", str(bundle("true", change=change)), name)
    refused(done, "mounts[7]: bind the tree: invalid argument", "use rbind")


def test_filesystem_that_cannot_be_mapped(command: "Command", bundle: "Bundles", name: str) -> None:
    for change in (both(), USER):
        both_changes = both(change, mount(Path("/proc/self"), "bind", **mapped(0, 100000)))
        done = command("run", "-b", str(bundle("true", change=both_changes)), name)
        refused(done, "mounts[7]: map the ids", "type proc", "invalid argument")


def test_source_that_is_not_there(command: "Command", bundle: "Bundles", name: str) -> None:
    change = mount(Path("/nowhere"), "bind", **mapped(0, 100000))
    done = command("run", "-b", str(bundle("true", change=change)), name)
    refused(done, "mounts[7]: open /nowhere: no such file or directory")


def test_mapping_that_the_kernel_refuses(
    command: "Command", bundle: "Bundles", name: str, source: Path
) -> None:
    twice: list[IdMapping] = [{"containerID": 0, "hostID": 0, "size": 2}] * 2
    change = mount(source, "bind", uidMappings=twice, gidMappings=twice)
    done = command("run", "-b", str(bundle("true", change=change)), name)
    refused(done, "uid_map", "mounts[7].uidMappings", "invalid argument")


def test_where_the_caller_has_no_right_to(
    command: "Command", bundle: "Bundles", name: str, source: Path, open_directory: Path
) -> None:
    path = bundle("true", change=both(USER, mount(source, "bind", "idmap")))
    done = subprocess.run(
        [
            *AS_NOBODY,
            command.path,
            "--root",
            str(open_directory / "state"),
            "run",
            "-b",
            str(path),
            name,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    refused(done, "mounts[7]: id-mapped mounts are not supported for rootless containers")
