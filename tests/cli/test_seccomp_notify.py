# SPDX-License-Identifier: Apache-2.0
"""SCMP_ACT_NOTIFY: the listener comes to an agent, which then answers for the kernel.

The agent is a thread of ours with the real ioctl(2)s of seccomp_unotify(2).
"""

import array
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import append, both, put, refused

if TYPE_CHECKING:
    from tests.bundle import Bundles, Change
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="an x86_64 machine"),
    pytest.mark.leaves("state"),  # the filters, compiled, for the next container
]

RECEIVE, SEND, ID_VALID = 0xC0502100, 0xC0182101, 0x40082102
#: the call goes on as if there were no filter
CONTINUE = 1
MKDIR = 83
ENOMEDIUM = 123


class Agent:
    """Listens at a socket, takes listeners, and answers with what `answer` gives."""

    def __init__(self, path: str) -> None:
        self.path = path
        #: what came with each listener
        self.documents: list[dict[str, object]] = []
        #: pid and number of each call
        self.calls: list[tuple[int, int]] = []
        #: called with a listener and the id of a call; gives an errno, or 0 to let it pass
        self.answer: Callable[[int, int], int] = lambda _fd, _id: ENOMEDIUM
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        waiting = select.poll()
        waiting.register(self._stop, select.POLLIN)
        waiting.register(self._socket, select.POLLIN)
        listeners: set[int] = set()
        try:
            while True:
                for fd, events in waiting.poll():
                    if fd == self._stop:
                        return
                    if fd == self._socket.fileno():
                        listeners.add(new := self._take())
                        waiting.register(new, select.POLLIN)
                    elif events & select.POLLIN:
                        self._reply(fd)
                    else:
                        waiting.unregister(fd)
        finally:
            for fd in listeners:
                os.close(fd)

    def _take(self) -> int:
        connection, _ = self._socket.accept()
        with connection:
            data, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(64))
        ((_, _, packed),) = ancillary
        (fd,) = array.array("i", packed)
        self.documents.append(json.loads(data))
        return int(fd)

    def _reply(self, fd: int) -> None:
        notification = bytearray(80)
        try:
            fcntl.ioctl(fd, RECEIVE, notification)
        except FileNotFoundError:
            return  # it was killed meanwhile
        id_, pid, _, number = struct.unpack_from("=QIIi", notification)
        self.calls.append((pid, number))
        errno = self.answer(fd, id_)
        try:
            fcntl.ioctl(fd, SEND, struct.pack("=QqiI", id_, 0, -errno, 0 if errno else CONTINUE))
        except FileNotFoundError:
            return

    def close(self) -> None:
        os.write(self._stopped, b"x")
        self._thread.join()
        self._socket.close()
        os.close(self._stop)
        os.close(self._stopped)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(str(tmp_path / "agent.sock"))
    yield made
    made.close()


def notify(path: str, *names: str, **more: object) -> "Change":
    rule = {"names": list(names), "action": "SCMP_ACT_NOTIFY"}
    section = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule], "listenerPath": path, **more}
    return both(put(linux__seccomp=section), put(root__readonly=False))


def sealed(word: bool) -> "Change":  # noqa: FBT001
    return put(process__noNewPrivileges=word)


both_ways = pytest.mark.parametrize("new", [False, True], ids=["privileges", "no new ones"])


@both_ways
def test_run(look: "Look", agent: Agent, new: bool) -> None:  # noqa: FBT001
    annotated = put(annotations={"org.example.key": "value"})
    change = notify(agent.path, "mkdir", "mkdirat", listenerMetadata="words\n\u00e9")
    said = look("mkdir /x 2>&1 || ls -d /x 2>&1 || true", change, sealed(new), annotated)
    assert said.splitlines() == [
        "mkdir: can't create directory '/x': No medium found",
        "ls: /x: No such file or directory",
    ]
    ((pid, number),) = agent.calls
    (document,) = agent.documents
    state = document.pop("state")
    assert isinstance(state, dict)
    assert number in (MKDIR, 258)
    assert document == {
        "ociVersion": state["ociVersion"],
        "fds": ["seccompFd"],
        "pid": state["pid"],
        "metadata": "words\n\u00e9",
    }
    assert state["id"] == look.name
    assert state["status"] == "creating"
    assert state["annotations"] == {"org.example.key": "value"}
    assert state["bundle"].startswith(str(look.bundle.directory))
    assert pid > 0


@both_ways
def test_exec(look: "Look", agent: Agent, new: bool) -> None:  # noqa: FBT001
    first = look.start(notify(agent.path, "mkdir", "mkdirat", listenerMetadata="m"), sealed(new))
    done = look.command("exec", look.name, "sh", "-c", "echo $$; mkdir /x")
    assert "No medium found" in done.stderr
    assert [document["metadata"] for document in agent.documents] == ["m", "m"]
    created, executed = agent.documents
    assert isinstance(executed["state"], dict)
    assert (created["pid"], executed["state"]["pid"]) == (first, first)
    assert executed["state"]["status"] == "running"
    # The process of exec, by its number here.
    assert executed["pid"] not in (first, 0)
    look.end()


