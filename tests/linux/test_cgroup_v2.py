# SPDX-License-Identifier: Apache-2.0
"""What only cgroup v2 has, against the kernel."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cgroup_child import PATH, Child, fresh

from ocirun.linux import cgroup
from ocirun.linux.cgroup import device_filter, layout, v2
from ocirun.linux.cgroup.settings import REQUIRED, SettingError

HOST = layout.read()

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(HOST.version != 2, reason="needs cgroup v2"),
]


@contextmanager
def directory(path: str) -> Iterator[Path]:
    made = Path("/sys/fs/cgroup" + path)
    made.mkdir()
    try:
        yield made
    finally:
        made.rmdir()


def test_all_controllers_reach_the_cgroup() -> None:
    available = Path("/sys/fs/cgroup/cgroup.controllers").read_text()
    with fresh("/a/b/c") as group:
        assert group.read("", "cgroup.controllers") == available


def test_controllers_of_a_bare_parent_are_enabled() -> None:
    available = Path("/sys/fs/cgroup/cgroup.controllers").read_text()
    with directory(PATH) as parent:
        assert Path(parent, "cgroup.subtree_control").read_text().strip() == ""
        with fresh("/a") as group:
            assert group.read("", "cgroup.controllers") == available
            assert Path(parent, "cgroup.subtree_control").read_text() == available


def test_controllers_are_missed_only_by_the_limit_that_needs_them() -> None:
    # A parent with a process of its own cannot give controllers to its children.
    with directory(PATH) as path:
        parent = v2.Cgroup(str(path), [])
        with Child(parent), fresh("/a") as group:
            with pytest.raises(SettingError) as caught:
                group.write([("memory", "memory.max", "1000000", "limit", REQUIRED)])
            assert caught.value.errno == errno.ENOENT
            with Child(group) as child:
                assert group.pids() == [child.pid]


def test_a_thousand_updates_leave_one_program() -> None:
    with fresh() as group:
        for number in range(1000):
            group.allow_devices([(True, "c", 1, 3, "rwm"), (True, "c", 7, number, "r")])
        fd = os.open(group.paths[""], os.O_RDONLY)
        programs = device_filter._attached(fd)
        os.close(fd)
        for program in programs:
            os.close(program)
        assert len(programs) == 1


def test_several_foreign_programs_give_way_to_one() -> None:
    with fresh() as group:
        fd = os.open(group.paths[""], os.O_RDONLY)
        for allow in (True, False):
            code = b"".join(device_filter._verdict(allow=allow))
            program = device_filter._load(code)
            device_filter._attach(fd, program, device_filter._BPF_F_ALLOW_MULTI, 0)
            os.close(program)
        group.allow_devices([(True, "a", -1, -1, "rwm")])
        programs = device_filter._attached(fd)
        assert len(programs) == 1
        os.close(programs[0])
        os.close(fd)


def test_refused_program_names_the_cgroup() -> None:
    with pytest.raises(OSError, match="attach a device program") as caught:
        device_filter.attach("/tmp", [])
    assert caught.value.filename == "/tmp"


def test_no_descriptor_is_left_open() -> None:
    with fresh() as group:
        before = os.listdir("/proc/self/fd")
        group.allow_devices([])
        group.freeze()
        group.thaw()
        assert os.listdir("/proc/self/fd") == before


def test_delegation_hands_over_only_what_is_meant_for_it() -> None:
    with fresh() as group:
        assert isinstance(group, v2.Cgroup)
        group.delegate(4711)
        files = Path("/sys/kernel/cgroup/delegate").read_text().split()
        path = Path(group.path)
        assert path.stat().st_uid == 4711
        owned = {file.name for file in path.iterdir() if file.stat().st_uid == 4711}
        assert owned == {file for file in files if Path(path, file).exists()}
        assert "cgroup.procs" in owned


def test_cgroup_of_a_process() -> None:
    with fresh("/a") as group, Child(group) as child:
        found = v2.of_process(child.pid)
        assert found is not None
        assert found.path == group.paths[""]
        assert found.made == []


def threaded(path: Path) -> None:
    Path(path, "cgroup.type").write_text("threaded")


def test_threads_in_sub_cgroups_are_found_and_killed() -> None:
    def spread() -> str:
        thread = threading.Thread(target=threading.Event().wait, daemon=True)
        thread.start()
        sub = Path(group.paths[""], "threads")
        Path(sub, "cgroup.threads").write_text(str(thread.native_id))
        return str(thread.native_id)

    with directory(PATH) as top:
        group = cgroup.plan(f"{PATH}/a")
        group.create()
        # Controllers that know no threads would stand in the way.
        for path in (top, Path("/sys/fs/cgroup")):
            Path(path, "cgroup.subtree_control").write_text("-memory -io")
        sub = Path(group.paths[""], "threads")
        sub.mkdir()
        threaded(sub)
        with Child(group, spread) as child:
            assert child.ask().isdigit()
            assert child.pid in group.pids()
            assert len(group.pids()) == 2
            below = group.sub({"": "threads"})
            below.kill()
            assert child.is_gone()
            group.remove()
        assert not sub.exists()


def test_cgroup_below_a_threaded_one() -> None:
    with directory(PATH) as top:
        Path("/sys/fs/cgroup/cgroup.subtree_control").write_text("-memory -io")
        sub = Path(top, "threaded")
        sub.mkdir()
        threaded(sub)
        group = cgroup.plan(f"{PATH}/threaded/a/b")
        group.create()
        try:
            assert group.read("", "cgroup.type") == "threaded\n"
            group.write([("pids", "pids.max", "9", "pids", REQUIRED)])
            with pytest.raises(SettingError):
                group.write([("memory", "memory.max", "1000000", "limit", REQUIRED)])
        finally:
            group.remove()
            sub.rmdir()


def test_populated_looks_below() -> None:
    with fresh() as group, fresh("/below") as below:
        with Child(below):
            assert group.populated()
            assert group.pids(recursive=False) == []
            below.kill()
        below.remove()
        assert not group.populated()
