# SPDX-License-Identifier: Apache-2.0
"""What users do with Docker and Podman, whose command lines are the same.

Each scenario is run with runc and with ocirun.  It states the main effect, and every exit code
and standard output that it lets through must be the same.
"""

import re
from collections.abc import Callable

from tests.engines.box import Answer, Box, until
from tests.engines.scenarios_config import (
    has_all_capabilities,
    other_limits,
    privileged,
    rights,
    shared_namespaces,
    temporary,
    users,
    volumes,
)

Scenario = Callable[[Box], None]


def exit_codes(box: Box) -> None:
    """exit codes 0, 3, 137; 125, 126, 127"""
    for code in 0, 3, 137:
        box.run("--rm", "--", "sh", "-c", f"exit {code}", code=code)
    box.run("--rm", "--name", "one/two", "--", "true", code=125)
    for program, code in (
        ("/etc/not-a-program", 126),
        ("/etc", 126),
        ("no-such-program", 127),
        ("/no/such/program", 127),
    ):
        box.run("--rm", "--", program, code=code)
        made = box.call(*box.run_words("-d", "--", program), code=code, show=None)
        assert program in made.err, made
        box.remove(*box.call("ps", "-aq", show=None).out.split())


RESIZED = """
for size in '30 100' '33 101'; do
    until stty size 2>/dev/null | grep "$size"; do sleep 0.1; done
done
exit 7
"""


def terminal(box: Box) -> None:
    """-it on a terminal, with resize"""
    words = box.run_words("--rm", "-it", "--", "sh", "-c")
    with box.keyboard(*words, RESIZED) as keyboard:
        keyboard.read_until("30 100")
        keyboard.resize(33, 101)
        keyboard.read_until("33 101")
        assert keyboard.end() == 7


def detached(box: Box) -> None:
    """-d, logs, wait, start again"""
    box.run("-d", "--name", "one", "--", "sh", "-c", "echo out; echo err >&2; exit 4")
    assert box.call("wait", "one").out == "4\n"
    logs = box.call("logs", "one")
    assert (logs.out, logs.err) == ("out\n", "err\n")
    state = "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}"
    assert box.call("inspect", "-f", state, "one").out == "exited 4 0\n"
    box.call("start", "one")
    assert box.call("wait", "one").out == "4\n"
    assert box.call("logs", "one").out == "out\nout\n"
    box.call("rm", "one")


def stop(box: Box) -> None:
    """stop with and without a trap, kill"""
    trap = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    box.run("-d", "--name", "one", "--", "sh", "-c", trap, show=None)
    assert until(lambda: box.call("logs", "one", show=None).out == "ready\n")
    box.answers.clear()
    box.call("stop", "one")
    assert box.call("wait", "one").out == "5\n"
    assert box.call("logs", "one").out.endswith("bye\n")
    box.call("start", "one")
    box.call("kill", "-s", "KILL", "one")
    assert box.call("wait", "one").out == "137\n"
    box.call("rm", "one")
    box.run("-d", "--name", "one", "--", "sleep", "1000", show=None)
    box.call("stop", "-t", "1", "one")
    assert box.call("inspect", "-f", "{{.State.ExitCode}}", "one").out == "137\n"
    box.call("kill", "one", code=1 if box.engine.name == "docker" else 125)
    box.call("rm", "one")


def restart_policy(box: Box) -> None:
    """restart policy, restart"""
    box.run("-d", "--name", "one", "--restart", "on-failure:2", "--", "sh", "-c", "echo x; exit 1")
    asked = "{{.RestartCount}} {{.State.Status}}"
    seen = len(box.answers)
    assert until(lambda: box.call("inspect", "-f", asked, "one", show=None).out == "2 exited\n")
    del box.answers[seen:]
    assert box.call("logs", "one").out == "x\n" * 3
    box.call("rm", "one")
    box.run("-d", "--name", "one", "--", "sh", "-c", "echo x; exec sleep 1000", show=None)
    box.call("restart", "-t", "0", "one")
    assert until(lambda: box.call("logs", "one", show=None).out == "x\nx\n")
    del box.answers[-1:]
    box.remove("one")


