# SPDX-License-Identifier: Apache-2.0
"""Times, as Go's RFC3339Nano writes them."""

import pytest

from ocirun.engine.timestamp import timestamp


@pytest.mark.parametrize(
    ("nanoseconds", "wanted"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
    ],
)
def test_timestamp(nanoseconds: int, wanted: str) -> None:
    assert timestamp(nanoseconds) == wanted
