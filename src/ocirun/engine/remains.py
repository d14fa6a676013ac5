# SPDX-License-Identifier: Apache-2.0
"""Removing a container whose state cannot be read, by what else is known of it.

The kept config names its cgroup, and a file tells that it was made for the container, which
create does only with one that has no processes: so those that are in it are its own.
"""

import os

from ocirun.engine import state as states
from ocirun.errors import KernelError, OcirunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.linux.cgroup import Cgroup


def remove(directory: str, container_id: str, warn: "Callable[[str], None]") -> None:
    """Remove the processes, the cgroups and the directory; the caller holds the lock."""
    state = states.State(directory, container_id)
    try:
        if state.has_part("unit"):
            from ocirun.engine import systemd

            # Which ends the processes too.
            systemd.stop(state)
        cgroup = find_cgroup(directory, container_id)
        if cgroup:
            _remove_cgroup(cgroup, container_id)
    except (OcirunError, OSError) as error:
        warn(f"look for the processes of {container_id}: {error}")
    if state.has_part("intelRdt"):
        from ocirun.engine import intel_rdt

        try:
            intel_rdt.remove(state)
        except (OcirunError, OSError) as error:
            warn(f"remove the resctrl groups of {container_id}: {error}")
    states.remove_directory(directory)


def find_cgroup(directory: str, container_id: str) -> "Cgroup | None":
    """Give the cgroups that were made for the container and are still its own."""
    from ocirun.engine import cgroups
    from ocirun.linux import cgroup
    from ocirun.linux.cgroup import layout

    state = states.State(directory, container_id)
    if not state.owns_cgroup or state.has_part("unit"):
        return None
    linux = state.config().get("linux", {})
    planned = cgroups.locate(linux, container_id, layout.read(), rootless=True)
    paths = planned.paths if planned else {}
    there = {controller: path for controller, path in paths.items() if os.path.isdir(path)}
    return cgroup.from_paths(there, sorted(set(there.values()), key=len)) if there else None


def _remove_cgroup(cgroup: "Cgroup", container_id: str) -> None:
    if os.getpid() in cgroup.pids():
        raise KernelError(f"the cgroup of {container_id} is our own: its processes are left alone")
    if cgroup.populated():
        if cgroup.frozen():
            cgroup.thaw()
        cgroup.kill()
    cgroup.remove()
