# SPDX-License-Identifier: Apache-2.0
"""Sizes with units."""

import pytest

from ocirun.cli.size import size


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", 0),
        ("52428800", 52428800),
        ("32b", 32),
        ("32B", 32),
        ("50M", 50 << 20),
        ("50 MB", 50 << 20),
        ("1KiB", 1024),
        ("1.5g", 3 << 29),
        ("0.5k", 512),
        ("2T", 2 << 40),
        ("1p", 1 << 50),
    ],
)
def test_a_size(text: str, wanted: int) -> None:
    assert size(text) == wanted


@pytest.mark.parametrize("text", ["", "m", "-1", "+1", "1.2.3", ".5", "0x10", "\u0661", "1 2"])
def test_not_a_size(text: str) -> None:
    with pytest.raises(ValueError, match="invalid size"):
        size(text)


@pytest.mark.parametrize("text", ["1x", "1ib", "1kk", "1bb", "1mib2"])
def test_not_a_unit(text: str) -> None:
    with pytest.raises(ValueError, match="invalid s"):
        size(text)


def test_a_size_that_no_file_of_the_kernel_takes() -> None:
    with pytest.raises(ValueError, match="out of range"):
        size("9000p")
