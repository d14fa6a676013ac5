# SPDX-License-Identifier: Apache-2.0
"""The messages of criu's RPC, byte by byte, and a conversation with what answers by bytes alone."""

import os
import sys
from pathlib import Path

import pytest

from ocirun.linux import criu

# The examples of protobuf.dev, "Encoding".
KNOWN: "list[tuple[int, criu.Value, str]]" = [
    (1, 150, "08 96 01"),
    (2, "testing", "12 07 74 65 73 74 69 6e 67"),
    (3, b"\x08\x96\x01", "1a 03 08 96 01"),
    (1, -2, "08 fe ff ff ff ff ff ff ff ff 01"),
    (1, True, "08 01"),
    (4, ["a", "b"], "22 01 61 22 01 62"),
    (63, "", "fa 03 00"),
    (6, [], ""),
]


@pytest.mark.parametrize(("number", "value", "data"), KNOWN)
def test_encoding(number: int, value: "criu.Value", data: str) -> None:
    assert criu.encode({number: value}) == bytes.fromhex(data)


def test_options_by_their_names() -> None:
    named: dict[str, criu.Value] = {"images_dir_fd": 7, "ext_mnt": [criu.pair("/a", "/b")]}
    assert criu.options(named) == bytes.fromhex("08 07 ba 01 08 0a 02 2f 61 12 02 2f 62")
    assert criu.options({"empty_ns": 0x40000000}) == bytes.fromhex("b0 02 80 80 80 80 04")


def test_no_number_is_there_twice() -> None:
    assert len(set(criu.OPTIONS.values())) == len(criu.OPTIONS)


def test_decoding() -> None:
    data = "08 0a 10 01 38 fe ff ff ff ff ff ff ff ff 01 4a 02 6e 6f 52 04 08 03 10 11 5d 01020304"
    answer = criu.Fields(bytes.fromhex(data))
    assert [answer.number(field) for field in (1, 2, 7, 3)] == [10, 1, -2, 0]
    assert (answer.text(9), answer.text(8)) == ("no", "")
    assert (answer.message(10).number(1), answer.message(10).number(2)) == (3, 17)
    assert answer.message(4).number(1) == 0


@pytest.mark.parametrize("data", ["08", "08 80", "12 02 61", "0b", "09 00", "08" + "ff" * 12])
def test_malformed(data: str) -> None:
    with pytest.raises(OSError, match="malformed"):
        criu.Fields(bytes.fromhex(data))


def test_errors_of_a_log() -> None:
    log = (
        "(00.001) Error (criu/a.c:1): first\n(00.002) fine\nError (criu/b.c:22): second: why.\n"
        "(00.002) Error (criu/util.c:642): exited, status=1\n"
        "(00.003) Error (criu/a.c:1): first\n(00.004) Warn  (criu/c.c:3): no\n"
        "(00.005) Error (criu/cr-dump.c:2053): Dumping FAILED.\n"
    )
    assert criu.errors(log) == ["first", "second: why"]
    assert criu.errors(log, 1) == ["second: why"]
    assert criu.errors("") == []


# What criu sends is written out here in bytes: a notification with a descriptor, one
# without, then what the last argument says.
STAND_IN = """#!{python}
import os, socket, sys
assert sys.argv[1] == "swrk"
here = socket.socket(fileno=int(sys.argv[2]))
here.recv(9999)
reading, writing = os.pipe()
os.write(writing, b"through it")
terminal = bytes.fromhex("08061001 2a 15 0a11") + b"orphan-pts-master" + bytes.fromhex("1009")
socket.send_fds(here, [terminal], [reading])
assert here.recv(9999) == bytes.fromhex("0806 1801"), "no word"
here.send(bytes.fromhex("08061001 2a 04 0a02") + b"xy")
assert here.recv(9999) == bytes.fromhex("0806 1801"), "no word"
{rest}
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "criu"
    path.touch(0o755)
    return path


def _converse(program: Path, rest: str) -> tuple[list[tuple[str, int, bytes]], criu.Fields, int]:
    program.write_text(STAND_IN.format(python=sys.executable, rest=rest))
    heard = []

    def notified(script: str, pid: int, fd: int) -> None:
        heard.append((script, pid, os.read(fd, 99) if fd >= 0 else b""))
        if fd >= 0:
            os.close(fd)

    session = criu.Session(str(program))
    try:
        answer = session.ask(criu.RESTORE, b"\x08\x01", notified=notified)
    finally:
        session.close()
    return heard, answer, session.status


def test_a_conversation(program: Path) -> None:
    heard, answer, status = _converse(program, 'here.send(bytes.fromhex("0802 1001 2202 0805"))')
    assert heard == [("orphan-pts-master", 9, b"through it"), ("xy", 0, b"")]
    assert (answer.number(1), answer.message(4).number(1), status) == (criu.RESTORE, 5, 0)


def test_a_refusal(program: Path) -> None:
    with pytest.raises(criu.RefusedError) as caught:
        _converse(program, 'here.send(bytes.fromhex("0802 1000 3811 4a02") + b"no")')
    assert (caught.value.errno, caught.value.strerror) == (17, "no")


def test_one_that_dies(program: Path) -> None:
    with pytest.raises(criu.RefusedError, match="ended without an answer"):
        _converse(program, "os._exit(3)")


def test_one_that_does_not_start(program: Path) -> None:
    program.write_text("#!/nowhere\n")
    with pytest.raises(FileNotFoundError):
        criu.Session(str(program))


def test_a_preparation_that_fails(program: Path) -> None:
    def prepare() -> None:
        raise PermissionError(1, "not permitted", "/place")

    with pytest.raises(PermissionError) as caught:
        criu.Session(str(program), prepare=prepare)
    assert (caught.value.filename, caught.value.strerror) == ("/place", "not permitted")


def test_only_what_is_kept_is_inherited(program: Path) -> None:
    """Not the lock of a state directory, for one."""
    other, kept = (os.open("/", os.O_PATH) for _ in range(2))
    os.set_inheritable(other, True)  # noqa: FBT003
    rest = """
names = os.readlink("/proc/self/fd/0") + " " + " ".join(sorted(os.listdir("/proc/self/fd")))
data = names.encode()
here.send(bytes.fromhex("0802 1001 4a") + bytes([len(data)]) + data)
"""
    script = f"#!{sys.executable}\n" + "\n".join(
        line
        for line in STAND_IN.format(python="", rest=rest).splitlines()[1:]
        if "socket.send_fds" not in line and "recv(9999) ==" not in line and "xy" not in line
    )
    program.write_text(script.replace("reading, writing = os.pipe()", "writing = 1"))
    session = criu.Session(str(program), [kept])
    try:
        standard, *fds = session.ask(criu.DUMP).text(9).split()
    finally:
        session.close()
        os.close(other)
        os.close(kept)
    assert standard == "/dev/null"
    assert str(kept) in fds
    assert str(other) not in fds
