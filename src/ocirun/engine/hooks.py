# SPDX-License-Identifier: Apache-2.0
"""Hooks (runtime-spec, "POSIX-platform Hooks"): those that run here, and those in the plan.

prestart, createRuntime, poststart and poststop run in our own namespaces;
createContainer and startContainer are operations of the stub.
"""

import os
import select

from ocirun import _linux
from ocirun.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.setting import Setting
    from ocirun.engine.wire import Plan
    from ocirun.spec.model import Hook, Hooks

_SAID_MAX = 2000
#: poll(2) counts milliseconds in 31 bits; more than these 24 days is no limit
_TIMEOUT_MAX = 2_147_483


def run(hooks: "Hooks", kind: str, state: "Callable[[], str]", bundle: str) -> None:
    """Run all hooks of a kind, in order, each with the state on its standard input."""
    wanted: list[Hook] = hooks.get(kind, [])  # type: ignore[assignment]
    for index, hook in enumerate(wanted):
        _run_one(hook, f"error running {kind} hook #{index}", state(), bundle)


def _run_one(hook: "Hook", field: str, state: str, bundle: str) -> None:
    path = hook["path"]
    argv = tuple(os.fsencode(arg) for arg in hook.get("args") or [path])
    env = tuple(os.fsencode(entry) for entry in hook.get("env", []))
    cwd = _open_directory(bundle)
    # Files and not pipes: a hook that does not read, or writes much, makes nobody wait.
    given = os.memfd_create("state", os.MFD_CLOEXEC)
    output = os.memfd_create("output", os.MFD_CLOEXEC)
    try:
        os.write(given, state.encode("utf-8", "surrogateescape"))
        os.lseek(given, 0, os.SEEK_SET)
        try:
            pid = _linux.spawn(-1, path, argv, env, (), (given, output, output), cwd, 3)
        except OSError as error:
            raise KernelError(f"{field}: {path}: {(error.strerror or '').lower()}") from error
        status = _wait(pid, hook.get("timeout", 0))
        if status is None:
            raise KernelError(
                f"{field}: {path}: killed after its timeout of {hook['timeout']} seconds"
                f"{printed(output)}"
            )
        if status:
            raise KernelError(f"{field}: {path}: {ending(status)}{printed(output)}")
    finally:
        for fd in (cwd, given, output):
            os.close(fd)


def _open_directory(bundle: str) -> int:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(bundle, flags)
    except FileNotFoundError:
        # It may be removed before the container: poststop hooks have to run all the same.
        return os.open("/", flags)


def _wait(pid: int, timeout: int) -> int | None:
    """Give the wait status; None if the time was up and the hook was killed."""
    try:
        if 0 < timeout <= _TIMEOUT_MAX and not _ends_within(pid, timeout):
            _end(pid)
            return None
        return os.waitpid(pid, 0)[1]
    except BaseException:
        # Interrupted, by a signal that ends us: no hook outlives its runtime.
        _end(pid)
        raise


def _ends_within(pid: int, seconds: int) -> bool:
    pidfd = os.pidfd_open(pid)
    try:
        waiting = select.poll()
        waiting.register(pidfd, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))
    finally:
        os.close(pidfd)


def _end(pid: int) -> None:
    """Kill our child, unless it was waited for: then the pid is not its own any more."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
    except ChildProcessError:
        return
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def ending(status: int) -> str:
    """Give a wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit status {code}"
    # What sigabbrev_np(3) calls them; 31 is how seccomp ends a process.
    name = {6: "aborted", 9: "killed", 11: "segmentation fault", 31: "bad system call"}.get(-code)
    return f"signal {-code}: {name}" if name else f"killed by signal {-code}"


def printed(output: int) -> str:
    """Give the end of what a hook printed, as a part of an error message."""
    size = os.fstat(output).st_size
    data = os.pread(output, _SAID_MAX, max(0, size - _SAID_MAX))
    text = data.decode("utf-8", "replace").strip().replace("\n", "; ")
    return f", stderr: {text}" if text else ""


def add_hooks(
    plan: "Plan",
    setting: "Setting",
    kind: str,
    state: tuple[str, str],
    default_env: tuple[bytes, ...],
) -> None:
    """Append the hooks that run in the container; `state` is the document around the pid."""
    wanted: list[Hook] = setting.spec.get("hooks", {}).get(kind, [])  # type: ignore[assignment]
    for index, hook in enumerate(wanted):
        plan.field = f"hooks.{kind}[{index}]"
        argv = tuple(os.fsencode(arg) for arg in hook.get("args") or [hook["path"]])
        env = tuple(os.fsencode(entry) for entry in hook.get("env", ())) or default_env
        timeout = hook.get("timeout", 0) * 1000
        plan.add("HOOK", hook["path"], argv, env, *state, timeout, setting.hook_output)
