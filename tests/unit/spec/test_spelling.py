# SPDX-License-Identifier: Apache-2.0
"""Keys in another case mean what they mean to runc, and one key has one value."""

import copy

import pytest

from ocirun.errors import SpecError
from ocirun.spec import shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.schema import Kind

KIND: "Kind" = {
    None: ("name",),
    "name": str,
    "pageSize": range(10),
    "list": [{"inner": str}],
    "map": {str: {"hcaHandles": range(3)}},
    "other": {},
}


def read(value: object) -> object:
    before = copy.deepcopy(value)
    found = shape.check(value, KIND, "f")
    assert value == before
    return found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Name": "x"}, {"name": "x"}),
        ({"NAME": "x", "pagesize": 3}, {"name": "x", "pageSize": 3}),
        ({"name": "x", "list": [{}, {"Inner": "y"}]}, {"name": "x", "list": [{}, {"inner": "y"}]}),
        (
            {"name": "x", "map": {"Name": {"HCAhandles": 1}}},
            {"name": "x", "map": {"Name": {"hcaHandles": 1}}},
        ),
        # What is not known is left alone, in every case and depth.
        ({"name": "x", "Other": {"Name": 1}}, {"name": "x", "other": {"Name": 1}}),
        ({"Name": "x", "More": {"Name": 1}}, {"name": "x", "More": {"Name": 1}}),
        ({"Name": "x", "pagesize": None}, {"name": "x"}),
    ],
)
def test_another_case(value: object, found: object) -> None:
    assert read(value) == found


def test_the_right_ones_give_no_copy() -> None:
    value = {"name": "x", "unknown": {"Name": 1}, "list": [{"inner": "y"}]}
    assert shape.check(value, KIND, "") is value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"Name": 1}, "f.name: expected a string, found 1"),
        ({"name": "x", "PAGESIZE": 10}, "f.pageSize: expected an integer between 0 and 9"),
        ({"name": "x", "List": {"Inner": 1}}, "f.list: expected a list of objects"),
        ({"name": "x", "list": [{"Inner": 1}]}, "f.list[0].inner: expected a string, found 1"),
        ({"name": "x", "NAME": "y"}, "f.name: given twice, as name and NAME"),
        (
            {"name": "x", "map": {"k": {"HcaHandles": 1, "hcahandles": 1}}},
            'f.map["k"].hcaHandles: given twice, as HcaHandles and hcahandles',
        ),
        ({"pagesize": 1}, "f.name: required, but missing"),
    ],
)
def test_refused(value: object, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(value)
    assert caught.value.message.startswith(said)


def test_twice_at_the_top() -> None:
    with pytest.raises(SpecError) as caught:
        shape.check({"name": "x", "Name": "x"}, KIND, "")
    assert caught.value.message == "name: given twice, as name and Name"
    assert caught.value.hint
