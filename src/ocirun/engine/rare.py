# SPDX-License-Identifier: Apache-2.0
"""Whether this host can do what few containers ask for, looked at before anything is made."""

import os

from ocirun.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.create import Request
    from ocirun.engine.namespaces import Namespaces
    from ocirun.spec.model import Linux, Spec


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


def check_sysctls(spec: "Spec", namespaces: "Namespaces") -> None:
    """Refuse to set what is the host's own: a path can lead back to our namespace."""
    names = spec.get("linux", {}).get("sysctl", {})
    if not names:
        return
    from ocirun.spec import sysctl

    for name in names:
        kind = sysctl.owner_of(name)
        if namespaces.is_ours(kind):
            raise SpecError(f'linux.sysctl["{name}"]: not allowed in host {kind} namespace')
