# SPDX-License-Identifier: Apache-2.0
"""Numbers for people."""

import pytest

from ocirun.cli.readable import size


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0B"),
        (999, "999B"),
        (1000, "0.977K"),
        (1024, "1K"),
        (1536.0, "1.5K"),
        (123 << 20, "123M"),
        (5 << 30, "5G"),
        (7000 << 40, "7000T"),
    ],
)
def test_size(value: float | None, shown: str) -> None:
    assert size(value) == shown
