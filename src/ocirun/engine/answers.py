# SPDX-License-Identifier: Apache-2.0
"""What the parent does for the container at the points where the stub waits for it."""

import os

from ocirun.engine import process, wire
from ocirun.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.conversation import Conversation
    from ocirun.engine.create import Creation
    from ocirun.engine.stub import Message
    from ocirun.spec.model import Process


def serve(creation: "Creation") -> None:
    """Answer the stub until it is ready, or raise what went wrong."""
    conversation = creation.conversation
    assert conversation
    while True:
        message = conversation.next()
        creation.adopt(conversation.pid)
        if message.kind == wire.READY:
            _limit_processes(creation)
            return
        answer(creation, message)


def answer(creation: "Creation", message: "Message") -> None:
    """Do what one message asks for, and let the stub go on."""
    conversation = creation.conversation_now()
    if message.kind == wire.FD:
        conversation.go(_take_descriptor(creation, message))
    elif message.value == process.SYNC_LABEL:
        from ocirun.engine import labels

        field = conversation.operation(message).field
        labels.confirm(creation.spec["process"], field, message.text)
        conversation.go()
    elif message.value == process.SYNC_SOURCE:
        _hand_source(conversation, message)
    elif message.value == process.SYNC_IDMAP:
        _hand_tree(creation, conversation, message)
    else:
        _synchronise(creation, message.value)
        conversation.go()


def _limit_processes(creation: "Creation") -> None:
    # Only now: before, there were up to two of the stub's own, and hooks.
    linux = creation.spec.get("linux", {})
    limits = linux.get("resources", {})
    if creation.cgroup and ("pids" in limits or "unified" in limits):
        from ocirun.engine import cgroups

        cgroups.limit_processes(creation.cgroup, linux)
        if creation.unit:
            from ocirun.engine import systemd

            systemd.limit_processes(creation)


def _synchronise(creation: "Creation", point: int) -> None:
    if point == process.SYNC_RLIMITS:
        set_rlimits(creation.state.pid, creation.spec["process"])
        return
    if point == process.SYNC_UNIT:
        from ocirun.engine import systemd

        systemd.enter(creation)
        return
    if point == process.SYNC_NET_DEVICES:
        from ocirun.engine import net_devices

        net_devices.move(creation.spec.get("linux", {}).get("netDevices", {}), creation.state.pid)
        return
    if point == process.SYNC_MAPPINGS:
        from ocirun.engine import idmap

        linux = creation.spec.get("linux", {})
        idmap.write_mappings(
            creation.state.pid,
            linux.get("uidMappings", []),
            linux.get("gidMappings", []),
            privileged=creation.setting.privileged,
        )
        if any(
            "tmpcopyup" in mount.get("options", ()) for mount in creation.spec.get("mounts", ())
        ):
            # Now: soon nobody but root may look into the process any more.
            path = f"/proc/{creation.state.pid}/ns/user"
            creation.userns_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return
    if point != process.SYNC_HOOKS:
        raise unexpected(point)
    from ocirun.engine import hooks

    creation.state.save()
    for kind in ("prestart", "createRuntime"):
        hooks.run(
            creation.spec.get("hooks", {}),
            kind,
            lambda: creation.hook_state("creating"),
            creation.state.bundle,
        )


def _hand_source(conversation: "Conversation", message: "Message") -> None:
    from ocirun.engine import sources

    fd = sources.open_for(conversation.pid, conversation.operation(message))
    try:
        conversation.go(fd=fd)
    finally:
        os.close(fd)


def _hand_tree(creation: "Creation", conversation: "Conversation", message: "Message") -> None:
    if not creation.mapper:
        from ocirun.engine.idmapped import Mapper

        creation.mapper = Mapper()
    idmap = creation.setting.idmaps[conversation.operation(message).field]
    fd = creation.mapper.tree(conversation.pid, idmap)
    try:
        conversation.go(fd=fd)
    finally:
        os.close(fd)


def _copy_up(creation: "Creation", message: "Message") -> None:
    if message.value == process.SYNC_COPY_FROM:
        creation.copy_fd = message.fd
        return
    from ocirun.engine import copy_up

    conversation = creation.conversation_now()
    userns = creation.namespaces.fds.get("user", creation.userns_fd)
    cgroup_fds = creation.cgroup.attach_fds() if creation.cgroup else []
    try:
        field = conversation.operation(message).field
        copy_up.fill(creation.copy_fd, message.fd, userns, cgroup_fds, field)
    finally:
        for fd in cgroup_fds:
            os.close(fd)
        os.close(message.fd)
        os.close(creation.copy_fd)
        creation.copy_fd = -1


def _check_device(creation: "Creation", message: "Message") -> None:
    from ocirun.engine import devices

    field = creation.conversation_now().operation(message).field
    index = int(field.removeprefix("linux.devices[").removesuffix("]"))
    try:
        devices.check(field, creation.spec["linux"]["devices"][index], message.fd)
    finally:
        os.close(message.fd)


def _take_descriptor(creation: "Creation", message: "Message") -> bytes:
    if message.value == process.SYNC_HOME:
        set_rlimits(creation.state.pid, creation.spec["process"])
        return home(message.fd, creation.spec["process"])
    if message.value == process.SYNC_SECCOMP:
        from ocirun.engine import notify

        pid = creation.state.pid
        notify.hand_over(creation.spec, creation.state, "creating", pid, message.fd)
        return b""
    if message.value in (process.SYNC_COPY_FROM, process.SYNC_COPY_TO):
        _copy_up(creation, message)
        return b""
    if message.value == process.SYNC_DEVICE:
        _check_device(creation, message)
        return b""
    if message.value != process.SYNC_CONSOLE:
        os.close(message.fd)
        raise unexpected(message.value)
    if creation.request.console_socket:
        hand_over(creation.request.console_socket, message)
    else:
        creation.terminal_fd = message.fd
    return b""


def unexpected(point: int) -> KernelError:
    """Give the error for a point that no operation of ours has."""
    return KernelError(f"the stub waits at an unknown point: {point}")


def hand_over(console_socket: str, message: "Message") -> None:
    """Send a terminal on to the console socket, and let it go."""
    from ocirun.engine import terminal

    try:
        terminal.send(console_socket, message.fd, message.text)
    finally:
        os.close(message.fd)


def home(fd: int, wanted: "Process") -> bytes:
    """Give "HOME=..." from the container's passwd(5), and close its descriptor."""
    from ocirun.engine import passwd

    found = "/"
    if fd >= 0:
        try:
            found = passwd.home_directory(fd, wanted.get("user", {}).get("uid", 0))
        finally:
            os.close(fd)
    return b"HOME=" + os.fsencode(found)


def set_rlimits(pid: int, wanted: "Process") -> None:
    """Set the limits from outside: inside there may be no right to, and they could hinder us."""
    limits = wanted.get("rlimits")
    if not limits:
        return
    from ocirun._linux import prlimit
    from ocirun.linux import rlimit

    for index, limit in enumerate(limits):
        soft, hard = limit["soft"], limit["hard"]
        try:
            prlimit(pid, rlimit.NUMBERS[limit["type"]], soft, hard)
        except OSError as error:
            raise KernelError(
                f"process.rlimits[{index}]: set {limit['type']} to {soft}:{hard}:"
                f" {(error.strerror or '').lower()}",
                "a hard limit can only be raised with CAP_SYS_RESOURCE, and RLIMIT_NOFILE"
                " to no more than sysctl fs.nr_open",
            ) from error
