# SPDX-License-Identifier: Apache-2.0
"""`ocirun state`: the state of one container, as JSON (runtime-spec, runtime.md, "State")."""

from ocirun.cli.call import write
from ocirun.engine import status
from ocirun.engine.state import load_state
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Print the state."""
    document = status.document(load_state(call.root(), call.id))
    # No newline follows: so it is with runc.
    write(encode.dumps_indented(document))
    return 0
