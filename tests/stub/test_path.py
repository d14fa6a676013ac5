# SPDX-License-Identifier: Apache-2.0
"""No path leaves the root, whatever lies in it and whatever is moved while it is looked up."""

import ctypes
import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from tests.stub.dialogue import Begin

from ocirun.engine import wire
from ocirun.engine.wire import (
    NO_SLOT,
    RESOLVE_OPTIONAL,
    TARGET_FILE,
    TARGET_IN_PROC,
    TARGET_ORDINARY,
    Plan,
)

ROOT, FOUND = 0, 1
#: what path_make() gives up after, as the kernel does
LINKS_MAX = 40


class Tree:
    """A root filesystem with a neighbour that nothing may touch."""

    def __init__(self, directory: Path) -> None:
        self.top = directory / "root"
        self.top.mkdir()
        self.outside = directory / "outside"
        self.outside.mkdir()
        (self.outside / "canary").write_text("alive")
        self.before = self.seen()

    def seen(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for path in (self.outside, *self.outside.rglob("*")):
            about = path.lstat()
            found[str(path)] = (about.st_ino, about.st_mode, about.st_mtime_ns, about.st_ctime_ns)
        return found


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path)
    yield made
    assert made.seen() == made.before


def attempt(begin: Begin, tree: Tree, name: str, *args: "wire.Argument") -> str:
    """Carry out one operation below the root; give the errno's name, "" if it worked."""
    plan = Plan()
    plan.add("OPEN", ROOT, str(tree.top))
    plan.add(name, *args)
    plan.add("SYNC", 1)
    stub = begin(plan)
    message = stub.receive()
    assert message
    if message.kind == wire.SYNC:
        assert stub.hang_up() == 1
        return ""
    assert (message.kind, message.index) == (wire.ERROR, 1)
    assert stub.end() == 1
    return errno.errorcode[message.value]


def resolve(begin: Begin, tree: Tree, path: str, flags: int = 0) -> str:
    """What RESOLVE has open, as the kernel names it below the root; or the errno's name."""
    plan = Plan()
    plan.add("OPEN", 2, str(tree.top))
    plan.add("RESOLVE", FOUND, 2, path, flags)
    plan.add("CLOSE", 2)
    plan.add("SYNC", 1)
    stub = begin(plan)
    message = stub.receive()
    assert message
    if message.kind == wire.ERROR:
        return errno.errorcode[message.value]
    (found,) = [name for name in stub.open_files() if name.startswith(str(tree.top.parent))] or [""]
    return found.removeprefix(str(tree.top)) or (found and "/")


@pytest.mark.parametrize(
    ("link", "path", "wanted"),
    [
        ("", "/etc/passwd", "/etc/passwd"),
        ("", "etc//./passwd", "/etc/passwd"),
        ("", "/", "/"),
        ("", "", "/"),
        ("", "../../../../../../..", "/"),
        ("", "/etc/../../../etc/passwd", "/etc/passwd"),
        ("/etc", "/link/passwd", "/etc/passwd"),
        ("etc", "/link/passwd", "/etc/passwd"),
        ("../../../etc/passwd", "/link", "/etc/passwd"),
        ("/", "/link", "/"),
        ("../..", "/link", "/"),
        ("../outside/canary", "/link", "ENOENT"),
        ("../outside", "/link/canary", "ENOENT"),
        ("OUTSIDE", "/link", "ENOENT"),
        ("OUTSIDE", "/link/canary", "ENOENT"),
        ("link", "/link", "ELOOP"),
        ("link", "/link/x", "ELOOP"),
        ("nowhere", "/link", "ENOENT"),
        ("", "/etc/passwd/x", "ENOTDIR"),
        ("", "x" * 256, "ENAMETOOLONG"),
        ("", "x/" * 2047, "ENOENT"),
        ("", "x/" * 2048, "ENAMETOOLONG"),
        ("", "x/" * 100000, "ENAMETOOLONG"),
    ],
)
def test_resolve(begin: Begin, tree: Tree, link: str, path: str, wanted: str) -> None:
    (tree.top / "etc").mkdir()
    (tree.top / "etc/passwd").touch()
    if link:
        (tree.top / "link").symlink_to(link.replace("OUTSIDE", str(tree.outside)))
    assert resolve(begin, tree, path) == wanted


