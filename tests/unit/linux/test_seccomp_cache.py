# SPDX-License-Identifier: Apache-2.0
"""The cache never gives anything but what was stored, and never fails."""

import os
from pathlib import Path

import pytest

from ocirun.linux import seccomp_cache, seccomp_store
from ocirun.linux.seccomp_cache import Program

KEY = seccomp_cache.key(b"a profile")
PROGRAM = Program(bytes(range(256)) * 8, 4)


@pytest.fixture
def library(tmp_path: Path) -> str:
    path = tmp_path / "libseccomp.so.2.5.4"
    path.write_bytes(b"code")
    return str(path)


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "cache" / "seccomp")


@pytest.fixture
def entry(directory: str, library: str) -> Path:
    seccomp_store.store(directory, KEY, PROGRAM, library)
    return Path(directory, KEY.hex())


def is_cached(directory: str, key: bytes = KEY) -> bool:
    found = seccomp_cache.load(directory, key)
    if found is None:
        return False
    assert found.instructions == PROGRAM.instructions
    assert found.flags == PROGRAM.flags
    return True


def test_what_is_stored_comes_back(directory: str, entry: Path) -> None:
    assert is_cached(directory)
    assert entry.stat().st_mode & 0o777 == 0o600
    assert os.listdir(directory) == [entry.name]


def test_an_empty_directory_has_nothing(directory: str) -> None:
    assert not is_cached(directory)


def test_keys_differ_by_profile() -> None:
    assert seccomp_cache.key(b"a profile") == KEY
    assert seccomp_cache.key(b"another profile") != KEY


def test_listener_follows_the_flags() -> None:
    assert not Program(b"", 4).listener
    assert Program(b"", 8 | 4).listener


@pytest.mark.usefixtures("entry")
def test_an_entry_under_another_name_is_refused(directory: str, entry: Path) -> None:
    other = seccomp_cache.key(b"another profile")
    entry.rename(entry.with_name(other.hex()))
    assert not is_cached(directory, other)


def test_any_damaged_byte_is_noticed(directory: str, entry: Path) -> None:
    good = entry.read_bytes()
    for place in range(0, len(good), 7):
        entry.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert not is_cached(directory), place
    entry.write_bytes(good)
    assert is_cached(directory)


@pytest.mark.parametrize("size", [0, 1, 51, 52, 53, 2000])
def test_a_torn_entry_is_noticed(directory: str, entry: Path, size: int) -> None:
    entry.write_bytes(entry.read_bytes()[:size])
    assert not is_cached(directory)


def test_trailing_bytes_are_noticed(directory: str, entry: Path) -> None:
    entry.write_bytes(entry.read_bytes() + b"x")
    assert not is_cached(directory)


def test_a_damaged_entry_is_replaced(directory: str, entry: Path, library: str) -> None:
    entry.write_bytes(b"")
    seccomp_store.store(directory, KEY, PROGRAM, library)
    assert is_cached(directory)


@pytest.mark.usefixtures("entry")
def test_an_upgraded_library_makes_the_entry_stale(directory: str, library: str) -> None:
    fresh = Path(library + ".new")
    fresh.write_bytes(b"newer code")
    fresh.rename(library)
    assert not is_cached(directory)


@pytest.mark.usefixtures("entry")
def test_a_removed_library_makes_the_entry_stale(directory: str, library: str) -> None:
    Path(library).unlink()
    assert not is_cached(directory)


def test_an_entry_that_others_can_write_is_refused(directory: str, entry: Path) -> None:
    entry.chmod(0o620)
    assert not is_cached(directory)
    entry.chmod(0o602)
    assert not is_cached(directory)


@pytest.mark.root
def test_an_entry_of_another_user_is_refused(directory: str, entry: Path) -> None:
    os.chown(entry, 65534, 65534)
    assert not is_cached(directory)


def test_a_link_is_not_followed(directory: str, entry: Path, tmp_path: Path) -> None:
    moved = entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(moved)
    assert not is_cached(directory)


def test_a_fifo_does_not_block(directory: str, entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)
    assert not is_cached(directory)
