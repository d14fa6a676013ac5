# SPDX-License-Identifier: Apache-2.0
import pytest

from ocirun.errors import SpecError
from ocirun.spec import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Refusal = Callable[[str, object], str | None]

IDS = [{"containerID": 0, "hostID": 1000, "size": 65536}]
RULE = {"names": ["read"], "action": "SCMP_ACT_ALLOW"}
ARG = {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}
DEVICE = {"type": "c", "path": "/dev/x", "major": 1, "minor": 3}


def seccomp(**fields: object) -> dict[str, object]:
    return {"defaultAction": "SCMP_ACT_ALLOW", **fields}


REFUSED = [
    ("namespaces", {}, "namespaces: expected a list of objects, found an object"),
    ("namespaces/0", {}, "namespaces[0].type: required, but missing"),
    ("namespaces/0/type", "net", 'namespaces[0].type: unknown value "net"'),
    ("namespaces/0/type", "uts", "namespaces[3].type: uts is given twice"),
    ("namespaces/1/path", "x", 'namespaces[1].path: expected an absolute path, found "x"'),
    ("namespaces/1/path", "/a\0", "namespaces[1].path: contains a NUL byte"),
    ("uidMappings", IDS, "uidMappings: needs a user namespace"),
    ("gidMappings", IDS, "gidMappings: needs a user namespace"),
    (
        "uidMappings",
        [{"hostID": 0, "size": 1}],
        "uidMappings[0].containerID: required, but missing",
    ),
    (
        "namespaces/0/type",
        "user",
        "uidMappings: a new user namespace needs at least one mapping",
    ),
    ("maskedPaths", ["/a", "b"], 'maskedPaths[1]: expected an absolute path, found "b"'),
    ("readonlyPaths", [""], 'readonlyPaths[0]: expected an absolute path, found ""'),
    ("readonlyPaths", ["/a\0"], "readonlyPaths[0]: contains a NUL byte"),
    ("namespaces", [{"type": "uts"}], "maskedPaths: needs a mount namespace"),
    ("rootfsPropagation", "none", 'rootfsPropagation: unknown value "none"'),
    ("devices", [{**DEVICE, "type": "x"}], 'devices[0].type: unknown value "x"'),
    ("devices", [{**DEVICE, "path": "x"}], 'devices[0].path: expected an absolute path, found "x"'),
    ("devices", [{**DEVICE, "major": None}], "devices[0].major: required, but missing"),
    (
        "devices",
        [{**DEVICE, "major": 4096}],
        "devices[0].major: expected an integer between 0 and 4095, found 4096",
    ),
    (
        "devices",
        [{**DEVICE, "minor": -1}],
        "devices[0].minor: expected an integer between 0 and 1048575, found -1",
    ),
    (
        "devices",
        [{"type": "b", "path": "/x", "major": 1}],
        "devices[0].minor: required, but missing",
    ),
    (
        "devices",
        [{**DEVICE, "uid": -1}],
        "devices[0].uid: expected an integer between 0 and 4294967294, found -1",
    ),
    ("personality", {"domain": "BSD"}, 'personality.domain: unknown value "BSD"'),
    ("personality", {}, "personality.domain: required, but missing"),
    ("sysctl", {"kernel.panic": "1"}, 'sysctl["kernel.panic"]: not in a separate kernel namespace'),
    ("sysctl", {"net.x": 1}, 'sysctl["net.x"]: expected a string, found 1'),
    ("sysctl", {"net.\0": "1"}, "sysctl: a key contains a NUL byte"),
    ("seccomp", {}, "seccomp.defaultAction: required, but missing"),
    ("seccomp", {"defaultAction": "KILL"}, 'seccomp.defaultAction: unknown value "KILL"'),
    (
        "seccomp",
        seccomp(defaultErrnoRet=1),
        "seccomp.defaultErrnoRet: SCMP_ACT_ALLOW does not return an errno",
    ),
    ("seccomp", seccomp(flags=["LOG"]), 'seccomp.flags[0]: unknown value "LOG"'),
    ("seccomp", seccomp(architectures=["x86"]), 'seccomp.architectures[0]: unknown value "x86"'),
    ("seccomp", seccomp(listenerMetadata="x"), "seccomp.listenerMetadata: needs listenerPath"),
    (
        "seccomp",
        seccomp(syscalls=[RULE, {"names": [], "action": "SCMP_ACT_ALLOW"}]),
        "seccomp.syscalls[1].names: must not be empty",
    ),
    (
        "seccomp",
        seccomp(syscalls=[{**RULE, "errnoRet": 1}]),
        "seccomp.syscalls[0].errnoRet: SCMP_ACT_ALLOW does not return an errno",
    ),
    (
        "seccomp",
        seccomp(syscalls=[{**RULE, "action": ""}]),
        'seccomp.syscalls[0].action: unknown value ""',
    ),
    (
        "seccomp",
        seccomp(syscalls=[{**RULE, "args": [{**ARG, "index": 6}]}]),
        "seccomp.syscalls[0].args[0].index: expected an integer between 0 and 5, found 6",
    ),
    (
        "seccomp",
        seccomp(syscalls=[{**RULE, "args": [{**ARG, "op": "=="}]}]),
        'seccomp.syscalls[0].args[0].op: unknown value "=="',
    ),
    (
        "seccomp",
        seccomp(syscalls=[{**RULE, "args": [{**ARG, "value": 1 << 64}]}]),
        (
            "seccomp.syscalls[0].args[0].value: "
            "expected an integer between 0 and 18446744073709551615, found 18446744073709551616"
        ),
    ),
    ("resources/memory/limit", "a", 'resources.memory.limit: expected an integer, found "a"'),
    (
        "resources/memory/limit",
        1 << 63,
        (
            "resources.memory.limit: expected an integer between -9223372036854775808 "
            "and 9223372036854775807, found 9223372036854775808"
        ),
    ),
    (
        "resources/cpu/shares",
        -1,
        "resources.cpu.shares: expected an integer between 0 and 18446744073709551615, found -1",
    ),
    ("resources/pids", 5, "resources.pids: expected an object, found a number"),
    (
        "resources/blockIO/weight",
        65536,
        "resources.blockIO.weight: expected an integer between 0 and 65535, found 65536",
    ),
    (
        "resources/blockIO/weightDevice",
        [{"major": 8, "minor": 0}],
        "resources.blockIO.weightDevice[0]: needs weight or leafWeight",
    ),
    (
        "resources/blockIO/throttleReadBpsDevice",
        [{"major": 8, "minor": 0}],
        "resources.blockIO.throttleReadBpsDevice[0].rate: required, but missing",
    ),
    ("resources/devices/0/allow", None, "resources.devices[0].allow: required, but missing"),
    ("resources/devices/0/type", "u", 'resources.devices[0].type: unknown value "u"'),
    (
        "resources/devices/0/access",
        "x",
        'resources.devices[0].access: expected one or more of r, w and m, found "x"',
    ),
    (
        "resources/devices/0/access",
        None,
        'resources.devices[0].access: expected one or more of r, w and m, found ""',
    ),
    (
        "resources/hugepageLimits",
        [{"pageSize": "2M", "limit": 1}],
        'resources.hugepageLimits[0].pageSize: expected a size such as 64KB, 2MB or 1GB, found "2M"',
    ),
    (
        "resources/hugepageLimits",
        [{"pageSize": "MB", "limit": 1}],
        'resources.hugepageLimits[0].pageSize: expected a size such as 64KB, 2MB or 1GB, found "MB"',
    ),
    (
        "resources/hugepageLimits",
        [{"pageSize": "2MB"}],
        "resources.hugepageLimits[0].limit: required, but missing",
    ),
    ("resources/rdma", {"mlx5_0": {}}, 'resources.rdma["mlx5_0"]: needs hcaHandles or hcaObjects'),
    (
        "resources/rdma",
        {"mlx5_0": {"hcaHandles": "1"}},
        'resources.rdma["mlx5_0"].hcaHandles: expected an integer, found "1"',
    ),
    (
        "resources/network",
        {"priorities": [{"name": "eth0"}]},
        "resources.network.priorities[0].priority: required, but missing",
    ),
    (
        "resources/unified",
        {"../x": "1"},
        'resources.unified["../x"]: must be a file name (no slashes)',
    ),
    ("resources/unified", {"a": 1}, 'resources.unified["a"]: expected a string, found 1'),
]

