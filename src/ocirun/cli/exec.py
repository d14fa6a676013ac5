# SPDX-License-Identifier: Apache-2.0
"""`ocirun exec`: one more process in a running container; its exit code is the process's."""

from ocirun.cli.call import absolute
from ocirun.cli.descriptors import preserved_fds
from ocirun.engine.exec import Request, exec_
from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call

UINT32 = 1 << 32


def invoke(call: "Call") -> int:
    """Run the process."""
    return exec_(request_of(call))


def request_of(call: "Call") -> Request:
    """Gather what the flags ask of the engine."""
    options = call.options
    request = Request(call.root(), call.id)
    request.args = call.arguments[1:]
    request.process_file = absolute(options.text("process"))
    if not request.args and not request.process_file:
        raise UsageError("exec args cannot be empty", "name a command, or give --process")
    request.console_socket = absolute(options.text("console-socket"))
    request.pidfd_socket = absolute(options.text("pidfd-socket"))
    request.pid_file = absolute(options.text("pid-file"))
    request.detach = options.switch("detach")
    request.terminal = options.switch("tty")
    request.cwd = options.text("cwd")
    request.env = options.texts("env")
    request.uid, request.gid = user(options.text("user"))
    request.additional_gids = [group(number) for number in options.numbers("additional-gids")]
    request.selinux_label = options.text("process-label")
    request.apparmor_profile = options.text("apparmor")
    if options.given("no-new-privs"):
        request.no_new_privileges = options.switch("no-new-privs")
    request.capabilities = options.texts("cap")
    request.preserve_fds = preserved_fds(options)
    request.cgroups = cgroup_paths(options.texts("cgroup"))
    request.warn = call.journal.warning
    if call.journal.debugging:
        request.debug = call.journal.debug
    request.ignore_paused = options.switch("ignore-paused")
    return request


def user(word: str) -> "tuple[int | None, int | None]":
    """Split UID[:GID]; None where the container's own is to stay."""
    if not word:
        return None, None
    uid, colon, gid = word.partition(":")
    return _id("uid", uid), _id("gid", gid) if colon else None


def _id(kind: str, word: str) -> int:
    if not word.isascii() or not word.isdigit() or int(word) >= UINT32:
        raise UsageError(f'bad {kind}: "{word}"', "--user takes numbers: UID[:GID]")
    return int(word)


def group(number: int) -> int:
    """Check a number of --additional-gids."""
    if not 0 <= number < UINT32:
        raise UsageError(f"additional-gids must be a positive number {number}")
    return number


def cgroup_paths(words: list[str]) -> dict[str, str]:
    """Convert [CONTROLLER[,CONTROLLER...]:]PATH words to paths by controller.

    A path without a controller, which is for cgroup v2, has the key "".
    """
    paths: dict[str, str] = {}
    for word in words:
        controllers, colon, path = word.partition(":")
        if not colon:
            if len(words) != 1:
                raise UsageError(
                    f"invalid --cgroup argument: {word} (missing <controller>: prefix)"
                )
            return {"": word}
        for controller in controllers.split(","):
            if not controller:
                raise UsageError(f"invalid --cgroup argument: {word} (empty <controller> prefix)")
            if controller in paths:
                raise UsageError(
                    f"invalid --cgroup argument(s): controller {controller}"
                    " specified multiple times"
                )
            paths[controller] = path
    return paths
