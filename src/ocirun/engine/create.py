# SPDX-License-Identifier: Apache-2.0
"""Making a container: from a bundle to a process that waits for its start.

Everything is read and checked before anything is made, and a failure at any step
takes back all that was made.
"""

import os
import time

from ocirun.engine import (
    bundle as bundles,
    cgroup_manager,
    cgroups,
    mounts,
    pid_file,
    plan as plans,
    state as states,
    status,
)
from ocirun.engine.conversation import Conversation
from ocirun.engine.namespaces import Namespaces, check_mounts, check_sysctls
from ocirun.engine.process import Program, check_terminal
from ocirun.engine.setting import Setting
from ocirun.engine.timestamp import timestamp
from ocirun.errors import SpecError
from ocirun.linux import procfs, userns
from ocirun.linux.cgroup import layout, tree
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.idmapped import Mapper
    from ocirun.engine.request import Request
    from ocirun.engine.unit import Unit
    from ocirun.linux.cgroup import Cgroup
    from ocirun.linux.seccomp_cache import Program as Filter
    from ocirun.spec.model import Spec

#: of `linux`; what they ask of the host is looked at early
_RARE = frozenset(("intelRdt", "netDevices"))


class Creation:
    """A container in the making; `undo` takes back what has been made so far."""

    __slots__ = (
        "cgroup",
        "config",
        "conversation",
        "copy_fd",
        "fds",
        "host",
        "lock",
        "mapper",
        "namespaces",
        "planned",
        "program",
        "request",
        "rootfs",
        "seccomp",
        "setting",
        "spec",
        "state",
        "terminal_fd",
        "unit",
        "userns_fd",
    )

    def __init__(self, request: "Request", *, detach: bool) -> None:
        self.request = request
        self.fds = plans.Fds()
        self.conversation: Conversation | None = None
        self.cgroup: Cgroup | None = None
        self.planned: Cgroup | None = None
        self.unit: Unit | None = None
        self.lock = -1
        self.terminal_fd = -1
        #: the user namespace that was made, and the directory that comes next, for tmpcopyup
        self.userns_fd = self.copy_fd = -1
        self.mapper: Mapper | None = None
        self._read()
        check_terminal(self.spec["process"], request.console_socket, detach=detach)

    def _read(self) -> None:
        """Read and check all that was asked for; nothing is made yet."""
        request = self.request
        states.check_id(request.id)
        self.spec: Spec
        request.bundle = os.path.abspath(request.bundle)
        self.spec, self.config = bundles.read_config(request.bundle, request.config)
        if os.geteuid() != 0:
            from ocirun.engine import idmapped

            idmapped.refuse_rootless(self.spec)
        if "process" not in self.spec:
            raise SpecError("process: missing", "say what is to run in process.args")
        self._check_labels()
        self.rootfs = bundles.find_rootfs(self.spec, request.bundle)
        if request.listen_fds:
            # The program is the first process of its pid namespace, as runc has it.
            own = [f"LISTEN_FDS={request.listen_fds}", "LISTEN_PID=1"]
            self.spec["process"]["env"] = [*self.spec["process"].get("env", []), *own]
        self.program = Program(self.spec["process"])
        self.seccomp = self._compile_seccomp()
        self.namespaces = Namespaces(self.spec.get("linux", {}).get("namespaces", []))
        check_mounts(self.spec, self.namespaces)
        self._check_host()

    def _check_host(self) -> None:
        """Look for what the config asks of the host, before anything is made."""
        if not _RARE.isdisjoint(self.spec.get("linux", {})):
            from ocirun.engine import rare

            rare.check(self.spec["linux"], self.request)

    def _check_labels(self) -> None:
        process = self.spec["process"]
        mount_label = self.spec.get("linux", {}).get("mountLabel", "")
        if mount_label or process.get("apparmorProfile") or process.get("selinuxLabel"):
            from ocirun.engine import labels

            labels.check(process, mount_label)

    def _compile_seccomp(self) -> "Filter | None":
        section = self.spec.get("linux", {}).get("seccomp")
        if not section:
            return None
        from ocirun.engine import seccomp

        found = seccomp.prepare(section, self.request.root)
        if found and self.request.debug:
            self.request.debug(f"seccomp filter flags: {found.flags}")
        if found and found.listener:
            from ocirun.engine import notify

            notify.check(self.spec)
        return found

    def make(self, *, listen: bool, meanwhile: "Callable[[], None]" = lambda: None) -> None:
        """Make the container up to the point where only the start is missing.

        `meanwhile` is called while the stub is at work, on another CPU if there is one.
        """
        try:
            self.step("make the state directory, and lock it")
            self._claim()
            self.step("make the cgroup", "linux.cgroupsPath")
            self._make_cgroup()
            if "intelRdt" in self.spec.get("linux", {}):
                from ocirun.engine import intel_rdt

                rdt = self.spec["linux"]["intelRdt"]
                self.fds.resctrl_files = intel_rdt.make(rdt, self.state, self.request.resctrl)
            self.namespaces.open()
            check_sysctls(self.spec, self.namespaces)
            if listen:
                from ocirun.engine import listener

                self.fds.listener = listener.listen(self.state.socket_path)
            self.step("make the plan, and start the stub")
            self._start_stub()
            self.step("wait for the stub, and answer it")
            meanwhile()
            from ocirun.engine import answers

            answers.serve(self)
            self.step("save the state")
            self._record()
        except BaseException:
            self.undo()
            raise
        finally:
            self._close_fds()

    def step(self, what: str, field: str = "") -> None:
        """Tell the trace, if there is one, that something begins."""
        if self.request.trace:
            self.request.trace.step(what, field)

    def _claim(self) -> None:
        request = self.request
        self.state, self.lock = states.claim(request.root, request.id)
        state = self.state
        state.oci_version = self.spec["ociVersion"]
        state.bundle = request.bundle
        state.rootfs = self.rootfs
        state.created = timestamp(time.time_ns())
        state.rootless = request.rootless
        state.own_pids = "pid" in self.namespaces.made
        if not self.namespaces.private("mount"):
            from ocirun.engine import host_mounts

            state.host_mounts = host_mounts.count(self.rootfs)
        state.annotations = self.spec.get("annotations", {})
        hooks = self.spec.get("hooks", {})
        for kind in ("poststart", "poststop"):
            if kind in hooks:
                state.hooks[kind] = hooks[kind]
        state.no_keyring = request.no_new_keyring
        self.host = layout.read()
        # Not ours before it is made: in one that is there already other processes may live,
        # which undo() must not end.
        self.planned = cgroup_manager.plan(self)
        if self.planned:
            state.cgroup_paths = self.planned.paths
            state.cgroups_made = tree.missing(self.planned.paths.values())
        # Before anything is made, so that even after a crash it is known what to remove.
        state.save()
        state.save_config(self.config)

    def _make_cgroup(self) -> None:
        if not self.planned or self.unit:
            return
        config, rootless = self.spec.get("linux", {}), self.request.rootless
        cgroup = self.cgroup = cgroups.create(self.planned, config, rootless=rootless)
        if cgroup and cgroup.existed():
            from ocirun.engine import inheritance

            inheritance.take_over(self.request.root, self.request.id, cgroup)
        self.state.own_cgroup()
        self.take_cgroup(cgroup)
        if cgroup:
            self.fds.cgroup_directory = cgroup.directory_fd()
            cloned = self.fds.cgroup_directory >= 0
            if cgroup.version == 1 or not cloned:
                self.fds.cgroup_files = cgroup.attach_fds(cloned=cloned)

    def take_cgroup(self, cgroup: "Cgroup | None") -> None:
        """Record the cgroup, now that it is made, and hand it over if the config says so."""
        for warning in cgroups.ignored(cgroup, self.spec.get("linux", {})):
            self.request.warn(warning)
        self.state.cgroup_paths = cgroup.paths if cgroup else {}
        self.state.cgroups_made = cgroup.made if cgroup else []
        if cgroup:
            owner = cgroups.owner(self.spec, self.namespaces)
            cgroups.delegate(cgroup, owner, rootless=self.request.rootless)

    def _start_stub(self) -> None:
        setting = self.plan_setting()
        if self.spec.get("hooks"):
            self.fds.hook_output = os.memfd_create("output", os.MFD_CLOEXEC)
        self.setting = setting
        plan = plans.build(
            setting, self.fds, self.program, self.seccomp, self._hook_state_around_pid()
        )
        self.state.last_operation = len(plan.operations) - 1
        for warning in setting.warnings:
            self.request.warn(warning)
        if self.request.debug:
            from ocirun.engine import words

            for line in words.lines(plan.operations):
                self.request.debug(line)
        keep = [*self.fds.all(), *self.namespaces.fds.values()]
        if self.request.trace:
            self.request.trace.begin(plan.operations)
            plan.trace = self.request.trace.fd
            keep.append(plan.trace)
        self.conversation = Conversation(
            plan, keep, preserve_fds=self.request.preserve_fds, fail_at=self.request.fail_at
        )

    def adopt(self, pid: int) -> None:
        """Remember the container's process, as soon as it is known."""
        if self.state.pid != pid:
            self.state.pid = pid
            self.state.start_time = procfs.start_time(pid)

    def plan_setting(self) -> Setting:
        """Gather the facts on which the plan is built; `host` has to be known."""
        setting = Setting(self.spec, self.request.bundle, self.namespaces, self.host)
        inside = userns.inside()
        setting.id = self.request.id
        setting.rootfs = self.rootfs
        setting.cgroup = self.cgroup or self.planned
        setting.in_unit = self.unit is not None
        setting.privileged = os.geteuid() == 0
        setting.in_userns = self.namespaces.private("user") or inside
        setting.may_setgroups = userns.may_setgroups()
        if "user" in self.namespaces.made and not setting.privileged:
            from ocirun.engine import idmap

            mappings = self.spec.get("linux", {}).get("gidMappings", [])
            setting.may_setgroups &= not idmap.is_single(mappings, os.getegid())
        setting.no_pivot = self.request.no_pivot
        if setting.no_pivot:
            from ocirun.engine import host_mounts

            setting.bare_mounts = host_mounts.bare(self.rootfs)
        if self.spec["process"].get("apparmorProfile"):
            from ocirun.linux import lsm

            setting.apparmor_file = lsm.apparmor_file()
        setting.no_keyring = self.request.no_new_keyring
        setting.preserve_fds = self.request.preserve_fds
        if self.spec.get("linux", {}).get("sysctl"):
            setting.covered_sysctls = procfs.is_covered("sys")
        if setting.in_userns:
            setting.foreign = self.namespaces.foreign()
        setting.has_own_dev = not mounts.binds_dev(self.spec, self.rootfs)
        return setting

    def hook_state(self, word: str) -> str:
        """Give the state document for a hook that runs now."""
        return encode.dumps(status.hook_document(self.state, word))

    def _hook_state_around_pid(self) -> tuple[str, str, str]:
        # The stub fills in the pid, which is another one inside.
        document = status.hook_document(self.state, "")
        document.pop("pid", None)
        before, _, after = encode.dumps(document).partition('"status":""')
        return before + '"status":"', '","pid":', after

    def _record(self) -> None:
        if self.request.pidfd_socket:
            from ocirun.engine import terminal

            terminal.send_process(self.request.pidfd_socket, self.state.pid, "standard")
        if not self.spec["process"].get("terminal"):
            self.state.descriptors = [os.readlink(f"/proc/self/fd/{fd}") for fd in range(3)]
        self.state.creating = False
        self.state.save()
        if self.request.pid_file:
            pid_file.write(self.request.pid_file, self.state.pid)

    def undo(self) -> None:
        """Take back everything; the error that made it necessary is the caller's."""
        if self.conversation:
            self.conversation.kill()
        # Now, for it may be their number that was the error: what follows needs some.
        self._close_fds()
        if self.terminal_fd >= 0:
            os.close(self.terminal_fd)
            self.terminal_fd = -1
        if self.unit:
            from ocirun.engine import systemd

            systemd.undo(self.state, self.request.warn)
        if self.cgroup:
            try:
                self.cgroup.kill()
                self.cgroup.remove()
            except OSError as error:
                said = (error.strerror or "").lower()
                self.request.warn(f"remove the cgroup: {error.filename}: {said}")
        if self.lock >= 0:
            if self.state.host_mounts >= 0:
                from ocirun.engine import host_mounts

                host_mounts.remove(self.state)
            if self.state.has_part("intelRdt"):
                from ocirun.engine import intel_rdt

                intel_rdt.remove(self.state)
            states.remove_directory(self.state.directory)
            os.close(self.lock)
            self.lock = -1
        if self.conversation and self.state.hooks.get("poststop"):
            from ocirun.engine import delete

            # Other hooks may have made what these remove (runtime-spec, "Lifecycle").
            delete.run_poststop(self.state, self.request.warn)

    def _close_fds(self) -> None:
        for fd in self.fds.all():
            os.close(fd)
        self.fds = plans.Fds()
        self.namespaces.close()
        if self.mapper:
            self.mapper.close()
        for fd in (self.userns_fd, self.copy_fd):
            if fd >= 0:
                os.close(fd)
        self.userns_fd = self.copy_fd = -1

    def conversation_now(self) -> Conversation:
        """Give the conversation, which there is after make()."""
        assert self.conversation
        return self.conversation

    def release(self) -> None:
        """Let other commands at the container."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def create(request: "Request") -> int:
    """Create a container that waits for `start`; give the pid of its first process."""
    creation = Creation(request, detach=True)
    creation.make(listen=True)
    creation.conversation_now().go()
    creation.conversation_now().close()
    creation.release()
    if request.trace:
        request.trace.save(request.id, request.warn)
    return creation.state.pid