@both_ways
def test_calls_that_we_make_ourselves(look: "Look", agent: Agent, new: bool) -> None:  # noqa: FBT001
    """They wait for the agent, which has the listener by then."""
    agent.answer = lambda _fd, _id: 0
    names = (
        "execve openat open read close fcntl chdir capset prctl recvmsg accept4 setgroups".split()
    )
    assert look("echo done", notify(agent.path, *names), sealed(new)) == "done"
    assert len(agent.calls) > 3


def test_calls_that_cannot_wait(look: "Look", agent: Agent) -> None:
    for name in ("write", "sendmsg"):
        path = look.bundle("true", change=notify(agent.path, "mkdir", name))
        done = look.command("run", "-b", str(path), look.name)
        words = f"SCMP_ACT_NOTIFY cannot be used for the {name} syscall"
        refused(done, "linux.seccomp.syscalls[0].action", words)
    change = both(notify(agent.path, "mkdir"), put(linux__seccomp__defaultAction="SCMP_ACT_NOTIFY"))
    done = look.command("run", "-b", str(look.bundle("true", change=change)), look.name)
    refused(done, "linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY cannot be used as the default")
    assert agent.documents == []


@both_ways
def test_no_agent(look: "Look", tmp_path: Path, new: bool) -> None:  # noqa: FBT001
    for path in (str(tmp_path / "none"), "@none"):
        change = both(notify(path, "mkdir"), sealed(new))
        done = look.command("run", "-b", str(look.bundle("true", change=change)), look.name)
        refused(done, "failed to connect with seccomp agent", path)
    change = both(notify("", "mkdir"), sealed(new))
    done = look.command("run", "-b", str(look.bundle("true", change=change)), look.name)
    refused(done, "linux.seccomp.listenerPath: missing")


def test_no_agent_for_exec(look: "Look", tmp_path: Path) -> None:
    agent = Agent(str(tmp_path / "agent.sock"))
    look.start(notify(agent.path, "mkdir"))
    agent.close()
    refused(
        look.command("exec", look.name, "true"), "failed to connect with seccomp agent", code=255
    )
    look.end()


def test_the_agent_goes_away(look: "Look", agent: Agent) -> None:
    """Who calls then is told so, and does not wait for ever."""
    path = look.bundle(
        "sh", "-c", "read line; mkdir /x", change=notify(agent.path, "mkdir", "mkdirat")
    )
    words = look.command.words("run", "-b", str(path), look.name)
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stderr=pipe, text=True) as running:
        while not agent.documents:
            os.sched_yield()
        agent.close()
        said = running.communicate("\n", timeout=20)[1]
        assert "Function not implemented" in said
        assert running.returncode == 1
    agent.__init__(agent.path + "2")  # type: ignore[misc]  # for the fixture to close


def test_the_listener_stays_out_of_the_container(look: "Look", agent: Agent) -> None:
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "ls /proc/self/fd >/hook"]}
    change = both(notify(agent.path, "mkdir"), append(hooks__startContainer=hook))
    # The directory that is listed is the fourth.
    assert look("cat /hook; echo; ls /proc/self/fd", change).split() == list("0123") * 2


def test_a_path_without_an_action(look: "Look", tmp_path: Path) -> None:
    section = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(tmp_path / "none")}
    assert look("echo done", put(linux__seccomp=section)) == "done"


@pytest.mark.parametrize("flags", [[], ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]])
def test_a_signal_while_the_agent_thinks(
    command: "Command", bundle: "Bundles", name: str, agent: Agent, flags: list[str]
) -> None:
    """With the flag a call that the agent has received waits for it, whatever signal comes."""
    if (
        flags
        and flags[0]
        not in json.loads(command("features").stdout)["linux"]["seccomp"]["supportedFlags"]
    ):
        pytest.skip(f"{flags[0]} (Linux 5.19)")
    still_there: list[bool] = []

    def answer(fd: int, id_: int) -> int:
        pid = agent.calls[-1][0]
        if not still_there:
            os.kill(pid, signal.SIGUSR1)
            still_there.append(_stays(fd, id_, pid))
        return ENOMEDIUM

    agent.answer = answer
    script = "trap 'echo signal' USR1; umask 077"
    change = notify(agent.path, "umask", flags=flags)
    done = command("run", "-b", str(bundle("sh", "-c", script, change=change)), name)
    assert done.returncode == 0
    assert done.stdout == "signal\n"
    assert still_there == [bool(flags)]


def _stays(fd: int, id_: int, pid: int) -> bool:
    """Tell whether a call is still the one that we were asked about when a signal has come."""
    while True:
        try:
            fcntl.ioctl(fd, ID_VALID, struct.pack("=Q", id_))
        except FileNotFoundError:
            return False
        # Taken out of its sleep, it sleeps again: the signal is pending then.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] in "SD" and _pending(pid):
            return True


def _pending(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (signal.SIGUSR1 - 1) & 1 for mask in masks)
