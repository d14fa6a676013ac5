# SPDX-License-Identifier: Apache-2.0
"""Annotations that are properties of the unit, by value."""

import pytest

from ocirun.engine.unit_annotations import properties
from ocirun.errors import SpecError

P = "org.systemd.property."


def test_they_are_taken_by_their_prefix() -> None:
    found = properties(
        {"other": "x", f"{P}CollectMode": "'inactive'", f"{P}After": "['a.service']"}
    )
    assert found == [("After", "as", ["a.service"]), ("CollectMode", "s", "inactive")]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("TimeoutStopUSec", "uint64 5", ("TimeoutStopUSec", "t", 5)),
        ("TimeoutStopSec", "uint64 5", ("TimeoutStopUSec", "t", 5000000)),
        ("TimeoutStopSec", "2", ("TimeoutStopUSec", "t", 2000000)),
        ("TimeoutStopSec", "1.5", ("TimeoutStopUSec", "t", 1500000)),
        ("RuntimeMaxSec", "byte 1", ("RuntimeMaxUSec", "t", 1000000)),
        # No lower case letter before it: part of the name.
        ("CPUQuotaPerSECSec", "5", ("CPUQuotaPerSECSec", "i", 5)),
        ("Sec", "5", ("Sec", "i", 5)),
    ],
)
def test_seconds(name: str, text: str, found: tuple[str, str, object]) -> None:
    assert properties({P + name: text}) == [found]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ab", "true"), ("A1c", "true"), ("A.bc", "true"), ("", "true"), ("Äbc", "true"),
        ("Name", "unquoted"), ("TimeoutStopSec", "'5'"), ("TimeoutStopSec", "true"),
        ("TimeoutStopSec", "-1"), ("TimeoutStopSec", "1e300"), ("TimeoutStopSec", "double nan"),
    ],
)  # fmt: skip
def test_what_is_refused(name: str, text: str) -> None:
    with pytest.raises(SpecError, match=r'^annotations\["org\.systemd\.property\.'):
        properties({P + name: text})
