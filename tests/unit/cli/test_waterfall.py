# SPDX-License-Identifier: Apache-2.0
"""Bars by values."""

from typing import TYPE_CHECKING

import pytest

from ocirun.cli import waterfall

if TYPE_CHECKING:
    from ocirun.engine.trace import Entry


def entry(by: str, field: str, start: int, end: int) -> "Entry":
    return {"by": by, "what": "words", "field": field, "start": start, "end": end}


def test_steps_of_one_field_are_one_bar() -> None:
    found = waterfall.bars(
        [
            entry("stub", "a", 0, 1),
            entry("engine", "a", 0, 9),
            entry("stub", "a", 1, 5),
            entry("stub", "b", 5, 6),
            entry("stub", "a", 6, 7),
        ]
    )
    assert [(bar.by, bar.label, bar.start, bar.end, bar.count) for bar in found] == [
        ("stub", "a", 0, 5, 2),
        ("engine", "a", 0, 9, 1),
        ("stub", "b", 5, 6, 1),
        ("stub", "a", 6, 7, 1),
    ]


@pytest.mark.parametrize(
    ("start", "end", "drawn"),
    [(0, 1, "█"), (2, 4.5, "  ██▌"), (1, 1, " ▏"), (0.5, 1, "█")],
)
def test_bar(start: float, end: float, drawn: str) -> None:
    assert waterfall._drawn(start, end) == drawn


def test_words_of_the_config_are_no_markup() -> None:
    shown = waterfall.svg([entry("stub", '<b>&"', 0, 1)], "title")
    assert "&lt;b&gt;&amp;" in shown
