# SPDX-License-Identifier: Apache-2.0
"""Where ocirun refuses a config and runc does not, or the other way round, and why.

Each row is one of docs/validation.md, which has the sentence that settles it.
"""

import re
from dataclasses import dataclass

from tests.peer.runtime import Outcome


@dataclass(frozen=True)
class Row:
    """A reason; it holds if the text of the one that refuses matches."""

    name: str
    ours: str = ""
    theirs: str = ""

    def fits(self, ours: Outcome, theirs: Outcome) -> bool:
        if ours.code:
            return bool(self.ours and re.search(self.ours, ours.errors))
        return bool(self.theirs and re.search(self.theirs, theirs.errors))


ROWS = (
    Row("a required field left out", r"required, but missing|needs weight or leafWeight"),
    Row("null in a list or a map", r"expected .*, found null"),
    Row("a NUL byte", r"contains a NUL byte"),
    Row("a version that is none", r"ociVersion: expected a version such as"),
    Row("an annotation without a key", r"annotations: a key must not be empty"),
    Row("a relative path", r"expected an absolute path"),
    Row("a limit of resources twice", r"rlimits\[\d+\]\.type: \w+ is given twice"),
    Row("a timeout that is over", r"timeout: expected an integer between 1 and"),
    Row("a rule for no system call", r"names: must not be empty"),
    Row("an errno of more than 32 bits", r"rrnoRet: expected an integer between"),
    Row("a device number of too many bits", r"linux\.devices\[\d+\]\.m\w+: expected an integer be"),
    Row("an errno that the action does not return", r"rrnoRet: SCMP_ACT_\w+ does not return"),
    Row("an errno that the kernel does not return", r"rrnoRet: \d+: SCMP_ACT_\w+ takes 0 to \d+"),
    Row("listenerMetadata alone", r"listenerMetadata: needs listenerPath"),
    Row("a list of numbers with more in it", r"expected numbers and ranges such as"),
    Row("device access of nothing", r"access: expected one or more of r, w and m"),
    Row("time offsets without a clock", theirs=r"timens_offsets: Invalid argument"),
    Row("no /proc", theirs=r"cap_last_cap|unsafe procfs|open /proc/self/fd"),
)


def explained(ours: Outcome, theirs: Outcome) -> str:
    """Give the name of the row that explains a difference, or nothing."""
    return next((row.name for row in ROWS if row.fits(ours, theirs)), "")
