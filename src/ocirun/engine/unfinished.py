# SPDX-License-Identifier: Apache-2.0
"""What a config may ask for and ocirun cannot do yet: refused by name, never ignored."""

from ocirun.errors import SpecError
from ocirun.linux.mount import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Spec


def refuse(spec: "Spec") -> None:
    """Raise SpecError for the first field that asks for something we do not do."""
    for index, mount in enumerate(spec.get("mounts", ())):
        options = Options(mount.get("options", []))
        if options.idmap or mount.get("uidMappings") or mount.get("gidMappings"):
            _fail(f"mounts[{index}]: idmapped mounts")
        if options.copy_up:
            _fail(f"mounts[{index}].options: tmpcopyup")


def _fail(field: str) -> None:
    raise SpecError(f"{field}: not implemented yet by ocirun")
