# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a machine of its own: QEMU without KVM, Debian's cloud kernel, systemd.

    tools/lab_qemu.py systemd COMMAND...

The command runs as root, in this directory, on a copy of this checkout; its output and its
exit code are passed on.  The machine has cgroup v2 with all controllers, a user manager for
the user "lab" (1000), AppArmor, and no network.  Its disk is made once, of Debian packages, in
a cache directory, and never changed: what the command writes is gone with the machine.

LAB_SECONDS (600) and LAB_MEMORY (2048M) are its limits; LAB_PACKAGES names more packages,
LAB_SHARE more directories to copy, LAB_APPEND what to tell the kernel and systemd, such as
systemd.unified_cgroup_hierarchy=0 for cgroup v1.  125 says that the machine died; what its kernel and
systemd said is shown then.
"""

import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

TOP = Path(__file__).resolve().parents[1]
DIED = 125
#: raised when the recipe below changes: a disk made by another one is not used
RECIPE = 1
KERNEL = "linux-image-cloud-amd64"
TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "mmdebstrap": "mmdebstrap",
         "mke2fs": "e2fsprogs", "busybox": "busybox-static", "timeout": "coreutils"}  # fmt: skip
PACKAGES = {
    "systemd": (
        "systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "apparmor",
        "kmod", "python3-minimal", "libpython3-stdlib", "busybox-static", "uidmap",
        "libseccomp2", "procps",
    ),
}  # fmt: skip
APPEND = {"systemd": "security=apparmor"}
#: loaded by the first program; the file systems are in the kernel
MODULES = ("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "virtio_blk")  # fmt: skip
#: what a boot can do without; each is a second or more here
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "getty.target", "modprobe@configfs.service",
    "modprobe@dm_mod.service", "modprobe@drm.service", "modprobe@efi_pstore.service",
    "modprobe@loop.service", "proc-sys-fs-binfmt_misc.automount", "sys-kernel-config.mount",
    "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "systemd-binfmt.service",
    "systemd-random-seed.service", "systemd-sysusers.service", "systemd-udevd.service",
    "systemd-update-utmp.service",
)  # fmt: skip

INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in {modules}; do /bin/busybox insmod /$module.ko; done
/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /new
/bin/busybox mount -t ext4 -o noatime /dev/vdb /new/lab
/bin/busybox mount -t tmpfs -o mode=755 run /new/run
/bin/busybox sh /new/lab/prepare
exec /bin/busybox switch_root /new /sbin/init
"""

#: what is decided at each boot is not on the disk that is kept
PREPARE = """
units=/new/run/systemd/system
/bin/busybox mkdir -p $units/multi-user.target.wants
/bin/busybox cp /new/lab/lab.service $units/lab.service
/bin/busybox ln -s ../lab.service $units/multi-user.target.wants/lab.service
for unit in {masked}; do /bin/busybox ln -s /dev/null $units/$unit; done
"""

SERVICE = """[Unit]
Description=The command
After=dbus.service systemd-user-sessions.service systemd-logind.service apparmor.service
Wants=dbus.service
[Service]
Type=exec
ExecStart=/bin/sh /lab/command
StandardInput=null
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
Environment=HOME=/root TERM=dumb SYSTEMD_PAGER=
"""

#: the last line tells the exit code, for there is one way out only
COMMAND = """
stty -opost </dev/ttyS0
{binds}
cd {here}
( {command} )
echo "{marker} $?"
# The kernel's own key for "power off", which asks nobody.
echo o >/proc/sysrq-trigger
sleep 60
"""


def main(kind: str, *command: str) -> int:
    """Make the disk if need be, and run the command."""
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool, path=_path())]
    if platform.machine() != "x86_64" or missing:
        _say(f"needs an x86-64 machine, and as root: apt-get install {' '.join(missing)}")
        return DIED
    signal.signal(signal.SIGTERM, _end)
    place = _image(kind)
    with tempfile.TemporaryDirectory(prefix="ocirun-lab.", dir="/var/tmp") as work:
        return _boot(kind, place, Path(work), command)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _end(number: int, _: "FrameType | None") -> None:
    raise SystemExit(128 + number)


