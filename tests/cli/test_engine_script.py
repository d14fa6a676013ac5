# SPDX-License-Identifier: Apache-2.0
"""The script of an engine that knows runc by its manual pages, run with runc and with ocirun.

Every command of the pages is called; standard output and exit codes are compared byte by
byte, once what differs from run to run (times, pids) and the name are masked.  Errors are
compared by their words, where an engine looks for them; the rest of the line is ours.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.bundle import Bundles

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.root, pytest.mark.slow]


@dataclass
class Script:
    """One engine at work: a runtime, its state root, and the answers that it got."""

    runtime: str
    root: Path
    answers: list[tuple[str, int, str]] = field(default_factory=list)

    def __call__(
        self, *words: str, stdin: str = "", show: "Callable[[str], str] | None" = None
    ) -> str:
        """Make one call, and note the answer; `show` keeps what can be compared of the output."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                [self.runtime, "--root", str(self.root), *words],
                input=stdin,
                text=True,
                stdout=out,
                stderr=err,
                timeout=60,
                check=False,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
            out.seek(0)
            err.seek(0)
            output, errors = out.read(), err.read()
        shown = mask(show(output) if show else output)
        self.answers.append((mask(" ".join(words)), done.returncode, shown))
        return output if done.returncode == 0 else errors

    def says(self, text: str, *words: str) -> None:
        """Make a call that fails with these words, in whatever sentence."""
        errors = self(*words)
        assert text in errors, (self.runtime, words, errors)
        assert self.answers[-1][1] != 0, words


def mask(text: str) -> str:
    """Take out what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "TIME", text)
    text = re.sub(r'"pid":\s*[1-9]\d*', '"pid": PID', text)
    text = re.sub(r"(?m)^(\S+\s+)[1-9]\d*(\s+)(?=created|running|paused)", r"\1PID ", text)
    # An old runc writes what it is; all else of config.json and state is the same.
    text = re.sub(r'"ociVersion":( ?)"[^"]+"', r'"ociVersion":\1"VERSION"', text)
    text = re.sub(r"bundle-\w+", "BUNDLE", text)
    # The columns of a table are as wide as the time, which has no zeros at its end.
    text = re.sub(r"(?m) +(?=OWNER$|root$)", " ", text)
    return re.sub(r"[0-9a-z-]*/(runc|ocirun)\b|\b(runc|ocirun)\b", "RUNTIME", text)


def keys(text: str) -> str:
    """Keep the names of a JSON document's fields, in their order."""

    def names(value: object) -> object:
        if isinstance(value, dict):
            # Left out by a newer runc if it is empty.
            left_out = {"raw"} | ({"throttling"} if not value.get("throttling") else set())
            return {key: names(item) for key, item in value.items() if key not in left_out}
        return type(value).__name__

    return json.dumps(names(json.loads(text)))


def count(text: str) -> str:
    return str(len(json.loads(text)))


def pids(text: str) -> str:
    return str(sorted(line.split()[-1] for line in text.splitlines()))


def engine(call: Script, bundle: str, tmp: Path) -> None:
    """The script."""
    nothing_yet(call, tmp)
    first_steps(call, bundle, tmp)
    more_processes(call, tmp)
    changes(call)
    end(call, tmp)


def nothing_yet(call: Script, tmp: Path) -> None:
    call("spec", "--bundle", str(tmp))
    config = json.loads((tmp / "config.json").read_text())
    # runc before 1.2 had them; they give nothing without inheritable ones.
    config["process"]["capabilities"].pop("ambient", None)
    call.answers.append(("config.json", 0, mask(json.dumps(config))))
    call.says("exist", "spec", "-b", str(tmp))
    call("list")
    call("list", "-f", "json")
    call("list", "-q")
    call.says("does not exist", "state", "box")
    call.says("does not exist", "kill", "box", "KILL")
    call.says("does not exist", "delete", "box")
    call("delete", "--force", "box")


def first_steps(call: Script, bundle: str, tmp: Path) -> None:
    pid_file = tmp / "pid"
    call("create", "--bundle", bundle, "--pid-file", str(pid_file), "box")
    assert pid_file.read_text().strip().isdigit()
    call("state", "box")
    call.says("exist", "create", "-b", bundle, "box")
    call("list")
    call("list", "--format", "json")
    call("list", "--quiet")
    call("ps", "--format", "json", "box", show=count)
    call("start", "box")
    call.says("already running container", "start", "box")
    call("state", "box")


