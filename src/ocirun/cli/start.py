# SPDX-License-Identifier: Apache-2.0
"""`ocirun start`: let a created container run its process."""

from ocirun.engine.interruption import Interruptible
from ocirun.engine.start import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Start the container."""
    with Interruptible():
        start(call.root(), call.id)
    return 0
