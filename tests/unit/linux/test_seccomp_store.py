# SPDX-License-Identifier: Apache-2.0
"""Storing never fails, never grows without bound, and never shows half an entry."""

import os
import threading
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


def is_cached(directory: str, key: bytes = KEY) -> bool:
    found = seccomp_cache.load(directory, key)
    if found is None:
        return False
    assert found.instructions == PROGRAM.instructions
    assert found.flags == PROGRAM.flags
    return True


def test_a_directory_that_cannot_be_made_is_no_error(tmp_path: Path, library: str) -> None:
    (tmp_path / "file").touch()
    directory = str(tmp_path / "file" / "seccomp")
    seccomp_store.store(directory, KEY, PROGRAM, library)
    assert not is_cached(directory)


def test_a_library_that_cannot_be_named_is_not_stored(directory: str) -> None:
    seccomp_store.store(directory, KEY, PROGRAM, "")
    seccomp_store.store(directory, KEY, PROGRAM, "/usr/lib/libseccomp.so.2.5.4 (deleted)")
    assert not is_cached(directory)


def test_the_number_of_entries_is_bounded(directory: str, library: str) -> None:
    keys = [seccomp_cache.key(b"%d" % number) for number in range(seccomp_store.MAX_ENTRIES + 20)]
    for age, key in enumerate(keys):
        seccomp_store.store(directory, key, PROGRAM, library)
        os.utime(os.path.join(directory, key.hex()), (age, age))
    assert len(os.listdir(directory)) <= seccomp_store.MAX_ENTRIES
    assert not is_cached(directory, keys[0])
    assert is_cached(directory, keys[-1])


def test_writers_at_once_leave_one_good_entry(directory: str, library: str) -> None:
    def write() -> None:
        for _ in range(50):
            seccomp_store.store(directory, KEY, PROGRAM, library)

    def fork_and_write() -> None:
        pid = os.fork()
        if pid == 0:
            write()
            os._exit(0)
        pids.append(pid)

    pids: list[int] = []
    for _ in range(3):
        fork_and_write()
    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    assert is_cached(directory)
    assert os.listdir(directory) == [KEY.hex()]
