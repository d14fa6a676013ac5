# SPDX-License-Identifier: Apache-2.0
"""The text of --version.

Engines parse it as runc's.  The first line must start with "runc version", and hold the
word only once; so the number is the runc whose command line and texts this program keeps
to, and our own follows in brackets.
"""

RUNC = "1.5.0"
SPEC = "1.3.0"


def text() -> str:
    """All lines."""
    return f"runc version {RUNC} (ocirun 0.1.0)\ncommit: unknown\nspec: {SPEC}\n"
