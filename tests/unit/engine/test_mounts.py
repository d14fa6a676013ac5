# SPDX-License-Identifier: Apache-2.0
"""The operations for each kind of mount."""

import pytest
from tests.unit.engine.planning import Step, build, names, steps

from ocirun.engine.mounts import destination_of
from ocirun.engine.process import SYNC_IDMAP
from ocirun.engine.setting import Setting
from ocirun.engine.wire import NO_SLOT, TARGET_IN_PROC, TARGET_ORDINARY, Plan
from ocirun.errors import SpecError
from ocirun.spec.model import IdMapping, Mount, Spec

RO, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
REC = 0x8000
PRIVATE, SLAVE, SHARED = 1 << 18, 1 << 19, 1 << 20


def plan_of(document: Spec, *mounts: Mount) -> Plan:
    document["mounts"] = list(mounts)
    return build(document)


def only(document: Spec, mount: Mount) -> list[Step]:
    return [step for step in steps(plan_of(document, mount), "mounts[0]") if step[0] != "CLOSE"]


@pytest.mark.parametrize(
    ("destination", "wanted"),
    [
        ("/a", "/a"),
        ("a/b", "/a/b"),
        ("//a//b/", "/a/b"),
        ("/a/../../b", "/b"),
        ("../x", "/x"),
        ("/", "/"),
        ("/box/fs/a", "/a"),
        ("/box/fs2", "/box/fs2"),
        ("/box/fs", "/box/fs"),
    ],
)
def test_destination(destination: str, wanted: str) -> None:
    assert destination_of({"destination": destination}, "/box/fs") == wanted


def test_filesystem(document: Spec) -> None:
    mount: Mount = {
        "destination": "/m",
        "type": "tmpfs",
        "source": "src",
        "options": ["nosuid", "noexec", "size=64k", "sync", "flag"],
    }
    target, opened, *options, mounted, attached = only(document, mount)
    assert target[0] == "TARGET"
    assert target[3] == "/m"
    assert opened[0::2] == ("FSOPEN", "tmpfs")
    assert [step[2:] for step in options if step[0] == "FSCONFIG"] == [
        ("source", "src"),
        ("sync", None),
        ("size", "64k"),
        ("flag", None),
    ]
    assert mounted[0::3] == ("FSMOUNT", NOSUID | NOEXEC)
    assert attached[0] == "ATTACH"


def test_mode_of_a_tmpfs(document: Spec) -> None:
    """It looks like the directory that it covers, unless a mode is given."""
    mount: Mount = {"destination": "/m", "type": "tmpfs"}
    assert "FSMODE" in [step[0] for step in only(document, mount)]
    mount["options"] = ["mode=700"]
    assert "FSMODE" not in [step[0] for step in only(document, mount)]


def test_read_only_filesystem(document: Spec) -> None:
    found = only(document, {"destination": "/m", "type": "sysfs", "options": ["ro"]})
    assert ("ro", None) in [step[2:] for step in found if step[0] == "FSCONFIG"]
    assert [step[3] for step in found if step[0] == "FSMOUNT"] == [RO]


@pytest.mark.parametrize(
    ("kind", "where"), [("tmpfs", "/m"), ("tmpfs", "/dev"), ("devtmpfs", "/dev")]
)
def test_read_only_comes_late(document: Spec, kind: str, where: str) -> None:
    """Mount points and devices are made in it first."""
    first: Mount = {"destination": where, "type": kind, "options": ["ro", "nodev"]}
    plan = plan_of(document, first, {"destination": f"{where}/sub", "type": "tmpfs"})
    found = steps(plan, "mounts[0]")
    assert [step[3] for step in found if step[0] == "FSMOUNT"] == [NODEV]
    attributes = [step for step in found if step[0] == "SETATTR"]
    assert [step[2] for step in attributes] == [RO]
    fields = [(step.name, step.field) for step in plan.operations]
    assert fields.index(("SETATTR", "mounts[0]")) > fields.index(("ATTACH", "mounts[1]"))


