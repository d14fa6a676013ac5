# SPDX-License-Identifier: Apache-2.0
"""Colours and widths for a person at a terminal; what a program reads has neither.

NO_COLOR (no-color.org) and TERM=dumb are obeyed.
"""

import os

from ocirun.cli.call import STDOUT

RED, GREEN, YELLOW, BLUE, PLAIN, DIM = "31", "32", "33", "34", "1", "2"

STDERR = 2
#: where nothing says how wide the terminal is
WIDTH = 80


def is_coloured(fd: int = STDOUT) -> bool:
    """Tell whether what is written there may have colours."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return os.isatty(fd)


def paint(text: str, colour: str, fd: int = STDOUT) -> str:
    """Give the text in a colour (SGR parameter), if it goes to a terminal that has them."""
    return f"\x1b[{colour}m{text}\x1b[0m" if text and is_coloured(fd) else text


def remark(message: str, hint: str) -> str:
    """Give an error for a person: what went wrong, and below it what helps."""
    lines = [f"{paint('ocirun: error:', RED, STDERR)} {message}"]
    if hint:
        lines.append(f"  {paint('help:', GREEN, STDERR)} {hint}")
    return "\n".join(lines) + "\n"


def width(fd: int = STDOUT) -> int:
    """Give the number of columns of the terminal, or that of an endless line where there is none."""
    try:
        return os.get_terminal_size(fd).columns or WIDTH
    except OSError:
        return 1 << 16


def wrap(text: str, *, room: int) -> list[str]:
    """Break a text into lines of so many columns; no text, no lines."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > max(room, 20):
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line] if line else lines
