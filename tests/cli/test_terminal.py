# SPDX-License-Identifier: Apache-2.0
"""Terminals in the foreground: what a person types, sees, and finds afterwards."""

import hashlib
import os
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING, Protocol

import pytest
from tests.cli.changes import put
from tests.cli.keyboard import Keyboard

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command

pytestmark = pytest.mark.root

TERMINAL = put(process__terminal=True)
PROMPT = "/ # "
#: waits for signals, which interrupt `wait` and nothing else of the shell
FOREVER = "sleep 1000 & while :; do wait; done"


class Open(Protocol):
    """Runs a program in a container, on a terminal."""

    def __call__(self, *args: str, size: tuple[int, int] = (24, 80)) -> Keyboard: ...


@pytest.fixture
def on_terminal(command: "Command", bundle: "Bundles", name: str) -> Open:
    """Give a function that runs a container on a terminal."""

    def start(*args: str, size: tuple[int, int] = (24, 80)) -> Keyboard:
        path = bundle(*(args or ("sh",)), change=TERMINAL)
        words = command.words("run", "-b", str(path), name)
        return Keyboard(*words, env=command.environment, size=size)

    return start


def start_cat(person: Keyboard) -> None:
    """Start a program that reads; the shell has let go of the terminal when this is over."""
    person.type("echo rea''dy; cat\n")
    person.read_until("ready\r\n")
    person.type("hello\n")
    # Once by the echo and once by cat.
    person.read_until("hello\r\nhello\r\n")


def test_typing(on_terminal: Open) -> None:
    with on_terminal() as person:
        person.read_until(PROMPT)
        person.type("echo $((6 * 7))\n")
        # Typed, echoed by the container's terminal, and answered by its shell.
        assert person.read_until(PROMPT) == "echo $((6 * 7))\r\n42\r\n"
        person.type("exit 3\n")
        assert person.end() == 3
        assert person.mode() == person.mode_before


def test_the_terminal_is_a_whole_one(on_terminal: Open) -> None:
    with on_terminal() as person:
        person.read_until(PROMPT)
        person.type("tty; test -t 0 && test -t 1 && test -t 2 && echo all\n")
        assert "/dev/pts/0\r\nall\r\n" in person.read_until(PROMPT)
        # Controlling, by which job control stands or falls; and the same one by its other names.
        person.type("echo to-tty >/dev/tty; echo to-console >/dev/console\n")
        assert person.read_until(PROMPT).endswith("to-tty\r\nto-console\r\n")
        person.type("exit\n")
        assert person.end() == 0


def test_control_c_interrupts_the_program(on_terminal: Open) -> None:
    with on_terminal() as person:
        person.read_until(PROMPT)
        start_cat(person)
        person.type("\x03")
        person.read_until(PROMPT)
        person.type("echo $?\n")
        assert person.read_until(PROMPT) == "echo $?\r\n130\r\n"
        person.type("exit\n")
        assert person.end() == 0


def test_control_z_stops_the_program(on_terminal: Open) -> None:
    with on_terminal() as person:
        person.read_until(PROMPT)
        start_cat(person)
        person.type("\x1a")
        assert "Stopped" in person.read_until(PROMPT)
        person.type("fg\n")
        person.read_until("cat\r\n")
        person.type("\x04")
        person.read_until(PROMPT)
        person.type("exit\n")
        assert person.end() == 0


def test_control_d_ends_the_shell(on_terminal: Open) -> None:
    with on_terminal() as person:
        person.read_until(PROMPT)
        person.type("\x04")
        assert person.end() == 0


def test_keys_that_a_cooked_terminal_would_eat(on_terminal: Open) -> None:
    script = "stty raw -echo; echo ready; head -c 6 | od -An -tx1; stty sane"
    with on_terminal("sh", "-c", script) as person:
        person.read_until("ready")
        person.type("\x11\x13\x16\x1c\r\x7f")
        person.read_until("11 13 16 1c 0d 7f")
        assert person.end() == 0


def test_the_size_of_the_window(on_terminal: Open, command: "Command", name: str) -> None:
    script = f"trap 'stty size' WINCH; stty size; {FOREVER}"
    with on_terminal("sh", "-c", script, size=(33, 99)) as person:
        person.read_until("33 99\r\n")
        person.resize(44, 111)
        person.read_until("44 111\r\n")
        person.resize(10, 20)
        person.read_until("10 20\r\n")
        assert command("kill", name, "KILL").returncode == 0
        assert person.end() == 128 + 9


def test_raw_only_while_the_container_runs(on_terminal: Open) -> None:
    with on_terminal() as person:
        assert not person.is_raw()
        person.read_until(PROMPT)
        assert person.is_raw()
        person.type("exit\n")
        assert person.end() == 0
        assert person.mode() == person.mode_before


