# SPDX-License-Identifier: Apache-2.0
import pytest

from ocirun.linux.mount import ATIME, NOATIME, NODIRATIME, STRICTATIME, Options


@pytest.mark.parametrize(
    ("words", "attributes"),
    [
        # A word that takes away takes away its own value alone.
        ("noatime norelatime", NOATIME),
        ("noatime nostrictatime", NOATIME),
        ("strictatime atime", STRICTATIME),
        ("strictatime norelatime", STRICTATIME),
        ("noatime atime", 0),
        ("strictatime nostrictatime", 0),
        # Of those that contradict each other, the last one counts.
        ("strictatime noatime", NOATIME),
        ("noatime strictatime", STRICTATIME),
        ("noatime relatime", 0),
        ("noatime nodiratime atime", NODIRATIME),
    ],
)
def test_access_times(words: str, attributes: int) -> None:
    options = Options(words.split())
    assert options.set == attributes
    recursive = Options(["r" + word for word in words.split()])
    assert recursive.recursive_set == attributes
    assert recursive.recursive_clear & ATIME == ATIME


def test_access_times_alone_are_cleared_recursively() -> None:
    for word in ("ratime", "rnorelatime", "rnostrictatime", "rrelatime"):
        options = Options([word])
        assert (options.recursive_set, options.recursive_clear) == (0, ATIME)


def test_an_empty_word_is_nothing() -> None:
    # An engine that joins and splits lists of options makes one of an empty list.
    options = Options(["bind", ""])
    assert (options.bind, options.data) == (True, [])
