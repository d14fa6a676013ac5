# SPDX-License-Identifier: Apache-2.0
"""The id mappings of a new user namespace (user_namespaces(7)).

With the host's own rights they are written directly.  Otherwise newuidmap(1) and
newgidmap(1) do it for what /etc/subuid and /etc/subgid grant; a single id, the
caller's own, can be mapped without any help.
"""

import os

from ocirun import _linux
from ocirun.errors import KernelError
from ocirun.linux import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import IdMapping

_PLACES = ("/usr/bin", "/usr/local/bin", "/bin", "/usr/sbin", "/sbin")


def text_of(mappings: "list[IdMapping]") -> bytes:
    """Give the lines that uid_map and gid_map take."""
    return b"".join(
        b"%d %d %d\n" % (entry["containerID"], entry["hostID"], entry["size"]) for entry in mappings
    )


def is_single(mappings: "list[IdMapping]", own: int) -> bool:
    """Tell whether only the caller's own id is mapped, which needs no rights."""
    return len(mappings) == 1 and mappings[0]["size"] == 1 and mappings[0]["hostID"] == own


def write_mappings(
    pid: int,
    uids: "list[IdMapping]",
    gids: "list[IdMapping]",
    *,
    privileged: bool,
    field: str = "linux",
) -> None:
    """Map the ids of the user namespace that process `pid` has just made."""
    root = procfs.open_root()
    try:
        if not privileged and is_single(gids, os.getegid()):
            _write(root, f"{pid}/setgroups", b"deny", field)
        for kind, mappings, own in (("uid", uids, os.geteuid()), ("gid", gids, os.getegid())):
            if not mappings:
                continue
            if privileged or is_single(mappings, own):
                _write(root, f"{pid}/{kind}_map", text_of(mappings), field)
            else:
                _run_helper(f"new{kind}map", pid, mappings)
    finally:
        os.close(root)


def _write(root: int, path: str, data: bytes, field: str) -> None:
    name = path.partition("/")[2]
    try:
        procfs.write(root, path, data)
    except OSError as error:
        what = data.decode().strip().replace("\n", ", ")
        raise KernelError(
            f"write {name} of the user namespace: {what}: {(error.strerror or '').lower()}",
            f"check {field}.uidMappings and {field}.gidMappings against /proc/self/uid_map",
        ) from error


def _run_helper(name: str, pid: int, mappings: "list[IdMapping]") -> None:
    kind = name[3:6]
    for place in _PLACES:
        if os.access(f"{place}/{name}", os.X_OK):
            break
    else:
        raise KernelError(
            f"linux.{kind}Mappings: more than one id needs {name}, which is not installed",
            "apt-get install uidmap, or map only your own id",
        )
    numbers = text_of(mappings).split()
    output = os.memfd_create("output", os.MFD_CLOEXEC)
    try:
        argv = (name.encode(), b"%d" % pid, *numbers)
        child = _linux.spawn(-1, f"{place}/{name}", argv, (), (), (-1, output, output), -1, 3)
        status = os.waitpid(child, 0)[1]
        if status:
            said = os.pread(output, 1000, 0).decode("utf-8", "replace").strip().replace("\n", " ")
            ids = b" ".join(numbers).decode()
            raise KernelError(
                f"{name} {ids}: {said or f'wait status {status}'}",
                f"grant the range in /etc/sub{kind}, for instance: "
                f"usermod --add-sub{kind}s 100000-165535 USER",
            )
    finally:
        os.close(output)
