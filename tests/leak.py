# SPDX-License-Identifier: Apache-2.0
"""What a test can leave behind on the machine, as sets that can be compared.

The test process adopts orphans (PR_SET_CHILD_SUBREAPER, as a container engine does), so
that whatever a test started and nobody ended is a child of ours.

Other containers come and go while a test runs, so only cgroups that bear our name count,
and mounts at, or of, our own directories.
"""

import os
import signal
from collections.abc import Iterator

#: part of each name that a test gives to a container or a directory
TAG = f"ocirun-test-{os.getpid()}"

#: parts of the paths that only we use; a test session adds its temporary directory
ours = {TAG}

Inventory = dict[str, set[str]]


def inventory() -> Inventory:
    """Take stock; processes that have ended are reaped and do not count."""
    _reap()
    return {
        "processes": set(children()),
        "mounts": set(mounts(*ours)),
        "cgroups": {cgroup for cgroup in cgroups() if TAG in cgroup},
        "fds": set(fds()),
    }


def more(before: Inventory, after: Inventory) -> Inventory:
    """What there is after and was not before."""
    return {kind: rest for kind in after if (rest := after[kind] - before[kind])}


def kill(left: Inventory) -> None:
    """End the processes that were left, so that the next test is not blamed."""
    for line in left.get("processes", ()):
        os.kill(int(line.split()[0]), signal.SIGKILL)
        os.waitpid(int(line.split()[0]), 0)


def children() -> Iterator[str]:
    """Our children, as "pid name"."""
    for task in os.listdir("/proc/self/task"):
        for pid in _read(f"/proc/self/task/{task}/children").split():
            yield f"{pid} {_read(f'/proc/{pid}/comm').strip()}"


def _reap() -> None:
    for line in list(children()):
        pid = line.split()[0]
        if ") Z " in _read(f"/proc/{pid}/stat"):
            os.waitpid(int(pid), 0)


def mounts(*words: str) -> Iterator[str]:
    """Where something is mounted, with how often and what, if one of the words is part of it."""
    seen: dict[str, int] = {}
    for line in _read("/proc/self/mountinfo").splitlines():
        # The mount point, the directory that is mounted, or its source.
        if not any(word in line for word in words):
            continue
        fields, _, kind = line.partition(" - ")
        mount = f"{fields.split()[4]} ({kind.split()[0]})"
        seen[mount] = seen.get(mount, 0) + 1
        yield f"{mount} #{seen[mount]}"


def cgroups() -> Iterator[str]:
    """All cgroups."""
    for directory, names, _ in os.walk("/sys/fs/cgroup"):
        for name in names:
            yield f"{directory}/{name}"


def fds() -> Iterator[str]:
    """Our own open files."""
    for fd in os.listdir("/proc/self/fd"):
        try:
            yield f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}"
        except FileNotFoundError:
            continue  # the descriptor of the listing itself


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""
