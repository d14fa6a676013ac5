# SPDX-License-Identifier: Apache-2.0
"""Handing the listener of a seccomp filter to the agent that answers for it.

runtime-spec, config-linux.md, "The Container Process State"; seccomp_unotify(2).
"""

import os

from ocirun.engine import status, terminal
from ocirun.errors import SpecError
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.state import State
    from ocirun.spec.model import Spec


def hand_over(spec: "Spec", state: "State", word: str, pid: int, fd: int) -> None:
    """Send the listener of process `pid` to listenerPath, and let it go; `word` is the status."""
    section = spec.get("linux", {}).get("seccomp", {})
    document = {
        "ociVersion": state.oci_version,
        "fds": ["seccompFd"],
        "pid": pid,
        "metadata": section.get("listenerMetadata", ""),
        "state": status.hook_document(state, word),
    }
    try:
        terminal.send_listener(section.get("listenerPath", ""), fd, encode.dumps(document))
    finally:
        os.close(fd)


def check(spec: "Spec") -> None:
    """Refuse a filter that notifies nobody."""
    section = spec.get("linux", {}).get("seccomp", {})
    if not section.get("listenerPath"):
        raise SpecError(
            "linux.seccomp.listenerPath: missing, but an action is SCMP_ACT_NOTIFY",
            "name the socket of the agent that is to be notified",
        )
