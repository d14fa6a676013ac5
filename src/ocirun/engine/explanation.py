# SPDX-License-Identifier: Apache-2.0
"""The words for a start that failed: the end of the plan is made again to know what it was."""

import os

from ocirun.engine import failure
from ocirun.engine.process import Program, add_exec
from ocirun.engine.wire import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.state import State
    from ocirun.engine.stub import Message
    from ocirun.errors import KernelError


def of_start(state: "State", message: "Message") -> "KernelError":
    """Give the error for what the stub reported to `start`.

    The creating process, which had the plan, is gone.  After START come only the filter,
    the startContainer hooks and EXEC, so those are made again and counted from the end.
    """
    spec = state.config()
    plan = Plan()
    plan.field = "linux.seccomp"
    plan.add("SECCOMP", 0, b"", 0, 0)
    for index, hook in enumerate(spec.get("hooks", {}).get("startContainer", [])):
        plan.field = f"hooks.startContainer[{index}]"
        plan.add("HOOK", hook["path"], (), (), "", "", 0, 0)
    add_exec(plan, Program(spec["process"]))
    last = len(plan.operations) - 1
    # A record of an earlier release does not tell: then it is taken for the program.
    message.index += last - (state.last_operation if state.last_operation >= 0 else message.index)
    try:
        return failure.explain(plan.operations, message)
    finally:
        if message.fd >= 0:
            os.close(message.fd)
