# SPDX-License-Identifier: Apache-2.0
"""`ocirun resume`: let a paused container go on (freezer of cgroups(7))."""

from ocirun.engine.pause import resume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Resume the container."""
    resume(call.root(), call.id)
    return 0
