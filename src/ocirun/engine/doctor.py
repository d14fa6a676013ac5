# SPDX-License-Identifier: Apache-2.0
"""What this host offers to containers, what it lacks, and what helps: for `ocirun doctor`.

Files are read below a root, so that another host's can be looked at too; the few
things that only trying can tell are tried by a stub with a plan of two steps, which
leaves nothing.  Nothing here needs rights: what only root could see is said to be so.
"""

import os
from errno import EPERM

from ocirun.engine import doctor_cgroups, stub, wire
from ocirun.engine.findings import BAD, GOOD, POOR, Finding, Host
from ocirun.engine.namespaces import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocirun.engine.wire import Argument

OLDEST = (5, 12)
_CLONE_NEWUSER = TYPES["user"][0]
_HELPERS = ("/usr/bin", "/usr/local/bin", "/bin")


def examine(host: Host) -> "Iterator[Finding]":
    """Look at everything; each finding belongs to the group that is named with it."""
    for group, checks in (
        ("kernel", (kernel, mounts, seccomp, keyring)),
        ("namespaces", (namespaces,)),
        ("without root", (user_namespaces, subordinate_ids)),
        ("cgroups", doctor_cgroups.CHECKS),
        ("security modules", (apparmor, selinux)),
        ("tools", (checkpoint,)),
    ):
        for check in checks:
            for finding in check(host):
                finding.group = group
                yield finding


def attempt(*steps: "tuple[str, tuple[Argument, ...]]") -> int:
    """Let a stub carry out operations and end; give 0, or the errno of the one that failed."""
    plan = wire.Plan()
    for name, arguments in steps:
        plan.add(name, *arguments)
    plan.add("SYNC", 0)
    pid, channel = stub.start(plan.encode(), (), 0)
    try:
        message = channel.receive()
    finally:
        channel.close()
        os.waitpid(pid, 0)
    if message is None:
        return EPERM  # killed before it could tell, as by a filter
    return message.value if message.kind == wire.ERROR else 0


def kernel(host: Host) -> "Iterator[Finding]":
    """Compare the kernel's version with what docs/kernel.md asks for."""
    release = host.read("/proc/sys/kernel/osrelease") or os.uname().release
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    wanted = ".".join(str(number) for number in OLDEST)
    if numbers >= OLDEST:
        yield Finding("Linux", GOOD, release)
    else:
        yield Finding("Linux", BAD, f"{release}; {wanted} or newer is needed", "update the kernel")


def mounts(host: Host) -> "Iterator[Finding]":
    """Try the system calls for mounts, and look for overlayfs."""
    private = TYPES["mount"][0] | (0 if host.privileged else _CLONE_NEWUSER)
    error = attempt(("UNSHARE", (private,)), ("FSOPEN", (0, "tmpfs")))
    if error:
        yield Finding(
            "mounts by descriptor",
            BAD,
            f"fsopen: {os.strerror(error).lower()}",
            "inside another container its seccomp profile has to allow the mount calls",
        )
    else:
        yield Finding("mounts by descriptor", GOOD, "fsopen(2), move_mount(2)")
    known = (host.read("/proc/filesystems") or "").split()
    if "overlay" in known:
        yield Finding("overlayfs", GOOD, "in /proc/filesystems")
    else:
        yield Finding("overlayfs", POOR, "not in /proc/filesystems", "modprobe overlay")


def seccomp(host: Host) -> "Iterator[Finding]":
    """Look for the kernel's filters and for the library that compiles them."""
    actions = host.read("/proc/sys/kernel/seccomp/actions_avail")
    if actions is None:
        yield Finding("seccomp", BAD, "no /proc/sys/kernel/seccomp", "a kernel with CONFIG_SECCOMP")
        return
    from ocirun.linux import libseccomp

    try:
        version = libseccomp.Library().version()
    except OSError:
        yield Finding(
            "seccomp", BAD, f"{libseccomp.SONAME} cannot be loaded", "apt-get install libseccomp2"
        )
        return
    number = ".".join(str(part) for part in version)
    yield Finding("seccomp", GOOD, f"libseccomp {number}, actions {actions}")


def keyring(host: Host) -> "Iterator[Finding]":
    """Look for the kernel's keys."""
    if host.read("/proc/sys/kernel/keys/maxkeys") is None:
        yield Finding(
            "session keyrings", POOR, "no /proc/sys/kernel/keys", "a kernel with CONFIG_KEYS"
        )
    else:
        yield Finding("session keyrings", GOOD, "/proc/sys/kernel/keys")


