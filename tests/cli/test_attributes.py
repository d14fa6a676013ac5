# SPDX-License-Identifier: Apache-2.0
"""What a process has beside its ids and rights, as /proc and other programs see it."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import WARNING, put, refused
from tests.cli.inside import status

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command
    from tests.cli.inside import Exec, Look

pytestmark = pytest.mark.root


def keyring(name: str) -> list[str]:
    """Give id, permissions and uid of the session keyring of a container (keyrings(7))."""
    lines = [line.split() for line in Path("/proc/keys").read_text().splitlines()]
    (found,) = (line for line in lines if line[8] == f"_ses.{name}:")
    return [found[0], found[4], found[5]]


def test_session_keyring(command: "Command", look: "Look") -> None:
    """Its user may search it, and a process of exec has the same one."""
    look.start()
    made = keyring(look.name)
    assert made[1:] == ["3f1b0000", "0"]
    assert command("exec", look.name, "true").returncode == 0
    assert keyring(look.name) == made
    look.end()


def test_exec_keeps_the_keyring_that_the_container_kept(command: "Command", look: "Look") -> None:
    look.start(flags=("--no-new-keyring",))
    assert command("exec", look.name, "true").returncode == 0
    assert f"_ses.{look.name}:" not in Path("/proc/keys").read_text()
    look.end()


def deadline(**changes: object) -> dict[str, object]:
    times = {"runtime": 42000, "deadline": 100000, "period": 1000000}
    return {"policy": "SCHED_DEADLINE", "nice": 19, **times, **changes}


def chrt(pid: int) -> list[str]:
    """Give what chrt(1) says of a process."""
    done = subprocess.run(["chrt", "-p", str(pid)], capture_output=True, text=True, check=True)
    return [line.partition(": ")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("wanted", "policy", "priority", "nice"),
    [
        ({"policy": "SCHED_OTHER", "nice": 7}, "SCHED_OTHER", 0, 7),
        ({"policy": "SCHED_OTHER", "nice": -3}, "SCHED_OTHER", 0, -3),
        ({"policy": "SCHED_BATCH", "nice": 19}, "SCHED_BATCH", 0, 19),
        ({"policy": "SCHED_IDLE"}, "SCHED_IDLE", 0, 0),
        ({"policy": "SCHED_FIFO", "priority": 12}, "SCHED_FIFO", 12, 0),
        (
            {"policy": "SCHED_RR", "priority": 99, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
            "SCHED_RR|SCHED_RESET_ON_FORK",
            99,
            0,
        ),
    ],
)
def test_scheduler(look: "Look", wanted: object, policy: str, priority: int, nice: int) -> None:
    changes = [put(process__scheduler=wanted)]
    if priority and Path("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists():
        # With CONFIG_RT_GROUP_SCHED a cgroup has no such time unless it is given some.
        changes.append(put(linux__resources__cpu={"realtimeRuntime": 10000}))
    pid = look.start(*changes)
    assert chrt(pid)[:2] == [policy, str(priority)]
    assert os.getpriority(os.PRIO_PROCESS, pid) == nice
    look.end()


def test_deadline(look: "Look") -> None:
    pid = look.start(put(process__scheduler=deadline()))
    assert chrt(pid) == ["SCHED_DEADLINE", "0", "42000/100000/1000000"]
    look.end()


def test_scheduler_of_exec(container: "Exec") -> None:
    """That of the container, unless it has one of its own."""
    container.look.start(put(process__scheduler={"policy": "SCHED_BATCH", "nice": 5}))
    script = "cut -d ' ' -f 19,41 /proc/self/stat"
    assert container("sh", "-c", script) == "5 3"
    wanted = {"policy": "SCHED_IDLE", "nice": 0}
    assert container("sh", "-c", script, scheduler=wanted).endswith(" 5")
    assert container.command("exec", container.look.name, "sh", "-c", script).stdout == "5 3\n"
    container.look.end()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"policy": "SCHED_ISO"}, ("invalid argument", "this kernel does not have")),
        ({"policy": "SCHED_FIFO", "priority": 100}, ("invalid argument", "from 1 to 99")),
        (deadline(period=5), ("invalid argument", "runtime <= deadline <= period")),
    ],
)
def test_scheduler_that_the_kernel_refuses(
    command: "Command", bundle: "Bundles", name: str, wanted: object, words: tuple[str, ...]
) -> None:
    path = bundle("true", change=put(process__scheduler=wanted))
    refused(command("run", "-b", str(path), name), "process.scheduler: set the scheduler", *words)


def test_deadline_on_some_of_the_cpus(command: "Command", bundle: "Bundles", name: str) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("a second CPU")
    cpus = put(linux__resources__cpu={"cpus": "0", "mems": "0"}, process__scheduler=deadline())
    refused(
        command("run", "-b", str(bundle("true", change=cpus)), name),
        "process.scheduler (with linux.resources.cpu.cpus): ",
        "process scheduler can't be used together with AllowedCPUs",
    )


def ionice(pid: int) -> str:
    """Give what ionice(1) says of a process."""
    words = ["ionice", "-p", str(pid)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"class": "IOPRIO_CLASS_RT", "priority": 3}, "realtime: prio 3"),
        ({"class": "IOPRIO_CLASS_BE"}, "best-effort: prio 0"),
        ({"class": "IOPRIO_CLASS_BE", "priority": 7}, "best-effort: prio 7"),
        ({"class": "IOPRIO_CLASS_IDLE"}, "idle"),
    ],
)
def test_io_priority(look: "Look", wanted: object, said: str) -> None:
    assert ionice(look.start(put(process__ioPriority=wanted))) == said
    look.end()


def test_io_priority_of_exec(container: "Exec") -> None:
    container.look.start(put(process__ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6}))
    for fields, said in [
        ({}, "best-effort: prio 6"),
        ({"ioPriority": {"class": "IOPRIO_CLASS_IDLE"}}, "idle"),
    ]:
        file = container.write("sleep", "1000", **fields)
        words = ["exec", "-d", "--pid-file", str(container.pid_file), "--process", file]
        assert container.command(*words, container.look.name).returncode == 0
        pid = int(container.pid_file.read_text())
        assert ionice(pid) == said
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    container.look.end()


MACHINES = {"LINUX": os.uname().machine, "LINUX32": {"x86_64": "i686"}.get(os.uname().machine)}


@pytest.mark.parametrize("domain", MACHINES)
def test_personality(command: "Command", look: "Look", domain: str) -> None:
    pid = look.start(put(linux__personality={"domain": domain}))
    assert (
        int(Path(f"/proc/{pid}/personality").read_text(), 16) == {"LINUX": 0, "LINUX32": 8}[domain]
    )
    assert command("exec", look.name, "uname", "-m").stdout.strip() == MACHINES[domain]
    look.end()


@pytest.mark.leaves("state")  # the filter, compiled, for the next container
@pytest.mark.parametrize("sealed", [True, False])
def test_a_filter_for_the_program_does_not_hinder_us(look: "Look", *, sealed: bool) -> None:
    calls = ["personality", "sched_setattr", "ioprio_set", "set_mempolicy", "sched_setaffinity"]
    rules = [{"names": calls, "action": "SCMP_ACT_ERRNO"}]
    pid = look.start(
        put(
            linux__seccomp={"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules},
            linux__personality={"domain": "LINUX32"},
            linux__memoryPolicy={"mode": "MPOL_INTERLEAVE", "nodes": "0"},
            process__scheduler={"policy": "SCHED_BATCH"},
            process__ioPriority={"class": "IOPRIO_CLASS_IDLE"},
            process__noNewPrivileges=sealed,
        )
    )
    assert status(pid)["Seccomp"] == "2"
    assert Path(f"/proc/{pid}/personality").read_text() == "00000008\n"
    assert policies(pid) == {"interleave:0"}
    assert (chrt(pid)[0], ionice(pid)) == ("SCHED_BATCH", "idle")
    look.end()


def test_flags_of_a_personality(command: "Command", bundle: "Bundles", name: str) -> None:
    path = bundle("uname", "-m", change=put(linux__personality={"domain": "LINUX", "flags": ["X"]}))
    done = command("run", "-b", str(path), name)
    assert (done.returncode, done.stdout.strip()) == (0, os.uname().machine)
    assert done.stderr == WARNING + "ignoring unsupported personality flags: ['X']\n"


def policies(pid: int) -> set[str]:
    """Give the memory policies of all mappings (proc_pid_numa_maps(5))."""
    lines = Path(f"/proc/{pid}/numa_maps").read_text().splitlines()
    return {
        re.sub(r"^\w+ (.+?)( (file|anon|heap|stack|huge)\b.*)?$", r"\1", line) for line in lines
    }


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"mode": "MPOL_DEFAULT"}, "default"),
        ({"mode": "MPOL_LOCAL"}, "local"),
        ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
        ({"mode": "MPOL_INTERLEAVE", "nodes": "0"}, "interleave:0"),
        ({"mode": "MPOL_PREFERRED"}, "local"),
        ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"),
        ({"mode": "MPOL_PREFERRED_MANY", "nodes": "0"}, "prefer (many):0"),
        ({"mode": "MPOL_WEIGHTED_INTERLEAVE", "nodes": "0"}, "weighted interleave:0"),
        (
            {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "bind=static:0",
        ),
        (
            {"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]},
            "prefer=relative:0",
        ),
        (
            {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]},
            "bind=balancing:0",
        ),
    ],
)
def test_memory_policy(look: "Look", wanted: object, found: str) -> None:
    assert policies(look.start(put(linux__memoryPolicy=wanted))) == {found}
    look.end()


def test_memory_policy_of_exec(command: "Command", look: "Look") -> None:
    look.start(put(linux__memoryPolicy={"mode": "MPOL_INTERLEAVE", "nodes": "0"}))
    script = "head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2"
    assert command("exec", look.name, "sh", "-c", script).stdout == "interleave:0\n"
    look.end()


@pytest.mark.parametrize(
    "wanted",
    [
        {"mode": "MPOL_BIND", "nodes": "1000"},
        {"mode": "MPOL_BIND", "nodes": "65535"},
        {
            "mode": "MPOL_BIND",
            "nodes": "0",
            "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"],
        },
    ],
)
def test_memory_policy_that_the_kernel_refuses(
    command: "Command", bundle: "Bundles", name: str, wanted: object
) -> None:
    path = bundle("true", change=put(linux__memoryPolicy=wanted))
    words = ("linux.memoryPolicy: ", "invalid argument", "node/online")
    refused(command("run", "-b", str(path), name), *words)


def test_memory_policy_without_a_mode(command: "Command", bundle: "Bundles", name: str) -> None:
    path = bundle("true", change=put(linux__memoryPolicy={}))
    done = command("run", "-b", str(path), name)
    refused(done, 'linux.memoryPolicy.mode: invalid memory policy mode ""', "known are MPOL_BIND")


def test_oom_score_of_exec(container: "Exec") -> None:
    container.look.start(put(process__oomScoreAdj=77))
    script = ("cat", "/proc/self/oom_score_adj")
    assert container(*script) == "77"
    assert container(*script, oomScoreAdj=0) == "0"
    assert container.command("exec", container.look.name, *script).stdout == "77\n"
    container.look.end()


def test_oom_score_of_exec_is_the_caller_s_if_unset(container: "Exec") -> None:
    before = Path("/proc/self/oom_score_adj").read_text()
    container.look.start(put(process__oomScoreAdj=None))
    Path("/proc/self/oom_score_adj").write_text("123")
    try:
        assert container("cat", "/proc/self/oom_score_adj") == "123"
    finally:
        Path("/proc/self/oom_score_adj").write_text(before)
    container.look.end()


def test_limits_and_umask_of_exec(container: "Exec") -> None:
    core = {"type": "RLIMIT_CORE", "soft": 0, "hard": 4096}
    user = {"uid": 0, "gid": 0, "umask": 0o27}
    container.look.start(put(process__rlimits=[core], process__user=user))
    script = "grep core /proc/self/limits; umask"
    assert container("sh", "-c", script).split()[4:6] == ["0", "4096"]
    assert container("sh", "-c", script).splitlines()[1] == "0027"
    own = {"type": "RLIMIT_CORE", "soft": 1024, "hard": 1024}
    assert container("sh", "-c", script, rlimits=[own]).split()[4:6] == ["1024", "1024"]
    container.look.end()
