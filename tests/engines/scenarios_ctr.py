# SPDX-License-Identifier: Apache-2.0
"""What containerd does with a runtime, asked with ctr: tasks, processes, metrics."""

import json
import re

from tests.engines import image
from tests.engines.box import Answer, Box, until
from tests.engines.scenarios import RESIZED, Scenario
from tests.engines.scenarios_config import RIGHTS


def _words(box: Box, name: str, *words: str) -> list[str]:
    cut = words.index("--")
    cgroup = ["--cgroup", f"{box.engine.room.cgroup}/{name}"]
    flags = box.engine.run_flags(box.runtime)
    return ["run", *flags, *cgroup, *words[:cut], image.NAME, name, *words[cut + 1 :]]


def _run(box: Box, *words: str, code: int = 0) -> str:
    # The binary is named by its path.
    answer = box.call(*_words(box, "one", *words), code=code, show=None)
    box.answers[-1] = (" ".join(words), answer.code, answer.out)
    return answer.out


def _up(box: Box, *flags: str) -> None:
    _run(box, "-d", *flags, "--", "sleep", "1000")


def ctr_exit_codes(box: Box) -> None:
    """run: exit codes 0, 3, 137, and programs that are none"""
    for code in 0, 3, 137:
        _run(box, "--rm", "--", "sh", "-c", f"exit {code}", code=code)
    for program in "/etc/not-a-program", "no-such-program":
        _run(box, "--", program, code=1)
        box.call("container", "rm", "one")


def ctr_task(box: Box) -> None:
    """run -d, ls, ps, kill, delete, start again"""
    _up(box)

    def state(out: str) -> str:
        return " ".join(re.findall(r"one +\d+ +(\w+)", out))

    assert "RUNNING" in box.call("task", "ls", show=state).out
    assert len(box.call("task", "ps", "one", show=None).out.splitlines()) == 2
    box.call("task", "rm", "one", code=1)
    box.call("task", "kill", "-s", "KILL", "one")
    assert until(lambda: "STOPPED" in box.call("task", "ls", show=None).out)
    box.answers.clear()
    box.call("task", "rm", "one")
    box.call("task", "start", "-d", "one")
    box.call("task", "rm", "-f", "one")
    box.call("container", "rm", "one")


def ctr_terminal(box: Box) -> None:
    """run -t on a terminal, with resize"""
    words = _words(box, "one", "--rm", "-t", "--", "sh", "-c", RESIZED)
    with box.keyboard(*words) as keyboard:
        keyboard.read_until("30 100")
        keyboard.resize(33, 101)
        keyboard.read_until("33 101")
        assert keyboard.end() == 7


def ctr_exec(box: Box) -> None:
    """exec: exit codes, user, directory, terminal, 20 at once"""
    _up(box)
    assert box.call("task", "exec", "--exec-id", "x", "one", "echo", "hi").out == "hi\n"
    box.call("task", "exec", "--exec-id", "x", "one", "sh", "-c", "exit 9", code=9)
    box.call("task", "exec", "--exec-id", "x", "--cwd", "/tmp", "one", "pwd")
    box.call("task", "exec", "--exec-id", "x", "--user", "65534", "one", "id")
    box.call("task", "exec", "--exec-id", "x", "one", "no-such-program", code=1)
    with box.keyboard("task", "exec", "-t", "--exec-id", "x", "one", "sh") as keyboard:
        keyboard.type("tty; exit 6\r")
        keyboard.read_until("/dev/pts/")
        assert keyboard.end() == 6

    def again(n: int) -> Answer:
        return box.call(
            "task", "exec", "--exec-id", f"x{n}", "one", "sh", "-c", f"exit {n}", code=n
        )

    box.at_once(20, again)
    _end(box)


def _end(box: Box) -> None:
    box.call("task", "kill", "-s", "KILL", "one")
    box.call("task", "rm", "-f", "one")
    box.call("container", "rm", "one")


def ctr_pause(box: Box) -> None:
    """pause, resume"""
    _up(box)
    box.call("task", "pause", "one")
    assert "PAUSED" in box.call("task", "ls", show=None).out
    box.call("task", "resume", "one")
    assert "RUNNING" in box.call("task", "ls", show=None).out
    _end(box)


def ctr_metrics(box: Box) -> None:
    """limits, metrics"""
    _up(
        box,
        "--memory-limit",
        "67108864",
        "--cpu-quota",
        "50000",
        "--cpu-period",
        "100000",
        "--cpu-shares",
        "512",
    )
    out = box.call("task", "metrics", "--format", "json", "one", show=None).out
    assert int(json.loads(out)["memory"]["usage"]["limit"]) == 67108864
    assert json.loads(out)["pids"]["current"] == 1
    mount = "for f in memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares; do"
    mount += f" cat /sys/fs/cgroup/${{f%/*}}{box.engine.room.cgroup}/one/${{f#*/}}; done"
    assert box.host("sh", "-c", mount).split() == ["67108864", "50000", "512"]
    _end(box)


def ctr_rights(box: Box) -> None:
    """--cap-add, --cap-drop, --seccomp, --read-only, --mount, --env, --cwd"""
    seen = {
        _run(box, "--rm", *flags, "--", *RIGHTS)
        for flags in (
            [],
            ["--cap-add", "CAP_SYS_ADMIN"],
            ["--cap-drop", "CAP_CHOWN"],
            ["--seccomp"],
        )
    }
    assert len(seen) == 4
    _run(box, "--rm", "--read-only", "--", "touch", "/x", code=1)
    mount = f"type=bind,src={box.engine.room.path}/rootfs/etc,dst=/mnt,options=rbind:ro"
    script = "cat /mnt/passwd; touch /mnt/x; pwd; echo $A"
    words = ["--rm", "--mount", mount, "--env", "A=b", "--cwd", "/tmp", "--", "sh", "-c", script]
    assert "/tmp\nb\n" in _run(box, *words)
    _run(box, "--rm", "--net-host", "--", "sh", "-c", "cat /proc/net/dev | wc -l")


def ctr_crash(box: Box) -> None:
    """containerd killed -9 during start, then cleaned"""
    for number, delay in enumerate((0.05, 0.1, 0.2)):
        box.engine.crash(delay, *_words(box, f"one{number}", "-d", "--", "sleep", "1000"))
    for name in box.call("task", "ls", "-q", show=None).out.split():
        box.call("task", "rm", "-f", name, show=None)
    for name in box.call("container", "ls", "-q", show=None).out.split():
        box.call("container", "rm", name, show=None)
    box.engine.sweep(box.runtime)
    # How far each came is a matter of chance.
    box.answers.clear()
    assert _run(box, "--rm", "--", "echo", "again") == "again\n"


ALL: "tuple[Scenario, ...]" = (
    ctr_exit_codes,
    ctr_task,
    ctr_terminal,
    ctr_exec,
    ctr_pause,
    ctr_metrics,
    ctr_rights,
    ctr_crash,
)
