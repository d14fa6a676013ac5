# SPDX-License-Identifier: Apache-2.0
"""The demonstration behind `./dev run`: a bundle, a container in it, and how to go on by hand.

The bundle stays in demo/, with the config.json that `ocirun spec` writes.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import rootfs
from ocirun import _linux

TOP = Path(__file__).parents[1]
OCIRUN = str(TOP / ".venv" / "bin" / "ocirun")
DEMO = TOP / "demo"

SHOW = """\
#!/bin/sh
say() { printf '\\n$ %s\\n' "$1"; }
say id; id
say hostname; hostname
say ps; ps 2>/dev/null || for p in /proc/[0-9]*; do echo "${p##*/} $(tr '\\0' ' ' <$p/cmdline)"; done
say 'cat /proc/self/mounts'; cut -d ' ' -f 1-4 /proc/self/mounts
"""

# unshare(2); the os module has them from Python 3.12 on
CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000

#: sysctls that can forbid a user namespace, with the value that does, and the one that allows
SYSCTLS = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user.max_user_namespaces", "0", "15000"),
)


def make_bundle() -> Path:
    """Make demo/ again: a root filesystem, and the config.json that `ocirun spec` writes."""
    mounts = rootfs.make(DEMO / "rootfs", rootfs.static_busybox())
    config = DEMO / "config.json"
    if config.exists():
        config.rename(DEMO / "config.json.before")
    subprocess.run(
        [OCIRUN, "spec", "--bundle", str(DEMO), *([] if os.geteuid() == 0 else ["--rootless"])],
        check=True,
    )
    if mounts:
        document = json.loads(config.read_text())
        document["mounts"] += mounts
        config.write_text(json.dumps(document, indent="\t") + "\n")
    return config


def run(config: Path, root: list[str]) -> int:
    """Run the showing container, from a bundle that is gone afterwards."""
    document = json.loads(config.read_text())
    document["root"]["path"] = str(DEMO / "rootfs")
    document["process"]["terminal"] = False
    document["process"]["args"] = ["/show"]
    script = DEMO / "rootfs" / "show"
    script.write_text(SHOW)
    script.chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="ocirun-demo-") as bundle:
        Path(bundle, "config.json").write_text(json.dumps(document))
        name = f"demo-{os.getpid()}"
        return subprocess.run(
            [OCIRUN, *root, "run", "--bundle", bundle, name], check=False
        ).returncode


def state_root() -> list[str]:
    """Give the flag that an ordinary user without $XDG_RUNTIME_DIR must add."""
    if os.geteuid() == 0 or os.access(os.environ.get("XDG_RUNTIME_DIR", ""), os.W_OK):
        return []
    return ["--root", str(DEMO / "state")]


def refusal(flags: int) -> str:
    """Give what the kernel says to new namespaces; nothing if it makes them."""
    pid = os.fork()
    if not pid:
        try:
            _linux.unshare(flags)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return os.strerror(code).lower() if code else ""


def forbidden() -> bool:
    """Find out whether this machine allows a container; if not, say what would help."""
    root = os.geteuid() == 0
    kernel_said = refusal(CLONE_NEWNS if root else CLONE_NEWUSER | CLONE_NEWNS)
    if not kernel_said:
        return False
    if root:
        print(f"You are root, but without the right to mount (unshare: {kernel_said}):")
        print("  CAP_SYS_ADMIN is missing. This is most likely inside a container already:")
        print("  run ./dev run on the host, or start the outer container with --privileged.")
    else:
        print(f"You may make no user namespace here (unshare: {kernel_said}).")
        say_which_setting()
        print("Or run ./dev run as root.")
    return True


def say_which_setting() -> None:
    """Name the settings that forbid user namespaces, and the commands that allow them."""
    found = False
    for name, forbidding, allowing in SYSCTLS:
        try:
            value = Path("/proc/sys", *name.split(".")).read_text().strip()
        except OSError:
            continue
        if value == forbidding:
            found = True
            print(f"  {name} is {value}; as root: sysctl -w {name}={allowing}")
    if not found:
        print("  No sysctl forbids it: so a seccomp filter or a security module does, as in")
        print("  most containers. Run ./dev run on the host, or start the outer container")
        print("  with --security-opt seccomp=unconfined.")


def show_plan() -> None:
    """Print what would have been done."""
    print("\nThis is what ocirun would do, step by step; most of it is the plan that a small")
    print("program in C, started in the new namespaces, carries out:\n", flush=True)
    subprocess.run([OCIRUN, "explain", str(DEMO)], check=False)


def show_way(root: list[str]) -> None:
    """Say how to go on by hand."""
    relative = shlex.quote(os.path.relpath(OCIRUN, DEMO))
    flags = "".join(f" {word}" for word in root and ["--root", "state"])
    print(f"""
That was a container. Go on by hand:

  cd {shlex.quote(str(DEMO))}
  {relative}{flags} run test       # a shell in the container, on this terminal
  $EDITOR config.json              # change args, mounts, hostname, limits ...
  {relative} explain                # what run does, step by step
  {relative}{flags} list           # from another terminal, while it runs
  {relative} spec --help{"" if os.geteuid() == 0 else "           # --rootless wrote this config.json"}
""")


def main() -> int:
    """Make the bundle and show it; 1 if this machine does not allow a container."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # for `./dev run | head`
    config = make_bundle()
    if forbidden():
        show_plan()
        return 1
    root = state_root()
    print("A container, and what it sees:", flush=True)
    code = run(config, root)
    if code:
        print(f"\nThe container could not be run: exit code {code}.")
        show_plan()
        return 1
    show_way(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
