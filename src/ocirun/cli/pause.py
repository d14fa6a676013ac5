# SPDX-License-Identifier: Apache-2.0
"""`ocirun pause`: freeze all processes of a container (freezer of cgroups(7))."""

from ocirun.engine.pause import pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Pause the container."""
    pause(call.root(), call.id)
    return 0
