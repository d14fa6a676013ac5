# SPDX-License-Identifier: Apache-2.0
"""The mount option idmap=uids=0-100000-65536;gids=..., as crun has it.

A line is what the files have, what they get on the host, and how many; `#` is between
lines.  With `@` before it the second number is one of the container's user namespace.
"""

from ocirun.errors import SpecError
from ocirun.spec.linux import check_mappings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.idmapped import Idmap
    from ocirun.spec.model import IdMapping, Linux


def parse(idmap: "Idmap", option: str, linux: "Linux") -> None:
    """Fill in the mappings from the option."""
    field = f"{idmap.field}.options"
    own = {"uids": linux.get("uidMappings", []), "gids": linux.get("gidMappings", [])}
    found: dict[str, list[IdMapping]] = {}
    for part in option.partition("=")[2].split(";"):
        kind, _, lines = part.partition("=")
        if kind not in own or kind in found:
            raise _malformed(field, option)
        found[kind] = [_mapping(line, own[kind], field, option) for line in lines.split("#")]
        check_mappings(found[kind], field)
    if len(found) != 2:
        raise _malformed(field, option)
    idmap.uids, idmap.gids = found["uids"], found["gids"]


def _malformed(field: str, option: str) -> SpecError:
    return SpecError(
        f'{field}: "{option}" is no mapping', "write idmap=uids=FROM-TO-COUNT;gids=FROM-TO-COUNT"
    )


def _mapping(line: str, own: "list[IdMapping]", field: str, option: str) -> "IdMapping":
    words = line.removeprefix("@").split("-")
    if len(words) != 3 or not all(word.isascii() and word.isdigit() for word in words):
        raise _malformed(field, option)
    first, to, size = (int(word) for word in words)
    if line.startswith("@"):
        to = _on_host(to, size, own, field)
    return {"containerID": first, "hostID": to, "size": size}


def _on_host(number: int, size: int, own: "list[IdMapping]", field: str) -> int:
    for entry in own:
        offset = number - entry["containerID"]
        if offset >= 0 and offset + size <= entry["size"]:
            return entry["hostID"] + offset
    raise SpecError(
        f"{field}: {size} ids from {number} on are in no line of linux.uidMappings or gidMappings"
    )
