# SPDX-License-Identifier: Apache-2.0
import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Refusal = Callable[[str, object], str | None]

REFUSED = [
    ("timeOffsets", {"boottime": {"secs": 1}}, "timeOffsets: needs a time namespace"),
    ("timeOffsets", {"realtime": {}}, 'timeOffsets["realtime"]: unknown clock'),
    (
        "timeOffsets",
        {"monotonic": {"nanosecs": 10**9}},
        (
            'timeOffsets["monotonic"].nanosecs: '
            "expected an integer between 0 and 999999999, found 1000000000"
        ),
    ),
    (
        "netDevices",
        {"a/b": {}},
        'netDevices["a/b"]: not a valid name of a network device',
    ),
    (
        "netDevices",
        {"a" * 16: {}},
        f'netDevices["{"a" * 16}"]: not a valid name of a network device',
    ),
    (
        "netDevices",
        {"eth0": {"name": ".."}},
        'netDevices["eth0"].name: expected a valid name of a network device, found ".."',
    ),
    ("netDevices", {"eth0": "eth1"}, 'netDevices["eth0"]: expected an object, found a string'),
    ("intelRdt", {"closID": ".."}, 'intelRdt.closID: expected a plain file name or /, found ".."'),
    (
        "intelRdt",
        {"closID": "a/b"},
        'intelRdt.closID: expected a plain file name or /, found "a/b"',
    ),
    (
        "intelRdt",
        {"memBwSchema": "0=20"},
        'intelRdt.memBwSchema: expected MB: at its start, found "0=20"',
    ),
    ("intelRdt", {"memBwSchema": "MB:0=20\nL3:0=f"}, "intelRdt.memBwSchema: must be one line"),
    ("intelRdt", {"l3CacheSchema": "L3:0=f\n"}, "intelRdt.l3CacheSchema: must be one line"),
    ("intelRdt", {"schemata": ["L3:0=f", "MB\n"]}, "intelRdt.schemata[1]: must be one line"),
    ("memoryPolicy", {}, 'memoryPolicy.mode: invalid memory policy mode ""'),
    ("memoryPolicy", {"mode": "BIND"}, 'memoryPolicy.mode: invalid memory policy mode "BIND"'),
    (
        "memoryPolicy",
        {"mode": "MPOL_BIND"},
        "memoryPolicy.nodes: MPOL_BIND mode requires at least one node but got 0",
    ),
    (
        "memoryPolicy",
        {"mode": "MPOL_LOCAL", "nodes": "0"},
        "memoryPolicy.nodes: MPOL_LOCAL mode requires 0 nodes but got 1",
    ),
    (
        "memoryPolicy",
        {"mode": "MPOL_BIND", "nodes": "a"},
        'memoryPolicy.nodes: invalid memory policy nodes: expected numbers and ranges such as 0-3,7, found "a"',
    ),
    (
        "memoryPolicy",
        {"mode": "MPOL_BIND", "nodes": "0", "flags": ["X"]},
        'memoryPolicy.flags[0]: invalid memory policy flag "X"',
    ),
]

ACCEPTED = [
    ("netDevices", {"eth0": {}, "eth1": {"name": "eth%d"}}),
    ("netDevices", {"a" * 15: {"name": ""}}),
    ("netDevices", {}),
    ("intelRdt", {}),
    ("intelRdt", {"closID": "/", "enableMonitoring": True}),
    ("intelRdt", {"closID": "gold", "memBwSchema": "MB:0=20", "schemata": ["L2:0=f"]}),
    ("memoryPolicy", {"mode": "MPOL_PREFERRED"}),
    ("memoryPolicy", {"mode": "MPOL_PREFERRED", "nodes": "0-1"}),
    ("memoryPolicy", {"mode": "MPOL_DEFAULT", "nodes": "", "flags": []}),
]


@pytest.mark.parametrize(("path", "value", "message"), REFUSED)
def test_refused(refusal: "Refusal", path: str, value: object, message: str) -> None:
    assert refusal(f"linux/{path}", value) == f"linux.{message}"


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_accepted(refusal: "Refusal", path: str, value: object) -> None:
    assert refusal(f"linux/{path}", value) is None


def test_time_offsets(refusal: "Refusal") -> None:
    assert refusal("linux/namespaces/0/type", "time") is None
    assert refusal("linux/timeOffsets", {"boottime": {"secs": -5, "nanosecs": 1}}) is None
    assert refusal("linux/namespaces/0/path", "/proc/1/ns/time") == (
        "linux.timeOffsets: a time namespace given by path keeps its own offsets"
    )


def test_net_devices_need_a_network_namespace(refusal: "Refusal") -> None:
    assert refusal("hostname", "") is None
    assert refusal("linux/netDevices", {"eth0": {}}) is None
    assert refusal("linux/namespaces", [{"type": "mount"}]) == (
        "linux.netDevices: needs a network namespace"
    )
