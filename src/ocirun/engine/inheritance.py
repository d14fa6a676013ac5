# SPDX-License-Identifier: Apache-2.0
"""A cgroup that a stopped container left, and the next container of the same cgroupsPath.

It goes over to the newer one: what runs in it then is not the older one's to end, and it is
removed with the newer one.  Loaded only where a cgroup was there already.
"""

import os

from ocirun.engine import state as states, status
from ocirun.errors import OcirunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.state import State
    from ocirun.linux.cgroup import Cgroup


def take_over(root: str, heir: str, cgroup: "Cgroup") -> None:
    """Take the cgroups, which no process is in, from those stopped containers that had them."""
    for name in states.ids(root):
        if name == heir:
            continue
        try:
            lock = states.lock(states.directory_of(root, name), wait=False)
        except OSError:
            continue  # just being removed: who has the lock goes by what it has read
        try:
            _take(root, name, cgroup)
        except (OcirunError, OSError):
            continue  # not even its config can be read
        finally:
            os.close(lock)


def _take(root: str, name: str, cgroup: "Cgroup") -> None:
    try:
        former = states.load_state(root, name)
    except OcirunError:
        _take_from_remains(states.State(states.directory_of(root, name), name), cgroup)
        return
    if _are_shared(former.cgroup_paths, cgroup) and not status.is_alive(former):
        _add(cgroup, former.cgroups_made)
        former.cgroup_paths = {}
        former.cgroups_made = []
        former.disown_cgroup()
        former.save()


def _take_from_remains(former: "State", cgroup: "Cgroup") -> None:
    from ocirun.engine import remains

    found = remains.find_cgroup(former.directory, former.id)
    if found and _are_shared(found.paths, cgroup):
        _add(cgroup, found.made)
        former.disown_cgroup()


def _are_shared(paths: dict[str, str], cgroup: "Cgroup") -> bool:
    return not set(paths.values()).isdisjoint(cgroup.paths.values())


def _add(cgroup: "Cgroup", made: list[str]) -> None:
    cgroup.made = sorted({*cgroup.made, *made}, key=len)
