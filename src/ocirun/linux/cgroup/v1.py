# SPDX-License-Identifier: Apache-2.0
"""A container's cgroups on a host with cgroup v1 hierarchies, one directory in each.

A v2 tree beside them (a "hybrid" host) and systemd's own hierarchy hold no limits there,
but the container's processes follow into them all the same.  cgroups(7), the kernel's
admin-guide/cgroup-v1.  Setting up goes: create, write, allow_devices, then attach_fds.
"""

import errno
import os
import select
import time

from ocirun.linux.cgroup import freezer, settings as setting_list, tree
from ocirun.linux.cgroup.layout import SYSTEMD, UNIFIED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocirun.linux.cgroup import oom
    from ocirun.linux.cgroup.devices import Rule
    from ocirun.linux.cgroup.layout import Layout
    from ocirun.linux.cgroup.settings import Setting
    from ocirun.linux.cgroup.statistics import Statistics

# Any of them lists the same processes; the freezer comes first because it is what holds them
# still while they are signalled.
_LISTS_PROCESSES = ("freezer", "devices", "pids", "memory", "cpu", SYSTEMD, UNIFIED)


class Cgroup:
    """One container's directories, by controller.

    `made` holds the directories that did not exist before, outermost first; only they are ever
    removed.  `refused` holds the controllers that an unprivileged caller could not have.
    """

    version = 1
    __slots__ = ("_inherited", "made", "paths", "refused")

    def __init__(self, paths: dict[str, str], made: list[str]) -> None:
        self.paths = paths
        self.made = made
        self.refused: dict[str, OSError] = {}
        self._inherited: dict[str, str] = {}

    def create(self, *, tolerant: bool = False) -> None:
        """Make the directories; on failure nothing stays.

        With `tolerant`, hierarchies that the caller may not write to are left out instead.
        """
        for directory, controllers in self._directories().items():
            try:
                self._make(directory, controllers)
            except OSError as error:
                optional = controllers[0] in (SYSTEMD, UNIFIED)
                if not optional and not (tolerant and error.errno in tree.NOT_OURS):
                    self.discard()
                    raise
                for controller in controllers:
                    del self.paths[controller]
                    self.refused[controller] = error

    def existed(self) -> bool:
        """Tell whether any of the directories was there before `create`."""
        made = set(self.made)
        return any(path not in made for path in self.paths.values())

    def populated(self) -> bool:
        """Tell whether any process is in the cgroups, in whichever hierarchy."""
        return any(tree.pids(directory) for directory in self._directories())

    def write(self, settings: "Iterable[Setting]") -> None:
        """Write the settings; raises SettingError, which names the file and the setting."""
        settings = list(settings)
        for setting in settings:
            self._inherited.pop(setting[1], None)
        setting_list.apply(settings, self._directory)

    def read(self, controller: str, file: str) -> str:
        """Return the text of one file."""
        return tree.read(self._directory(controller), file)

    def allow_devices(self, rules: "Iterable[Rule]") -> None:
        """Make the device rules those of the list, applied in order to "deny all"."""
        from ocirun.linux.cgroup import devices

        devices.write_v1(self._directory("devices"), rules)

    def delegate(self, uid: int, gid: int = -1) -> None:
        """Leave it to root: whoever owned a v1 cgroup could lift its limits."""

    def attach_fds(self, *, cloned: bool = False) -> list[int]:
        """Open the files that a new process writes "0" to, to enter the cgroups itself.

        Memory comes first: what a process allocates is charged where it was then.  With
        `cloned` the process is born in `directory_fd()`, so the v2 tree is left out.
        """
        self._fill_cpuset()
        fds: list[int] = []
        directories = self._directories()
        for directory, controllers in directories.items():
            if controllers[0] == UNIFIED and cloned:
                continue
            # A single thread that moves itself through `tasks` waits for nobody.  Moving a whole
            # process waits for an RCU grace period, 10 ms and more on an idle machine.
            file = "cgroup.procs" if controllers[0] == UNIFIED else "tasks"
            try:
                fds.append(os.open(f"{directory}/{file}", os.O_WRONLY))
            except OSError:
                for fd in fds:
                    os.close(fd)
                raise
        return fds

    def directory_fd(self) -> int:
        """Open the directory for clone3(2) with CLONE_INTO_CGROUP; -1 if there is no v2 tree."""
        path = self.paths.get(UNIFIED)
        return os.open(path, os.O_PATH | os.O_DIRECTORY) if path else -1

    def sub(self, inner: dict[str, str]) -> "Cgroup":
        """Return cgroups below these: one path for all under the key "", or one by controller."""
        whole = inner.get(UNIFIED, "")
        for controller in inner:
            if controller != UNIFIED:
                self._directory(controller)
        paths = {}
        for controller, path in self.paths.items():
            paths[controller] = tree.below(path, inner.get(controller, whole))
        return Cgroup(paths, [])

    def pids(self, *, recursive: bool = True) -> list[int]:
        """Return the processes in the cgroup (and below it)."""
        directory = self._processes()
        return tree.pids(directory, recursive=recursive) if directory else []

    def kill(self) -> None:
        """Kill every process in the cgroup and below, also those it is about to make."""
        self.signal(9)

    def signal(self, number: int) -> None:
        """Send a signal to every process in the cgroup and below, held still meanwhile."""
        tree.signal_held(self, number, can_freeze="freezer" in self.paths)

    def freeze(self, timeout: float = 10.0) -> None:
        """Stop all processes and wait until they have stopped; EBUSY if they do not."""
        directory = self._directory("freezer")
        frozen = False
        try:
            frozen = _freeze(directory, timeout)
        finally:
            if not frozen:
                self.thaw()
        if not frozen:
            raise OSError(errno.EBUSY, "processes do not freeze", f"{directory}/freezer.state")

    def thaw(self) -> None:
        """Let the processes go on; nothing to do if the cgroup is gone."""
        try:
            if "freezer" in self.paths:
                tree.write(self.paths["freezer"], "freezer.state", "THAWED")
        except OSError as error:
            if error.errno not in tree.GONE:
                raise

    def frozen(self) -> bool:
        """Tell whether the cgroup itself, not one above it, was told to freeze."""
        return freezer.is_frozen(self.paths)

    def statistics(self) -> "Statistics":
        """Return what the cgroup has used."""
        from ocirun.linux.cgroup import statistics_v1

        return statistics_v1.read(self.paths)

    def watch_oom(self) -> "oom.WatchV1":
        """Watch for processes that are killed for want of memory."""
        from ocirun.linux.cgroup import oom

        return oom.WatchV1(self._directory("memory"))

    def remove(self, timeout: float = 2.0) -> None:
        """Remove what `create` made, with everything the container made inside."""
        made = set(self.made)
        for directory in self._directories():
            if directory in made:
                tree.remove(directory, _drained, timeout)
        tree.remove_empty(self.made)

    def discard(self) -> None:
        """Undo `create` before any process was attached."""
        tree.remove_empty(self.made)
        self.made = []

    def _make(self, directory: str, controllers: list[str]) -> None:
        before = len(self.made)
        tree.make(directory, self.made)
        if "cpuset" not in controllers:
            return
        # A new v1 cpuset holds no CPU and no memory node, and no process can enter it so.
        for parent in self.made[before:]:
            if parent != directory:
                _fill(parent)
        for file in ("cpuset.cpus", "cpuset.mems"):
            self._inherited[file] = _inherit(os.path.dirname(directory), file)

    def _fill_cpuset(self) -> None:
        for file, value in self._inherited.items():
            directory = self._directory("cpuset")
            if directory in self.made or not tree.read(directory, file).strip():
                tree.write(directory, file, value)
        self._inherited = {}

    def _directory(self, controller: str) -> str:
        path = self.paths.get(controller)
        if path is not None:
            return path
        if controller in self.refused:
            raise self.refused[controller]
        raise OSError(errno.ENOENT, "no such cgroup controller on this host", controller)

    def _directories(self) -> dict[str, list[str]]:
        # Controllers that are mounted together (cpu,cpuacct) share a directory.
        found: dict[str, list[str]] = {}
        last = (SYSTEMD, UNIFIED)
        for controller in sorted(self.paths, key=lambda name: (name in last, name != "memory")):
            found.setdefault(self.paths[controller], []).append(controller)
        return found

    def _processes(self) -> str:
        for controller in _LISTS_PROCESSES:
            if controller in self.paths:
                return self.paths[controller]
        return next(iter(self.paths.values()), "")


