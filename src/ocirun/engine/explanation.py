# SPDX-License-Identifier: Apache-2.0
"""The words for a start that failed: the plan is made again to know what its operations were."""

import os

from ocirun.engine import failure, hooks
from ocirun.engine.process import Program, add_exec, add_program
from ocirun.engine.wire import Operation, Plan
from ocirun.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.state import State
    from ocirun.engine.stub import Message


def of_start(state: "State", message: "Message") -> KernelError:
    """Give the error for what the stub reported to `start`.

    The creating process, which had the plan, is gone.  After START come only the
    startContainer hooks, the filter and EXEC, so that is all that is told apart here.
    """
    plan = Plan()
    program = Program(state.config()["process"])
    add_program(plan, program)
    add_exec(plan, program)
    if message.fd >= 0:
        output = hooks.printed(message.fd)
        os.close(message.fd)
        return KernelError(f"hooks.startContainer: a hook failed{output}")
    operations: list[Operation] = plan.operations
    message.index = len(operations) - 1
    return failure.explain(operations, message)