def more_processes(call: Script, tmp: Path) -> None:
    call("exec", "box", "echo", "hello")
    call("exec", "-e", "WORD=x y", "box", "sh", "-c", 'echo "$WORD"')
    call("exec", "--cwd", "/bin", "box", "pwd")
    call("exec", "--user", "1:2", "box", "sh", "-c", "id -u; id -g")
    call("exec", "-u", "1", "-g", "7", "-g", "8", "box", "id", "-G")
    call("exec", "--cap", "CAP_SYS_TIME", "box", "grep", "Cap", "/proc/self/status")
    call("exec", "--no-new-privs", "box", "grep", "NoNewPrivs", "/proc/self/status")
    call("exec", "box", "sh", "-c", "exit 3")
    call("exec", "box", "sh", "-c", "kill -9 $$")
    call.says("none-such", "exec", "box", "none-such")
    call("exec", "-d", "--pid-file", str(tmp / "pid2"), "box", "sleep", "500")
    call("ps", "box", "-o", "pid,comm", show=pids)
    call("ps", "-f", "json", "box", show=count)
    call("exec", "-p", str(tmp / "process.json"), "box")


def changes(call: Script) -> None:
    limits = json.dumps({"pids": {"limit": 30}})
    call("pause", "box")
    call("state", "box")
    call("list")
    call.says("paused", "exec", "box", "true")
    call("resume", "box")
    call.says("not paused", "resume", "box")
    call("update", "--pids-limit", "20", "box")
    call("exec", "box", "cat", "/sys/fs/cgroup/pids/pids.max")
    call("update", "-r", "-", "box", stdin=limits)
    call("exec", "box", "cat", "/sys/fs/cgroup/pids/pids.max")
    call("events", "--stats", "box", show=keys)


def end(call: Script, tmp: Path) -> None:
    call("kill", "box", "0")
    call("kill", "box", "SIGUSR1")
    call.says("is not stopped", "delete", "box")
    call("kill", "box", "KILL")
    # Ours by adoption, as they are an engine's; the first one ends after all others were waited for.
    for name in ("pid2", "pid"):
        os.waitpid(int((tmp / name).read_text()), 0)
    call("state", "box")
    call.says("container not running", "kill", "box", "TERM")
    call.says("stopped", "exec", "box", "true")
    call("delete", "box")
    call("list")


def life(call: Script, bundle: Bundles) -> None:
    """Containers in one go."""
    call("run", "-b", str(bundle("echo", "hi")), "one")
    call("run", "-b", str(bundle("sh", "-c", "exit 7")), "one")
    call("run", "-b", str(bundle("sh", "-c", "kill -15 $$; sleep 9")), "one")
    call.says("none-such", "run", "-b", str(bundle("none-such")), "one")
    call("run", "--keep", "-b", str(bundle("true")), "one")
    call("state", "one", show=keys)
    call("delete", "one")
    call("run", "--detach", "-b", str(bundle("sleep", "500")), "two")
    call("delete", "-f", "two")
    call("list", "-f", "json")
    call("features", show=lambda text: str("ociVersionMax" in text))
    for command in ("", "create", "run", "exec", "kill", "checkpoint", "restore", "update"):
        call(*command.split(), "--help", show=lambda _: "")


def test_same_answers(ocirun: str, bundle: Bundles, tmp_path: Path) -> None:
    peer = shutil.which("runc")
    if not peer:
        pytest.skip("runc")
    found = []
    for runtime in (peer, ocirun):
        # The same path for both, so that it need not be masked.
        place = tmp_path / "place"
        place.mkdir()
        script = Script(runtime, place / "state")
        script.root.mkdir(mode=0o700)
        process = {"args": ["echo", "from a file"], "cwd": "/", "user": {"uid": 0, "gid": 0}}
        (place / "process.json").write_text(json.dumps({**process, "env": ["PATH=/bin"]}))
        path = bundle("sh", "-c", "trap : USR1; while :; do sleep 1; done")
        link = place / "bundle"
        path.rename(link)
        bundle._made.remove(path)
        engine(script, str(link), place)
        life(script, bundle)
        found.append(script.answers)
        shutil.rmtree(place)
    theirs, ours = found
    assert len(ours) >= 60
    different = [(mine, other) for mine, other in zip(ours, theirs, strict=True) if mine != other]
    assert not different, "\n".join(f"ours {mine}\npeer {other}" for mine, other in different)
