# SPDX-License-Identifier: Apache-2.0
"""Annotations org.systemd.property.NAME: properties of the container's unit, in GVariant text."""

from ocirun.errors import SpecError
from ocirun.linux import gvariant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.systemd import Property

PREFIX = "org.systemd.property."
_INTEGERS = frozenset("ynqiuxtd")
_MICROSECONDS = 1000000


def properties(annotations: dict[str, str]) -> "list[Property]":
    """Give the properties, in the order of their names."""
    return [
        _property(key, key.removeprefix(PREFIX), annotations[key])
        for key in sorted(annotations)
        if key.startswith(PREFIX)
    ]


def _property(key: str, name: str, text: str) -> "Property":
    if len(name) < 3 or not (name.isascii() and name.isalpha()):
        raise SpecError(f'annotations["{key}"]: {name!r} is no name of a property of systemd')
    try:
        signature, value = gvariant.parse(text)
    except ValueError as error:
        raise SpecError(
            f'annotations["{key}"]: {text!r}: {error}',
            "write it as GVariant text, such as \"'text'\", true, uint64 5 or ['a', 'b']",
        ) from None
    if name.endswith("Sec") and len(name) > 3 and name[-4].islower():
        # Named with Sec where people write it, and with USec where programs do.
        if signature not in _INTEGERS or not isinstance(value, int | float):
            raise SpecError(f'annotations["{key}"]: {text!r}: must be a number of seconds')
        if not 0 <= value * _MICROSECONDS < 1 << 64:
            raise SpecError(f'annotations["{key}"]: {text!r}: out of range')
        return f"{name[:-3]}USec", "t", int(value * _MICROSECONDS)
    return name, signature, value
