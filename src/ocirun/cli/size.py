# SPDX-License-Identifier: Apache-2.0
"""Sizes in bytes as Docker and its kin read them: 52428800, 50M, 1.5g, 10 KiB; 1k is 1024."""

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DIGITS = "0123456789"


def size(text: str) -> int:
    """Convert a size; the text of the ValueError says what is wrong with it."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = text[len(number) :].lower()
    number = number.rstrip(" ")
    whole, dot, fraction = number.partition(".")
    if not (whole or fraction) or (whole + fraction).strip(_DIGITS) or (dot and not whole):
        raise ValueError(f"invalid size: '{text}'")
    letter = unit[:1] if unit != "b" else ""
    if letter not in _POWERS or unit[len(letter) :] not in ("", "b", "ib") or unit == "ib":
        raise ValueError(f"invalid suffix: '{unit}'")
    scale = 1 << 10 * _POWERS[letter]
    found = int(whole) * scale
    if fraction:
        found += int(fraction) * scale // int("1" + "0" * len(fraction))
    if found >= 1 << 63:
        raise ValueError(f"size out of range: '{text}'")
    return found
