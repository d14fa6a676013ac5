# SPDX-License-Identifier: Apache-2.0
"""`ocirun state`: the state of one container, as JSON (runtime-spec, runtime.md, "State")."""

from ocirun.cli.call import write
from ocirun.engine import state, status
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Print the state."""
    document = status.document(state.load(call.root(), call.id))
    write(encode.dumps_indented(document))
    return 0
