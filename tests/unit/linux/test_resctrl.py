# SPDX-License-Identifier: Apache-2.0
"""Whether a group is already what a line of schemata asks for."""

import pytest

from ocirun.linux.resctrl import holds

NOW = "    MB:0=100;1= 20\n    L3:0=7ff;1=00f\n"


@pytest.mark.parametrize(
    "line", ["L3:0=7ff;1=f", "L3:1=00f", "L3:00=7FF", "MB:1=20", "MB:0=100;1=020", "L3:1=f; 0=7ff"]
)
def test_the_same(line: str) -> None:
    assert holds(NOW, line)


@pytest.mark.parametrize(
    "line", ["L3:0=7fe", "L3:2=f", "L2:0=f", "MB:1=14", "L3:0", "L3:", "MB:0=x"]
)
def test_another(line: str) -> None:
    assert not holds(NOW, line)