@pytest.mark.parametrize("where", ["/m", "/m/below"])
def test_read_only_comes_before_another_mount_covers_it(document: Spec, where: str) -> None:
    first: Mount = {"destination": where, "type": "tmpfs", "options": ["ro"]}
    between: Mount = {"destination": f"{where}/sub", "type": "tmpfs"}
    plan = plan_of(document, first, between, {"destination": "/m", "type": "tmpfs"})
    fields = [(step.name, step.field) for step in plan.operations]
    assert fields.count(("SETATTR", "mounts[0]")) == 1
    place = fields.index(("SETATTR", "mounts[0]"))
    assert fields.index(("ATTACH", "mounts[1]")) < place < fields.index(("ATTACH", "mounts[2]"))


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_kernel_filesystems_need_an_ordinary_directory(document: Spec, kind: str) -> None:
    """CVE-2019-19921: a link, or a volume, where /proc goes."""
    found = only(document, {"destination": "/proc", "type": kind})
    assert found[0][-1] == TARGET_ORDINARY | TARGET_IN_PROC


@pytest.mark.parametrize(
    ("where", "allowed"),
    [("/proc/meminfo", True), ("/proc/sys/kernel/ns_last_pid", True), ("/proc/self/attr", False)],
)
def test_entries_of_proc(document: Spec, where: str, *, allowed: bool) -> None:
    """CVE-2019-16884: only what informs may be covered."""
    for mount in (
        Mount(destination=where, type="tmpfs"),
        Mount(destination=where, source="/x", options=["bind"]),
    ):
        (target,) = (step for step in only(document, mount) if step[0] == "TARGET")
        assert target[-1] == (TARGET_IN_PROC if allowed else 0)


def test_bind(document: Spec) -> None:
    found = only(document, {"destination": "/m", "source": "/src", "options": ["bind"]})
    assert [step[0] for step in found] == ["OPEN_TREE", "TARGET", "ATTACH"]
    assert found[0][2:] == ("/src", 0)
    assert found[1][4] == found[0][1], "what the source is decides what is made"


@pytest.mark.parametrize(("source", "wanted"), [("/s", "/s"), ("s/t", "/bundle/s/t")])
def test_source_of_a_bind(document: Spec, source: str, wanted: str) -> None:
    found = only(document, {"destination": "/m", "source": source, "options": ["rbind"]})
    assert found[0][2:] == (wanted, REC)


def test_attributes_of_a_bind(document: Spec) -> None:
    """Those that are not named are inherited, and locked ones stay."""
    options = ["bind", "ro", "suid"]
    found = only(document, {"destination": "/m", "source": "/s", "options": options})
    (attributes,) = (step for step in found if step[0] == "SETATTR")
    _, _, to_set, to_clear, inherited, propagation, flags = attributes
    assert to_set == RO
    assert isinstance(to_clear, int)
    assert to_clear & NOSUID
    assert inherited == NODEV | NOEXEC
    assert (propagation, flags) == (0, 0)


def test_recursive_attributes(document: Spec) -> None:
    options = ["rbind", "rro", "rnosuid", "rdev"]
    found = only(document, {"destination": "/m", "source": "/s", "options": options})
    whole = [step for step in found if step[0] == "SETATTR" and step[-1] == REC]
    assert [step[2:4] for step in whole] == [(RO | NOSUID, NODEV)]


def test_propagation_comes_after_the_attaching(document: Spec) -> None:
    options = ["bind", "rslave", "shared"]
    found = only(document, {"destination": "/m", "source": "/s", "options": options})
    assert [step[0] for step in found][-3:] == ["ATTACH", "SETATTR", "SETATTR"]
    assert [step[5:] for step in found[-2:]] == [(SLAVE, REC), (SHARED, 0)]


def test_source_in_a_user_namespace(document: Spec) -> None:
    """The engine opens what the container's root may not reach."""
    document["linux"]["namespaces"].append({"type": "user"})
    found = only(document, {"destination": "/m", "source": "/s", "options": ["rbind"]})
    assert [step[0] for step in found][:2] == ["SOURCE", "CLONE_TREE"]
    assert found[1][3] == REC


