# SPDX-License-Identifier: Apache-2.0
"""A D-Bus connection of one's own, for a few calls: no more of the protocol than these need.

Every wait has a bound, and each failure is an OSError: `RefusedError`, if the other side answered
with an error, or else one that names the socket and what was waited for.
D-Bus specification: "Authentication Protocol", "Message Protocol", "Type System".
"""

import _socket
import errno
import os
import select
import time

from ocirun.linux import dbus_format

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.dbus_format import Message

    # Destination, object, interface: the same for many calls.
    Target = tuple[str, str, str]

DAEMON: "Target" = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
_CALL, _RETURN, _ERROR, _SIGNAL = 1, 2, 3, 4
_LINE = 4096


class RefusedError(OSError):
    """The other side answered with an error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(errno.EPROTO, text or name)
        #: such as org.freedesktop.systemd1.UnitExists
        self.name = name


class Connection:
    """A connection whose other end is a bus, or with `direct` the only other program on it."""

    __slots__ = ("_deadline", "_received", "_seconds", "_serial", "_signals", "_socket", "path")

    def __init__(self, path: str, seconds: float, *, direct: bool = False) -> None:
        """Connect to a socket; a path from "@" on is an abstract one."""
        self.path = path
        self._seconds = seconds
        self._deadline = 0.0
        self._serial = 0
        self._received = bytearray()
        self._signals: list[Message] = []
        kind = _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
        self._socket = _socket.socket(_socket.AF_UNIX, kind)
        try:
            self._begin()
            self._connect()
            self._authenticate(direct=direct)
            if not direct:
                self.call(DAEMON, "Hello")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def call(
        self, target: "Target", member: str, signature: str = "", *args: object
    ) -> list[object]:
        """Call a method and wait for what it returns."""
        self._begin()
        self._serial += 1
        header = (_CALL, self._serial, *target, member)
        self._send(dbus_format.message(header, signature, args), member)
        while True:
            message = self._receive(f"the answer to {member}")
            if message.reply_to == self._serial:
                break
            if message.kind == _SIGNAL:
                self._signals.append(message)
        if message.kind == _ERROR:
            text = message.body[0] if message.body and isinstance(message.body[0], str) else ""
            raise RefusedError(message.error, text)
        return message.body

    def signal(self, member: str, what: str) -> list[object]:
        """Wait for the next signal of this name, also one that came during a call.

        The time runs from the last call on: who waits for one signal after another
        does not begin anew with each.
        """
        while True:
            message = self._signals.pop(0) if self._signals else self._receive(what)
            if message.kind == _SIGNAL and message.member == member:
                return message.body

    # --- The bytes ---

    def _begin(self) -> None:
        self._deadline = time.monotonic() + self._seconds

    def _connect(self) -> None:
        name = self.path.encode("utf-8", "surrogateescape")
        if name[:1] == b"@":
            name = b"\0" + name[1:]
        while True:
            try:
                self._socket.connect(name)
            except BlockingIOError:
                # Its queue is full, and no event tells when there is room again.
                if time.monotonic() >= self._deadline:
                    raise self._late("a place in the queue") from None
                select.poll().poll(10)
            except OSError as error:
                raise OSError(error.errno, f"connect: {error.strerror}", self.path) from None
            else:
                return

    def _authenticate(self, *, direct: bool) -> None:
        # Who we are is told by the kernel, in whichever user namespace the other side lives.
        self._write(b"\0AUTH EXTERNAL\r\n", "the authentication")
        answer = self._line()
        if answer.startswith(b"DATA"):
            # In one piece: a call that systemd reads together with BEGIN waits there until
            # something else comes.  So it has to have read this before it says OK.
            self._write(b"DATA\r\nBEGIN\r\n", "the authentication")
            answer = self._line()
            begun = True
        else:
            begun = False
        if not answer.startswith(b"OK"):
            said = answer.decode("ascii", "replace")
            raise OSError(errno.EACCES, f"it does not let us in: {said}", self.path)
        if not begun:
            if direct:  # systemd < 246: there is no way around what is said above
                raise OSError(errno.EOPNOTSUPP, "its systemd is too old", self.path)
            self._write(b"BEGIN\r\n", "the authentication")

    def _line(self) -> bytes:
        while b"\r\n" not in self._received:
            self._read("the authentication")
            if len(self._received) > _LINE:
                raise self._nonsense()
        line, _, rest = bytes(self._received).partition(b"\r\n")
        self._received = bytearray(rest)
        return line

    def _receive(self, what: str) -> "Message":
        while True:
            try:
                message, used = dbus_format.parse(self._received)
            except (ValueError, IndexError):
                raise self._nonsense() from None
            if message:
                del self._received[:used]
                return message
            self._read(what)

    def _send(self, data: bytes, member: str) -> None:
        self._write(data, f"the call of {member}")

    def _write(self, data: bytes, what: str) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest, _socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, what)
            except OSError:
                raise self._closed(what) from None

    def _read(self, what: str) -> None:
        self._wait(select.POLLIN, what)
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            raise self._closed(what)
        self._received += data

    def _wait(self, event: int, what: str) -> None:
        left = self._deadline - time.monotonic()
        poller = select.poll()
        poller.register(self._socket.fileno(), event)
        if left <= 0 or not poller.poll(int(left * 1000) + 1):
            raise self._late(what)

    # --- What goes wrong ---

    def _late(self, what: str) -> OSError:
        text = f"waited {self._seconds:g} s for {what}"
        return OSError(errno.ETIMEDOUT, text, self.path)

    def _closed(self, what: str) -> OSError:
        return OSError(errno.ECONNRESET, f"closed by the other side during {what}", self.path)

    def _nonsense(self) -> OSError:
        return OSError(errno.EPROTO, "what it says is not D-Bus", self.path)


def socket_of(address: str) -> str:
    """Give the socket of the first address in a list that is one, "@" for abstract, or ""."""
    for each in address.split(";"):
        transport, _, rest = each.partition(":")
        if transport != "unix":
            continue
        values = dict(pair.partition("=")[::2] for pair in rest.split(","))
        if "path" in values:
            return _unescape(values["path"])
        if "abstract" in values:
            return "@" + _unescape(values["abstract"])
    return ""


def _unescape(value: str) -> str:
    head, *parts = value.split("%")
    raw = head.encode("utf-8", "surrogateescape")
    for part in parts:
        try:
            raw += bytes((int(part[:2], 16),)) + part[2:].encode("utf-8", "surrogateescape")
        except ValueError:
            raw += b"%" + part.encode("utf-8", "surrogateescape")
    return os.fsdecode(raw)
