# SPDX-License-Identifier: Apache-2.0
"""Cgroups of either version, against the kernel; runs on a v1, hybrid or v2 host."""

import errno
import json
import os
import select
import signal
from pathlib import Path

import pytest
from tests.cgroup_child import PATH, Child, attempt, fresh

from ocirun.linux import cgroup
from ocirun.linux.cgroup import layout
from ocirun.linux.cgroup.settings import OPTIONAL, REQUIRED, SettingError

HOST = layout.read()

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(HOST.version == 0, reason="needs a cgroup hierarchy"),
]

ANY_DEVICE = (True, "c", -1, -1, "m")
NULL = (True, "c", 1, 3, "rwm")


def membership(pid: int) -> dict[str, str]:
    return layout.parse_membership(Path(f"/proc/{pid}/cgroup").read_bytes())


def left_behind() -> list[str]:
    hierarchies = [*HOST.v1, *([HOST.unified] if HOST.unified else [])]
    return [hierarchy.mount for hierarchy in hierarchies if Path(hierarchy.mount + PATH).exists()]


def test_all_directories_come_and_go() -> None:
    with fresh("/a/b") as group:
        assert all(Path(path).is_dir() for path in group.paths.values())
        assert not group.existed()
        assert not group.populated()
        assert not group.frozen()
    assert left_behind() == []


def test_what_was_there_stays() -> None:
    with fresh() as outer, fresh("/inner") as inner:
        inner.remove()
        assert all(Path(path).is_dir() for path in outer.paths.values())
        again = cgroup.plan(PATH)
        again.create()
        assert again.existed()
        assert again.made == []
        again.remove()
        again.discard()
        assert all(Path(path).is_dir() for path in outer.paths.values())


def test_shared_parent_stays_while_another_needs_it() -> None:
    with fresh("/shared/a") as first:
        second = cgroup.plan(f"{PATH}/shared/b")
        second.create()
        try:
            first.remove()
            assert all(Path(path).is_dir() for path in second.paths.values())
        finally:
            second.remove()
    # Its maker could not remove the parent, and nobody else may.
    for hierarchy in left_behind():
        for directory in (f"{hierarchy}{PATH}/shared", f"{hierarchy}{PATH}"):
            Path(directory).rmdir()


def test_relative_path_starts_at_the_caller() -> None:
    # The caller: one that moved into a cgroup of its own.
    with fresh("/caller") as caller:

        def paths() -> str:
            return json.dumps(cgroup.plan("inner").paths)

        with Child(caller, paths) as child:
            found = json.loads(child.ask())
        for controller, path in found.items():
            start = caller.paths[controller]
            if HOST.version == 2:
                start = os.path.dirname(start)
            assert path == f"{start}/inner"


def test_failure_leaves_nothing() -> None:
    # The kernel takes no newline in a name.
    group = cgroup.plan(f"{PATH}/a/b\nc")
    with pytest.raises(OSError, match="Invalid argument") as caught:
        group.create()
    assert caught.value.filename
    assert left_behind() == []


def test_process_enters_every_hierarchy() -> None:
    with fresh("/a") as group, Child(group) as child:
        found = membership(child.pid)
        for hierarchy in [*HOST.v1, *([HOST.unified] if HOST.unified else [])]:
            for controller in hierarchy.controllers:
                assert found[controller] == f"{PATH}/a"
        assert group.pids() == [child.pid]
        assert group.populated()


def test_fds_are_closed_on_exec() -> None:
    with fresh() as group:
        fds = [*group.attach_fds(), group.directory_fd()]
        assert not any(os.get_inheritable(fd) for fd in fds if fd >= 0)
        for fd in fds:
            if fd >= 0:
                os.close(fd)


def test_state_can_be_stored_and_reopened() -> None:
    with fresh("/a") as group, Child(group) as child:
        stored = json.loads(json.dumps([group.paths, group.made]))
        again = cgroup.from_paths(*stored)
        assert type(again) is type(group)
        assert again.pids() == [child.pid]
        again.kill()
        assert child.is_gone()
        again.remove()
        assert left_behind() == []


