# SPDX-License-Identifier: Apache-2.0
"""Resource limits by name (getrlimit(2))."""

NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            "RLIMIT_CPU",
            "RLIMIT_FSIZE",
            "RLIMIT_DATA",
            "RLIMIT_STACK",
            "RLIMIT_CORE",
            "RLIMIT_RSS",
            "RLIMIT_NPROC",
            "RLIMIT_NOFILE",
            "RLIMIT_MEMLOCK",
            "RLIMIT_AS",
            "RLIMIT_LOCKS",
            "RLIMIT_SIGPENDING",
            "RLIMIT_MSGQUEUE",
            "RLIMIT_NICE",
            "RLIMIT_RTPRIO",
            "RLIMIT_RTTIME",
        )
    )
}

_UNLIMITED = (1 << 64) - 1


def signed(value: int) -> int:
    """Give a limit as the `resource` module wants it, where -1 is "no limit"."""
    return value - (1 << 64) if value > _UNLIMITED >> 1 else value