def plan(layout: "Layout", path: str) -> Cgroup:
    """Return the cgroups of a path, not made yet; see Hierarchy.directory for what it means."""
    hierarchies = list(layout.v1)
    if layout.unified:
        hierarchies.append(layout.unified)
    paths = {}
    for hierarchy in hierarchies:
        directory = hierarchy.directory(path)
        for controller in hierarchy.controllers:
            paths[controller] = directory
    return Cgroup(paths, [])


def _fill(directory: str) -> None:
    for file in ("cpuset.cpus", "cpuset.mems"):
        tree.write(directory, file, _inherit(os.path.dirname(directory), file))


def _inherit(directory: str, file: str) -> str:
    # Somebody may have made the parents and never filled them in.
    value = tree.read(directory, file).strip()
    if not value:
        value = _inherit(os.path.dirname(directory), file)
        tree.write(directory, file, value)
    return value


def _freeze(directory: str, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    attempt = 0
    while time.monotonic() < deadline:
        tree.write(directory, "freezer.state", "FROZEN")
        if tree.read(directory, "freezer.state") == "FROZEN\n":
            return True
        attempt += 1
        if attempt % 50 == 0:
            # New children can keep it in FREEZING for ever; a fresh start catches them.
            tree.write(directory, "freezer.state", "THAWED")
        if attempt > 5:
            # The v1 freezer has no event file: the state moves on when it is looked at.
            tree.pause(0.001)
    return False


def _drained(directory: str, seconds: float) -> None:
    poller = select.poll()
    fds = []
    try:
        for pid in tree.pids(directory, recursive=False):
            try:
                fds.append(os.pidfd_open(pid))
            except ProcessLookupError:
                continue
            poller.register(fds[-1], select.POLLIN)
        # Without a process left the kernel is still letting go of the cgroup, for some
        # microseconds and without an event on v1: look again after a moment.
        poller.poll(int(seconds * 1000) if fds else 1)
    except FileNotFoundError:
        return
    finally:
        for fd in fds:
            os.close(fd)
