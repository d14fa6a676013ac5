# SPDX-License-Identifier: Apache-2.0
"""The benchmark's samples as a table for a terminal, and as docs/benchmark.md."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from bench_measure import MEASURES, OURS, Measure, Samples

PEERS = ("runc", "crun")

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class Budget:
    """What a measure of ours may cost at most: times a peer's, or in its own unit."""

    key: str
    peer: str
    limit: float
    peer_key: str


def _budget(key: str, peer: str, limit: float, peer_key: str = "") -> Budget:
    return Budget(key, peer, limit, peer_key or key)


BUDGETS = (
    _budget("run-apart", "runc", 0.40),
    _budget("run-apart", "crun", 0.75),
    _budget("run", "runc", 0.40),
    _budget("run", "crun", 1.40),
    _budget("exec-apart", "runc", 0.50),
    _budget("exec-apart", "crun", 0.75),
    _budget("exec", "runc", 0.70),
    _budget("exec", "crun", 1.90),
    _budget("exec-crowd", OURS, 1.10, "exec"),
    _budget("library-apart", "crun", 0.40, "run-apart"),
    _budget("library", "crun", 0.40, "run"),
    _budget("init", "", 64),
)
TITLES = {measure.key: measure.title for measure in MEASURES}


class Figures:
    """Samples, and what is computed from them."""

    def __init__(self, names: list[str], samples: Samples) -> None:
        self.names = names
        self._samples = samples

    def measures(self) -> list[Measure]:
        """Give the measures that were taken."""
        return [measure for measure in MEASURES if self._samples.get(measure.key)]

    def three(self, key: str, name: str) -> tuple[float, float, float] | None:
        """Give minimum, median and maximum."""
        values = self._samples.get(key, {}).get(name)
        if not values:
            return None
        return min(values), statistics.median(values), max(values)

    def ratios(self, key: str, peer: str, peer_key: str = "") -> tuple[float, float] | None:
        """Give the ratio of the medians and that of the minima, ours to the peer's."""
        ours = self.three(key, OURS)
        theirs = self.three(peer_key or key, peer)
        if not ours or not theirs:
            return None
        return ours[1] / theirs[1], ours[0] / theirs[0]


def number(value: float) -> str:
    """Write with as many digits as mean something."""
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _verdicts(figures: Figures) -> Iterator[tuple[str, ...]]:
    """Give the rows: what, by medians, by minima, the budget, whether it is met."""
    for budget in BUDGETS:
        title = TITLES[budget.key]
        if not budget.peer:
            three = figures.three(budget.key, OURS)
            if three:
                met = "yes" if three[1] <= budget.limit else "**no**"
                limit = f"≤ {budget.limit:.0f} kB"
                yield title, f"{number(three[1])} kB", f"{number(three[0])} kB", limit, met
            continue
        ratios = figures.ratios(budget.key, budget.peer, budget.peer_key)
        if ratios:
            met = "yes" if ratios[0] <= budget.limit else "**no**"
            whom = budget.peer
            if budget.peer_key != budget.key:
                whom += "'s `run`" if budget.peer in PEERS else "'s own"
            row = f"{ratios[0]:.2f}", f"{ratios[1]:.2f}", f"≤ {budget.limit:.2f}", met
            yield f"{title}, against {whom}", *row


def _plain(text: str) -> str:
    return text.replace("`", "").replace("**", "")


def _columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Lay rows out for a terminal: the first column to the left, the others to the right."""
    widths = [max(len(_plain(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [_plain(cell).rjust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join([_plain(row[0]).ljust(widths[0]), *cells[1:]])


def terminal(figures: Figures) -> str:
    """Make the table for a terminal."""
    rows: list[tuple[str, ...]] = [
        ("", "", "min", "median", "max", *(f"of {p}'s" for p in PEERS), "(minima)")
    ]
    for measure in figures.measures():
        title = f"{_plain(measure.title)} ({measure.unit})"
        for name in figures.names:
            three = figures.three(measure.key, name)
            if not three:
                continue
            pairs = [figures.ratios(measure.key, p) if name == OURS else None for p in PEERS]
            by_median = [f"{pair[0]:.2f}" if pair else "" for pair in pairs]
            by_minima = " ".join(f"{pair[1]:.2f}" for pair in pairs if pair)
            rows.append((title, name, *map(number, three), *by_median, by_minima))
            title = ""
    lines = list(_columns(rows))
    verdicts = list(_verdicts(figures))
    if verdicts:
        head = ("budget for the median", "ratio", "of minima", "budget", "met")
        lines += ["", *_columns([head, *verdicts])]
    return "\n".join(lines) + "\n"


def _table(rows: list[tuple[str, ...]]) -> str:
    rule = "|" + "|".join(["---"] + ["--:"] * (len(rows[0]) - 1)) + "|"
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def _figures_table(figures: Figures) -> str:
    heads = [f"ocirun : {peer}" for peer in PEERS]
    rows: list[tuple[str, ...]] = [("median (min-max)", *figures.names, *heads)]
    for measure in figures.measures():
        cells = []
        for name in figures.names:
            three = figures.three(measure.key, name)
            cells.append(
                f"{number(three[1])} ({number(three[0])}-{number(three[2])})" if three else ""
            )
        pairs = [figures.ratios(measure.key, peer) for peer in PEERS]
        ratios = [f"{pair[0]:.2f} ({pair[1]:.2f})" if pair else "" for pair in pairs]
        rows.append((f"{measure.title}, {measure.unit}", *cells, *ratios))
    return _table(rows)


def markdown(figures: Figures, facts: Facts) -> str:
    """Make docs/benchmark.md."""
    verdicts = list(_verdicts(figures))
    head = ("", "ratio of medians", "of minima", "budget", "met")
    meanings = "\n".join(f"- {m.title}: {m.meaning}." for m in figures.measures())
    lines = "\n".join(f"- {name}: {value}" for name, value in facts)
    return f"""\
<!-- Written by `./dev bench`: change tools/bench_report.py instead. -->
# What ocirun costs

`./dev bench` runs ocirun and its peers by turns on one machine and writes this page. The figures are that
machine's, so read them as ratios; the smaller the better.

![Bars: the median of each measure and runtime, with whiskers from minimum to maximum](benchmark.svg)

{_figures_table(figures)}
In the last columns is the ratio of the medians, and in brackets that of the minima, which other
load on the machine disturbs less.

## The budgets

{_table([head, *verdicts]) if verdicts else "No peer was there to compare with."}
## What is measured

{meanings}

All runtimes get the same bundle: the config.json that `ocirun spec` writes, without a terminal and
with `ociVersion` 1.0.2, on a busybox.
The clock runs from before `posix_spawn` of the command until `wait4` has returned. Within each measure of each
round the runtimes take turns, and who begins changes. "Back to back" is three in a row, of which the first does
not count; "apart" is what an engine sees: caches are colder then, and a move between cgroups can wait for an RCU
grace period.

crun refuses hosts that have cgroup v1 and a v2 tree side by side. So where there is such a tree, all runtimes run
in a mount namespace in which it is unmounted; it is made once, before the clock runs. State and bundles are on
a tmpfs in the same namespace.

## The machine

{lines}
"""
