# SPDX-License-Identifier: Apache-2.0
import pytest

from ocirun.errors import SpecError
from ocirun.spec import idlist


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", set()),
        ("0", {0}),
        ("0-3,7", {0, 1, 2, 3, 7}),
        (" 1 , ,2 ,", {1, 2}),
        ("5-5", {5}),
        ("65535", {65535}),
    ],
)
def test_parse(text: str, ids: set[int]) -> None:
    assert idlist.parse(text, "x") == ids


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", 'x: expected numbers and ranges such as 0-3,7, found "a"'),
        ("-1", 'x: expected numbers and ranges such as 0-3,7, found "-1"'),
        ("1-", 'x: expected numbers and ranges such as 0-3,7, found "1-"'),
        ("1-2-3", 'x: expected numbers and ranges such as 0-3,7, found "1-2-3"'),
        ("0x1", 'x: expected numbers and ranges such as 0-3,7, found "0x1"'),
        ("²", 'x: expected numbers and ranges such as 0-3,7, found "²"'),
        ("3-1", 'x: the range "3-1" runs backwards'),
        (",", 'x: no number in ","'),
        ("0-65536", "x: 65536 is above 65535"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        idlist.parse(text, "x")
    assert caught.value.message == message
