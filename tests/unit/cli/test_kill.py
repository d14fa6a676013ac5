# SPDX-License-Identifier: Apache-2.0
"""Names and numbers of signals."""

import signal

import pytest

from ocirun.cli.kill import signal_number
from ocirun.errors import UsageError


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("9", 9),
        ("0", 0),
        ("64", 64),
        ("KILL", 9),
        ("SIGKILL", 9),
        ("sigkill", 9),
        ("term", 15),
        ("Hup", 1),
        ("RTMIN", int(signal.SIGRTMIN)),
        ("SIGRTMIN+3", int(signal.SIGRTMIN) + 3),
        ("rtmax", int(signal.SIGRTMAX)),
    ],
)
def test_number(word: str, number: int) -> None:
    assert signal_number(word) == number


@pytest.mark.parametrize("name", [found.name for found in signal.Signals])
def test_every_name(name: str) -> None:
    assert signal_number(name) == int(signal.Signals[name])
    assert signal_number(name.removeprefix("SIG").lower()) == int(signal.Signals[name])


@pytest.mark.parametrize(
    "word",
    ["FOO", "", "65", "-1", "SIG", "SIG_IGN", "_DFL", "NALS", "KILL+1", "RTMIN+", "RTMIN+99", "²"],
)
def test_refusal(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        signal_number(word)
    assert caught.value.message == f'unknown signal "{word}"'
