# SPDX-License-Identifier: Apache-2.0
"""Bind mounts that show other owners than the filesystem has (mount_setattr(2), "ID-mapped mounts").

Only who rules over the filesystem may map it, and in a user namespace the container's
root does not.  So a second stub, with the engine's rights but in the container's mount
namespace, makes the tree and maps it; the container's own stub gets it and attaches it.
The mapping comes from a user namespace: the container's, or one that is made for it.
"""

import os

from ocirun.engine import process, sources
from ocirun.engine.conversation import Conversation
from ocirun.engine.namespaces import TYPES
from ocirun.engine.wire import NO_SLOT, Plan
from ocirun.errors import KernelError, SpecError
from ocirun.linux import procfs
from ocirun.linux.mount import AT_RECURSIVE, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import IdMapping, Mount, Spec

_PR_SET_DUMPABLE = 4

#: so many mappings are kept open at once; more than that are made anew
_KEPT = 16


class Idmap:
    """What a mount asks for: which tree, and how its ids are mapped."""

    __slots__ = ("below", "field", "gids", "recursive", "source", "uids")

    def __init__(self, field: str, source: str, mount: "Mount", options: Options) -> None:
        self.field = field
        self.source = source
        #: the mounts below are bound too, and mapped too
        self.recursive = options.recursive
        self.below = options.idmap.startswith("r")
        #: both empty: as the container's own user namespace has it
        self.uids: list[IdMapping] = mount.get("uidMappings", [])
        self.gids: list[IdMapping] = mount.get("gidMappings", [])


def refuse_rootless(spec: "Spec") -> None:
    """Refuse what an ordinary user has no right to, before anything is made."""
    for index, mount in enumerate(spec.get("mounts", ())):
        if Options(mount.get("options", [])).idmap or mount.get("uidMappings"):
            raise SpecError(
                f"mounts[{index}]: id-mapped mounts are not supported for rootless containers",
                "run it as root, or leave out idmap, uidMappings and gidMappings",
            )


class Mapper:
    """Makes the trees; keeps the user namespaces that it made, one for each mapping."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        #: the lines of both maps -> descriptor
        self._made: dict[tuple[bytes, bytes], int] = {}

    def close(self) -> None:
        """Let go of all user namespaces."""
        for fd in self._made.values():
            os.close(fd)
        self._made = {}

    def tree(self, pid: int, idmap: Idmap) -> int:
        """Give a descriptor of the mapped tree, for the stub `pid`; the caller closes it."""
        fds = []
        try:
            fds.append(sources.open_path(pid, idmap.source, idmap.field))
            fds.append(self._userns(pid, idmap))
            fds.append(_open_namespace(pid, "mount", idmap.field))
            return _make(idmap, *fds)
        except KernelError as error:
            if fds and not error.hint:
                kind = procfs.filesystem_type(fds[0], pid)
                error.hint = (
                    f"{idmap.source} is on a filesystem of type {kind}:"
                    " not each one can be id-mapped, and none a second time"
                )
            raise
        finally:
            for fd in fds:
                os.close(fd)

    def _userns(self, pid: int, idmap: Idmap) -> int:
        """Give a descriptor of the user namespace with the mapping; the caller closes it."""
        if not idmap.uids:
            return _open_namespace(pid, "user", idmap.field)
        from ocirun.engine.idmap import text_of

        key = text_of(idmap.uids), text_of(idmap.gids)
        if key not in self._made:
            if len(self._made) == _KEPT:
                os.close(self._made.pop(next(iter(self._made))))
            self._made[key] = _make_userns(idmap)
        return os.dup(self._made[key])


def _open_namespace(pid: int, kind: str, field: str) -> int:
    try:
        return os.open(f"/proc/{pid}/ns/{TYPES[kind][1]}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        said = (error.strerror or "").lower()
        raise KernelError(f"{field}: open the container's {kind} namespace: {said}") from error


def _make_userns(idmap: Idmap) -> int:
    """Make a user namespace for its mapping alone; its only process ends at once."""
    from ocirun.engine.idmap import write_mappings

    plan = Plan()
    plan.field = idmap.field
    plan.add("UNSHARE", TYPES["user"][0])
    plan.add("SYNC", process.SYNC_MAPPINGS)
    helper = Conversation(plan, ())
    try:
        helper.next()
        write_mappings(helper.pid, idmap.uids, idmap.gids, privileged=True, field=idmap.field)
        return _open_namespace(helper.pid, "user", idmap.field)
    finally:
        helper.kill()


def _make(idmap: Idmap, source_fd: int, userns_fd: int, mount_fd: int) -> int:
    plan = Plan()
    plan.field = idmap.field
    given, tree = plan.slot(), plan.slot()
    plan.add("PRCTL", _PR_SET_DUMPABLE, 0, 0)
    # A tree can only be made in the mount namespace that the source lies in.
    plan.add("FD", given, mount_fd)
    plan.add("SETNS", given, TYPES["mount"][0])
    plan.add("FD", given, source_fd)
    plan.add("CLONE_TREE", tree, given, AT_RECURSIVE if idmap.recursive else 0)
    plan.add("FD", given, userns_fd)
    plan.add("IDMAP", tree, given, AT_RECURSIVE if idmap.below else 0)
    plan.add("EXCHANGE", process.SYNC_IDMAP, tree, NO_SLOT)
    helper = Conversation(plan, (mount_fd, source_fd, userns_fd))
    try:
        return helper.next().fd
    finally:
        helper.kill()
