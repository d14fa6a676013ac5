# SPDX-License-Identifier: Apache-2.0
"""Lists of mounts by chance: what every container has, and up to four more.

Reference: config.md, Mounts.
"""

from collections.abc import Callable

from hypothesis import strategies as st
from tests.peer.runtime import Config, Json

ATTRIBUTES = """
    ro rw nosuid suid nodev dev noexec exec noatime atime relatime norelatime strictatime
    nostrictatime nodiratime diratime
""".split()
SYMFOLLOW = "nosymfollow symfollow".split()
RECURSIVE = """
    rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnodiratime rdiratime rrelatime rnorelatime
    rnoatime ratime rstrictatime rnostrictatime rnosymfollow rsymfollow
""".split()
PROPAGATION = "private rprivate shared rshared slave rslave unbindable runbindable".split()
SUPERBLOCK = "sync dirsync lazytime async defaults".split()
DATA = "size=64k mode=0755 mode=1777 nr_inodes=100 uid=5 gid=6".split()

PROC: Config = {"destination": "/proc", "type": "proc", "source": "proc"}
DEV: Config = {
    "destination": "/dev",
    "type": "tmpfs",
    "source": "tmpfs",
    "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
}
PTS: Config = {
    "destination": "/dev/pts",
    "type": "devpts",
    "source": "devpts",
    "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
}
SHM: Config = {
    "destination": "/dev/shm",
    "type": "tmpfs",
    "source": "shm",
    "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
}
MQUEUE: Config = {
    "destination": "/dev/mqueue",
    "type": "mqueue",
    "source": "mqueue",
    "options": ["nosuid", "noexec", "nodev"],
}
SYS: Config = {
    "destination": "/sys",
    "type": "sysfs",
    "source": "sysfs",
    "options": ["nosuid", "noexec", "nodev", "ro"],
}
CGROUP: Config = {
    "destination": "/sys/fs/cgroup",
    "type": "cgroup",
    "source": "cgroup",
    "options": ["nosuid", "noexec", "nodev", "relatime", "ro"],
}


@st.composite
def mounts(draw: st.DrawFn, knows: Callable[[str], bool], types: set[str]) -> list[Json]:
    """Give a list of mounts for a container with these new namespaces."""
    listed: list[Json] = [PROC] if draw(st.integers(0, 30)) else []
    if draw(st.integers(0, 7)):
        listed.append(DEV)
        listed += [mount for mount in (PTS, SHM) if draw(st.integers(0, 2))]
        if "ipc" in types and draw(st.booleans()):
            listed.append(MQUEUE)
    # user_namespaces(7): a sysfs of one's own needs a network of one's own.
    if draw(st.booleans()) and ("network" in types or "user" not in types):
        listed.append(SYS)
        if draw(st.booleans()):
            listed.append(CGROUP)
    for index in range(draw(st.integers(0, 4))):
        listed.append(draw(_extra(knows, index, mapped="user" in types)))
    return listed


@st.composite
def _extra(draw: st.DrawFn, knows: Callable[[str], bool], index: int, *, mapped: bool) -> Config:
    place = draw(st.sampled_from((f"/mnt/{index}", f"/mnt/{index}", f"mnt/{index}", "/var/a/b")))
    build = draw(st.sampled_from((_tmpfs, _tmpfs, _bind, _bind, _bind, _overlay)))
    mount = draw(build(place))
    options = mount["options"]
    assert isinstance(options, list)
    attributes = ATTRIBUTES + (SYMFOLLOW if knows("nosymfollow") else [])
    options += draw(st.lists(st.sampled_from(attributes), max_size=3))
    if knows("recursive") and not draw(st.integers(0, 3)):
        options += draw(st.lists(st.sampled_from(RECURSIVE), max_size=2))
    if not draw(st.integers(0, 3)):
        options.append(draw(st.sampled_from(PROPAGATION)))
    if build is not _bind or not mapped:
        return mount
    # What a user namespace locks, the source has to allow: the host's own mounts may be anything.
    mount["options"] = [word for word in options if word in ("bind", "rbind", "ro", *PROPAGATION)]
    return mount


@st.composite
def _tmpfs(draw: st.DrawFn, place: str) -> Config:
    options = draw(st.lists(st.sampled_from(DATA + SUPERBLOCK), max_size=3, unique=True))
    return {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": list(options)}


@st.composite
def _bind(draw: st.DrawFn, place: str) -> Config:
    kind = draw(st.sampled_from(("directory", "directory/below", "file")))
    relative = draw(st.booleans())
    options: list[Json] = [draw(st.sampled_from(("bind", "rbind")))]
    mount: Config = {
        "destination": place,
        "source": f"source/{kind}" if relative else f"@BUNDLE@/source/{kind}",
        "options": options,
    }
    if draw(st.booleans()):
        mount["type"] = draw(st.sampled_from(("bind", "none", "tmpfs")))
    if kind == "file" and draw(st.booleans()):
        mount["destination"] = draw(st.sampled_from(("/etc/hostname", "/etc/group", "/new/file")))
    return mount


@st.composite
def _overlay(draw: st.DrawFn, place: str) -> Config:
    options: list[Json] = ["lowerdir=@BUNDLE@/source/directory:@BUNDLE@/source/upper"]
    if draw(st.booleans()):
        options = [
            "lowerdir=@BUNDLE@/source/directory",
            "upperdir=@BUNDLE@/source/upper",
            "workdir=@BUNDLE@/source/overlay",
        ]
    return {"destination": place, "type": "overlay", "source": "overlay", "options": options}