def namespaces(host: Host) -> "Iterator[Finding]":
    """Make a namespace of each kind, in a process that ends at once."""
    for kind, (flag, name) in TYPES.items():
        if not os.path.lexists(host.path(f"/proc/self/ns/{name}")):
            yield Finding(kind, BAD, f"no /proc/self/ns/{name}", "a kernel that has them")
            continue
        flags = flag if host.privileged else flag | _CLONE_NEWUSER
        error = attempt(("UNSHARE", (flags,)))
        if error:
            yield Finding(kind, BAD, f"unshare: {os.strerror(error).lower()}", _why_forbidden(host))
        else:
            yield Finding(kind, GOOD, "made one")


#: file below /proc/sys -> the value with which an ordinary user gets no user namespace
_FORBIDDING = {
    "user/max_user_namespaces": "0",
    "kernel/unprivileged_userns_clone": "0",
    "kernel/apparmor_restrict_unprivileged_userns": "1",
}


def _why_forbidden(host: Host) -> str:
    for name, value in _FORBIDDING.items():
        if host.read(f"/proc/sys/{name}") == value:
            other = {"0": "1", "1": "0"}[value] if "max" not in name else "10000"
            return f"sysctl {name.replace('/', '.')}={other}"
    return "root, or inside a container more rights for it (CAP_SYS_ADMIN, or its seccomp profile)"


def user_namespaces(host: Host) -> "Iterator[Finding]":
    """Look at the three switches that keep ordinary users from user namespaces."""
    found = [name for name, value in _FORBIDDING.items() if host.read(f"/proc/sys/{name}") == value]
    if found:
        yield Finding(
            "user namespaces of users",
            BAD,
            f"{found[0].replace('/', '.')} = {_FORBIDDING[found[0]]}",
            _why_forbidden(host),
        )
    else:
        yield Finding("user namespaces of users", GOOD, "no sysctl forbids them")


def subordinate_ids(host: Host) -> "Iterator[Finding]":
    """Look for the ids that a user may map, and for the programs that map them."""
    for kind in ("uid", "gid"):
        program = f"new{kind}map"
        if host.find(program, _HELPERS):
            yield Finding(program, GOOD, host.find(program, _HELPERS))
        else:
            yield Finding(
                program, POOR, "not installed: users can map one id only", "apt-get install uidmap"
            )
        lines = (host.read(f"/etc/sub{kind}") or "").splitlines()
        own = [line for line in lines if line.split(":")[0] in (host.user, str(host.uid))]
        if own:
            yield Finding(f"/etc/sub{kind}", GOOD, own[0])
        elif not host.privileged:
            yield Finding(
                f"/etc/sub{kind}",
                POOR,
                f"no line for {host.user}",
                f"usermod --add-sub{kind}s 100000-165535 {host.user}",
            )


def apparmor(host: Host) -> "Iterator[Finding]":
    """Look whether AppArmor is there, for process.apparmorProfile."""
    if host.read("/sys/module/apparmor/parameters/enabled") == "Y":
        yield Finding("AppArmor", GOOD, "enabled")
    else:
        yield Finding("AppArmor", POOR, "not enabled: process.apparmorProfile is refused")


def selinux(host: Host) -> "Iterator[Finding]":
    """Look whether SELinux is there, for process.selinuxLabel and linux.mountLabel."""
    enforcing = host.read("/sys/fs/selinux/enforce")
    if enforcing is None:
        yield Finding("SELinux", POOR, "not enabled: process.selinuxLabel is refused")
    else:
        yield Finding("SELinux", GOOD, "enforcing" if enforcing == "1" else "permissive")


def checkpoint(host: Host) -> "Iterator[Finding]":
    """Look for CRIU, and let it look at the kernel."""
    program = host.find("criu")
    if not program:
        yield Finding(
            "criu", POOR, "not in $PATH: no checkpoint, no restore", "apt-get install criu"
        )
        return
    if not host.privileged:
        yield Finding("criu", GOOD, f"{program}; only root can have it look at the kernel")
        return
    import subprocess

    done = subprocess.run(
        [host.path(program), "check"], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode == 0:
        yield Finding("criu", GOOD, program)
    else:
        yield Finding(
            "criu", POOR, f"criu check: {_reason(done.stderr)}", "criu check --all tells more"
        )


def _reason(output: str) -> str:
    """Give the first error of criu that says more than that it has ended."""
    errors = [line.partition("): ")[2] for line in output.splitlines() if line.startswith("Error")]
    return next(
        (line for line in errors if not line.startswith("exited")), "it failed, without a word"
    )
