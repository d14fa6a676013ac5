# SPDX-License-Identifier: Apache-2.0
"""`ocirun restore`: make a container of what checkpoint has saved, by criu(8)."""

from ocirun.cli.checkpoint import job_of
from ocirun.cli.create import request_of
from ocirun.engine.restore import restore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Restore the container; in the foreground its exit code is ours."""
    options = call.options
    job = job_of(call)
    job.lsm_profile = options.text("lsm-profile")
    job.lsm_mount_context = options.text("lsm-mount-context")
    return restore(
        request_of(call),
        job,
        detach=options.switch("detach"),
        no_subreaper=options.switch("no-subreaper"),
    )