def test_sub_cgroup_stays_inside() -> None:
    with fresh("/a") as group:
        for inner, end in (("sub", "/a/sub"), ("../../x", "/a/x"), ("", "/a")):
            assert all(path.endswith(PATH + end) for path in group.sub({"": inner}).paths.values())
        with pytest.raises(OSError, match=r"controller|for all"):
            group.sub({"no-such-controller": "x"})


def test_limit_is_in_force() -> None:
    def fork() -> str:
        return attempt(lambda: os.fork() or os._exit(0))

    with fresh() as group:
        group.write([("pids", "pids.max", "1", "pids.limit", REQUIRED)])
        assert group.read("pids", "pids.max") == "1\n"
        with Child(group, fork) as child:
            assert child.ask() == "EAGAIN"


@pytest.mark.parametrize(
    ("controller", "file", "value", "number"),
    [
        ("pids", "pids.max", "nonsense", errno.EINVAL),
        ("pids", "pids.nothing", "1", errno.ENOENT),
        ("nothing", "nothing.max", "1", errno.ENOENT),
        ("pids", "../pids.max", "1", errno.EINVAL),
    ],
)
def test_refused_setting_names_file_and_field(
    controller: str, file: str, value: str, number: int
) -> None:
    with fresh() as group:
        with pytest.raises(SettingError) as caught:
            group.write([(controller, file, value, "the.field", REQUIRED)])
        assert caught.value.errno == number
        assert caught.value.filename
        assert caught.value.setting[3] == "the.field"


def test_device_rules_are_in_force(tmp_path: Path) -> None:
    def probe() -> str:
        return " ".join(
            (
                attempt(lambda: os.close(os.open("/dev/null", os.O_RDWR))),
                attempt(lambda: os.close(os.open("/dev/full", os.O_RDWR))),
                attempt(lambda: os.mknod(tmp_path / "c", 0o20600, os.makedev(1, 11))),
                attempt(lambda: os.mknod(tmp_path / "b", 0o60600, os.makedev(8, 0))),
            )
        )

    if attempt(lambda: os.mknod(tmp_path / "x", 0o20600, os.makedev(1, 3))) != "ok":
        pytest.skip("needs a file system that holds device nodes")
    with fresh() as group:
        group.allow_devices([ANY_DEVICE, NULL])
        with Child(group, probe) as child:
            assert child.ask() == "ok EPERM ok EPERM"
            # An update shuts nothing that stays open, and opens what is new.
            group.allow_devices([ANY_DEVICE, NULL, (True, "c", 1, 7, "rw")])
            (tmp_path / "c").unlink()
            assert child.ask() == "ok ok ok EPERM"
            group.allow_devices([(True, "a", -1, -1, "rwm"), (False, "c", 1, 7, "w")])
            (tmp_path / "c").unlink()
            assert child.ask() == "ok EPERM ok ok"


def test_frozen_process_does_nothing_until_thawed() -> None:
    with fresh() as group, Child(group, lambda: "done") as child:
        assert child.ask() == "done"
        group.freeze()
        assert group.frozen()
        child.send()
        assert child.receive(0.05) == "silent"
        group.thaw()
        assert not group.frozen()
        assert child.receive() == "done"


def test_freezing_an_empty_cgroup() -> None:
    with fresh() as group:
        group.freeze(0.5)
        assert group.frozen()
        group.thaw()


def test_kill_reaches_everything_below_also_when_frozen() -> None:
    def fork() -> str:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        return str(pid)

    # The outer process first: v2 lets none in once the cgroup gives controllers to others.
    with fresh() as group, Child(group, fork) as first, fresh("/below") as below:
        with Child(below) as second:
            grandchild = os.pidfd_open(int(first.ask()))
            group.freeze()
            group.kill()
            assert first.is_gone()
            assert second.is_gone()
            os.close(grandchild)
        group.thaw()
        below.remove()


