# SPDX-License-Identifier: Apache-2.0
"""The five capability sets of a process as bit masks, and what cannot be had of them."""

from ocirun.linux.capability import NUMBERS, in_bounding_set

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Process


SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")


def masks(process: "Process", *, own_userns: bool) -> tuple[dict[str, int], list[str]]:
    """Give set -> mask, and a warning for what is left out.

    In a user namespace of its own (`own_userns`) a container gets what its maker lacks.
    """
    found: dict[str, int] = {}
    missing: set[str] = set()
    sets: dict[str, list[str]] = process.get("capabilities", {})  # type: ignore[assignment] # known ones
    # An unknown field beside them is none of ours, whatever it holds.
    for kind in [kind for kind in SETS if kind in sets]:
        mask = 0
        for name in sets[kind]:
            number = NUMBERS.get(name)
            if number is not None and (own_userns or in_bounding_set(number)):
                mask |= 1 << number
            else:
                missing.add(name)
        found[kind] = mask
    warnings = []
    if missing:
        names = " ".join(sorted(missing))
        warnings.append(f"ignoring unknown or unavailable capabilities: [{names}]")
    return found, warnings + _not_ambient(found)


def _not_ambient(found: dict[str, int]) -> list[str]:
    # The kernel refuses those that are not permitted and inheritable too.
    possible = found.get("permitted", 0) & found.get("inheritable", 0)
    refused = found.get("ambient", 0) & ~possible
    return [
        f"can't raise ambient capability {name}: it is not both permitted and inheritable"
        for name, number in NUMBERS.items()
        if refused & 1 << number
    ]