@pytest.mark.parametrize("path", ["/nothing", "/dangling", "/file/below"])
def test_resolve_what_is_not_there(begin: Begin, tree: Tree, path: str) -> None:
    (tree.top / "dangling").symlink_to("nothing")
    (tree.top / "file").touch()
    assert resolve(begin, tree, path) in ("ENOENT", "ENOTDIR")
    assert resolve(begin, tree, path, RESOLVE_OPTIONAL) == ""


@pytest.mark.parametrize("path", ["/proc/self/root", "/proc/self/cwd", "/proc/self/fd/0"])
def test_magic_links_are_not_followed(begin: Begin, path: str, plan: Plan) -> None:
    plan.add("OPEN", ROOT, "/")
    plan.add("RESOLVE", FOUND, ROOT, path, 0)
    assert begin(plan).failure() == (1, errno.ELOOP)


#: links in the root, what is to be made, and where it must be then
MADE: dict[str, tuple[dict[str, str], str, str]] = {
    "plain": ({}, "/a/b/c", "a/b/c"),
    "there already": ({}, "/etc", "etc"),
    "slashes": ({}, "//a///b/", "a/b"),
    "up and out": ({}, "/../../a", "a"),
    "up in the middle": ({}, "/a/../b", "b"),
    "absolute link": ({"link": "/etc"}, "/link/new", "etc/new"),
    "relative link": ({"link": "etc"}, "/link/new", "etc/new"),
    "dangling": ({"link": "/not/there"}, "/link/new", "not/there/new"),
    "dangling, relative": ({"etc/link": "there"}, "/etc/link/new", "etc/there/new"),
    "dangling, out": ({"link": "../outside2"}, "/link/new", "outside2/new"),
    "dangling, far out": ({"etc/link": "../../../x"}, "/etc/link/new", "x/new"),
    "dangling at the end": ({"link": "/there"}, "/link", "there"),
    "two links": ({"one": "two", "two": "/three"}, "/one/new", "three/new"),
    "link to a neighbour": ({"link": "../outside"}, "/link/new", "outside/new"),
}


@pytest.mark.parametrize("file", [False, True])
@pytest.mark.parametrize("case", MADE)
def test_make(begin: Begin, tree: Tree, case: str, file: bool) -> None:  # noqa: FBT001
    links, path, wanted = MADE[case]
    (tree.top / "etc").mkdir()
    for name, target in links.items():
        (tree.top / name).symlink_to(target)
    flags = TARGET_FILE if file else 0
    assert attempt(begin, tree, "TARGET", FOUND, ROOT, path, NO_SLOT, flags) == ""
    assert not (tree.top / wanted).is_symlink()
    if file and case != "there already":
        assert (tree.top / wanted).is_file()
        assert stat.S_IMODE((tree.top / wanted).stat().st_mode) == 0o644
    else:
        assert (tree.top / wanted).is_dir()
        assert stat.S_IMODE((tree.top / wanted).stat().st_mode) == 0o755


