# SPDX-License-Identifier: Apache-2.0
"""The order of a plan, which is what keeps the host safe, and what asks for which step."""

import pytest
from tests.unit.engine.planning import build, find, names, steps

from ocirun.engine import process
from ocirun.engine.plan import Fds
from ocirun.engine.wire import NO_SLOT
from ocirun.linux.seccomp_cache import Program as Filter
from ocirun.spec.model import Spec

USER, MOUNT, CGROUP, TIME = 0x10000000, 0x00020000, 0x02000000, 0x80
PRCTL_DUMPABLE = ("PRCTL", 4, 0, 0)


def order(found: list[str], *wanted: str) -> bool:
    """Whether these come in this order, each for the first time."""
    places = [found.index(name) for name in wanted]
    return places == sorted(places)


def fds() -> Fds:
    made = Fds()
    made.cgroup_files = [10, 11]
    made.listener = 12
    made.hook_output = 13
    return made


def test_phases(document: Spec) -> None:
    document["process"]["oomScoreAdj"] = 5
    document["hooks"] = {"createContainer": [{"path": "/x"}]}
    found = names(build(document, fds()))
    assert order(
        found,
        *("OPEN_PROC", "WRITE", "WRITE_AT", "PRCTL", "CLONE", "SETSID", "KEYRING", "LOOPBACK"),
        *("HOSTNAME", "CLONE_TREE", "FSOPEN", "MKNOD", "HOOK", "CONSOLE", "NULL_STDIO"),
        *("MASK", "PIVOT_ROOT", "CLOEXEC", "UMASK", "CHDIR", "HOME", "BOUNDING", "IDENTITY"),
        *("CAPABILITIES", "PROGRAM", "START", "EXEC"),
    )
    assert found[-1] == "EXEC"


def test_every_step_names_its_field(document: Spec) -> None:
    assert [step.name for step in build(document, fds()).operations if not step.field] == []


def test_slots_are_enough_for_many_mounts(document: Spec) -> None:
    document["mounts"] += [
        {"destination": f"/m{n}", "source": "/etc", "options": ["rbind", "rro", "rslave"]}
        for n in range(200)
    ]
    plan = build(document, fds())
    assert names(plan).count("ATTACH") > 200
    assert plan.encode()


def test_nothing_of_the_host_after_the_change_of_root(document: Spec) -> None:
    found = names(build(document, fds()))
    after = found[found.index("PIVOT_ROOT") :]
    host = {"OPEN", "OPEN_TREE", "OPEN_PROC", "SETNS", "CLONE", "MKNOD", "TARGET", "ATTACH"}
    assert not host & set(after)
    # What was open of it is closed before the user's program is near.
    assert order(after, "PIVOT_ROOT", "CLOSE", "CLOEXEC", "IDENTITY", "EXEC")


def test_not_dumpable_before_anybody_can_look(document: Spec) -> None:
    """CVE-2016-9962."""
    document["linux"]["namespaces"] = [{"type": "pid", "path": "/proc/1/ns/pid"}]
    found = steps(build(document, fds()))
    joined = next(at for at, step in enumerate(found) if step[0] == "SETNS")
    assert found.index(PRCTL_DUMPABLE) < joined


def test_cgroup_files_are_joined_first(document: Spec) -> None:
    found = steps(build(document, fds()), "linux.cgroupsPath")
    assert [step[0] for step in found] == ["FD", "WRITE", "FD", "WRITE", "CLOSE"]
    assert [step[2] for step in found if step[0] == "FD"] == [10, 11]


def test_born_into_a_cgroup_of_version_2(document: Spec) -> None:
    made = Fds()
    made.cgroup_directory = 14
    document["linux"]["namespaces"] = [{"type": "mount"}]
    first, second = (step for step in steps(build(document, made)) if step[0] == "CLONE")
    assert first[1] == 0
    assert first[2] != NO_SLOT
    assert second == ("CLONE", MOUNT, NO_SLOT)


def test_user_namespace(document: Spec) -> None:
    document["linux"]["namespaces"] = [{"type": "user"}, {"type": "mount"}]
    found = names(build(document))
    assert order(found, "CLONE", "SYNC", "GROUPS", "IDENTITY", "SETSID")
    assert find_clone_flags(document) == [USER | MOUNT]


def find_clone_flags(document: Spec) -> list[object]:
    return [step[1] for step in steps(build(document)) if step[0] == "CLONE"]


def test_user_namespace_of_an_ordinary_user(document: Spec) -> None:
    """Only a dumpable process can be mapped by whoever is not root."""
    document["linux"]["namespaces"] = [{"type": "user"}, {"type": "mount"}]
    plan = build(document, change=lambda setting: setattr(setting, "privileged", False))
    found = steps(plan)
    assert found.index(PRCTL_DUMPABLE) > names(plan).index("SYNC")


def test_not_dumpable_after_each_change_of_user(document: Spec) -> None:
    """A change of user makes the process what sysctl fs.suid_dumpable says."""
    document["linux"]["namespaces"] = [{"type": "user"}, {"type": "mount"}]
    found = steps(build(document))
    changes = [at for at, step in enumerate(found) if step[0] == "IDENTITY"]
    assert len(changes) == 2
    for at, end in zip(changes, [*changes[1:], len(found)], strict=True):
        assert PRCTL_DUMPABLE in found[at:end]


