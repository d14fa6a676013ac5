# SPDX-License-Identifier: Apache-2.0
"""Asking systemd, the system's or a user's, for a transient unit: org.freedesktop.systemd1(5).

A property is (name, signature, value), as dbus_format has it.  Nothing here knows what a
property means.
"""

import errno
import os

from ocirun.linux import dbus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocirun.linux.dbus import Target

    Property = tuple[str, str, object]

_MANAGER: "Target" = (
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
)
_PROPERTIES: "Target" = (*_MANAGER[:2], "org.freedesktop.DBus.Properties")
_MATCH = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'"
UNIT_EXISTS = "org.freedesktop.systemd1.UnitExists"
NO_SUCH_UNIT = "org.freedesktop.systemd1.NoSuchUnit"
#: how long systemd may take for one call, or one job
SECONDS = 30.0


class JobError(OSError):
    """A job did not end as it should."""


class Manager:
    """A connection to a manager of units."""

    __slots__ = ("_connection", "_direct")

    def __init__(self, connection: dbus.Connection, *, direct: bool) -> None:
        self._connection = connection
        self._direct = direct

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def start_unit(self, name: str, properties: "Iterable[Property]") -> None:
        """Start a transient unit and wait until it is there; RefusedError if there is one already."""
        wanted = [(key, (signature, value)) for key, signature, value in properties]
        self._watch_jobs()
        signature = "ssa(sv)a(sa(sv))"
        (job,) = self._call("StartTransientUnit", signature, name, "replace", wanted, [])
        self._finish(job, f"start {name}")

    def stop_unit(self, name: str) -> None:
        """Stop a unit and wait until it is; one that is not there is no error."""
        self._watch_jobs()
        try:
            (job,) = self._call("StopUnit", "ss", name, "replace")
        except dbus.RefusedError as error:
            if error.name != NO_SUCH_UNIT:
                raise
            return
        self._finish(job, f"stop {name}")

    def kill_unit(self, name: str, signal: int) -> None:
        """Send a signal to all processes of a unit; that there are none is no error."""
        try:
            self._call("KillUnit", "ssi", name, "all", signal)
        except dbus.RefusedError:
            pass

    def reset_failed(self, name: str) -> None:
        """Let systemd forget a unit that failed; one that is not there is no error."""
        try:
            self._call("ResetFailedUnit", "s", name)
        except dbus.RefusedError as error:
            if error.name != NO_SUCH_UNIT:
                raise

    def set_properties(self, name: str, properties: "Iterable[Property]") -> None:
        """Change properties of a unit, until it ends."""
        wanted = [(key, (signature, value)) for key, signature, value in properties]
        runtime = True
        self._call("SetUnitProperties", "sba(sv)", name, runtime, wanted)

    def attach(self, name: str, inner: str, pid: int) -> None:
        """Move a process into the cgroup of a unit, or the one at the path `inner` below it."""
        self._call("AttachProcessesToUnit", "ssau", name, inner, [pid])

    def version(self) -> int:
        """Give the version of systemd, or 0 if it has none that is a number."""
        interface = _MANAGER[2]
        (answer,) = self._connection.call(_PROPERTIES, "Get", "ss", interface, "Version")
        text = str(answer[1]) if isinstance(answer, tuple) else ""
        digits = ""
        for letter in text.lstrip("v"):
            if not letter.isdigit():
                break
            digits += letter
        return int(digits or 0)

    def _call(self, member: str, signature: str, *args: object) -> list[object]:
        return self._connection.call(_MANAGER, member, signature, *args)

    def _watch_jobs(self) -> None:
        # Who is connected directly is told of all jobs.
        if not self._direct:
            self._connection.call(dbus.DAEMON, "AddMatch", "s", _MATCH)

    def _finish(self, job: object, what: str) -> None:
        while True:
            # Number, object, unit, result.
            _, path, _, result = self._connection.signal("JobRemoved", f"the end of {job} ({what})")
            if path == job:
                break
        if result != "done":
            raise JobError(
                errno.EIO, f"the job to {what} ended with: {result}", self._connection.path
            )


def connect(*, user: bool, seconds: float = SECONDS) -> Manager:
    """Connect to the system's manager, or to that of our user; the first OSError, if to none."""
    first: OSError | None = None
    for path, direct in _sockets(user=user):
        try:
            return Manager(dbus.Connection(path, seconds, direct=direct), direct=direct)
        except OSError as error:
            first = first or error
            if error.errno == errno.ETIMEDOUT:
                break
    raise first or OSError(errno.ENOENT, "no socket is known", "$XDG_RUNTIME_DIR")


def _sockets(*, user: bool) -> "Iterable[tuple[str, bool]]":
    """Give each socket that may lead there, and whether no bus is between."""
    name = "DBUS_SESSION_BUS_ADDRESS" if user else "DBUS_SYSTEM_BUS_ADDRESS"
    named = dbus.socket_of(os.environ.get(name, ""))
    if named:
        # Somebody wants this one, and no other.
        yield named, False
        return
    if not user:
        # First without the bus: it is sooner there, and does not go down with the bus.
        yield "/run/systemd/private", True
        yield "/run/dbus/system_bus_socket", False
        return
    place = os.environ.get("XDG_RUNTIME_DIR", "")
    if place:
        yield f"{place}/bus", False
        yield f"{place}/systemd/private", True
