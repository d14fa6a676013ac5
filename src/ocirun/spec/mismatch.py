# SPDX-License-Identifier: Apache-2.0
"""Word the error for a value that is not of the kind that schema.py gives it.

Never imported for a good document.
"""

from _json import encode_basestring

from ocirun.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.schema import Kind


def error(value: object, kind: "Kind", path: str) -> SpecError:
    """Make the error for the field at `path`; "" is the whole document."""
    where = f"{path}: " if path else ""
    if type(kind) is tuple and type(value) is str:
        known = ", ".join(word for word in kind if word)
        return SpecError(f"{where}unknown value {show(value)}", f"known are {known}")
    wanted = _wanted(kind)
    if type(kind) is range and type(value) is int:
        wanted = f"an integer between {kind.start} and {kind.stop - 1}"
    found = _kind_of(value) if type(kind) in (list, dict) else show(value)
    return SpecError(f"{where}expected {wanted}, found {found}")


def show(value: object) -> str:
    """Write a value as JSON does, short enough for a message."""
    if type(value) is str:
        return encode_basestring(value if len(value) <= 60 else value[:57] + "...")
    if type(value) is int or type(value) is float:
        return str(value)[:60]
    return _kind_of(value)


def _wanted(kind: "Kind", *, plural: bool = False) -> str:
    if type(kind) is list:
        return "lists" if plural else f"a list of {_wanted(kind[0], plural=True)}"
    if type(kind) is range:
        return "integers" if plural else "an integer"
    if type(kind) is dict:
        return "objects" if plural else "an object"
    if kind is bool:
        return "true or false"
    return "strings" if plural else "a string"


def _kind_of(value: object) -> str:
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    names = {str: "a string", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object")
