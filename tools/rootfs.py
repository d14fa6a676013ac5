# SPDX-License-Identifier: Apache-2.0
"""Root filesystems without a download, for the demonstration and the tests.

A static busybox is copied; where there is none, the host's own /usr is bind-mounted
read-only, and the caller adds the mounts to its config.json.
"""

import os
import shutil
import subprocess
from pathlib import Path

Mount = dict[str, str | list[str]]

DIRECTORIES = ("bin", "dev", "etc", "home", "proc", "root", "run", "sbin", "sys", "tmp", "usr")
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
}


def static_busybox() -> str:
    """Give the path of a busybox that needs no library, or nothing."""
    path = shutil.which("busybox", path="/bin:/usr/bin:/usr/local/bin")
    if not path:
        return ""
    with open(path, "rb") as file:
        # A dynamic program names its loader next to its header.
        return "" if b"/ld-" in file.read(4096) else path


def make(rootfs: Path, busybox: str) -> list[Mount]:
    """Make a root filesystem; what is returned belongs into `mounts` of config.json."""
    for name in DIRECTORIES if busybox else [d for d in DIRECTORIES if d not in {"bin", "sbin"}]:
        (rootfs / name).mkdir(parents=True, exist_ok=True)
    (rootfs / "tmp").chmod(0o1777)
    for name, text in FILES.items():
        (rootfs / name).write_text(text)
    if not busybox:
        return _borrow_usr(rootfs)
    target = rootfs / "bin" / "busybox"
    if not target.exists():
        shutil.copy(busybox, target)
    _link_applets(rootfs, busybox)
    return []


def _link_applets(rootfs: Path, busybox: str) -> None:
    listing = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for applet in listing.stdout.split():
        link = rootfs / "bin" / applet
        if not os.path.lexists(link):
            link.symlink_to("busybox")


def _borrow_usr(rootfs: Path) -> list[Mount]:
    mounts = [_bind("/usr")]
    for path in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        inside = rootfs / path[1:]
        if os.path.islink(path):
            if not os.path.lexists(inside):
                inside.symlink_to(os.readlink(path))
        elif os.path.isdir(path):
            mounts.append(_bind(path))
    return mounts


def _bind(path: str) -> Mount:
    options = ["rbind", "ro", "nosuid", "nodev"]
    return {"destination": path, "type": "none", "source": path, "options": options}