def test_mapped_ids(document: Spec) -> None:
    """The engine makes the tree; all else of the mount is as ever."""
    line: list[IdMapping] = [{"containerID": 0, "hostID": 5, "size": 1}]
    mount: Mount = {
        "destination": "/m",
        "source": "/s",
        "options": ["rbind", "ro", "slave"],
        "uidMappings": line,
        "gidMappings": line,
    }
    exchange, target, attributes, *end = only(document, mount)
    assert exchange[:3] == ("EXCHANGE", SYNC_IDMAP, NO_SLOT)
    assert target[4] == attributes[1] == exchange[3]
    assert [step[0] for step in end] == ["ATTACH", "SETATTR"]


def test_copy_up(document: Spec) -> None:
    """While nobody sees the tmpfs, and before it can be read-only."""
    options = ["tmpcopyup", "ro"]
    found = only(document, {"destination": "/m", "type": "tmpfs", "options": options})
    names_ = [step[0] for step in found]
    assert names_[-5:] == ["EXCHANGE", "EXCHANGE", "ATTACH", "RESOLVE", "SETATTR"]
    places = [step[2] for step in found if step[0] == "EXCHANGE"]
    assert places == [found[0][1], found[names_.index("FSMOUNT")][1]]


@pytest.mark.parametrize(
    ("kind", "of", "where"), [("sysfs", "network", "/sys"), ("proc", "pid", "/proc")]
)
def test_filesystem_of_a_namespace_that_is_not_ours(
    document: Spec, kind: str, of: str, where: str
) -> None:
    document["mounts"] = [{"destination": where, "type": kind, "options": ["nosuid", "ro"]}]

    def foreign(setting: Setting) -> None:
        setting.foreign = frozenset((of,))

    plan = build(document, change=foreign)
    found = [step for step in steps(plan, "mounts[0]") if step[0] != "CLOSE"]
    assert [step[0] for step in found] == ["OPEN_TREE", "TARGET", "SETATTR", "ATTACH"]
    assert found[0][2:] == (where, REC)
    assert found[1][-1] == TARGET_ORDINARY | TARGET_IN_PROC
    assert found[2][2] == NOSUID | RO


def test_relative_destination_is_said(document: Spec) -> None:
    warnings: list[list[str]] = []
    document["mounts"] = [{"destination": "a/b", "type": "tmpfs"}]
    build(document, change=lambda setting: warnings.append(setting.warnings))
    assert warnings[0] == [
        "mounts[0].destination: a/b is relative, which is deprecated; taken as /a/b"
    ]


@pytest.mark.parametrize(
    ("mount", "field"),
    [
        ({"destination": "/", "type": "tmpfs"}, "mounts[0].destination: "),
        ({"destination": "/..", "type": "tmpfs"}, "mounts[0].destination: "),
        ({"destination": "/m"}, "mounts[0].type: "),
        ({"destination": "/m", "type": "none"}, "mounts[0].type: "),
        ({"destination": "/m", "type": "tmpfs", "options": ["idmap=uids=0-0-1"]}, "mounts[0]: "),
        ({"destination": "/m", "type": "sysfs", "options": ["tmpcopyup"]}, "mounts[0].options: "),
        ({"destination": "/m", "type": "bind", "source": "/s"}, "mounts[0].type: "),
        (
            {"destination": "/m", "source": "/s", "options": ["bind", "size=1"]},
            "mounts[0].options: ",
        ),
    ],
)
def test_refused(document: Spec, mount: Mount, field: str) -> None:
    with pytest.raises(SpecError) as raised:
        plan_of(document, mount)
    assert raised.value.message.startswith(field)


def test_order_is_that_of_the_list(document: Spec) -> None:
    mounts = [Mount(destination=f"/{name}", type="tmpfs") for name in "cab"]
    plan = plan_of(document, *mounts)
    places = [step[3] for step in steps(plan) if step[0] == "TARGET"]
    assert places[:3] == ["/c", "/a", "/b"]
    assert names(plan, "mounts[1]")[0] == "TARGET"
