# SPDX-License-Identifier: Apache-2.0
"""Which sysctls a container may set: those of a namespace that it does not share.

Everything else under /proc/sys belongs to the host.  Whether a namespace given
by path is the runtime's own is for the engine to find out.
sysctl(8), proc_sys(5), namespaces(7).
"""

from ocirun.errors import SpecError

IPC = (
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
)


def file_of(name: str) -> str:
    """Give the path below /proc/sys for a name in either notation of sysctl(8).

    The first separator tells which one: net.ipv4.conf.eno2/100.rp_filter and
    net/ipv4/conf/eno2.100/rp_filter are the same file.
    """
    dot, slash = name.find("."), name.find("/")
    if slash < 0 or 0 <= dot < slash:
        return name.translate({ord("."): "/", ord("/"): "."})
    return name


def check(names: "dict[str, str]", namespaces: set[str]) -> None:
    """Refuse what is not in one of these (types of) namespaces of the container."""
    for name in names:
        path = file_of(name)
        parts = path.split("/")
        # The name becomes a path: net.//.//.kernel must not climb out of net/.
        if "" in parts or "." in parts or ".." in parts:
            raise _refusal(name, "not the name of a sysctl")
        owner = _owner(path, parts[0], namespaces)
        if path == "kernel/hostname" and owner:
            raise _refusal(name, "use the field hostname instead")
        if not owner:
            raise _refusal(name, "not in a separate kernel namespace")
        if owner not in namespaces:
            raise _refusal(name, f"not allowed without a {owner} namespace of the container's own")


def owner_of(name: str) -> str:
    """Name the type of namespace that a sysctl belongs to which check() has let pass."""
    path = file_of(name)
    return _owner(path, path.partition("/")[0], {"uts"})


def _owner(path: str, top: str, namespaces: set[str]) -> str:
    """Name the type of namespace that the sysctl belongs to; "" is the whole host."""
    if path in IPC or path.startswith("fs/mqueue/"):
        return "ipc"
    if top == "net":
        return "network"
    # Limits of user namespaces (namespaces(7)); without one they are the host's own.
    if top == "user":
        return "user"
    if path in ("kernel/hostname", "kernel/domainname") and "uts" in namespaces:
        return "uts"
    return ""


def _refusal(name: str, why: str) -> SpecError:
    return SpecError(f'linux.sysctl["{name}"]: {why}')
