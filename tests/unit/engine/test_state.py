# SPDX-License-Identifier: Apache-2.0
"""The record of a container: whole, damaged, half written, from a later release."""

import json
import os
import stat
from pathlib import Path

import pytest

from ocirun.engine import state as states
from ocirun.engine.state import State
from ocirun.errors import KernelError, StateError


@pytest.fixture
def made(tmp_path: Path) -> State:
    """Give a saved state with something in every field."""
    state, lock = states.claim(str(tmp_path), "box")
    os.close(lock)
    state.oci_version = "1.3.0"
    state.bundle = "/bundle \u00fc"
    state.rootfs = "/bundle/rootfs"
    state.created = "2026-01-02T03:04:05.6Z"
    state.pid, state.start_time = 12, 34
    state.creating, state.rootless, state.own_pids = False, True, False
    state.host_mounts = 3
    state.no_keyring = True
    state.annotations = {"a": "\n\u00fc\U0001f600"}
    state.cgroup_paths = {"": "/sys/fs/cgroup/box"}
    state.cgroups_made = ["/sys/fs/cgroup/box"]
    state.hooks = {"poststop": [{"path": "/x", "args": ["x"], "timeout": 3}]}
    state.save()
    return state


def load(root: Path) -> State:
    return states.load_state(str(root), "box")


def edit(root: Path, **fields: object) -> None:
    path = root / "box" / "state.json"
    document = json.loads(path.read_text())
    for name, value in fields.items():
        document[name] = value
    path.write_text(json.dumps(document))


def test_what_was_saved(made: State, tmp_path: Path) -> None:
    found = load(tmp_path)
    for name in State.__slots__:
        assert getattr(found, name) == getattr(made, name), name


def test_only_the_owner_may_read_it(made: State) -> None:
    mode = stat.S_IMODE(os.stat(f"{made.directory}/state.json").st_mode)
    assert mode == 0o600
    assert stat.S_IMODE(os.stat(made.directory).st_mode) == 0o711


def test_saved_again(made: State, tmp_path: Path) -> None:
    made.pid = 99
    made.save()
    assert load(tmp_path).pid == 99
    assert sorted(os.listdir(made.directory)) == ["state.json"]


def test_half_written_one_is_not_looked_at(made: State, tmp_path: Path) -> None:
    """A crash between write(2) and rename(2) leaves the old one in force."""
    Path(f"{made.directory}/state.json.new").write_text('{"version": 1, "id"')
    assert load(tmp_path).pid == 12
    states.remove_directory(made.directory)
    assert not os.path.exists(made.directory)


@pytest.mark.parametrize("size", [0, 1, 10, 100, -1])
def test_cut_off(made: State, tmp_path: Path, size: int) -> None:
    path = Path(f"{made.directory}/state.json")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(StateError, match=r"^container box: damaged state: ") as raised:
        load(tmp_path)
    assert raised.value.hint == "ocirun delete --force box removes what is left of it"


@pytest.mark.parametrize("text", ["null", "[]", "3", '"x"', "{}", "\x00\xff", '{"version": 1}'])
def test_something_else(made: State, tmp_path: Path, text: str) -> None:
    Path(f"{made.directory}/state.json").write_text(text, "latin-1")
    with pytest.raises(StateError, match=r"^container box: damaged state: "):
        load(tmp_path)


@pytest.mark.parametrize("field", [name for name, _ in states._FIELDS])
@pytest.mark.parametrize("value", [None, 1.5, "\N{SNOWMAN}", [], {}])
def test_field_of_another_type(made: State, tmp_path: Path, field: str, value: object) -> None:
    if isinstance(value, dict(states._FIELDS)[field]):
        return
    edit(tmp_path, **{field: value})
    with pytest.raises(StateError, match=rf"damaged state: .*: {field} is missing or wrong"):
        load(tmp_path)
    assert made.pid == 12


