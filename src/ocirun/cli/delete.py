# SPDX-License-Identifier: Apache-2.0
"""`ocirun delete`: remove a container and all that was made for it."""

from ocirun.engine.delete import delete

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Delete the container."""
    force = call.options.switch("force")
    delete(call.root(), call.id, force=force, warn=call.journal.warning)
    return 0
