# SPDX-License-Identifier: Apache-2.0
"""Talking to criu(8), which saves processes to files and makes them again.

`criu swrk FD` serves the one who started it: a request goes over the socket FD, criu
notifies of what it has done and waits for a word each time, and an answer ends it.  The
messages are those of criu's rpc.proto in the encoding of protocol buffers; here are the
few fields that are needed of them.
"""

import _socket
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

    Value = bool | int | str | bytes | list[str] | list[bytes]
    # Script, pid, descriptor or -1; whoever is called owns the descriptor.
    Notified = Callable[[str, int, int], None]

#: criu_req_type
DUMP, RESTORE, PRE_DUMP, NOTIFY, FEATURE_CHECK, VERSION = 1, 2, 4, 6, 9, 10

#: fields of criu_opts
OPTIONS = {
    "images_dir_fd": 1,
    "pid": 2,
    "leave_running": 3,
    "ext_unix_sk": 4,
    "tcp_established": 5,
    "evasive_devices": 6,
    "shell_job": 7,
    "file_locks": 8,
    "log_level": 9,
    "log_file": 10,
    "ps": 11,
    "notify_scripts": 12,
    "root": 13,
    "parent_img": 14,
    "track_mem": 15,
    "auto_dedup": 16,
    "work_dir_fd": 17,
    "link_remap": 18,
    "ext_mnt": 23,
    "manage_cgroups": 24,
    "cg_root": 25,
    "rst_sibling": 26,
    "inherit_fd": 27,
    "manage_cgroups_mode": 34,
    "external": 37,
    "empty_ns": 38,
    "join_ns": 39,
    "freeze_cgroup": 44,
    "tcp_skip_in_flight": 46,
    "lazy_pages": 48,
    "orphan_pts_master": 50,
    "config_file": 51,
    "lsm_profile": 53,
    "lsm_mount_context": 63,
}
#: criu_cg_mode; the empty word is criu's own choice
CGROUP_MODES = {"": 6, "ignore": 0, "soft": 3, "full": 4, "strict": 5}
#: fields of criu_features
FEATURES = {"mem_track": 1, "lazy_pages": 2}

_TYPE, _OPTS, _NOTIFY_SUCCESS, _FEATURES = 1, 2, 3, 5
_SUCCESS, _NOTIFY, _ERRNO, _HAS_FEATURES, _ERROR, _VERSION = 2, 5, 7, 8, 9, 10
_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5
_SIZES = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_ANSWER_MAX = 65536
_SIGPIPE = 13


class RefusedError(OSError):
    """Criu has tried, and says that it failed; what it adds to that is in its log."""


def encode(fields: "dict[int, Value]") -> bytes:
    """Give a message of these fields; a list is a field that is repeated."""
    message = bytearray()
    for number, value in fields.items():
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, int):
                # A negative number is written with 64 bits.
                message += _varint(number << 3 | _VARINT) + _varint(item & (1 << 64) - 1)
            else:
                data = item if isinstance(item, bytes) else os.fsencode(item)
                message += _varint(number << 3 | _COUNTED) + _varint(len(data)) + data
    return bytes(message)


def pair(first: "int | str", second: "int | str") -> bytes:
    """Give one of the small messages, which all have the fields 1 and 2."""
    return encode({1: first, 2: second})


def options(named: "dict[str, Value]") -> bytes:
    """Give the message of options that are named as in OPTIONS."""
    return encode({OPTIONS[name]: value for name, value in named.items()})


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


class Fields:
    """The fields of a message that was received; of a repeated one the last."""

    __slots__ = ("_blocks", "_numbers")

    def __init__(self, message: bytes) -> None:
        self._numbers: dict[int, int] = {}
        self._blocks: dict[int, bytes] = {}
        at = 0
        while at < len(message):
            tag, at = _read_varint(message, at)
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                self._numbers[number], at = _read_varint(message, at)
                continue
            if kind == _COUNTED:
                size, at = _read_varint(message, at)
            elif kind in _SIZES:
                size = _SIZES[kind]
            else:
                raise _malformed()
            if at + size > len(message):
                raise _malformed()
            self._blocks[number] = message[at : at + size]
            at += size

    def number(self, field: int) -> int:
        """Give an int32, 0 if it is not there."""
        value = self._numbers.get(field, 0)
        return value - (1 << 64) if value >> 63 else value

    def text(self, field: int) -> str:
        """Give a string, empty if it is not there."""
        return self._blocks.get(field, b"").decode("utf-8", "replace")

    def message(self, field: int) -> "Fields":
        """Give a message within, without fields if it is not there."""
        return Fields(self._blocks.get(field, b""))


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise _malformed()
        value |= (message[at] & 0x7F) << shift
        shift += 7
        at += 1
        if message[at - 1] < 0x80:
            return value & (1 << 64) - 1, at


def _malformed() -> OSError:
    return OSError(71, "criu sent a malformed message")


