# SPDX-License-Identifier: Apache-2.0
"""Signals that end us become an exception, so that what was begun is taken back first.

This changes the signal handlers of the whole process: it is for the command line.
"""

from _signal import ITIMER_REAL, SIG_DFL, SIG_IGN, getsignal, setitimer, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Self

SIGHUP, SIGINT, SIGALRM, SIGTERM = 1, 2, 14, 15


class Interrupted(KeyboardInterrupt):
    """A signal asked us to end in the middle of something."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interruptible:
    """A context in which SIGHUP, SIGINT and SIGTERM raise Interrupted."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[int, object] = {}

    def __enter__(self) -> "Self":
        for number in (SIGHUP, SIGINT, SIGTERM):
            # Under nohup(1) a hang-up stays without effect.
            if getsignal(number) != SIG_IGN:
                self.handle(number, _raise)
        return self

    def handle(self, number: int, handler: object) -> None:
        """Install a handler until the end of the context."""
        if number not in self._kept:
            self._kept[number] = getsignal(number)
        signal(number, handler)  # type: ignore[arg-type]

    def __exit__(self, *_: object) -> None:
        for number, handler in self._kept.items():
            signal(number, handler if handler is not None else SIG_DFL)  # type: ignore[arg-type]


class Deadline(Interruptible):
    """A context in which whatever waits gets a TimeoutError after some seconds."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def __enter__(self) -> "Self":
        self.handle(SIGALRM, _expire)
        setitimer(ITIMER_REAL, self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        setitimer(ITIMER_REAL, 0)
        super().__exit__()


def _expire(*_: object) -> None:
    raise TimeoutError


def _raise(number: int, _: "FrameType | None") -> None:
    raise Interrupted(number)
