# SPDX-License-Identifier: Apache-2.0
"""Which security modules are in force, and the files of /proc that take their labels.

References: apparmor(7), selinux(8); proc_pid_attr(5).
"""

import os

from ocirun._linux import fstatfs_type

_SELINUX_MAGIC = 0xF97CFF8C
SELINUX_MOUNT = "/sys/fs/selinux"
APPARMOR_SWITCH = "/sys/module/apparmor/parameters/enabled"

#: of a process, below its directory in /proc: the label that it gets with its next exec
EXEC, APPARMOR_EXEC = "attr/exec", "attr/apparmor/exec"
#: the label of the keys that it makes
KEYCREATE = "attr/keycreate"


def has_apparmor() -> bool:
    """Tell whether AppArmor confines processes of this host."""
    try:
        with open(APPARMOR_SWITCH, "rb", buffering=0) as file:
            return file.read(1) == b"Y"
    except OSError:
        return False


def has_selinux() -> bool:
    """Tell whether SELinux has a policy loaded: only then is its filesystem of use."""
    try:
        fd = os.open(SELINUX_MOUNT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if fstatfs_type(fd) & 0xFFFFFFFF != _SELINUX_MAGIC:
            return False
    finally:
        os.close(fd)
    with open("/proc/self/attr/current", "rb", buffering=0) as file:
        return file.read(64).rstrip(b"\0\n") != b"kernel"


def apparmor_file() -> str:
    """Give the file that takes the profile, below /proc/self."""
    # kernel < 5.8: no directory of its own, and the file is that of the only such module
    return APPARMOR_EXEC if os.path.exists(f"/proc/self/{APPARMOR_EXEC}") else EXEC
