# SPDX-License-Identifier: Apache-2.0
"""What the benchmark measures, and in which order.

The runtimes take turns within each measure of each round, and another one begins each
time: whatever else the machine does hits them all alike.
"""

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench_crowd import Crowd
from bench_runtime import BenchError, Runtime

APART = 0.1
#: in a row without a pause; the first follows another runtime's, and does not count
IN_A_ROW = 3
OURS = "ocirun"
#: as launcher/ocirun.c has them
PYTHON_FLAGS = ["-I", "-S", "-P", "-B", "-X", "utf8"]


@dataclass(frozen=True)
class Measure:
    """One row of the table."""

    key: str
    title: str
    unit: str
    meaning: str


MEASURES = (
    Measure("run", "`run`, back to back", "ms", "`run` of `true`, the next one at once"),
    Measure("run-apart", "`run`, 100 ms apart", "ms", "the same after a pause, as in real life"),
    Measure(
        "lifecycle",
        "`create` + `start` + `delete`",
        "ms",
        "the sum of three commands; waiting for the program's end is not counted",
    ),
    Measure("exec", "`exec`, back to back", "ms", "`true` in a running container"),
    Measure("exec-apart", "`exec`, 100 ms apart", "ms", "the same after a pause"),
    Measure(
        "exec-crowd",
        "`exec` in a crowd",
        "ms",
        "back to back, while 1,000 other containers wait for their start; only `ocirun`'s own",
    ),
    Measure("state", "`state`", "ms", "of a running container"),
    Measure("startup", "start-up alone", "ms", "`--version`: what any command costs at least"),
    Measure(
        "python",
        "Python alone",
        "ms",
        "for comparison: the system's interpreter with `-I -S` and no more to do than `pass`",
    ),
    Measure(
        "library",
        "library, back to back",
        "ms",
        "a whole `run` by `ocirun.engine` in a process that is up; `ocirun` is the only one with one",
    ),
    Measure("library-apart", "library, 100 ms apart", "ms", "the same after a pause"),
    Measure(
        "init", "waiting init", "kB", "PSS of the container's process between `create` and `start`"
    ),
    Measure(
        "peak", "peak of `run`", "kB", "greatest resident size (`ru_maxrss`) among its processes"
    ),
)

Samples = dict[str, dict[str, list[float]]]


