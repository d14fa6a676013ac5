# SPDX-License-Identifier: Apache-2.0
"""The benchmark behind `./dev bench`: ocirun beside runc and crun, in one run on one machine.

It prints a table and writes docs/benchmark.md and docs/benchmark.svg.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bench_plot
import bench_report
import rootfs
from bench_measure import MEASURES, OURS, Bench
from bench_report import Facts, Figures
from bench_runtime import BenchError, Runtime
from ocirun import _linux
from ocirun.spec import template

TOP = Path(__file__).parents[1]
OCIRUN = str(TOP / ".venv" / "bin" / "ocirun")
CGROUP = "/sys/fs/cgroup"

# from unshare(2), umount2(2) and prctl(2)
CLONE_NEWNS = 0x00020000
MNT_DETACH = 2
PR_SET_CHILD_SUBREAPER = 36


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="samples of each (default: 30)")
    parser.add_argument(
        "--crowd", type=int, default=1000, help="containers of the crowd (default: 1000)"
    )
    parser.add_argument(
        "--runtime",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="measure this one too, or in place of the one of that name",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="MEASURE,...",
        help="of " + " ".join(measure.key for measure in MEASURES) + "; writes no documents",
    )
    parser.add_argument(
        "--output", type=Path, default=TOP / "docs", help="the directory of the documents"
    )
    found = parser.parse_args()
    if unknown := set(filter(None, found.only.split(","))) - {m.key for m in MEASURES}:
        parser.error(f"no such measure: {' '.join(sorted(unknown))}")
    if found.rounds < 1 or not all(re.fullmatch(r"[\w.-]+=.+", word) for word in found.runtime):
        parser.error("--rounds is at least 1, --runtime is NAME=PATH")
    return found


def programs(named: list[str]) -> dict[str, str]:
    """Give the paths of the runtimes; peers that are not there are named."""
    found = {OURS: OCIRUN}
    for name in bench_report.PEERS:
        path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path:
            found[name] = path
        else:
            print(f"{name} is not in $PATH: apt-get install {name}", file=sys.stderr)
    for word in named:
        name, _, path = word.partition("=")
        found[name] = os.path.abspath(path)
    return found


def mounted_cgroups() -> dict[str, str]:
    """Give mount point -> type for all cgroup file systems."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return {fields[1]: fields[2] for fields in mounts if fields[2] in {"cgroup", "cgroup2"}}


@contextmanager
def private_place() -> Iterator[Path]:
    """Enter a mount namespace that suits all runtimes; give a tmpfs in it."""
    place = Path(tempfile.mkdtemp(prefix="ocirun-bench-"))
    _linux.unshare(CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    cgroups = mounted_cgroups()
    if "cgroup" in cgroups.values():
        for path, kind in cgroups.items():
            if kind == "cgroup2":
                _linux.umount2(path, MNT_DETACH)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=711", "bench", place], check=True)
    try:
        yield place
    finally:
        _linux.umount2(str(place), MNT_DETACH)
        place.rmdir()


def make_bundle(place: Path, name: str, args: list[str]) -> Path:
    """Make a bundle of what `ocirun spec` writes, without a terminal."""
    bundle = place / name
    mounts = rootfs.make(bundle / "rootfs", rootfs.static_busybox())
    cgroup2 = mounted_cgroups().get(CGROUP) == "cgroup2"
    text = template.text(rootless=False, euid=0, egid=0, cgroup2=cgroup2)
    document = json.loads(text)
    # Debian's crun refuses a version that is newer than itself.
    document["ociVersion"] = "1.0.2"
    document["process"]["terminal"] = False
    document["process"]["args"] = args
    document["mounts"] += mounts
    (bundle / "config.json").write_text(json.dumps(document))
    return bundle


def usable(runtime: Runtime, bundle: Path) -> bool:
    """Find out whether a runtime can run the bundle here; if not, say what it said."""
    try:
        runtime.milliseconds("run", "--bundle", str(bundle), runtime.new_id())
    except (BenchError, OSError) as error:
        print(f"left out: {error}", file=sys.stderr)
        return False
    return True


def version(runtime: Runtime) -> str:
    """Give what a runtime says it is, in a few words."""
    first = runtime.output("--version").partition("\n")[0]
    ours = re.search(rf"\(({OURS} [^)]+)\)", first)
    return ours[1] if ours else first.replace(" version", "")


def machine_facts(runtimes: list[Runtime], rounds: int) -> Facts:
    """Give what one must know to compare two such pages."""
    kinds = set(mounted_cgroups().values())
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    system = os.uname()
    cores = len(os.sched_getaffinity(0))
    return [
        ("kernel", f"{system.sysname} {system.release}, {system.machine}"),
        ("cores", f"{cores}" + (f" of {model[1]}" if model else "")),
        ("cgroup version", " and ".join(str(1 + (kind == "cgroup2")) for kind in sorted(kinds))),
        ("Python", sys.version.partition(" ")[0]),
        ("runtimes", ", ".join(version(runtime) for runtime in runtimes)),
        ("rounds", str(rounds)),
        ("load before the first round", f"{os.getloadavg()[0]:.2f}"),
    ]


def measure(place: Path, options: argparse.Namespace) -> tuple[Figures, Facts]:
    """Run all rounds."""
    bundle = make_bundle(place, "true", ["true"])
    sleeping = make_bundle(place, "sleep", ["sleep", "100000"])
    known = [Runtime(name, path, place) for name, path in programs(options.runtime).items()]
    try:
        runtimes = [runtime for runtime in known if usable(runtime, bundle)]
        if not runtimes:
            raise BenchError("no runtime can run a container here")
        facts = machine_facts(runtimes, options.rounds)
        bench = Bench(runtimes, place, (bundle, sleeping))
        try:
            take_rounds(bench, options)
        finally:
            bench.close()
        return Figures([runtime.name for runtime in runtimes], bench.samples), facts
    finally:
        for runtime in known:
            runtime.stop()


def take_rounds(bench: Bench, options: argparse.Namespace) -> None:
    """Take the samples, with a word now and then on how long it will go on."""
    chosen = list(filter(None, options.only.split(","))) or [m.key for m in MEASURES]
    began = time.monotonic()
    for done in range(options.rounds):
        bench.round(chosen)
        if sys.stderr.isatty():
            left = (time.monotonic() - began) / (done + 1) * (options.rounds - done - 1)
            print(f"\rround {done + 1}, {left:.0f} s left  ", end="", file=sys.stderr, flush=True)
    if "exec-crowd" in chosen:
        bench.crowd(options.crowd, options.rounds)
    if sys.stderr.isatty():
        print(file=sys.stderr)


def forbidden() -> str:
    """Say why the benchmark cannot be run here, or nothing."""
    if os.geteuid() != 0:
        return "the benchmark makes containers as an engine does: run it as root"
    if not rootfs.static_busybox():
        return "no static busybox: apt-get install busybox-static"
    return ""


def main() -> int:
    """Measure, print, and write the documents."""
    options = arguments()
    if why := forbidden():
        print(f"bench: {why}", file=sys.stderr)
        return 1
    # So that what was made is removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # The processes of detached containers come to us, and we reap them.
    _linux.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        with private_place() as place:
            figures, facts = measure(place, options)
    except (BenchError, OSError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(bench_report.terminal(figures), end="")
    if not options.only:
        options.output.mkdir(exist_ok=True)
        (options.output / "benchmark.md").write_text(bench_report.markdown(figures, facts))
        (options.output / "benchmark.svg").write_text(bench_plot.svg(figures))
        print(f"\nwritten: {options.output}/benchmark.md and benchmark.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