def _say(text: str) -> None:
    sys.stderr.write(f"lab: {text}\n")


# --- The disk ---


def _image(kind: str) -> Path:
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    packages = sorted({*PACKAGES[kind], *os.environ.get("LAB_PACKAGES", "").split()})
    key = hashlib.sha256(f"{RECIPE} {suite} {packages}".encode()).hexdigest()[:16]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ocirun"
    place = home / f"lab-{kind}-{key}"
    home.mkdir(parents=True, exist_ok=True)
    with open(home / f".lab-{kind}.lock", "w") as lock:
        # The kernel drops it when we end.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _say(f"making {place}, once on this machine")
            with tempfile.TemporaryDirectory(prefix=".lab-", dir=home) as unfinished:
                made = Path(unfinished) / "done"
                made.mkdir()
                _build(suite, packages, Path(unfinished), made)
                made.rename(place)
    return place


def _build(suite: str, packages: list[str], work: Path, made: Path) -> None:
    root = work / "root"
    # The machine's own sources of Debian packages, whatever they are.
    sources = [Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")]
    lists = [str(path) for path in sources if path.is_file() and path.stat().st_size][:1]
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    _run(
        "mmdebstrap", "--quiet", "--variant=minbase", *options, f"--include={','.join(packages)}",
        "--format=directory", suite, str(root), *lists,
    )  # fmt: skip
    version = _add_kernel(work, root, made)
    (root / "lab").mkdir()
    (root / "etc/hostname").write_text("lab\n")
    _run("chroot", str(root), "useradd", "--create-home", "--shell=/bin/sh", "--uid=1000", "lab")
    _run("chroot", str(root), "depmod", version)
    _make_initrd(work, root, version, made)
    _make_disk(root, made / "disk.img", spare=512)


def _add_kernel(work: Path, root: Path, made: Path) -> str:
    """Unpack the kernel, which would bring a maker of initial RAM disks if it were installed."""
    depends = _read("apt-cache", "depends", "--important", KERNEL)
    name = next(line.split()[1] for line in depends.splitlines() if "Depends: linux-image-" in line)
    (work / "kernel").mkdir()
    _run("apt-get", "download", "-q", name, cwd=work / "kernel")
    _run("dpkg-deb", "-x", str(next((work / "kernel").glob("*.deb"))), str(work / "kernel"))
    shutil.move(next((work / "kernel/boot").glob("vmlinuz-*")), made / "kernel")
    modules = next((work / "kernel/lib/modules").iterdir())
    shutil.move(modules, root / "usr/lib/modules" / modules.name)
    return modules.name


def _make_initrd(work: Path, root: Path, version: str, made: Path) -> None:
    place = work / "initrd"
    for name in ("bin", "dev", "new"):
        (place / name).mkdir(parents=True)
    shutil.copy(root / "bin/busybox", place / "bin")
    files = {path.stem: path for path in (root / "usr/lib/modules" / version).rglob("virtio*.ko")}
    for module in MODULES:
        shutil.copy(files[module], place)
    (place / "init").write_text(INIT.format(modules=" ".join(MODULES)))
    (place / "init").chmod(0o755)
    with open(made / "initrd", "wb") as target:
        names = "\n".join(str(path.relative_to(place)) for path in sorted(place.rglob("*")))
        subprocess.run(
            ["busybox", "cpio", "-o", "-H", "newc"], input=names.encode(), stdout=target,
            stderr=subprocess.DEVNULL, cwd=place, check=True,
        )  # fmt: skip


def _make_disk(source: Path, target: Path, spare: int) -> None:
    """Make a file system of a directory, with so many MiB to spare."""
    used = int(_read("du", "-sm", str(source)).split()[0])
    size = used + used // 10 + spare
    _run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(source),
         str(target), f"{size}M")  # fmt: skip


