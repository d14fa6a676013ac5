# SPDX-License-Identifier: Apache-2.0
"""A container's cgroup on a host with cgroup v2: one directory.

A process is best born in it (CLONE_INTO_CGROUP), which costs nothing.  cgroups(7), the
kernel's admin-guide/cgroup-v2.  Setting up goes: create, write, allow_devices, then clone.
"""

import errno
import os
import select
import time

from ocirun.linux.cgroup import freezer, settings as setting_list, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocirun.linux.cgroup import oom
    from ocirun.linux.cgroup.devices import Rule
    from ocirun.linux.cgroup.layout import Layout
    from ocirun.linux.cgroup.settings import Setting
    from ocirun.linux.cgroup.statistics import Statistics

_DELEGATED = ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads")


class Cgroup:
    """One container's directory.

    `made` holds the directories that did not exist before, outermost first; only they are ever
    removed.  `refused` holds why an unprivileged caller could not have the cgroup.
    """

    version = 2
    __slots__ = ("made", "mount", "path", "paths", "refused")

    def __init__(self, path: str, made: list[str], mount: str = "/sys/fs/cgroup") -> None:
        self.path = path
        self.paths = {"": path}
        self.made = made
        self.mount = mount
        self.refused: dict[str, OSError] = {}

    def create(self, *, tolerant: bool = False) -> None:
        """Make the directory, with the controllers that there are; on failure nothing stays.

        With `tolerant`, a caller who may not write there goes without a cgroup: no `paths` then.
        """
        try:
            tree.make(self.path, self.made)
            self._join_threaded()
            self._enable_controllers()
        except OSError as error:
            self.discard()
            if not tolerant or error.errno not in tree.NOT_OURS:
                raise
            self.paths = {}
            self.refused[""] = error

    def existed(self) -> bool:
        """Tell whether the directory was there before `create`."""
        return self.path not in self.made

    def populated(self) -> bool:
        """Tell whether any process is in the cgroup or below it."""
        return not self._event("populated", "0")

    def write(self, settings: "Iterable[Setting]") -> None:
        """Write the settings; raises SettingError, which names the file and the setting."""
        setting_list.apply(settings, self._directory)

    def read(self, controller: str, file: str) -> str:
        """Return the text of one file."""
        return tree.read(self._directory(controller), file)

    def allow_devices(self, rules: "Iterable[Rule]") -> None:
        """Make the device rules those of the list, applied in order to "deny all"."""
        from ocirun.linux.cgroup import device_filter

        device_filter.attach(self._directory("devices"), rules)

    def delegate(self, uid: int, gid: int = -1) -> None:
        """Hand the cgroup to the root of a container, so that it can make its own below."""
        try:
            files = tuple(tree.read("/sys/kernel/cgroup", "delegate").split())
        except FileNotFoundError:  # kernel < 4.15
            files = _DELEGATED
        os.chown(self.path, uid, gid)
        for file in files:
            try:
                os.chown(f"{self.path}/{file}", uid, gid)
            except FileNotFoundError:  # of a controller that is not enabled
                continue

    def attach_fds(self, *, cloned: bool = False) -> list[int]:
        """Open the file that a new process writes "0" to, to enter the cgroup itself.

        With `cloned` the process is born in `directory_fd()` already and there is nothing to do.
        """
        if cloned or not self.paths:
            return []
        return [os.open(f"{self.path}/cgroup.procs", os.O_WRONLY)]

    def directory_fd(self) -> int:
        """Open the directory for clone3(2) with CLONE_INTO_CGROUP; -1 if there is no cgroup."""
        return os.open(self.path, os.O_PATH | os.O_DIRECTORY) if self.paths else -1

    def sub(self, inner: dict[str, str]) -> "Cgroup":
        """Return the cgroup below this one at the path under the key ""."""
        for controller in inner:
            if controller:
                raise OSError(
                    errno.EINVAL, "cgroup v2 has one path for all controllers", controller
                )
        return Cgroup(tree.below(self.path, inner.get("", "")), [], self.mount)

    def pids(self, *, recursive: bool = True) -> list[int]:
        """Return the processes in the cgroup (and below it)."""
        return tree.pids(self.path, recursive=recursive) if self.paths else []

    def kill(self) -> None:
        """Kill every process in the cgroup and below, also those it is about to make."""
        if not self.paths:
            return
        try:
            tree.write(self.path, "cgroup.kill", "1")
        except OSError as error:
            # kernel < 5.14 has no such file; a threaded cgroup does not support it.
            if error.errno == errno.EOPNOTSUPP or (
                error.errno == errno.ENOENT and os.path.exists(self.path)
            ):
                self.signal(9)
            elif error.errno not in tree.GONE:
                raise

    def signal(self, number: int) -> None:
        """Send a signal to every process in the cgroup and below, held still meanwhile."""
        if self.paths:
            tree.signal_held(self, number)

    def freeze(self, timeout: float = 10.0) -> None:
        """Stop all processes and wait until they have stopped; EBUSY if they do not."""
        file = f"{self.path}/cgroup.freeze"
        tree.write(self._directory(""), "cgroup.freeze", "1")
        if not self._wait("frozen", "1", timeout):
            self.thaw()
            raise OSError(errno.EBUSY, "processes do not freeze", file)

    def thaw(self) -> None:
        """Let the processes go on; nothing to do if the cgroup is gone."""
        try:
            if self.paths:
                tree.write(self.path, "cgroup.freeze", "0")
        except OSError as error:
            if error.errno not in tree.GONE:
                raise

    def frozen(self) -> bool:
        """Tell whether the cgroup itself, not one above it, was told to freeze."""
        return freezer.is_frozen(self.paths)

    def statistics(self) -> "Statistics":
        """Return what the cgroup has used."""
        from ocirun.linux.cgroup import statistics_v2

        return statistics_v2.read(self._directory(""))

    def watch_oom(self) -> "oom.WatchV2":
        """Watch for processes that are killed for want of memory."""
        from ocirun.linux.cgroup import oom

        return oom.WatchV2(self._directory("memory"))

    def remove(self, timeout: float = 2.0) -> None:
        """Remove what `create` made, with everything the container made inside."""
        if self.path in self.made:
            tree.remove(self.path, _drained, timeout)
        tree.remove_empty(self.made)

    def discard(self) -> None:
        """Undo `create` before any process was attached."""
        tree.remove_empty(self.made)
        self.made = []

    def _enable_controllers(self) -> None:
        # All that there are, since statistics need them as well as limits do; but a file is only
        # written where one is missing.  On most hosts that is nowhere.
        wanted = set(tree.read(self.mount, "cgroup.controllers").split())
        if wanted <= set(tree.read(self.path, "cgroup.controllers").split()):
            return
        for directory in self._ancestors():
            there = tree.read(directory, "cgroup.controllers").split()
            missing = set(there) - set(tree.read(directory, "cgroup.subtree_control").split())
            if missing:
                _enable(directory, sorted(missing))

    def _join_threaded(self) -> None:
        # Below a threaded cgroup a new one can hold processes only when it is threaded too.  It
        # then lacks the files of memory and io, which is an error only where these are wanted.
        if tree.read(self.path, "cgroup.type") != "domain invalid\n":
            return
        for directory in [*self._ancestors()[1:], self.path]:
            if tree.read(directory, "cgroup.type") == "domain invalid\n":
                tree.write(directory, "cgroup.type", "threaded")

    def _ancestors(self) -> list[str]:
        names = self.path[len(self.mount) :].strip("/").split("/")
        return [self.mount + "/" * bool(i) + "/".join(names[:i]) for i in range(len(names))]

    def _directory(self, controller: str) -> str:
        if self.paths:
            return self.path
        if self.refused:
            raise self.refused[""]
        raise OSError(errno.ENOENT, "the container has no cgroup", controller)

    def _event(self, key: str, value: str) -> bool:
        return f"{key} {value}\n" in tree.read(self._directory(""), "cgroup.events")

    def _wait(self, key: str, value: str, seconds: float) -> bool:
        return wait_event(self.path, f"{key} {value}\n", seconds)


