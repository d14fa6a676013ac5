# SPDX-License-Identifier: Apache-2.0
"""`restore`: make a container of what `checkpoint` has saved.

State and cgroup are made as `create` does; the rest is in the images, and criu makes it.
Criu runs in a mount namespace of its own, where the root filesystem is bound over the
state directory: it wants a mount of its own that nothing covers, and so none is left behind.
"""

import os

from ocirun import _linux
from ocirun.engine import criu as jobs, kill, terminal
from ocirun.engine.create import Creation
from ocirun.engine.interruption import Interruptible
from ocirun.engine.namespaces import TYPES
from ocirun.errors import KernelError, OcirunError, SpecError
from ocirun.linux import criu
from ocirun.linux.cgroup import layout
from ocirun.linux.mount import MS_REC, MS_SLAVE
from ocirun.spec import encode, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.criu import Job
    from ocirun.engine.request import Request
    from ocirun.linux.criu import Value
    from ocirun.spec.model import Spec

_LOG = "restore.log"
#: the index of lo, which is the first device of every namespace
_LOOPBACK = 1
_CLONE_NEWNS = 0x00020000
_MS_BIND = 0x1000


def restore(
    request: "Request", job: "Job", *, detach: bool = False, no_subreaper: bool = False
) -> int:
    """Restore a container; give its exit code, or 0 at once if it is detached."""
    with Interruptible():
        restoration = Restoration(request, job, detach=detach)
        restoration.restore()
        if detach:
            restoration.release()
            return 0
        from ocirun.engine import run
        from ocirun.engine.foreground import Foreground

        with Foreground(subreaper=not no_subreaper) as foreground:
            foreground.take(restoration.state.pid, restoration.terminal_fd)
            return run.wait(restoration, foreground, keep=False)


