# SPDX-License-Identifier: Apache-2.0
"""`ocirun spec`: write a config.json that runs a shell, for a person to edit."""

import os

from ocirun.errors import UsageError
from ocirun.spec import template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Write the file; an existing one stays as it is."""
    text = template.text(
        rootless=call.options.switch("rootless"),
        euid=os.geteuid(),
        egid=os.getegid(),
        # This file is in the root of each v2 tree, and in no v1 tree.
        cgroup2=os.path.exists("/sys/fs/cgroup/cgroup.controllers"),
    )
    path = os.path.join(call.options.text("bundle"), "config.json")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise UsageError(f"file {path} exists", "remove it first") from None
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
    return 0
