# SPDX-License-Identifier: Apache-2.0
"""A D-Bus connection to somebody who does not behave: each failure is bounded and says what it is."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jeepney  # type: ignore[import-untyped]
import pytest

from ocirun.linux import dbus

SECONDS = 0.3
TARGET = ("a.b", "/c", "d.e")

Talk = Callable[[socket.socket], object]
Serve = Callable[[Talk], str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a function that answers one connection by another function; it returns the path."""
    threads: list[threading.Thread] = []
    listener = socket.socket(socket.AF_UNIX)

    def start(talk: Talk) -> str:
        path = str(tmp_path / "bus")
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            with listener.accept()[0] as peer:
                talk(peer)

        threads.append(threading.Thread(target=answer))
        threads[0].start()
        return path

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    listener.close()


def let_in(peer: socket.socket) -> None:
    assert peer.recv(100) == b"\0AUTH EXTERNAL\r\n"
    peer.sendall(b"DATA\r\n")
    assert peer.recv(100) == b"DATA\r\nBEGIN\r\n"
    peer.sendall(b"OK 1234\r\n")


def call(path: str) -> None:
    connection = dbus.Connection(path, SECONDS, direct=True)
    try:
        connection.call(TARGET, "Call")
    finally:
        connection.close()


def fails(path: str, *words: str) -> OSError:
    begun = time.monotonic()
    with pytest.raises(OSError, match=r".*") as caught:
        call(path)
    assert time.monotonic() - begun < SECONDS + 5
    assert caught.value.filename == path
    for word in words:
        assert word in str(caught.value.strerror)
    return caught.value


def test_nobody_is_there(tmp_path: Path) -> None:
    assert fails(f"{tmp_path}/none", "connect: No such file").errno == errno.ENOENT


def test_one_that_takes_no_connections(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/bus")
        assert fails(f"{tmp_path}/bus", "connect: Connection refused").errno == errno.ECONNREFUSED
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(f"{tmp_path}/bus")
            late = fails(f"{tmp_path}/bus", "waited 0.3 s for a place in the queue")
            assert late.errno == errno.ETIMEDOUT


def test_one_that_never_answers(serve: Serve) -> None:
    path = serve(lambda _: time.sleep(2 * SECONDS))
    assert fails(path, "waited 0.3 s for the authentication").errno == errno.ETIMEDOUT


def test_one_that_answers_no_call(serve: Serve) -> None:
    def talk(peer: socket.socket) -> None:
        let_in(peer)
        while peer.recv(1000):
            pass

    assert fails(serve(talk), "waited 0.3 s for the answer to Call").errno == errno.ETIMEDOUT


def test_one_that_talks_without_end(serve: Serve) -> None:
    def talk(peer: socket.socket) -> None:
        let_in(peer)
        emitter = jeepney.DBusAddress("/c", "a.b", "d.e")
        signal = jeepney.new_signal(emitter, "Changed", "s", ("x",)).serialise(serial=1)
        try:
            while True:
                peer.sendall(signal)
                time.sleep(0.01)
        except OSError:
            pass

    assert fails(serve(talk), "waited 0.3 s for the answer to Call").errno == errno.ETIMEDOUT


def test_one_that_closes(serve: Serve) -> None:
    path = serve(lambda peer: peer.recv(100))
    found = fails(path, "closed by the other side during the authentication")
    assert found.errno == errno.ECONNRESET


def test_one_that_closes_during_a_call(serve: Serve) -> None:
    def talk(peer: socket.socket) -> None:
        let_in(peer)
        peer.recv(1000)
        peer.sendall(b"l\2\0\1")

    found = fails(serve(talk), "closed by the other side during the answer to Call")
    assert found.errno == errno.ECONNRESET


def test_one_that_does_not_let_us_in(serve: Serve) -> None:
    def talk(peer: socket.socket) -> None:
        peer.recv(100)
        peer.sendall(b"REJECTED EXTERNAL\r\n")

    assert fails(serve(talk), "it does not let us in: REJECTED EXTERNAL").errno == errno.EACCES


def test_one_that_speaks_something_else(serve: Serve) -> None:
    def talk(peer: socket.socket) -> None:
        let_in(peer)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.recv(1000)

    assert fails(serve(talk), "what it says is not D-Bus").errno == errno.EPROTO


def test_one_that_answers_with_an_error(serve: Serve) -> None:
    def talk(peer: socket.socket) -> None:
        let_in(peer)
        (call,) = jeepney.Parser().feed(peer.recv(1000))
        peer.sendall(jeepney.new_error(call, "a.b.No", "s", ("not today",)).serialise(serial=1))

    connection = dbus.Connection(serve(talk), SECONDS, direct=True)
    with pytest.raises(dbus.RefusedError, match="not today") as caught:
        connection.call(TARGET, "Call", "as", ["x"])
    assert caught.value.name == "a.b.No"
    connection.close()


def test_a_signal_that_comes_before_the_answer_is_kept(serve: Serve) -> None:
    def talk(peer: socket.socket) -> None:
        let_in(peer)
        (call,) = jeepney.Parser().feed(peer.recv(1000))
        emitter = jeepney.DBusAddress("/c", "a.b", "d.e")
        for number, member in enumerate(("Other", "Removed")):
            signal = jeepney.new_signal(emitter, member, "u", (number,))
            peer.sendall(signal.serialise(serial=1))
        peer.sendall(jeepney.new_method_return(call, "s", ("done",)).serialise(serial=2))

    connection = dbus.Connection(serve(talk), SECONDS, direct=True)
    assert connection.call(TARGET, "Call") == ["done"]
    assert connection.signal("Removed", "the end") == [1]
    connection.close()


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("unix:path=/run/bus", "/run/bus"),
        ("unix:path=/run/user/1/bus,guid=12", "/run/user/1/bus"),
        ("tcp:host=x;unix:abstract=/tmp/a%2cb", "@/tmp/a,b"),
        ("unix:path=/a%20b%zz", "/a b%zz"),
        ("", ""),
        ("tcp:host=x", ""),
        ("unix:dir=/tmp", ""),
    ],
)
def test_addresses(address: str, path: str) -> None:
    assert dbus.socket_of(address) == path