ACCEPTED = [
    ("namespaces/1/path", ""),
    ("namespaces/1/path", "/proc/1/ns/net"),
    ("uidMappings", []),
    ("rootfsPropagation", ""),
    ("rootfsPropagation", "rslave"),
    ("devices", [{**DEVICE, "fileMode": 0o20666}]),
    ("devices", [{"type": "p", "path": "/pipe"}]),
    ("personality", {"domain": "LINUX32", "flags": []}),
    ("maskedPaths", []),
    ("sysctl", {"net.ipv4.ip_forward": "1", "kernel/msgmax": "65536"}),
    ("seccomp", seccomp()),
    ("seccomp", seccomp(listenerPath="/s", listenerMetadata="a\0b")),
    ("seccomp", seccomp(syscalls=[{**RULE, "action": "SCMP_ACT_ERRNO", "errnoRet": 38}])),
    ("seccomp", seccomp(syscalls=[{**RULE, "args": [ARG, {**ARG, "index": 5, "valueTwo": 1}]}])),
    ("resources/pids", {}),
    ("resources/pids/limit", -1),
    ("resources/devices/0/type", ""),
    ("resources/devices/0/major", -1),
    ("resources/hugepageLimits", [{"pageSize": "64KB", "limit": (1 << 64) - 1}]),
    ("resources/rdma", {"mlx5_0": {"hcaObjects": 1}}),
    ("resources/unified", {"memory.high": "max"}),
    ("resources/blockIO/weightDevice", [{"major": 8, "minor": 0, "leafWeight": 10}]),
    ("cgroupsPath", "system.slice:ocirun:x"),
    ("later", [1]),
]


@pytest.mark.parametrize(("path", "value", "message"), REFUSED)
def test_refused(refusal: "Refusal", path: str, value: object, message: str) -> None:
    assert refusal(f"linux/{path}", value) == f"linux.{message}"


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_accepted(refusal: "Refusal", path: str, value: object) -> None:
    assert refusal(f"linux/{path}", value) is None


def test_check_gives_the_paths_of_the_namespaces() -> None:
    namespaces = linux.check(
        {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/a"}]}
    )
    assert namespaces == {"pid": "", "network": "/run/netns/a"}


def test_a_user_namespace_by_path_needs_no_mappings() -> None:
    linux.check({"namespaces": [{"type": "user", "path": "/proc/1/ns/user"}]})


def test_mapping_may_reach_the_last_id() -> None:
    linux.check_mappings([{"containerID": 1, "hostID": 0, "size": (1 << 32) - 1}], "m")


@pytest.mark.parametrize(
    ("container", "host", "size", "message"),
    [
        (0, 0, 0, "m[0].size: must not be 0"),
        (2, 0, (1 << 32) - 1, "m[0]: runs past the last ID"),
        (0, (1 << 32) - 1, 2, "m[0]: runs past the last ID"),
    ],
)
def test_mapping_refused(container: int, host: int, size: int, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        linux.check_mappings([{"containerID": container, "hostID": host, "size": size}], "m")
    assert caught.value.message == message
