# SPDX-License-Identifier: Apache-2.0
"""Durations as Go's time.ParseDuration reads them: 300ms, 1.5h, 2h45m, -1s, 0."""

UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter: both are in use
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
DIGITS = "0123456789"


def nanoseconds(text: str) -> int:
    """Convert a duration; the text of the ValueError says what is wrong with it."""
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return 0
    total = 0
    while rest:
        number, rest = _split(rest, DIGITS + ".")
        unit, rest = _leading_unit(rest)
        if not number.replace(".", "", 1).isdigit():
            raise ValueError(f'time: invalid duration "{text}"')
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        whole, _, fraction = number.partition(".")
        scale = UNITS[unit]
        total += int(whole or "0") * scale + int(fraction or "0") * scale // 10 ** len(fraction)
    if not text.strip("+-") or total >= 1 << 63:
        raise ValueError(f'time: invalid duration "{text}"')
    return -total if text[0] == "-" else total


def _split(text: str, accepted: str) -> tuple[str, str]:
    rest = text.lstrip(accepted)
    return text[: len(text) - len(rest)], rest


def _leading_unit(text: str) -> tuple[str, str]:
    end = next((at for at, char in enumerate(text) if char in DIGITS + "."), len(text))
    return text[:end], text[end:]