def test_a_record_of_an_earlier_release(made: State, tmp_path: Path) -> None:
    """Containers live on while ocirun is replaced: what came later has a value without them."""
    path = Path(f"{made.directory}/state.json")
    document = json.loads(path.read_text())
    for field, _ in states._LATER:
        del document[field]
    path.write_text(json.dumps(document))
    found = load(tmp_path)
    assert found.pid == 12
    assert found.last_operation == -1


@pytest.mark.parametrize("value", [None, "1", []])
def test_a_later_field_of_another_type(made: State, tmp_path: Path, value: object) -> None:
    edit(tmp_path, lastOperation=value)
    with pytest.raises(StateError, match=r"damaged state: .*: lastOperation is missing or wrong"):
        load(tmp_path)
    assert made.pid == 12


@pytest.mark.parametrize("version", [2, 99])
def test_later_release(made: State, tmp_path: Path, version: int) -> None:
    """Its fields may mean something else, and may all be different."""
    del made
    (tmp_path / "box" / "state.json").write_text(json.dumps({"version": version, "new": True}))
    with pytest.raises(StateError, match=r"written by a later release"):
        load(tmp_path)


def test_no_record(made: State, tmp_path: Path) -> None:
    os.unlink(f"{made.directory}/state.json")
    with pytest.raises(StateError, match=r"^container box is not completely created: "):
        load(tmp_path)


def test_no_container(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"^container box does not exist$"):
        load(tmp_path)


def test_record_that_is_a_directory(made: State, tmp_path: Path) -> None:
    os.unlink(f"{made.directory}/state.json")
    os.mkdir(f"{made.directory}/state.json")
    with pytest.raises(KernelError, match=r"^read state: .*: is a directory$"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["a", "A-b_c+d.9", "-", "...x" * 1])
def test_good_ids(name: str) -> None:
    states.check_id(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "ü", "a\n", "\0", "@cache", "a:b"])
def test_bad_ids(name: str) -> None:
    with pytest.raises(StateError, match=r"^invalid container ID format: "):
        states.check_id(name)


def test_id_is_taken(made: State, tmp_path: Path) -> None:
    assert made.id == "box"
    with pytest.raises(StateError, match=r"already exists: box"):
        states.claim(str(tmp_path), "box")


def test_root_is_made_with_its_parents(tmp_path: Path) -> None:
    state, lock = states.claim(str(tmp_path / "a/b/c"), "box")
    os.close(lock)
    assert state.directory == str(tmp_path / "a/b/c/box")


def test_lock(made: State) -> None:
    held = states.lock(made.directory)
    with pytest.raises(BlockingIOError):
        states.lock(made.directory, wait=False)
    os.close(held)
    os.close(states.lock(made.directory, wait=False))


def test_ids(made: State, tmp_path: Path) -> None:
    (tmp_path / "another").mkdir()
    (tmp_path / "@cache").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(made.directory)
    assert states.ids(str(tmp_path)) == ["another", "box"]
    with pytest.raises(FileNotFoundError):
        states.ids(str(tmp_path / "nothing"))


def test_removal_follows_no_link(made: State, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/canary").touch()
    os.symlink(tmp_path / "outside", f"{made.directory}/link")
    states.remove_directory(made.directory)
    assert not os.path.exists(made.directory)
    assert (tmp_path / "outside/canary").exists()
    states.remove_directory(made.directory)


def test_config_is_kept_as_it_was(made: State) -> None:
    data = b'{\n\t"process": {"args": ["x"]}}\n'
    made.save_config(data)
    assert Path(f"{made.directory}/config.json").read_bytes() == data
    assert made.config() == {"process": {"args": ["x"]}}


def test_disk_that_is_full(made: State) -> None:
    made.directory = "/proc"
    with pytest.raises(KernelError, match=r"^write state.json: /proc: ") as raised:
        made.save()
    assert raised.value.hint