def execute(box: Box) -> None:
    """exec: -u, -w, -e, -i, --privileged, exit codes"""
    box.run("-d", "--name", "one", "--", "sleep", "1000", show=None)
    assert box.call("exec", "one", "echo", "hi").out == "hi\n"
    box.call("exec", "one", "sh", "-c", "exit 9", code=9)
    assert box.call("exec", "-i", "one", "cat", stdin="typed").out == "typed"
    assert "uid=65534" in box.call("exec", "-u", "nobody", "one", "id").out
    assert "gid=5" in box.call("exec", "-u", "7:5", "one", "id").out
    assert box.call("exec", "-w", "/tmp", "one", "pwd").out == "/tmp\n"
    box.call(
        "exec", "-w", "/nowhere", "one", "pwd", code=(126 if box.engine.name == "docker" else 127)
    )
    assert box.call("exec", "-e", "X=1 2", "one", "sh", "-c", "echo $X").out == "1 2\n"
    box.call("exec", "one", "sh", "-c", "env | sort")
    rights = ("grep", "-E", "Cap|NoNew|Seccomp:|Groups", "/proc/self/status")
    plain = box.call("exec", "one", *rights).out
    # An old runc fails where the machine itself has not all capabilities.
    if box.runtime == "ocirun" or has_all_capabilities():
        assert box.call("exec", "--privileged", "one", *rights, show=None).out != plain
        box.answers.pop()
    box.call("exec", "one", "no-such-program", code=127 if box.engine.name == "podman" else 126)
    box.call("exec", "one", "/etc/not-a-program", code=126)
    no_user = 126 if box.engine.name == "docker" else 255
    box.call("exec", "-u", "nosuchuser", "one", "true", code=no_user)
    box.call("exec", "-d", "one", "sh", "-c", "echo done >/tmp/file")
    assert until(lambda: box.call("exec", "one", "sh", "-c", "cat /tmp/file || :").out != "")
    del box.answers[-1:]
    with box.keyboard("exec", "-it", "one", "sh") as keyboard:
        keyboard.type("tty; exit 6\r")
        keyboard.read_until("/dev/pts/")
        assert keyboard.end() == 6
    box.remove("one")
    box.call("exec", "one", "true", code=_refused(box))


def execute_at_once(box: Box) -> None:
    """exec: 20 at once"""
    box.run("-d", "--name", "one", "--", "sleep", "1000", show=None)
    answers = box.at_once(
        20, lambda n: box.call("exec", "one", "sh", "-c", f"echo {n}; exit {n}", code=n)
    )
    assert [answer.out for answer in answers] == [f"{n}\n" for n in range(20)]
    box.remove("one")


def _refused(box: Box) -> int:
    """The exit code of each command line for what its engine refuses."""
    return 1 if box.engine.name == "docker" else 125


def pause(box: Box) -> None:
    """pause, unpause"""
    box.run("-d", "--name", "one", "--", "sleep", "1000", show=None)
    box.call("pause", "one")
    assert box.call("inspect", "-f", "{{.State.Status}}", "one").out == "paused\n"
    box.call("exec", "one", "true", code=1 if box.engine.name == "docker" else 255)
    box.call("pause", "one", code=_refused(box))
    box.call("unpause", "one")
    box.call("unpause", "one", code=_refused(box))
    assert box.call("exec", "one", "echo", "awake").out == "awake\n"
    box.remove("one")


LIMITS = (
    "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes"
    " memory/memory.memsw.limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us"
    " cpuset/cpuset.cpus pids/pids.max 2>/dev/null; :"
)


def limits(box: Box) -> None:
    """limits of memory, CPU, processes; update"""
    flags = ["-m", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "512"]
    flags += ["--pids-limit", "50", "--cpuset-cpus", "0"]
    box.run("-d", "--name", "one", *flags, "--", "sleep", "1000", show=None)
    first = box.call("exec", "one", "sh", "-c", LIMITS).out
    assert {"67108864", "33554432", "512", "50000", "50"} <= set(first.split())
    if box.engine.name == "docker":
        words = ["-m", "96m", "--memory-swap", "192m", "--cpus", "0.7", "--pids-limit", "60"]
        box.call("update", *words, "one")
        second = box.call("exec", "one", "sh", "-c", LIMITS).out
        assert {"100663296", "33554432", "512", "70000", "60"} <= set(second.split())
    else:
        box.call("update", "--cpus", "0.7", "-m", "96m", "one")
        second = box.call("exec", "one", "sh", "-c", LIMITS).out
        assert {"100663296", "70000"} <= set(second.split())
    box.remove("one")


def stats(box: Box) -> None:
    """stats --no-stream"""
    box.run("-d", "--name", "one", "-m", "64m", "--", "sh", "-c", "sleep 1000 & wait", show=None)
    row = "{{.Name}} {{.MemUsage}} {{.PIDs}}"
    out = box.call("stats", "--no-stream", "--format", row, "one", show=lambda out: out.split()[-1])
    assert re.match(r"one [1-9][\d.]*\w+ / [\d.]+\w+ 2\n", out.out), out
    box.remove("one")


def processes(box: Box) -> None:
    """top"""
    box.run("-d", "--name", "one", "--", "sh", "-c", "sleep 1234 & sleep 4321", show=None)
    column = "args" if box.engine.name == "podman" else "pid,args"

    def show(out: str) -> str:
        return str(sorted(re.findall("sleep (?:1234|4321)$", out, re.MULTILINE)))

    seen = len(box.answers)
    assert until(lambda: "sleep 4321" in box.call("top", "one", *_columns(column), show=show).out)
    del box.answers[seen:-1]
    box.remove("one")


def _columns(column: str) -> list[str]:
    return ["-o", column] if "pid" in column else [column]


