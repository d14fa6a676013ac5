# SPDX-License-Identifier: Apache-2.0
"""`exec`: one more process in a running container, by a plan of its own.

It joins the container's cgroup first and then all its namespaces at once, through
the pidfd of the container's first process: no path is looked up that could mean
another container by then (setns(2)).
"""

import os

from ocirun.engine import (
    answers,
    entry,
    exec_process,
    kill,
    pid_file,
    process as steps,
    state as states,
    status,
    wire,
)
from ocirun.engine.conversation import Conversation
from ocirun.engine.interruption import Interruptible
from ocirun.engine.namespaces import Namespaces
from ocirun.engine.process import Program
from ocirun.engine.setting import Setting
from ocirun.engine.wire import Plan
from ocirun.errors import StateError
from ocirun.linux import userns
from ocirun.linux.cgroup.layout import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.foreground import Foreground
    from ocirun.engine.state import State
    from ocirun.spec.model import Process, Spec


class Request:
    """Which process to run, and how; the flags of `ocirun exec`."""

    __slots__ = (
        "additional_gids",
        "apparmor_profile",
        "args",
        "capabilities",
        "cgroups",
        "console_socket",
        "cwd",
        "debug",
        "detach",
        "env",
        "gid",
        "id",
        "ignore_paused",
        "no_new_privileges",
        "pid_file",
        "pidfd_socket",
        "preserve_fds",
        "process_file",
        "root",
        "selinux_label",
        "terminal",
        "uid",
        "warn",
    )

    def __init__(self, root: str, container_id: str) -> None:
        self.root = root
        self.id = container_id
        self.args: list[str] = []
        #: a file with the whole `process`, instead of the container's and these changes to it
        self.process_file = ""
        self.console_socket = ""
        self.pidfd_socket = ""
        self.pid_file = ""
        self.detach = False
        self.terminal = False
        self.cwd = ""
        self.env: list[str] = []
        self.uid: int | None = None
        self.gid: int | None = None
        self.additional_gids: list[int] = []
        self.selinux_label = ""
        self.apparmor_profile = ""
        self.no_new_privileges: bool | None = None
        self.capabilities: list[str] = []
        self.preserve_fds = 0
        #: controller -> path below the container's cgroup; "" for all
        self.cgroups: dict[str, str] = {}
        self.ignore_paused = False
        #: called with each warning
        self.warn: Callable[[str], None] = lambda _: None
        #: called with what only a developer wants to know: the plan, line by line
        self.debug: Callable[[str], None] | None = None


def exec_(request: Request) -> int:
    """Run the process; give its exit code, or 0 at once if it is detached."""
    state = states.load_state(request.root, request.id)
    spec = state.config()
    process = exec_process.of(request, spec)
    _check(request, state, process)
    if request.detach:
        with Interruptible():
            conversation, _ = _launch(request, state, spec, process)
        conversation.close()
        return 0
    from ocirun.engine.foreground import Foreground

    with Foreground(subreaper=False) as foreground:
        return _stay(foreground, _launch(request, state, spec, process, foreground))


def _stay(foreground: "Foreground", launched: tuple[Conversation, int]) -> int:
    conversation, terminal_fd = launched
    conversation.close()
    try:
        return foreground.wait()
    finally:
        if terminal_fd >= 0:
            os.close(terminal_fd)


def _check(request: Request, state: "State", process: "Process") -> None:
    found = status.of(state)
    if found == status.STOPPED:
        raise StateError(f"cannot exec in a stopped container: {state.id} is not running")
    if found == status.PAUSED and not request.ignore_paused:
        raise StateError(
            f"cannot exec in a paused container: {state.id}",
            "ocirun resume it, or use --ignore-paused to override",
        )
    if process.get("apparmorProfile") or process.get("selinuxLabel"):
        from ocirun.engine import labels

        labels.check(process)
    steps.check_terminal(process, request.console_socket, detach=request.detach)