def test_the_mode_after_the_container_was_killed(
    on_terminal: Open, command: "Command", name: str
) -> None:
    with on_terminal() as person:
        person.read_until(PROMPT)
        assert command("kill", name, "KILL").returncode == 0
        assert person.end() == 128 + 9
        assert person.mode() == person.mode_before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_the_mode_after_a_signal(on_terminal: Open, number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    with on_terminal("sh", "-c", f"trap 'exit 7' {name}; echo ready; {FOREVER}") as person:
        person.read_until("ready")
        person.process.send_signal(number)
        assert person.end() == 7
        assert person.mode() == person.mode_before


def test_the_mode_after_a_program_that_is_not_there(on_terminal: Open) -> None:
    with on_terminal("/none") as person:
        assert person.end() == 1
        assert b"no such file or directory" in person.screen
        assert b"\r\n" in person.screen
        assert person.mode() == person.mode_before


def test_the_window_is_closed(on_terminal: Open) -> None:
    with on_terminal("sh", "-c", f"trap 'exit 7' HUP; echo ready; {FOREVER}") as person:
        person.read_until("ready")
        person.hang_up()
        assert person.process.wait(10) == 7


def test_much_output_is_whole(command: "Command", bundle: "Bundles", name: str) -> None:
    """To a file, and every byte as the program wrote it: no carriage returns."""
    data = os.urandom(1 << 20) + b"end\n"
    (bundle.rootfs / "data").write_bytes(data)
    path = bundle("cat", "/data", change=TERMINAL)
    with tempfile.TemporaryFile() as file:
        words = command.words("run", "-b", str(path), name)
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=file, check=False)
        file.seek(0)
        assert file.read() == data
    assert done.returncode == 0


def test_input_from_a_pipe(command: "Command", bundle: "Bundles", name: str) -> None:
    path = bundle("sh", "-c", "stty -echo; echo ready; read line; echo got $line", change=TERMINAL)
    words = command.words("run", "-b", str(path), name)
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=command.environment
    ) as running:
        assert running.stdin
        assert running.stdout
        assert running.stdout.readline() == b"ready\n"
        running.stdin.write(b"a line\n")
        running.stdin.close()
        assert running.stdout.read() == b"got a line\n"
        assert running.wait(10) == 0


@pytest.mark.parametrize("text", ["", "whole line\n", "half a line"])
def test_end_of_input(command: "Command", bundle: "Bundles", name: str, text: str) -> None:
    """Who reads the terminal learns that no more will come, as from a pipe."""
    path = bundle("sh", "-c", "stty -echo; cat; echo end", change=TERMINAL)
    done = subprocess.run(
        command.words("run", "-b", str(path), name),
        input=text,
        text=True,
        capture_output=True,
        timeout=60,
        env=command.environment,
        check=True,
    )
    assert done.stdout.replace("^D\b\b", "").endswith(f"{text}end\n")


def test_much_input_from_a_pipe(command: "Command", bundle: "Bundles", name: str) -> None:
    """More than a terminal holds, to a program that reads slowly, and none of it is lost."""
    script = "stty raw -echo; echo ready; head -c 300000 | md5sum"
    path = bundle("sh", "-c", script, change=TERMINAL)
    words = command.words("run", "-b", str(path), name)
    data = (b"x" * 99 + b"\n") * 3000
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=command.environment
    ) as running:
        assert running.stdin
        assert running.stdout
        assert running.stdout.readline() == b"ready\n"
        running.stdin.write(data)
        running.stdin.flush()
        assert running.stdout.read().split()[0].decode() == hashlib.md5(data).hexdigest()
        running.stdin.close()
        assert running.wait(10) == 0


def test_no_terminal(command: "Command", bundle: "Bundles", name: str) -> None:
    path = bundle("sh", "-c", "tty; ls /dev/console; test -t 1 || echo none")
    done = command("run", "-b", str(path), name)
    assert done.stdout == "not a tty\nnone\n"


def test_our_terminal_stays_ours_without_one(
    command: "Command", bundle: "Bundles", name: str
) -> None:
    """process.terminal false: the standard streams are passed on as they are."""
    path = bundle("sh", "-c", "echo ready; read line; echo got $line")
    words = command.words("run", "-b", str(path), name)
    with Keyboard(*words, env=command.environment) as person:
        person.read_until("ready\r\n")
        assert person.mode() == person.mode_before
        person.type("a line\n")
        person.read_until("got a line\r\n")
        assert person.end() == 0


@pytest.fixture
def exec_on_terminal(command: "Command", bundle: "Bundles", name: str) -> Open:
    """Give a function that runs one more process, on a terminal, in a container."""

    def start(*args: str, size: tuple[int, int] = (24, 80)) -> Keyboard:
        assert command("run", "-d", "-b", str(bundle("sleep", "1000")), name).returncode == 0
        words = command.words("exec", "-t", name, *args)
        return Keyboard(*words, env=command.environment, size=size)

    return start


def test_exec(exec_on_terminal: Open, command: "Command", name: str) -> None:
    with exec_on_terminal("sh", size=(20, 70)) as person:
        person.read_until(PROMPT)
        assert person.is_raw()
        person.type("tty; stty size\n")
        assert person.read_until(PROMPT).endswith("/dev/pts/0\r\n20 70\r\n")
        start_cat(person)
        person.type("\x03")
        person.read_until(PROMPT)
        person.type("exit 5\n")
        assert person.end() == 5
        assert person.mode() == person.mode_before
    assert command("delete", "--force", name).returncode == 0


def test_the_container_of_an_exec_is_deleted(
    exec_on_terminal: Open, command: "Command", name: str
) -> None:
    with exec_on_terminal("sh") as person:
        person.read_until(PROMPT)
        assert command("delete", "--force", name).returncode == 0
        assert person.end() == 128 + 9
        assert person.mode() == person.mode_before
