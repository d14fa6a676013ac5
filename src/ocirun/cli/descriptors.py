# SPDX-License-Identifier: Apache-2.0
"""Which of the caller's descriptors a process inherits (sd_listen_fds(3), --preserve-fds)."""

import os

from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.flags import Options


def listen_fds() -> int:
    """Count the sockets that systemd left open for us, and for no other (sd_listen_fds(3))."""
    word = os.environ.get("LISTEN_FDS", "")
    if not (word.isascii() and word.isdigit()):
        return 0
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return 0
    _check_open(3, int(word), f"LISTEN_FDS={word}")
    return int(word)


def preserved_fds(options: "Options", first: int = 3) -> int:
    """Count the descriptors that the process is to inherit, the first of them as given."""
    if not options.given("preserve-fds"):
        return 0
    count = options.number("preserve-fds")
    if count < 0:
        raise UsageError(f'invalid value "{count}" for flag -preserve-fds', "it is a number of fds")
    _check_open(first, count, f"--preserve-fds {count}")
    return count


def _check_open(first: int, count: int, what: str) -> None:
    for fd in range(first, first + count):
        try:
            # What we opened ourselves, such as the log, is none of those that were meant.
            found = os.get_inheritable(fd)
        except OSError:
            found = False
        if not found:
            raise UsageError(
                f"{what}: descriptor {fd} is not open", f"a shell opens it by {fd}<FILE"
            )
