# SPDX-License-Identifier: Apache-2.0
"""The table of `ocirun top` on a terminal, redrawn in place by rich.

Imported for a person at a terminal only: rich takes longer to load than a container to run.
"""

import sys
import termios
import tty

from ocirun.cli.readable import TITLES, row
from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import JustifyMethod
    from rich.table import Table

#: from which share of its limit on a number is coloured
HIGH, FULL = 0.75, 0.9


def show(samples: "Iterator[list[dict[str, object]]]") -> None:
    """Draw each sample over the one before, until there are no more."""
    try:
        from rich.live import Live
    except ImportError:
        raise UsageError(
            "top: the live view needs the Python package rich",
            "pip install rich, or use --once or --format json",
        ) from None
    mode = termios.tcgetattr(0) if sys.__stdin__ and sys.__stdin__.isatty() else None
    try:
        if mode:
            tty.setcbreak(0)
        with Live(table([]), screen=True, auto_refresh=False) as live:
            for documents in samples:
                live.update(table(documents), refresh=True)
    except KeyboardInterrupt:
        pass  # this is how one ends it
    finally:
        if mode:
            termios.tcsetattr(0, termios.TCSADRAIN, mode)


def table(documents: list[dict[str, object]]) -> "Table":
    """Lay one sample out; a column of which nothing is known takes no room."""
    from rich import box
    from rich.table import Table

    caption = f"{len(documents)} containers, the busiest first; q ends"
    found = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        caption=caption,
        caption_justify="left",
    )
    rows = [_cells(document) for document in documents]
    known = [at for at in range(len(TITLES)) if at < 2 or any(cells[at] != "-" for cells in rows)]
    for at in known:
        justify: JustifyMethod = "left" if at < 2 else "right"
        least = 10 if at == 0 else None
        found.add_column(TITLES[at], justify=justify, no_wrap=True, min_width=least)
    for document, cells in zip(documents, rows, strict=True):
        style = "" if document["status"] == "running" else "dim"
        found.add_row(*(cells[at] for at in known), style=style)
    return found


def _cells(document: dict[str, object]) -> list[str]:
    cells = [cell.replace("[", "\\[") for cell in row(document)]
    cells[3] = coloured(cells[3], document["memory"], document["memoryLimit"])
    cells[5] = coloured(cells[5], document["pids"], document["pidsLimit"])
    return cells


def coloured(cell: str, used: object, limit: object) -> str:
    """Colour a number that comes close to its limit."""
    if not isinstance(used, int) or not isinstance(limit, int) or not limit:
        return cell
    share = used / limit
    if share < HIGH:
        return cell
    return f"[{'red' if share >= FULL else 'yellow'}]{cell}[/]"
