# SPDX-License-Identifier: Apache-2.0
"""`ocirun events`: a line of JSON for each event of a container, until it ends."""

from ocirun.cli.call import write
from ocirun.cli.duration import nanoseconds
from ocirun.engine import events
from ocirun.errors import UsageError
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call

DEFAULT = "5s"


def invoke(call: "Call") -> int:
    """Print the events."""
    interval = nanoseconds(call.options.text("interval", DEFAULT))
    if interval <= 0:
        raise UsageError("duration interval must be greater than 0", "such as 1s or 100ms")
    if call.options.switch("stats"):
        _tell(events.statistics_now(call.root(), call.id))
    else:
        events.watch(call.root(), call.id, interval / 1e9, _tell, call.journal.warning)
    return 0


def _tell(event: "dict[str, object]") -> None:
    write(encode.dumps(event) + "\n")