@pytest.mark.parametrize(("privileged", "first"), [(True, "mount"), (False, "user")])
def test_order_of_joining(document: Spec, first: str, *, privileged: bool) -> None:
    """Root joins the user namespace last, while it still may join the others."""
    document["linux"]["namespaces"] = [
        {"type": "user", "path": "/u"},
        {"type": "mount", "path": "/m"},
    ]
    plan = build(document, change=lambda setting: setattr(setting, "privileged", privileged))
    fields = [step.field for step in plan.operations if step.name == "SETNS"]
    assert fields[0] == f"linux.namespaces ({first})"
    assert len(fields) == 2


def test_time_namespace(document: Spec) -> None:
    document["linux"]["namespaces"] = [{"type": "time"}, {"type": "mount"}]
    document["linux"]["timeOffsets"] = {"monotonic": {"secs": -3}, "boottime": {"nanosecs": 4}}
    plan = build(document)
    unshared, written = steps(plan, "linux.timeOffsets")
    assert unshared == ("UNSHARE", TIME)
    assert written[2:] == ("self/timens_offsets", "monotonic -3 0\nboottime 0 4\n")
    assert order(names(plan), "UNSHARE", "CLONE")
    assert find_clone_flags(document) == [MOUNT]


def test_time_namespace_belongs_to_the_user_namespace(document: Spec) -> None:
    document["linux"]["namespaces"] = [{"type": "time"}, {"type": "user"}, {"type": "mount"}]
    assert find_clone_flags(document) == [USER, MOUNT]
    assert order(names(build(document)), "CLONE", "SYNC", "UNSHARE", "IDENTITY")


def test_no_namespaces(document: Spec) -> None:
    document["linux"] = {}
    found = names(build(document))
    assert "PIVOT_ROOT" not in found
    assert "CHROOT" in found
    assert "LOOPBACK" not in found


def test_keyring(document: Spec) -> None:
    assert find(build(document), "KEYRING").args == ("_ses.box", 0x3F1B0000)
    document["linux"]["namespaces"].append({"type": "user"})
    assert find(build(document), "KEYRING").args[1] == 0x3F130008
    without = build(document, change=lambda setting: setattr(setting, "no_keyring", True))
    assert "KEYRING" not in names(without)


def test_hooks(document: Spec) -> None:
    document["hooks"] = {
        "prestart": [{"path": "/p"}],
        "createContainer": [{"path": "/c", "args": ["c", "1"], "env": ["A=1"], "timeout": 3}],
        "startContainer": [{"path": "/s"}],
        "poststop": [{"path": "/z"}],
    }
    plan = build(document, fds())
    create, start = (step for step in plan.operations if step.name == "HOOK")
    assert create.args[:3] == ("/c", (b"c", b"1"), (b"A=1",))
    assert create.args[3:6] == ('{"status":"creating","pid":', "}", 3000)
    assert start.args[0] == "/s"
    assert start.args[2] == find(plan, "EXEC").args[1], "it gets the program's environment"
    assert start.args[3] == '{"status":"created","pid":'
    points = [step.args[0] for step in plan.operations if step.name == "SYNC"]
    assert process.SYNC_HOOKS in points
    found = names(plan)
    assert order(found, "SYNC", "HOOK", "PIVOT_ROOT", "START")
    assert found.index("START") < len(found) - 1 - found[::-1].index("HOOK")


def test_sysctls(document: Spec) -> None:
    document["linux"]["sysctl"] = {
        "net.ipv4.ip_forward": "1",
        "net/ipv4/conf/eth0.1/rp_filter": "2",
    }
    plan = build(document)
    written = [step.args[1:] for step in plan.operations if step.name == "WRITE_AT"]
    assert written == [
        ("sys/net/ipv4/ip_forward", "1"),
        ("sys/net/ipv4/conf/eth0.1/rp_filter", "2"),
    ]
    # Before /proc/sys becomes read-only.
    fields = [step.field for step in plan.operations]
    assert fields.index('linux.sysctl["net.ipv4.ip_forward"]') < fields.index(
        "linux.readonlyPaths[0]"
    )


def test_terminal(document: Spec) -> None:
    document["process"]["consoleSize"] = {"height": 5, "width": 6}
    assert find(build(document), "CONSOLE").args[1:] == (1, 6, 5)
    document["process"]["terminal"] = False
    assert "CONSOLE" not in names(build(document))


def test_dev_from_the_host_is_left_alone(document: Spec) -> None:
    found = names(build(document, change=lambda setting: setattr(setting, "has_own_dev", False)))
    assert not {"MKNOD", "NULL_STDIO", "SYMLINK"} & set(found)


@pytest.mark.parametrize("sealed", [True, False])
def test_filter(document: Spec, *, sealed: bool) -> None:
    """With no_new_privs it comes last; without, while there is still the right to load it."""
    document["process"]["noNewPrivileges"] = sealed
    found = names(build(document, seccomp=Filter(bytes(16), 0)))
    assert found.count("SECCOMP") == 1
    if sealed:
        assert order(found, "CAPABILITIES", "START", "SECCOMP", "EXEC")
    else:
        assert order(found, "SECCOMP", "IDENTITY", "CAPABILITIES", "START")


def test_filter_with_a_listener(document: Spec) -> None:
    """It has to be sent while the engine is there."""
    found = names(build(document, seccomp=Filter(bytes(16), 8)))
    assert order(found, "CAPABILITIES", "SECCOMP", "START")


def test_filter_is_whole(document: Spec) -> None:
    args = find(build(document, seccomp=Filter(bytes(24), 2)), "SECCOMP").args
    assert args == (2, bytes(24), 3, process.SYNC_SECCOMP)
