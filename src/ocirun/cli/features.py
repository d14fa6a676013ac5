# SPDX-License-Identifier: Apache-2.0
"""`ocirun features`: what this runtime can do, for engines (runtime-spec, features.md)."""

from ocirun.cli.call import write
from ocirun.spec import encode, features

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(_: "Call") -> int:
    """Print the document; nothing of this host is read for it."""
    write(encode.dumps_indented(features.document()) + "\n")
    return 0
