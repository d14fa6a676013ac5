# SPDX-License-Identifier: Apache-2.0
"""A command for all containers whose ID matches a regular expression: --regex, as crun has it."""

from ocirun.engine import state
from ocirun.errors import OcirunError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.cli.call import Call


def each(call: "Call", act: "Callable[[str], None]") -> int:
    """Act on each; one that fails does not keep the others from their turn.

    No match is no error: whoever cleans up wants that nothing is left.
    """
    import re

    try:
        pattern = re.compile(call.id)
    except re.error as error:
        raise UsageError(f"--regex: {call.id}: {error}", "see the syntax of Python's re") from None
    try:
        names = state.ids(call.root())
    except FileNotFoundError:
        return 0
    code = 0
    for name in names:
        if pattern.search(name):
            try:
                act(name)
            except OcirunError as error:
                call.journal.error(f"{name}: {error.message}", error.hint)
                code = 1
    return code
