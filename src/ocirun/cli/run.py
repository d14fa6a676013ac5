# SPDX-License-Identifier: Apache-2.0
"""`ocirun run`: create, start, wait, delete; its exit code is the container's."""

from ocirun.cli.create import request_of
from ocirun.engine.run import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Run the container."""
    options = call.options
    return run(
        request_of(call),
        detach=options.switch("detach"),
        keep=options.switch("keep"),
        no_subreaper=options.switch("no-subreaper"),
    )
