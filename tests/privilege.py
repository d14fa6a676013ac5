# SPDX-License-Identifier: Apache-2.0
"""What this machine lets a test do, found out by doing it in a child process."""

import functools
import os
from collections.abc import Callable

from ocirun import _linux

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000


@functools.cache
def missing_root() -> str:
    """What stops tests that need root; nothing if they can run."""
    if os.geteuid() != 0:
        return "root"
    error = _refusal(lambda: _linux.unshare(CLONE_NEWNS))
    return f"CAP_SYS_ADMIN (unshare: {error})" if error else ""


@functools.cache
def missing_userns() -> str:
    """What stops tests that need a user namespace of their own; nothing if they can run."""
    error = _refusal(lambda: _linux.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    return f"user namespaces (unshare: {error})" if error else ""


def _refusal(call: Callable[[], object]) -> str:
    pid = os.fork()
    if not pid:
        try:
            call()
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return os.strerror(code) if code else ""