def test_signal_reaches_everything_below() -> None:
    with fresh() as group, Child(group) as first, fresh("/below") as below:
        with Child(below) as second:
            group.signal(signal.SIGTERM)
            assert first.is_gone()
            assert second.is_gone()
            assert not group.frozen()
        below.remove()


def test_kill_of_nobody() -> None:
    with fresh() as group:
        group.kill()
        group.remove()
        group.kill()
        group.remove()


def test_removal_right_after_the_kill() -> None:
    # EBUSY until the processes are really gone; their parent has not even waited for them.
    for _ in range(10):
        with fresh() as group, Child(group) as first, Child(group) as second:
            group.kill()
            group.remove()
            assert left_behind() == []
            assert first.is_gone(0)
            assert second.is_gone(0)


def test_removal_takes_what_the_container_made_inside() -> None:
    with fresh() as group:
        for path in group.paths.values():
            Path(path, "x").mkdir(exist_ok=True)
            Path(path, "x", "y").mkdir(exist_ok=True)
        group.remove()
        assert left_behind() == []


def test_removal_of_a_cgroup_in_use_says_so_in_time() -> None:
    with fresh() as group, Child(group) as child:
        with pytest.raises(OSError, match="busy") as caught:
            group.remove(timeout=0.1)
        assert caught.value.errno == errno.EBUSY
        assert caught.value.filename in group.paths.values()
        assert group.pids() == [child.pid]


def test_statistics_move() -> None:
    def work() -> str:
        data = bytearray(8 << 20)
        for _ in range(3):
            hash(bytes(data))
        return str(len(data))

    with fresh() as group, Child(group, work) as child:
        before = group.statistics()
        child.ask()
        after = group.statistics()
    assert before.pids["current"] == after.pids["current"] == 1
    assert after.cpu["total"] > before.cpu["total"]
    assert after.memory["memory"]["usage"] > 0
    assert after.memory["memory"]["peak"] >= before.memory["memory"]["usage"]
    assert after.memory_detail


def test_running_out_of_memory_is_noticed() -> None:
    def waste() -> str:
        return str(len(bytearray(64 << 20)))

    files = {1: "memory.limit_in_bytes", 2: "memory.max"}
    swap = {1: "memory.memsw.limit_in_bytes", 2: "memory.swap.max"}
    value = {1: str(16 << 20), 2: "0"}
    with fresh() as group:
        group.write(
            [
                ("memory", files[group.version], str(16 << 20), "limit", REQUIRED),
                ("memory", swap[group.version], value[group.version], "swap", OPTIONAL),
            ]
        )
        watch = group.watch_oom()
        poller = select.poll()
        poller.register(watch.fd, watch.events)
        assert watch.take() == 0
        with Child(group, waste) as child:
            child.send()
            assert child.is_gone()
            assert poller.poll(10_000)
            assert watch.take() == 1
            assert watch.take() == 0
        group.remove()
        assert watch.take() is None
        watch.close()


def test_ordinary_user_gets_none_and_learns_why() -> None:
    def create(*, tolerant: bool) -> str:
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)
        group = cgroup.plan(PATH)
        try:
            group.create(tolerant=tolerant)
        except OSError as error:
            return f"{errno.errorcode[error.errno or 0]} {error.filename}"
        why = {errno.errorcode[error.errno or 0] for error in group.refused.values()}
        group.remove()
        return f"{group.paths} {group.made} {why}"

    with Child(None, lambda: create(tolerant=False), lambda: create(tolerant=True)) as child:
        assert child.ask(0).startswith("EACCES /sys/fs/cgroup")
        assert child.ask(1) == "{} [] {'EACCES'}"


def test_reopened_without_any_cgroup() -> None:
    group = cgroup.from_paths({}, [])
    assert group.pids() == []
    assert not group.populated()
    assert not group.frozen()
    assert group.attach_fds() == []
    assert group.directory_fd() == -1
    group.kill()
    group.thaw()
    group.remove()
    with pytest.raises(OSError, match="no such cgroup controller"):
        group.freeze()