def plan(layout: "Layout", path: str) -> Cgroup:
    """Return the cgroup of a path, not made yet; see Hierarchy.directory for what it means."""
    unified = layout.unified
    assert unified is not None
    # The caller's own cgroup holds the caller, and no cgroup with processes can give
    # controllers to those below it: a relative path starts one level higher.
    return Cgroup(unified.directory(path, beside=True), [], unified.mount)


def of_process(pid: int) -> Cgroup | None:
    """Return the cgroup that a process is in, or None when it cannot be named from here."""
    from ocirun.linux.cgroup import layout

    unified = layout.read().unified
    own = layout.membership(pid).get(layout.UNIFIED)
    if unified is None or own is None:
        return None
    unified.own = own
    return Cgroup(unified.own_directory(), [], unified.mount)


def wait_event(directory: str, line: str, seconds: float) -> bool:
    """Wait until cgroup.events of a cgroup has this line; False if it does not come in time."""
    deadline = time.monotonic() + seconds
    fd = os.open(f"{directory}/cgroup.events", os.O_RDONLY)
    try:
        poller = select.poll()
        poller.register(fd, select.POLLPRI)
        while True:
            if line.encode() in os.pread(fd, 4096, 0):
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            poller.poll(int(left * 1000) + 1)
    finally:
        os.close(fd)


def _enable(directory: str, controllers: list[str]) -> None:
    # One that cannot be had is missed only where a limit needs it, and that error says more.
    value = " ".join(f"+{name}" for name in controllers)
    try:
        tree.write(directory, "cgroup.subtree_control", value)
    except OSError as error:
        # EBUSY: processes are in the way.  Those controllers that bear with threads could still be
        # had, but that would make a threaded subtree of a place that is not ours.
        if error.errno != errno.EBUSY and len(controllers) > 1:
            for name in controllers:
                _enable(directory, [name])


def _drained(directory: str, seconds: float) -> None:
    try:
        if wait_event(directory, "populated 0\n", seconds):
            # Empty, and still busy: the kernel lets go of it in some microseconds, without a
            # further event.
            tree.pause(0.001)
    except OSError as error:
        if error.errno not in tree.GONE:
            raise
