# SPDX-License-Identifier: Apache-2.0
"""Times as state documents have them (RFC 3339)."""

import time


def timestamp(nanoseconds: int) -> str:
    """Give a time as RFC 3339 with nanoseconds, in UTC, without trailing zeros."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"
