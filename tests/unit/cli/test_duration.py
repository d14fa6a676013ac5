# SPDX-License-Identifier: Apache-2.0
"""Go's durations, by values."""

import pytest

from ocirun.cli.duration import nanoseconds

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("1s", SECOND),
        ("100ms", SECOND // 10),
        ("5m", 300 * SECOND),
        ("2h45m30.5s", (2 * 3600 + 45 * 60) * SECOND + 30_500_000_000),
        ("-1.5h", -5400 * SECOND),
        ("+1us", 1000),
        ("1µs", 1000),
        ("1μs", 1000),
        ("7ns", 7),
        (".5s", SECOND // 2),
        ("1.s", SECOND),
        ("0.1s", SECOND // 10),
    ],
)
def test_value(text: str, value: int) -> None:
    assert nanoseconds(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("x", 'time: invalid duration "x"'),
        ("5", 'time: missing unit in duration "5"'),
        ("1s5", 'time: missing unit in duration "1s5"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        (".s", 'time: invalid duration ".s"'),
        ("1..5s", 'time: invalid duration "1..5s"'),
        ("1-s", 'time: unknown unit "-s" in duration "1-s"'),
        ("9999999999h", 'time: invalid duration "9999999999h"'),
    ],
)
def test_refusal(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="time") as caught:
        nanoseconds(text)
    assert str(caught.value) == reason
