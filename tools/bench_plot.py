# SPDX-License-Identifier: Apache-2.0
"""The benchmark's plot: an SVG with a bar for each median and a whisker from minimum to maximum.

One stray sample must not press all bars to the left: an axis ends soon after its longest bar,
and a whisker that goes on has an arrow at its end.
"""

from collections.abc import Iterator
from html import escape

from bench_measure import Measure
from bench_report import Figures, number

WIDTH = 760
LEFT, RIGHT = 200, 130
BAR, GAP, GROUP = 12, 3, 14
TOP = 62
#: how far an axis goes beyond the longest bar
BEYOND = 1.3

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .faint { fill: #57606a }
  .ground { fill: #ffffff }
  .grid { stroke: #d0d7de }
  .whisker { stroke: #24292f; stroke-width: 1.2; fill: none }
  .r0 { fill: #1f6feb } .r1 { fill: #9aa4af } .r2 { fill: #d29a3a } .r3 { fill: #5aa86f } .r4 { fill: #b07cc6 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .faint { fill: #9da7b1 }
    .ground { fill: #0d1117 }
    .grid { stroke: #30363d }
    .whisker { stroke: #e6edf3 }
    .r0 { fill: #4c94ff } .r1 { fill: #6e7781 } .r2 { fill: #b07d2b }
  }
"""


def svg(figures: Figures) -> str:
    """Draw all measures: the times first, and below them the memory."""
    parts: list[str] = []
    y = TOP
    for unit, caption in (("ms", "milliseconds"), ("kB", "kilobytes")):
        measures = [measure for measure in figures.measures() if measure.unit == unit]
        if measures:
            panel = _Panel(figures, measures, y)
            parts += panel.draw(caption)
            y = panel.bottom + 44
    height = y - 20
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        "<title>ocirun and its peers: medians, with whiskers from minimum to maximum</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        *_legend(figures.names),
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _legend(names: list[str]) -> Iterator[str]:
    yield _text(16, 26, "What a command costs: median, minimum to maximum", "title")
    x = 16
    for number_, name in enumerate(names):
        yield f'<rect class="r{number_ % 5}" x="{x}" y="37" width="{BAR}" height="{BAR}"/>'
        yield _text(x + BAR + 5, 47, name)
        x += BAR + 25 + 8 * len(name)


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    word = f' class="{style}"' if style else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{word} x="{x:.1f}" y="{y:.1f}"{place}>{escape(text)}</text>'


def _step(limit: float) -> float:
    """Give a round distance for about six grid lines."""
    power = 1.0
    while power * 50 < limit:
        power *= 10
    return next(power * digit for digit in (1, 2, 5, 10) if limit / (power * digit) <= 7)


class _Panel:
    """Measures of one unit, above a common axis."""

    def __init__(self, figures: Figures, measures: list[Measure], top: int) -> None:
        self._figures = figures
        self._groups = [
            (
                measure,
                [
                    (number_, three)
                    for number_, name in enumerate(figures.names)
                    if (three := figures.three(measure.key, name))
                ],
            )
            for measure in measures
        ]
        medians = [three[1] for _, bars in self._groups for _, three in bars]
        maxima = [three[2] for _, bars in self._groups for _, three in bars]
        self._limit = min(max(medians) * BEYOND, max(maxima) * 1.02)
        self._top = top
        rows = sum(len(bars) * (BAR + GAP) + GROUP for _, bars in self._groups)
        self.bottom = top + rows

    def _x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(value / self._limit, 1.0)

    def draw(self, caption: str) -> Iterator[str]:
        """Draw the axis, and then the bars of each measure."""
        step = _step(self._limit)
        for i in range(int(self._limit / step) + 1):
            x = self._x(i * step)
            yield (
                f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}"'
                f' y1="{self._top}" y2="{self.bottom}"/>'
            )
            yield _text(x, self.bottom + 15, f"{i * step:,.0f}", "faint", "middle")
        yield _text(WIDTH - 16, self.bottom + 15, caption, "faint", "end")
        y = self._top + GROUP / 2
        for measure, bars in self._groups:
            middle = y + len(bars) * (BAR + GAP) / 2 + 2
            yield _text(LEFT - 12, middle, measure.title.replace("`", ""), "", "end")
            for number_, three in bars:
                yield from self._bar(y, number_, three, measure.unit)
                y += BAR + GAP
            y += GROUP

    def _bar(
        self, y: float, number_: int, three: tuple[float, float, float], unit: str
    ) -> Iterator[str]:
        least, median, most = (self._x(value) for value in three)
        middle = y + BAR / 2
        yield (
            f'<rect class="r{number_ % 5}" x="{LEFT}" y="{y:.1f}"'
            f' width="{max(median - LEFT, 1):.1f}" height="{BAR}"/>'
        )
        low, high = middle - 3, middle + 3
        if three[2] > self._limit:
            end = f"M{most - 4:.1f} {low:.1f}L{most:.1f} {middle:.1f}L{most - 4:.1f} {high:.1f}"
        else:
            end = f"M{most:.1f} {low:.1f}V{high:.1f}"
        start = f"M{least:.1f} {low:.1f}V{high:.1f}"
        yield f'<path class="whisker" d="{start}M{least:.1f} {middle:.1f}H{most:.1f}{end}"/>'
        yield _text(WIDTH - RIGHT + 10, y + BAR - 2, f"{number(three[1])} {unit}")
