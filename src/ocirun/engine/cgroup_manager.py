# SPDX-License-Identifier: Apache-2.0
"""Who makes the container's cgroups: we do (cgroupfs), systemd, or nobody (disabled)."""

from ocirun.engine import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.create import Creation
    from ocirun.linux.cgroup import Cgroup


def plan(creation: "Creation") -> "Cgroup | None":
    """Plan the cgroups as far as they are known by now; nothing is made yet."""
    linux, request = creation.spec.get("linux", {}), creation.request
    if request.cgroup_manager == "cgroupfs":
        return cgroups.locate(linux, request.id, creation.host, rootless=request.rootless)
    if request.cgroup_manager == "disabled":
        cgroups.check_disabled(linux)
        return None
    from ocirun.engine import systemd

    return systemd.plan(creation)
