# SPDX-License-Identifier: Apache-2.0
"""`ocirun spec`: write a config.json that runs a shell, for a person to edit."""

import os

from ocirun.errors import UsageError
from ocirun.spec import encode, template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Write the file; an existing one stays as it is."""
    text = encode.dumps_indented(template.document(rootless=call.options.switch("rootless")))
    path = os.path.join(call.options.text("bundle"), "config.json")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise UsageError(f"file {path} exists", "remove it first") from None
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    return 0
