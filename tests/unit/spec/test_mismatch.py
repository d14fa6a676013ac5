# SPDX-License-Identifier: Apache-2.0
import pytest

from ocirun.spec import mismatch


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", '"a"'),
        ('"\n\0', '"\\"\\n\\u0000"'),
        ("x" * 60, f'"{"x" * 60}"'),
        ("x" * 61, f'"{"x" * 57}..."'),
        (1, "1"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ([], "a list"),
        ({}, "an object"),
    ],
)
def test_show(value: object, shown: str) -> None:
    assert mismatch.show(value) == shown


def test_error_lists_the_known_words_as_a_hint() -> None:
    error = mismatch.error("c", ("a", "b", ""), "x.y")
    assert (error.message, error.hint) == ('x.y: unknown value "c"', "known are a, b")


def test_error_is_one_short_line() -> None:
    error = mismatch.error("a\nb" * 1000, range(3), "x")
    assert "\n" not in error.message
    assert len(error.message) < 120