class Session:
    """One criu that was started for us; close() waits for its end."""

    __slots__ = ("_socket", "pid", "status")

    def __init__(
        self,
        program: str,
        keep: "Iterable[int]" = (),
        prepare: "Callable[[], None] | None" = None,
        *,
        stdio: bool = False,
    ) -> None:
        """Start criu with the descriptors `keep`, and with our standard ones or /dev/null.

        `prepare` is called in the new process before it becomes criu; its OSError is ours.
        """
        self.status = 0
        self._socket, theirs = _socket.socketpair(
            _socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC
        )
        reading, writing = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if not self.pid:
            kept = [writing, theirs.fileno(), *keep]
            _become(program, theirs.fileno(), kept, prepare, stdio=stdio)
        theirs.close()
        os.close(writing)
        # The end of file is the exec.
        with open(reading, "rb") as file:
            report = file.read()
        if report:
            self.close()
            number, _, rest = report.partition(b"\0")
            said, _, path = rest.partition(b"\0")
            raise OSError(int(number), said.decode(), os.fsdecode(path))

    def ask(
        self,
        kind: int,
        wanted: bytes = b"",
        features: bytes = b"",
        notified: "Notified | None" = None,
    ) -> Fields:
        """Send a request with its options, and give the answer; RefusedError if it says no."""
        request: dict[int, Value] = {_TYPE: kind}
        if wanted:
            request[_OPTS] = wanted
        if features:
            request[_FEATURES] = features
        self._send(request)
        while True:
            answer, fd = self._receive()
            if not answer.number(_SUCCESS):
                if fd >= 0:
                    os.close(fd)
                raise RefusedError(answer.number(_ERRNO), answer.text(_ERROR) or "failed")
            if answer.number(_TYPE) != NOTIFY:
                return answer
            if notified:
                notice = answer.message(_NOTIFY)
                notified(notice.text(1), notice.number(2), fd)
            self._send({_TYPE: NOTIFY, _NOTIFY_SUCCESS: True})

    def _send(self, fields: "dict[int, Value]") -> None:
        self._socket.send(encode(fields), _socket.MSG_NOSIGNAL)

    def _receive(self) -> tuple[Fields, int]:
        space = _socket.CMSG_SPACE(4)
        data, ancillary, _, _ = self._socket.recvmsg(_ANSWER_MAX, space, _socket.MSG_CMSG_CLOEXEC)
        if not data:
            raise RefusedError(32, "ended without an answer")
        fds = [int.from_bytes(content[:4], "little") for _, _, content in ancillary]
        return Fields(data), fds[0] if fds else -1

    def close(self) -> None:
        """Let criu end, and wait for it; its wait status is in `status` then."""
        self._socket.close()
        if self.pid:
            pid, self.pid = self.pid, 0
            self.status = os.waitpid(pid, 0)[1]


def _become(
    program: str,
    socket: int,
    keep: list[int],
    prepare: "Callable[[], None] | None",
    *,
    stdio: bool,
) -> "NoReturn":
    """Become criu; what hinders that is reported through the first of `keep`."""
    writing, *inherited = keep
    try:
        from _signal import SIG_DFL, signal

        # Python ignores it, and an ignored signal stays ignored over exec.
        signal(_SIGPIPE, SIG_DFL)
        if prepare:
            prepare()
        if not stdio:
            null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
            for number in range(3):
                os.dup2(null, number)
        previous = 2
        for fd in sorted(keep):
            os.closerange(previous + 1, fd)
            previous = fd
        os.closerange(previous + 1, 1 << 20)
        for fd in inherited:
            os.set_inheritable(fd, True)  # noqa: FBT003
        os.execv(program, ["criu", "swrk", str(socket)])  # noqa: S606  no shell is wanted
    except OSError as error:
        path = os.fsencode(error.filename or "")
        os.write(
            writing, b"%d\0%s\0%s" % (error.errno or 5, os.fsencode(error.strerror or ""), path)
        )
    except BaseException as error:  # noqa: BLE001  whatever it is, it is not to go up in the child
        os.write(writing, b"5\0%s\0" % type(error).__name__.encode())
    finally:
        os._exit(127)


def version(program: str) -> int:
    """Ask for criu's version: 31701 is 3.17.1."""
    session = Session(program)
    try:
        found = session.ask(VERSION).message(_VERSION)
    finally:
        session.close()
    return found.number(1) * 10000 + found.number(2) * 100 + found.number(4)


def has_feature(program: str, name: str) -> bool:
    """Ask whether criu can do something on this kernel; the names are in FEATURES."""
    number = FEATURES[name]
    session = Session(program)
    try:
        answer = session.ask(FEATURE_CHECK, features=encode({number: True}))
    finally:
        session.close()
    return bool(answer.message(_HAS_FEATURES).number(number))


def errors(log: str, most: int = 3) -> list[str]:
    """Give the last errors in a log of criu, without their times and places in its source."""
    found: list[str] = []
    for line in log.splitlines():
        _, error, rest = line.partition("Error (")
        text = rest.partition("): ")[2].strip() if error else ""
        # Nothing is said by: that all of it failed, and that a program it tried has ended.
        if text and not text.endswith("FAILED.") and not text.startswith("exited,"):
            text = text.rstrip(".")
            if text not in found:
                found.append(text)
    return found[-most:]