def _run(*words: str, cwd: Path | None = None) -> None:
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, "PATH": _path()}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
        _say(f"failed: {shlex.join(words)}")
        raise SystemExit(DIED)


def _read(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


# --- The machine ---


def _boot(kind: str, place: Path, work: Path, command: tuple[str, ...]) -> int:
    marker = f"lab-{os.urandom(8).hex()}"
    _stage(work / "stage", marker, command)
    _make_disk(work / "stage", work / "stage.img", spare=64)
    append = f"console=ttyS1 root=/dev/vda rw panic=-1 quiet mitigations=off no_timer_check {APPEND[kind]} "
    append += f"systemd.show_status=no systemd.getty_auto=no {os.environ.get('LAB_APPEND', '')}"
    words = ["timeout", "-k", "5", os.environ.get("LAB_SECONDS", "600"), "qemu-system-x86_64"]
    words += ["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    words += ["-m", os.environ.get("LAB_MEMORY", "2048M")]
    words += ["-nodefaults", "-display", "none", "-no-reboot", "-net", "none"]
    words += ["-kernel", str(place / "kernel"), "-initrd", str(place / "initrd")]
    words += ["-append", append]
    for disk in (place / "disk.img", work / "stage.img"):
        # Both are only read; what is written is in a file without a name.
        words += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe"]
    words += ["-serial", "stdio", "-serial", f"file:{work}/console"]
    code = -1
    with (
        open(work / "errors", "w") as errors,
        subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as machine,
    ):
        try:
            assert machine.stdout
            code = _pass_on(machine.stdout, marker.encode())
        finally:
            machine.terminate()
    if code < 0:
        _say("the machine died:")
        for name in ("console", "errors"):
            lines = (work / name).read_text(errors="replace").splitlines()
            sys.stderr.write("\n".join([*lines[-20:], ""]))
        return DIED
    return code


def _stage(stage: Path, marker: str, command: tuple[str, ...]) -> None:
    """Copy what the command needs: the checkout with its build, and what LAB_SHARE names."""
    binds = []
    for name in [str(TOP), *filter(None, os.environ.get("LAB_SHARE", "").split(":"))]:
        place = stage / "tree" / name.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        leave = ["--exclude=./.git", "--exclude=./.cache", "--exclude=./build"]
        if name == str(TOP):
            # Of the build only the program itself, and not the tools of its developers.
            packages = [*TOP.glob(".venv/lib/python3*/site-packages/*")]
            tools = [path for path in packages if not path.name.startswith("ocirun")]
            leave += [f"--exclude=./{path.relative_to(TOP)}" for path in tools]
        tar = ["tar", "-C", name, *leave, "-cf", "-", "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packed:
            subprocess.run(["tar", "-C", place, "-xf", "-"], stdin=packed.stdout, check=True)
        quoted = shlex.quote(name)
        binds.append(f"mkdir -p {quoted} && mount --bind /lab/tree{quoted} {quoted}")
    text = COMMAND.format(
        binds="\n".join(binds), here=shlex.quote(str(Path.cwd())), command=shlex.join(command),
        marker=marker,
    )  # fmt: skip
    (stage / "command").write_text(text)
    (stage / "prepare").write_text(PREPARE.format(masked=" ".join(MASKED)))
    (stage / "lab.service").write_text(SERVICE)


def _pass_on(stream: IO[bytes], marker: bytes) -> int:
    """Write the output as it comes; give the exit code in its last line, or -1."""
    for line in stream:
        before, found, after = line.partition(marker)
        sys.stdout.buffer.write(before if found else line)
        sys.stdout.buffer.flush()
        if found:
            return int(after)
    return -1


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in PACKAGES:
        sys.stderr.write(__doc__ or "")
        raise SystemExit(2)
    raise SystemExit(main(*sys.argv[1:]))
