# SPDX-License-Identifier: Apache-2.0
"""Labels of AppArmor and SELinux: of the program, of its keys, of the filesystems made for it.

The label of the program is set for the next exec(2) and survives all that comes before:
the change of ids, a seccomp filter, the wait for the start.  A program that a hook
executes in the container has it too, for it may come from the image.

Each is written below a descriptor that is proven to be a procfs, read back, and
compared: a label once went to a file that an image had put there (CVE-2019-16884,
CVE-2019-19921, CVE-2025-52881).  References: proc_pid_attr(5); config.md, "Linux Process".
"""

from ocirun.errors import KernelError, SpecError
from ocirun.linux import lsm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan
    from ocirun.spec.model import Process

_APPARMOR, _SELINUX = "process.apparmorProfile", "process.selinuxLabel"


def check(process: "Process", mount_label: str = "") -> None:
    """Refuse labels that nobody on this host would look at."""
    if process.get("apparmorProfile") and not lsm.has_apparmor():
        raise SpecError(
            f"{_APPARMOR}: apparmor: config provided but apparmor not supported",
            "leave it out, or boot with lsm=...,apparmor",
        )
    if not (process.get("selinuxLabel") or mount_label) or lsm.has_selinux():
        return
    raise SpecError(
        f"{_SELINUX if process.get('selinuxLabel') else 'linux.mountLabel'}:"
        " selinux label is specified in config, but selinux is disabled or not supported",
        "leave it out, or boot with lsm=...,selinux and a policy",
    )


def add(plan: "Plan", setting: "Setting", process: "Process", point: int) -> None:
    """Append what labels the program, and at `point` has confirm() called.

    The slot of the procfs is closed by the caller.
    """
    if profile := process.get("apparmorProfile"):
        plan.field = _APPARMOR
        path = f"self/{setting.apparmor_file}"
        plan.add("WRITE_AT", setting.proc_slot, path, f"exec {profile}")
        plan.add("READ_AT", setting.proc_slot, path, point)
    if label := process.get("selinuxLabel"):
        plan.field = _SELINUX
        path = f"self/{lsm.EXEC}"
        plan.add("WRITE_AT", setting.proc_slot, path, label)
        plan.add("READ_AT", setting.proc_slot, path, point)


def confirm(process: "Process", field: str, text: str) -> None:
    """Compare what the kernel says with what was written; raise if it is something else."""
    found = text.rstrip("\0\n")
    if field == _APPARMOR:
        wanted = process["apparmorProfile"]
        # After the name may come its mode: "docker-default (enforce)".
        same = wanted in (found, found.rpartition(" (")[0])
        # A stack of profiles, or one of another namespace, can be said in several ways.
        same = same or (bool(found) and ("//&" in wanted or wanted[:1] == ":"))
    else:
        wanted = process["selinuxLabel"]
        # The type may be an alias and the categories in another order; no user or role is.
        same = found.split(":")[:2] == wanted.split(":")[:2]
    if not same:
        raise KernelError(f"{field}: the kernel has {found!r} instead of {wanted!r}")


def add_of_keys(plan: "Plan", setting: "Setting", label: str) -> None:
    """Append what labels the keys that are made from now on, until the exec."""
    plan.field = _SELINUX
    plan.add("WRITE_AT", setting.proc_slot, f"self/{lsm.KEYCREATE}", label)


def add_of_directory(plan: "Plan", setting: "Setting", slot: int, label: str) -> None:
    """Append what labels the root of a filesystem that takes no label as an option."""
    # A mount is open for its path alone, so no fsetxattr(2).
    plan.add("FCHDIR", slot)
    plan.add("SETXATTR", ".", "security.selinux", label, len(label), 0)
    plan.add("FCHDIR", setting.root_slot)
