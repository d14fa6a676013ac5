# SPDX-License-Identifier: Apache-2.0
"""`ocirun checkpoint`: save a running container to disk, by criu(8)."""

import os

from ocirun.cli.call import absolute, in_user_namespace
from ocirun.engine.checkpoint import checkpoint
from ocirun.engine.criu import Job, check_mode
from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call

#: those that criu knows by the same name
_SWITCHES = (
    "leave-running",
    "tcp-established",
    "tcp-skip-in-flight",
    "link-remap",
    "ext-unix-sk",
    "shell-job",
    "file-locks",
    "auto-dedup",
    "lazy-pages",
)
_PORT_MAX = 65535


def invoke(call: "Call") -> int:
    """Save the container."""
    options = call.options
    job = job_of(call)
    job.parent = _parent(options.text("parent-path"), job.images)
    job.pre_dump = options.switch("pre-dump")
    job.page_server = _page_server(options.text("page-server"))
    if options.given("status-fd") and job.switches.get("lazy_pages"):
        job.status_fd = _writable(options.number("status-fd"))
    checkpoint(call.root(), call.id, job, call.journal.warning)
    return 0


def job_of(call: "Call") -> Job:
    """Gather what checkpoint and restore both ask of criu; every path is absolute."""
    options = call.options
    if os.geteuid() != 0 or in_user_namespace():
        call.journal.warning("checkpoint and restore are untested with rootless containers")
    job = Job(absolute(options.text("image-path") or "checkpoint"))
    job.work = absolute(options.text("work-path"))
    for name in _SWITCHES:
        if options.find(name) and options.switch(name):
            job.switches[name.replace("-", "_")] = True
    job.cgroups_mode = options.text("manage-cgroups-mode")
    check_mode(job.cgroups_mode)
    for kind in options.texts("empty-ns"):
        if kind != "network":
            raise UsageError(f'namespace "{kind}" is not supported', "use --empty-ns network")
    return job


def _parent(path: str, images: str) -> str:
    if not path:
        return ""
    if path.startswith("/"):
        raise UsageError("--parent-path must be relative", "give it as seen from --image-path")
    # The images themselves may not be there yet; what they lie in is.
    if not os.path.isdir(os.path.normpath(f"{images}/{path}")):
        raise UsageError(
            f"invalid --parent-path: {images}/{path}: no such directory",
            "give it as seen from --image-path",
        )
    return path


def _page_server(word: str) -> tuple[str, int] | None:
    if not word:
        return None
    address, _, port = word.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    if not address or not port:
        raise UsageError("Use --page-server ADDRESS:PORT to specify page server")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _PORT_MAX):
        raise UsageError(f"invalid port number in --page-server: {port}")
    return address, int(port)


def _writable(fd: int) -> int:
    from fcntl import F_GETFL, fcntl

    try:
        if fd >= 0 and os.get_inheritable(fd) and fcntl(fd, F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
            return fd
    except OSError:
        pass
    raise UsageError(f"invalid --status-fd argument {fd}: not open, or not writable")
