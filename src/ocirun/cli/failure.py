# SPDX-License-Identifier: Apache-2.0
"""The text for an error: one line for everybody, the traceback only for the debug log."""

import os
from _signal import SIG_DFL, signal

from ocirun.errors import OcirunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.log import Journal


def report(error: BaseException, journal: "Journal") -> None:
    """Tell why a command failed."""
    if isinstance(error, KeyboardInterrupt):
        _end_by_signal(getattr(error, "number", 2))
    if journal.debugging and not isinstance(error, OcirunError):
        from traceback import format_exception

        for line in "".join(format_exception(error)).splitlines():
            journal.debug(line)
    if isinstance(error, OcirunError):
        journal.error(error.message, error.hint)
    else:
        journal.error(describe(error))


def describe(error: BaseException) -> str:
    """One line: what was done, to what, what the kernel said, what the user can do."""
    if isinstance(error, OcirunError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    if isinstance(error, OSError) and error.strerror:
        return _describe_os_error(error)
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    place = f" ({frame.tb_frame.f_code.co_filename}:{frame.tb_lineno})" if frame else ""
    return f"internal error: {type(error).__name__}: {error}{place}"


def _describe_os_error(error: OSError) -> str:
    # Engines look for the kernel's words in lower case, as Go prints them.
    words = [name for name in (error.filename, error.filename2) if name is not None]
    places = [os.fsdecode(name) if isinstance(name, bytes) else str(name) for name in words]
    reason = error.strerror or ""
    return ": ".join([*places, reason[:1].lower() + reason[1:]])


def _end_by_signal(number: int) -> None:
    """Die of the signal, so that a shell sees it and ends its loop too."""
    signal(number, SIG_DFL)
    os.kill(os.getpid(), number)