class Restoration(Creation):
    """A container in the making, of images."""

    __slots__ = ("_descriptors", "_hooks_ran", "job")

    def __init__(self, request: "Request", job: "Job", *, detach: bool) -> None:
        self.job = job
        self._hooks_ran = False
        super().__init__(request, detach=detach)
        if "cgroup" in self.namespaces.joined:
            raise SpecError(
                "linux.namespaces: criu cannot restore into a cgroup namespace given by its path"
            )
        job.find_program()
        self._descriptors = _read_descriptors(job.images)

    def _check_host(self) -> None:
        # Network devices are in their namespace, which criu leaves alone.
        if "intelRdt" in self.spec.get("linux", {}):
            self.request.warn("linux.intelRdt: not applied to a container that is restored")

    def restore(self) -> None:
        """Do all of it; whatever fails, nothing is left."""
        try:
            self._claim()
            self._make_cgroup()
            self.namespaces.open()
            self._restore_processes()
            if self.cgroup:
                from ocirun.engine import cgroups

                cgroups.limit_processes(self.cgroup, self.spec.get("linux", {}))
            self._note_time_namespace()
            self._record()
        except BaseException:
            self.undo()
            raise
        finally:
            self.job.close()
            self._close_fds()

    def undo(self) -> None:
        """Take back everything, and the processes too."""
        if self.lock >= 0:
            try:
                kill.kill_all(self.state)
            except OcirunError as error:
                self.request.warn(error.message)
        super().undo()
        if self._hooks_ran:
            from ocirun.engine import delete

            delete.run_poststop(self.state, self.request.warn)

    def _restore_processes(self) -> None:
        joined = [kind for kind in jobs.EXTERNAL if kind in self.namespaces.fds]
        session = self._start_criu([self.namespaces.fds[kind] for kind in joined])
        try:
            wanted = self._options(f"/proc/{session.pid}/root")
            wanted["inherit_fd"] = [
                criu.pair(jobs.external_key(kind), self.namespaces.fds[kind]) for kind in joined
            ] + [
                criu.pair(name, fd) for fd, name in enumerate(self._descriptors) if "pipe:" in name
            ]
            wanted["cg_root"] = [
                criu.pair(controller, path)
                for controller, path in layout.membership(session.pid).items()
            ]
            session.ask(criu.RESTORE, criu.options(wanted), notified=self._notified)
        except OSError as error:
            raise self.job.failure("restore", self.request.id, error) from error
        finally:
            session.close()

    def _start_criu(self, keep: list[int]) -> criu.Session:
        own = not self.spec["process"].get("terminal")
        files = self.cgroup.attach_fds() if self.cgroup else []
        try:
            return criu.Session(self.job.program, keep, lambda: self._prepare(files), stdio=own)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise KernelError(
                f"restore {self.request.id}: start criu: {place}{(error.strerror or '').lower()}"
            ) from error
        finally:
            for fd in files:
                os.close(fd)

    def _note_time_namespace(self) -> None:
        """Have exec join the time namespace that criu has made, whatever the config says.

        Else the next restore fails: a process of it would be in another one than its parent.
        """
        if self.namespaces.private("time") or not os.path.exists("/proc/self/ns/time"):
            return  # kernel < 5.6
        try:
            joined = os.readlink(f"/proc/{self.state.pid}/ns/time")
        except FileNotFoundError:
            return  # it has ended already, and nobody can join it
        if joined == os.readlink("/proc/self/ns/time"):
            return
        config: Spec = load.parse(self.config, "config.json")  # type: ignore[assignment]
        linux = config.setdefault("linux", {})
        linux["namespaces"] = [*linux.get("namespaces", []), {"type": "time"}]
        self.state.save_config(encode.dumps(config).encode())

    def _options(self, top: str) -> "dict[str, Value]":
        job = self.job
        wanted = job.open(_LOG, top)
        wanted["root"] = self.state.directory
        wanted["evasive_devices"] = True
        wanted["rst_sibling"] = True
        if configuration := jobs.configuration(self.state.annotations):
            wanted["config_file"] = configuration
        for name, value in (
            ("lsm_profile", job.lsm_profile),
            ("lsm_mount_context", job.lsm_mount_context),
        ):
            if value:
                wanted[name] = value
        wanted["join_ns"] = [
            criu.pair(TYPES[kind][1], path)
            for kind, path in self.namespaces.joined.items()
            if kind not in jobs.EXTERNAL
        ]
        found = jobs.external_mounts(
            self.spec, self.state.bundle, self.rootfs, self.host, self.state.cgroup_paths
        )
        if self.spec.get("linux", {}).get("maskedPaths"):
            found.append(("/dev/null", "/dev/null"))
        wanted["ext_mnt"] = [criu.pair(where, source) for where, source in dict(found).items()]
        return wanted

    def _prepare(self, files: list[int]) -> None:
        """Join the cgroup and set up the mounts; in the process that becomes criu."""
        for fd in files:
            os.write(fd, b"0")
        from ocirun.engine import mount_points

        _linux.unshare(_CLONE_NEWNS)
        _linux.mount("none", "/", MS_SLAVE | MS_REC)
        mount_points.make(self.spec, self.state.bundle, self.rootfs)
        _linux.mount(self.rootfs, self.state.directory, _MS_BIND | MS_REC)

    def _notified(self, script: str, pid: int, fd: int) -> None:
        try:
            if script == "setup-namespaces":
                self.adopt(pid)
                if "network" in self.namespaces.made:
                    _set_up_loopback(pid)
                self._run_hooks()
            elif script == "post-restore":
                self.adopt(pid)
            elif script == "orphan-pts-master" and fd >= 0:
                self._take_terminal(fd)
                fd = -1
        finally:
            if fd >= 0:
                os.close(fd)

    def _run_hooks(self) -> None:
        wanted = self.spec.get("hooks", {})
        if not wanted:
            return
        from ocirun.engine import hooks

        self._hooks_ran = True
        self.state.save()
        for kind in ("prestart", "createRuntime"):
            hooks.run(wanted, kind, lambda: self.hook_state("creating"), self.state.bundle)

    def _take_terminal(self, fd: int) -> None:
        if not self.request.console_socket:
            self.terminal_fd = fd
            return
        try:
            terminal.send(self.request.console_socket, fd, "/dev/ptmx")
        finally:
            os.close(fd)


def _set_up_loopback(pid: int) -> None:
    """Let lo work, as in a container that is created: criu leaves the namespace empty."""
    from ocirun.linux import rtnetlink

    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with rtnetlink.Routing(fd) as routing:
            routing.set_up(_LOOPBACK)
    finally:
        os.close(fd)


def _read_descriptors(images: str) -> list[str]:
    import json

    path = f"{images}/{jobs.DESCRIPTORS}"
    try:
        with open(path, "rb") as file:
            found = json.load(file)
    except OSError as error:
        raise KernelError(
            f"read the images: {path}: {(error.strerror or '').lower()}",
            "name the directory that checkpoint has filled with --image-path",
        ) from error
    except ValueError as error:
        raise SpecError(f"parse {path}: {error}") from error
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise SpecError(f"{path}: it is not a list of strings")
    return found