def _launch(
    request: Request,
    state: "State",
    spec: "Spec",
    process: "Process",
    foreground: "Foreground | None" = None,
) -> tuple[Conversation, int]:
    """Start the process; give the conversation, and our end of its terminal or -1."""
    program = Program(process)
    pidfd = kill.open_first(state)
    if pidfd < 0:
        raise StateError(f"cannot exec in a stopped container: {state.id} is not running")
    fds = [pidfd]
    try:
        plan = _plan(request, state, (spec, process, program), fds)
        conversation = Conversation(plan, fds, preserve_fds=request.preserve_fds)
    finally:
        for fd in fds:
            os.close(fd)
    terminal_fd = -1
    try:
        terminal_fd = _serve(request, conversation, (spec, process, state))
        if foreground:
            foreground.take(conversation.pid, terminal_fd)
        if request.pidfd_socket:
            from ocirun.engine import terminal

            terminal.send_process(request.pidfd_socket, conversation.pid, "setns")
        if request.pid_file:
            pid_file.write(request.pid_file, conversation.pid)
        conversation.go()
        conversation.until_executed()
    except BaseException:
        conversation.kill()
        if terminal_fd >= 0:
            os.close(terminal_fd)
        raise
    return conversation, terminal_fd


def _serve(
    request: Request, conversation: Conversation, what: "tuple[Spec, Process, State]"
) -> int:
    spec, process, state = what
    terminal_fd = -1
    while True:
        message = conversation.next()
        if message.kind == wire.READY:
            return terminal_fd
        if message.value == steps.SYNC_UNIT:
            entry.have_moved(request, state, conversation.pid)
            conversation.go()
            continue
        if message.value == steps.SYNC_RLIMITS:
            answers.set_rlimits(conversation.pid, process)
            conversation.go()
            continue
        if message.value == steps.SYNC_LABEL:
            from ocirun.engine import labels

            labels.confirm(process, conversation.operation(message).field, message.text)
            conversation.go()
            continue
        if message.value == steps.SYNC_SECCOMP:
            from ocirun.engine import notify

            notify.hand_over(spec, state, status.RUNNING, conversation.pid, message.fd)
            conversation.go()
            continue
        if message.value == steps.SYNC_HOME:
            answers.set_rlimits(conversation.pid, process)
            conversation.go(answers.home(message.fd, process))
            continue
        if message.value != steps.SYNC_CONSOLE:
            raise answers.unexpected(message.value)
        if request.console_socket:
            answers.hand_over(request.console_socket, message)
        else:
            terminal_fd = message.fd
        conversation.go()


def _plan(
    request: Request,
    state: "State",
    what: "tuple[Spec, Process, Program]",
    fds: list[int],
) -> Plan:
    spec, process, program = what
    setting = _setting(request, state, spec, process)
    plan = Plan()
    setting.root_slot = plan.slot()
    setting.proc_slot = plan.slot()
    files, directory = entry.open_cgroups(request, state)
    fds += files if directory < 0 else [*files, directory]
    if state.has_part("intelRdt"):
        from ocirun.engine import intel_rdt

        tasks = intel_rdt.open_tasks(state)
        fds += tasks
        files += tasks
    root = -1
    if not setting.namespaces.private("mount"):
        root = entry.open_root(state, fds[0])
        fds.append(root)
    entry.add(plan, setting, process, (fds[0], root), (files, directory))
    if not setting.no_keyring:
        steps.add_keyring(plan, setting, process)
    plan.field = "container's root"
    plan.add("OPEN", setting.root_slot, "/")
    if process.get("terminal"):
        plan.field = "process.terminal"
        size = process.get("consoleSize", {})
        plan.add("CONSOLE", setting.root_slot, 0, size.get("width", 0), size.get("height", 0))
    plan.add("CLOSE", setting.root_slot)
    section = spec.get("linux", {}).get("seccomp")
    seccomp = None
    if section:
        from ocirun.engine import seccomp as filters

        seccomp = filters.prepare(section, request.root)
    steps.add_end(plan, setting, process, program, seccomp, lambda: None)
    for warning in setting.warnings:
        request.warn(warning)
    if request.debug:
        from ocirun.engine import words

        for line in words.lines(plan.operations):
            request.debug(line)
    return plan


def _setting(request: Request, state: "State", spec: "Spec", process: "Process") -> Setting:
    namespaces = Namespaces(spec.get("linux", {}).get("namespaces", []))
    setting = Setting(spec, state.bundle, namespaces, Layout([], None))
    setting.id = state.id
    setting.in_unit = entry.is_moved_by_systemd(state)
    if process.get("apparmorProfile"):
        from ocirun.linux import lsm

        setting.apparmor_file = lsm.apparmor_file()
    setting.privileged = os.geteuid() == 0
    setting.no_keyring = state.no_keyring
    setting.may_setgroups = userns.may_setgroups(state.pid)
    setting.preserve_fds = request.preserve_fds
    return setting