REFUSED: dict[str, tuple[dict[str, str], str, str]] = {
    "loop": ({"link": "link"}, "/link/new", "ELOOP"),
    "loop of two": ({"one": "two", "two": "one"}, "/one", "ELOOP"),
    "loop that grows": ({"link": "link/x"}, "/link", "ELOOP"),
    "below a file": ({}, "/file/new", "ENOTDIR"),
    "link to a file": ({"link": "file"}, "/link/new", "ENOTDIR"),
    "long name": ({}, "/" + "x" * 256, "ENAMETOOLONG"),
    "long path": ({}, "/x" * 3000, "ENAMETOOLONG"),
    "long by a link": ({"link": "y" * 200 + "/z" * 1900}, "/link" + "/x" * 1000, "ENAMETOOLONG"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_make_refused(begin: Begin, tree: Tree, case: str) -> None:
    links, path, wanted = REFUSED[case]
    (tree.top / "file").touch()
    for name, target in links.items():
        (tree.top / name).symlink_to(target)
    assert attempt(begin, tree, "MKDIR", ROOT, path) == wanted


def test_many_dangling_links(begin: Begin, tree: Tree) -> None:
    for number in range(2 * LINKS_MAX):
        (tree.top / f"l{number}").symlink_to(f"l{number + 1}")
    assert attempt(begin, tree, "MKDIR", ROOT, "/l0") == "ELOOP"


def target(begin: Begin, tree: Tree, path: str, flags: int) -> str:
    return attempt(begin, tree, "TARGET", FOUND, ROOT, path, NO_SLOT, flags)


@pytest.mark.parametrize("path", ["/", "", ".", "/link", "/etc/.."])
def test_target_is_never_the_root_itself(begin: Begin, tree: Tree, path: str) -> None:
    (tree.top / "etc").mkdir()
    (tree.top / "link").symlink_to("../..")
    assert target(begin, tree, path, 0) == "EBUSY"


def test_ordinary_target(begin: Begin, tree: Tree) -> None:
    (tree.top / "etc").mkdir()
    (tree.top / "file").touch()
    (tree.top / "link").symlink_to("etc")
    assert target(begin, tree, "/etc", TARGET_ORDINARY) == ""
    assert target(begin, tree, "/new", TARGET_ORDINARY) == ""
    assert target(begin, tree, "/link", TARGET_ORDINARY) == "ELOOP"
    assert target(begin, tree, "/link/x", TARGET_ORDINARY) == "ELOOP"
    assert target(begin, tree, "/file", TARGET_ORDINARY) == "ENOTDIR"


@pytest.mark.parametrize("path", ["/proc", "/proc/version", "/proc/self/status"])
def test_target_in_proc(begin: Begin, path: str) -> None:
    """What lies over an entry of /proc can deceive the runtime (CVE-2019-16884)."""
    for flags, wanted in ((0, errno.EXDEV), (TARGET_IN_PROC, 0)):
        plan = Plan()
        plan.add("OPEN", ROOT, "/")
        plan.add("TARGET", FOUND, ROOT, path, NO_SLOT, flags)
        plan.add("SYNC", 1)
        message = begin(plan).receive()
        assert message
        assert (message.value if message.kind == wire.ERROR else 0) == wanted


def test_target_like_its_source(begin: Begin, tree: Tree, plan: Plan) -> None:
    plan.add("OPEN", ROOT, str(tree.top))
    for number, source in enumerate(("/etc/passwd", "/etc", "/dev/null")):
        plan.add("OPEN", 3, source)
        plan.add("TARGET", FOUND, ROOT, f"/new{number}", 3, 0)
    plan.add("SYNC", 1)
    begin(plan).expect(wire.SYNC)
    kinds = [stat.S_IFMT((tree.top / f"new{number}").stat().st_mode) for number in range(3)]
    assert kinds == [stat.S_IFREG, stat.S_IFDIR, stat.S_IFREG]


NULL, ZERO = os.makedev(1, 3), os.makedev(1, 5)
CHARACTER = stat.S_IFCHR | 0o640


@pytest.mark.root
def test_device(begin: Begin, tree: Tree) -> None:
    (tree.top / "real").mkdir()
    (tree.top / "dev").symlink_to("/real")
    arguments = ("MKNOD", ROOT, "/dev/sub/null", CHARACTER, NULL, 7, 8)
    assert attempt(begin, tree, *arguments) == ""
    made = (tree.top / "real/sub/null").stat()
    assert (made.st_mode, made.st_rdev, made.st_uid, made.st_gid) == (CHARACTER, NULL, 7, 8)
    assert attempt(begin, tree, *arguments) == ""
    assert attempt(begin, tree, "MKNOD", ROOT, "/dev/sub/null", CHARACTER, ZERO, 0, 0) == "EEXIST"


@pytest.mark.root
@pytest.mark.parametrize("link", ["/etc", "../outside/canary", "../outside/new", "null"])
def test_device_where_a_link_is(begin: Begin, tree: Tree, link: str) -> None:
    (tree.top / "null").symlink_to(link)
    assert attempt(begin, tree, "MKNOD", ROOT, "/null", CHARACTER, NULL, 0, 0) == "EEXIST"


@pytest.mark.parametrize("path", ["/", "", "/a/", "/a/.", "/a/.."])
def test_device_without_a_name(begin: Begin, tree: Tree, path: str) -> None:
    wanted = "EEXIST" if path.endswith(".") else "EINVAL"
    mode = stat.S_IFIFO | 0o600
    assert attempt(begin, tree, "MKNOD", ROOT, path, mode, 0, 0, 0) == wanted


def test_symbolic_link(begin: Begin, tree: Tree) -> None:
    assert attempt(begin, tree, "SYMLINK", ROOT, "one", "/dev/link", 0) == ""
    assert attempt(begin, tree, "SYMLINK", ROOT, "two", "/dev/link", 0) == ""
    assert (tree.top / "dev/link").readlink() == Path("one")
    assert attempt(begin, tree, "SYMLINK", ROOT, "three", "/dev/link", 1) == ""
    assert (tree.top / "dev/link").readlink() == Path("three")
    assert attempt(begin, tree, "SYMLINK", ROOT, "four", "/dev", 1) == "EISDIR"


def test_symbolic_link_replaces_no_neighbour(begin: Begin, tree: Tree) -> None:
    (tree.top / "dev").symlink_to("../outside")
    assert attempt(begin, tree, "SYMLINK", ROOT, "x", "/dev/canary", 1) == ""
    assert (tree.top / "outside/canary").readlink() == Path("x")


RENAME_EXCHANGE = 2
AT_FDCWD = -100


class Swapping:
    """A thread that swaps two names as fast as it can."""

    def __init__(self, one: Path, other: Path) -> None:
        self._names = os.fsencode(one), os.fsencode(other)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        one, other = self._names
        while not self._end.is_set():
            assert libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0
            self.count += 1


@pytest.mark.parametrize("link", ["../outside", "OUTSIDE", "../../../../../../../../OUTSIDE"])
def test_swapped_while_it_is_looked_up(begin: Begin, tree: Tree, link: str) -> None:
    """A directory that is a link to the host in the next moment (CVE-2021-30465)."""
    (tree.top / "a").mkdir()
    (tree.top / "b").symlink_to(link.replace("OUTSIDE", str(tree.outside)))
    reached = 0
    with Swapping(tree.top / "a", tree.top / "b") as swapping:
        for number in range(24):
            plan = Plan()
            plan.add("OPEN", ROOT, str(tree.top))
            for step in range(40):
                name, *args = swapped(f"/a/{number}-{step}")[number % 6]
                plan.add(name, *args)
            plan.add("SYNC", 1)
            message = begin(plan).receive()
            assert message
            reached += message.index
    assert swapping.count > 100
    assert reached > 24


def swapped(path: str) -> "list[tuple[str, *tuple[wire.Argument, ...]]]":
    """What is done below the name that changes; the last two would harm the neighbour."""
    return [
        ("MKDIR", ROOT, f"{path}/deep/../deeper"),
        ("TARGET", FOUND, ROOT, f"{path}/file", NO_SLOT, TARGET_FILE),
        ("MKNOD", ROOT, f"{path}-fifo", stat.S_IFIFO | 0o600, 0, os.getuid(), os.getgid()),
        ("SYMLINK", ROOT, "x", f"{path}-link", 1),
        ("SYMLINK", ROOT, "x", "/a/canary", 1),
        ("MKNOD", ROOT, "/a/canary", stat.S_IFREG | 0o600, 0, 1, 1),
    ]
