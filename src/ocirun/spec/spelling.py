# SPDX-License-Identifier: Apache-2.0
"""Keys in another case than the spec's: `pagesize` for `pageSize`.

Every tool written in Go takes them, runc too, so configurations with such keys are
at work; to ignore the key would start the container without the limit that it sets.
The same key in two spellings is refused: readers would not agree on which one counts.
Never imported for a document with the spec's own keys.
"""

from ocirun.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.schema import Kind


def corrected(value: object, kind: "Kind", path: str) -> object:
    """Give a copy with the keys as the kind has them; what is not of the kind stays as it is."""
    if type(kind) is list and type(value) is list:
        return [corrected(item, kind[0], f"{path}[{index}]") for index, item in enumerate(value)]
    if type(kind) is not dict or type(value) is not dict:
        return value
    if str in kind:
        return {key: corrected(item, kind[str], f'{path}["{key}"]') for key, item in value.items()}
    fields: dict[str, object] = value
    known = {name.lower(): name for name in kind if isinstance(name, str)}
    found: dict[str, object] = {}
    given: dict[str, str] = {}
    for key, item in fields.items():
        name = known.get(key.lower(), key)
        place = f"{path}.{name}" if path else name
        if name in found:
            raise SpecError(f"{place}: given twice, as {given[name]} and {key}", "keep one of them")
        given[name] = key
        found[name] = corrected(item, kind[name], place) if name in kind else item
    return found
