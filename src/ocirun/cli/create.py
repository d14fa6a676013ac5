# SPDX-License-Identifier: Apache-2.0
"""`ocirun create`: everything of a container but its process; `ocirun start` runs that."""

import os

from ocirun.cli.call import absolute, in_user_namespace, require_directory
from ocirun.cli.descriptors import listen_fds, preserved_fds
from ocirun.cli.flags import boolean
from ocirun.engine.create import create
from ocirun.engine.interruption import Interruptible
from ocirun.engine.request import Request
from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call
    from ocirun.cli.flags import Options


def invoke(call: "Call") -> int:
    """Create the container."""
    with Interruptible():
        create(request_of(call))
    return 0


def request_of(call: "Call") -> Request:
    """Gather what create and run ask of the engine; every path is absolute."""
    options = call.options
    bundle = options.text("bundle") or "."
    require_directory(bundle)
    request = Request(call.root(), call.id, os.path.realpath(bundle))
    request.config = absolute(options.text("config"))
    request.console_socket = absolute(options.text("console-socket"))
    request.pidfd_socket = absolute(options.text("pidfd-socket"))
    request.pid_file = absolute(options.text("pid-file"))
    request.no_pivot = options.switch("no-pivot")
    request.no_new_keyring = options.switch("no-new-keyring")
    request.listen_fds = listen_fds()
    request.preserve_fds = request.listen_fds + preserved_fds(options, 3 + request.listen_fds)
    request.warn = call.journal.warning
    if call.journal.debugging:
        request.debug = call.journal.debug
    if options.given("trace"):
        from ocirun.engine.trace import Trace

        request.trace = Trace(absolute(options.text("trace")))
        request.trace.step("read and check config.json")
    request.cgroup_manager = cgroup_manager(call.globals)
    request.rootless = is_rootless(call.globals.text("rootless"))
    return request


def cgroup_manager(options: "Options") -> str:
    """Give who is to make the cgroups; runc has a switch for it, crun a word."""
    word = options.text("cgroup-manager") or "cgroupfs"
    if word not in ("cgroupfs", "systemd", "disabled"):
        raise UsageError(
            f'invalid value "{word}" for flag -cgroup-manager', "use cgroupfs, systemd or disabled"
        )
    if options.switch("systemd-cgroup"):
        if options.given("cgroup-manager") and word != "systemd":
            raise UsageError(f"--systemd-cgroup and --cgroup-manager={word} exclude each other")
        return "systemd"
    return word


def is_rootless(word: str) -> bool:
    """Tell whether to go on where we lack the right to make cgroups."""
    if word.lower() in {"", "auto"}:
        return os.geteuid() != 0 or in_user_namespace()
    try:
        return boolean(word)
    except ValueError:
        raise UsageError(
            f'invalid value "{word}" for flag -rootless', "use true, false or auto"
        ) from None