class Library:
    """The warm process of tools/bench_library.py."""

    def __init__(self, place: Path, bundle: Path) -> None:
        state = place / "state-library"
        state.mkdir(mode=0o700)
        program = Path(__file__).with_name("bench_library.py")
        self._process = subprocess.Popen(
            [sys.executable, program, state, bundle],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def milliseconds(self, container: str) -> float:
        """Run one container; give the time it took."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(container + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise BenchError("the library's process has ended; it said why above")
        return int(answer) / 1e6

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class Bench:
    """The runtimes, their bundles, and all samples so far."""

    def __init__(self, runtimes: list[Runtime], place: Path, bundles: tuple[Path, Path]) -> None:
        self.runtimes = runtimes
        self.samples: Samples = defaultdict(lambda: defaultdict(list))
        self._bundle, sleeping = bundles
        self._inside = {runtime.name: runtime.run_detached(sleeping) for runtime in runtimes}
        ours = any(runtime.name == OURS for runtime in runtimes)
        self._library = Library(place, self._bundle) if ours else None
        self._turn = 0
        self._steps: dict[str, Callable[[Runtime], None]] = {
            "run": self._run,
            "run-apart": self._run_apart,
            "lifecycle": self._lifecycle,
            "exec": self._exec,
            "exec-apart": self._exec_apart,
            "state": self._state,
            "startup": self._startup,
            "python": self._python,
            "library": self._library_run,
            "library-apart": self._library_apart,
            "peak": self._peak,
        }

    def round(self, only: Iterable[str]) -> None:
        """Take all samples of one round; those of nobody's choice are left out."""
        chosen = set(only)
        # The waiting init is weighed where it waits.
        if "init" in chosen:
            chosen.add("lifecycle")
        for key, step in self._steps.items():
            if key in chosen:
                self._take_turns(step)

    def _take_turns(self, step: Callable[[Runtime], None]) -> None:
        first = self._turn % len(self.runtimes)
        self._turn += 1
        for runtime in [*self.runtimes[first:], *self.runtimes[:first]]:
            step(runtime)

    def close(self) -> None:
        """End the library's process."""
        if self._library:
            self._library.close()

    def _add(self, key: str, runtime: Runtime, value: float) -> None:
        self.samples[key][runtime.name].append(value)

    def _in_a_row(self, key: str, runtime: Runtime, once: Callable[[], float]) -> None:
        once()
        for _ in range(1, IN_A_ROW):
            self._add(key, runtime, once())

    def _once(self, runtime: Runtime) -> float:
        return runtime.milliseconds("run", "--bundle", str(self._bundle), runtime.new_id())

    def _run(self, runtime: Runtime) -> None:
        self._in_a_row("run", runtime, lambda: self._once(runtime))

    def _run_apart(self, runtime: Runtime) -> None:
        time.sleep(APART)
        self._add("run-apart", runtime, self._once(runtime))

    def _lifecycle(self, runtime: Runtime) -> None:
        container = runtime.new_id()
        took, pid = runtime.create(self._bundle, container)
        self._add("init", runtime, pss(pid))
        took += runtime.milliseconds("start", container)
        runtime.ended(container)
        took += runtime.milliseconds("delete", container)
        self._add("lifecycle", runtime, took)

    def _exec_once(self, runtime: Runtime) -> float:
        return runtime.milliseconds("exec", self._inside[runtime.name], "true")

    def _exec(self, runtime: Runtime) -> None:
        self._in_a_row("exec", runtime, lambda: self._exec_once(runtime))

    def _exec_apart(self, runtime: Runtime) -> None:
        time.sleep(APART)
        self._add("exec-apart", runtime, self._exec_once(runtime))

    def crowd(self, count: int, rounds: int) -> None:
        """Take the samples among many containers, which would disturb all the others."""
        ours = [runtime for runtime in self.runtimes if runtime.name == OURS]
        if ours:
            with Crowd(ours[0].root, self._bundle, count):
                for _ in range(rounds):
                    self._in_a_row("exec-crowd", ours[0], lambda: self._exec_once(ours[0]))

    def _state(self, runtime: Runtime) -> None:
        container = self._inside[runtime.name]
        self._in_a_row("state", runtime, lambda: runtime.milliseconds("state", container))

    def _startup(self, runtime: Runtime) -> None:
        self._in_a_row("startup", runtime, lambda: runtime.time([runtime.path, "--version"]))

    def _python(self, runtime: Runtime) -> None:
        if runtime.name == OURS:
            argv = [os.path.realpath(sys.executable), *PYTHON_FLAGS, "-c", "pass"]
            self._in_a_row("python", runtime, lambda: runtime.time(argv))

    def _library_run(self, runtime: Runtime) -> None:
        if runtime.name == OURS and self._library:
            library = self._library
            self._in_a_row("library", runtime, lambda: library.milliseconds(runtime.new_id()))

    def _library_apart(self, runtime: Runtime) -> None:
        if runtime.name == OURS and self._library:
            time.sleep(APART)
            self._add("library-apart", runtime, self._library.milliseconds(runtime.new_id()))

    def _peak(self, runtime: Runtime) -> None:
        kilobytes = runtime.peak("run", "--bundle", str(self._bundle), runtime.new_id())
        self._add("peak", runtime, kilobytes)


def pss(pid: int) -> float:
    """Give a process's share of the memory, in kB; a page of many counts in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1])
    raise BenchError(f"/proc/{pid}/smaps_rollup has no Pss")
