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
    paths = set(cgroup.paths.values())
    for name in states.ids(root):
        if name == heir:
            continue
        try:
            former = states.load_state(root, name)
            if paths.isdisjoint(former.cgroup_paths.values()) or status.is_alive(former):
                continue
            lock = states.lock(former.directory, wait=False)
        except (OcirunError, OSError):
            # Damaged, just being removed, or in use: who has the lock goes by what it has read.
            continue
        try:
            _take(former, cgroup)
        finally:
            os.close(lock)


def _take(former: "State", cgroup: "Cgroup") -> None:
    made = {*cgroup.made, *former.cgroups_made}
    cgroup.made = sorted(made, key=len)
    former.cgroup_paths = {}
    former.cgroups_made = []
    former.disown_cgroup()
    former.save()
