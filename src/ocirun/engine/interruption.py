# SPDX-License-Identifier: Apache-2.0
"""Signals that end us become an exception, so that what was begun is taken back first.

This changes the signal handlers of the whole process: it is for the command line.
"""

from _signal import SIG_DFL, SIG_IGN, getsignal, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Self

SIGHUP, SIGINT, SIGTERM = 1, 2, 15


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


def _raise(number: int, _: "FrameType | None") -> None:
    raise Interrupted(number)
