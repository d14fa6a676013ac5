# SPDX-License-Identifier: Apache-2.0
"""Whether this host can do what few containers ask for, looked at before anything is made."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.request import Request
    from ocirun.spec.model import Linux


def check(linux: "Linux", request: "Request") -> None:
    """Refuse what cannot be had here."""
    if "intelRdt" in linux:
        from ocirun.engine import intel_rdt
        from ocirun.linux import resctrl

        request.resctrl = request.resctrl or resctrl.mount_point()
        intel_rdt.check(linux["intelRdt"], request.id, request.resctrl)
    if linux.get("netDevices"):
        from ocirun.engine import net_devices

        rootless = request.rootless or os.geteuid() != 0
        net_devices.check(linux["netDevices"], rootless=rootless)