def copy(box: Box) -> None:
    """cp, both ways, running and created"""
    source = f"{box.engine.room.path}/copied"
    box.host("sh", "-c", f"echo text >{source}")
    box.call("create", *box.run_words("--name", "one", "--", "sleep", "1000")[1:], show=None)
    box.call("cp", source, "one:/tmp/one", show=None)
    box.call("start", "one")
    box.call("cp", source, "one:/tmp/two", show=None)
    assert box.call("exec", "one", "cat", "/tmp/one", "/tmp/two").out == "text\ntext\n"
    box.call("exec", "one", "sh", "-c", "echo more >/tmp/three")
    box.call("cp", "one:/tmp/three", f"{source}.back", show=None)
    assert box.host("cat", f"{source}.back") == "more\n"
    box.remove("one")


def init(box: Box) -> None:
    """--init"""
    box.run("-d", "--name", "one", "--init", "--", "sleep", "1000", show=None)
    out = box.call("exec", "one", "cat", "/proc/1/comm").out
    assert out in {"docker-init\n", "podman-init\n", "catatonit\n"}
    box.call("stop", "one")
    assert box.call("wait", "one").out == "143\n"
    box.call("rm", "one")


def health(box: Box) -> None:
    """health check"""
    flags = [
        "--health-cmd",
        "test -e /tmp/well",
        "--health-interval",
        "1s",
        "--health-retries",
        "1",
    ]
    box.run("-d", "--name", "one", *flags, "--", "sleep", "1000", show=None)
    asked = "{{.State.Health.Status}}"
    for command, status in ("true", "unhealthy"), ("touch /tmp/well", "healthy"):
        box.call("exec", "one", "sh", "-c", command)
        seen = len(box.answers)
        if box.engine.name == "podman":
            box.call("healthcheck", "run", "one", code=status == "unhealthy", show=None)
        wanted = f"{status}\n"

        def reached(wanted: str = wanted) -> bool:
            return box.call("inspect", "-f", asked, "one").out == wanted

        assert until(reached)
        del box.answers[seen:-1]
    box.remove("one")


def out_of_memory(box: Box) -> None:
    """OOMKilled"""
    flags = ["--name", "one", "-m", "24m", "--memory-swap", "24m"]
    box.run("-d", *flags, "--", "sh", "-c", "exec tail /dev/zero", show=None)
    assert box.call("wait", "one").out == "137\n"
    asked = "{{.State.OOMKilled}} {{.State.ExitCode}}"
    killed = box.call("inspect", "-f", asked, "one").out
    # Whether conmon hears of it on cgroup v1 is between the two of them.
    assert killed == "true 137\n" or box.engine.name == "podman"
    box.call("rm", "one")


def many(box: Box) -> None:
    """30 containers up at once, then removed"""
    names = [f"c{n}" for n in range(30)]

    def start(n: int) -> "Answer":
        return box.call(*box.run_words("-d", "--name", names[n], "--", "sleep", "1000"), show=None)

    answers: list[Answer] = box.at_once(30, start)
    assert len({answer.out for answer in answers}) == 30
    assert box.call("ps", "-q", show=None).out.count("\n") == 30
    box.remove(*names)


def build(box: Box) -> None:
    """build with RUN steps"""
    context = box.engine.room.path / "context"
    context.mkdir(exist_ok=True)
    lines = ["FROM localhost/box", "ENV A=b", "RUN echo $A >/made && id -u >>/made", "USER 7:5"]
    lines += ["WORKDIR /tmp", 'RUN ["sh", "-c", "id -u >here; pwd >>here"]', "CMD cat /made here"]
    (context / "Dockerfile").write_text("\n".join(lines))
    box.call("build", "--no-cache", "-t", "localhost/built", str(context), show=None)
    out = box.call("run", *box.engine.run_flags(box.runtime), "--rm", "localhost/built").out
    assert out.split() == ["b", "0", "7", "/tmp"]
    (context / "Dockerfile").write_text("FROM localhost/box\nRUN exit 6\n")
    failed = box.call("build", "-t", "localhost/bad", str(context), code=6, show=None)
    assert "6" in failed.err
    box.call("rmi", "localhost/built", show=None)


def crash(box: Box) -> None:
    """engine killed -9 during start, then cleaned"""
    for number, delay in enumerate((0.1, 0.25, 0.4)):
        words = box.run_words("-d", "--name", f"one{number}", "--", "sleep", "1000")
        box.engine.crash(delay, *words)
    # Where it was killed while it mounted, Podman needs to be asked twice.
    assert until(lambda: _nothing_left(box))
    box.engine.sweep(box.runtime)
    # How far each came is a matter of chance.
    box.answers.clear()
    assert box.run("--rm", "--", "echo", "again") == "again\n"


def _nothing_left(box: Box) -> bool:
    names = box.call("ps", "-aq", show=None).out.split()
    if names:
        box.call("rm", *box.engine.remove_flags, *names, code=None, show=None)
    return not names


ALL: "tuple[Scenario, ...]" = (
    exit_codes,
    terminal,
    detached,
    stop,
    restart_policy,
    execute,
    execute_at_once,
    pause,
    limits,
    stats,
    processes,
    copy,
    volumes,
    temporary,
    rights,
    privileged,
    users,
    shared_namespaces,
    other_limits,
    init,
    health,
    out_of_memory,
    build,
    many,
    crash,
)
