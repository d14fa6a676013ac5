# SPDX-License-Identifier: Apache-2.0
"""A trace as a picture: each step a bar, from when it began to when it ended.

For a terminal, and as SVG.  Steps that belong to the same field and follow each other are
one bar, for there are hundreds.
"""

from ocirun.cli.colour import BLUE, DIM, GREEN, paint, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocirun.engine.trace import Entry

COLOURS = {"engine": (BLUE, "#3b6ea5"), "stub": (GREEN, "#5f8f4e")}
LABEL, TIME, MOST = 40, 10, 160
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ROW, _TEXT, _BARS, _END = 18, 330, 640, 90


class Bar:
    """Steps of one field that follow each other."""

    __slots__ = ("by", "count", "end", "label", "start")

    def __init__(self, entry: "Entry") -> None:
        self.by = entry["by"]
        self.start = entry["start"]
        self.end = entry["end"]
        self.label = entry["field"] or entry["what"]
        self.count = 1

    def takes(self, entry: "Entry") -> bool:
        """Lengthen the bar by a step, if that belongs to it."""
        if (entry["by"], entry["field"] or entry["what"]) != (self.by, self.label):
            return False
        self.end = max(self.end, entry["end"])
        self.count += 1
        return True


def bars(entries: "list[Entry]") -> list[Bar]:
    """Join the steps to bars, in the order of their starts."""
    found: list[Bar] = []
    for entry in entries:
        same = next((bar for bar in reversed(found) if bar.by == entry["by"]), None)
        if not (same and same.takes(entry)):
            found.append(Bar(entry))
    return found


def text(entries: "list[Entry]") -> "Iterator[str]":
    """Draw for a terminal of this width."""
    found = bars(entries)
    whole = max(bar.end for bar in found) or 1
    columns = min(width(), MOST)
    room = max(columns - LABEL - TIME - 2, 10)
    for bar in found:
        label = bar.label if len(bar.label) < LABEL else bar.label[: LABEL - 2] + "…"
        drawn = _drawn(bar.start / whole * room, bar.end / whole * room)
        colour = COLOURS.get(bar.by, (DIM, ""))[0]
        yield f"{label:{LABEL}}{paint(drawn, colour)}{'':{room - len(drawn)}}{_time(bar):>{TIME}}"
    totals = f"{milliseconds(whole)} in all"
    legend = "  ".join(paint(f"█ {name}", COLOURS[name][0]) for name in COLOURS)
    yield f"{legend}  {totals}"


def _drawn(start: float, end: float) -> str:
    """Give spaces and then a bar, to an eighth of a column."""
    first = int(start)
    eighths = max(1, round((end - first) * 8))
    full, rest = divmod(eighths, 8)
    return " " * first + "█" * full + (_EIGHTHS[rest] if rest else "")


def _time(bar: Bar) -> str:
    return milliseconds(bar.end - bar.start)


def milliseconds(nanoseconds: int) -> str:
    """Give a time for people."""
    return f"{nanoseconds / 1e6:.3f} ms" if nanoseconds < 10**7 else f"{nanoseconds / 1e6:.1f} ms"


def svg(entries: "list[Entry]", title: str) -> str:
    """Draw as a picture for a page."""
    found = bars(entries)
    whole = max(bar.end for bar in found) or 1
    height = _ROW * (len(found) + 3)
    total = _TEXT + _BARS + _END
    rows = [
        f'<text x="8" y="{_ROW}" font-weight="bold">{_plain(title)}, {milliseconds(whole)}</text>'
    ]
    for number, bar in enumerate(found, 2):
        y = _ROW * number
        x = _TEXT + bar.start / whole * _BARS
        long = max((bar.end - bar.start) / whole * _BARS, 1)
        colour = COLOURS.get(bar.by, ("", "#888"))[1]
        rows += [
            f'<text x="{_TEXT - 8}" y="{y}" text-anchor="end">{_plain(bar.label)}</text>',
            f'<rect x="{x:.1f}" y="{y - 11}" width="{long:.1f}" height="13" fill="{colour}"/>',
            f'<text x="{x + long + 5:.1f}" y="{y}" fill="#777">{_time(bar)}</text>',
        ]
    legend_x = _TEXT
    for name, (_, colour) in COLOURS.items():
        y = height - 12
        rows.append(f'<rect x="{legend_x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        rows.append(f'<text x="{legend_x + 18}" y="{y}">{name}</text>')
        legend_x += 90
    body = "\n".join(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height}"'
        f' font-family="sans-serif" font-size="12">\n'
        f'<rect width="{total}" height="{height}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _plain(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
