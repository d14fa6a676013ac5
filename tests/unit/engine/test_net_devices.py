# SPDX-License-Identifier: Apache-2.0
"""The names of network devices in the container."""

import pytest

from ocirun.engine.net_devices import new_names
from ocirun.errors import SpecError


def test_the_name_stays_or_is_given() -> None:
    assert new_names({"a": {}, "b": {"name": "x"}, "c": {"name": ""}}, ["lo"]) == {
        "a": "a",
        "b": "x",
        "c": "c",
    }


def test_a_template_takes_the_lowest_number() -> None:
    devices = {"a": {"name": "eth%d"}, "eth2": {}, "b": {"name": "eth%d"}, "c": {"name": "n%d"}}
    assert new_names(devices, ["lo", "eth0"]) == {  # type: ignore[arg-type]
        "a": "eth1",
        "eth2": "eth2",
        "b": "eth3",
        "c": "n0",
    }


@pytest.mark.parametrize("devices", [{"lo": {}}, {"a": {"name": "lo"}}])
def test_a_clash(devices: dict[str, dict[str, str]]) -> None:
    with pytest.raises(SpecError) as caught:
        new_names(devices, ["lo"])  # type: ignore[arg-type]
    assert "there is a device lo in the container already" in caught.value.message
