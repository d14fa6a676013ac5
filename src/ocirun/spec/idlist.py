# SPDX-License-Identifier: Apache-2.0
"""Lists of CPUs and memory nodes in the kernel's notation: "0-3,7".

For execCPUAffinity and memoryPolicy.nodes.  The lists of a cpuset cgroup are
not read here: the kernel gets them as they are.  cpuset(7), List Format.
"""

from ocirun.errors import SpecError

# More than any kernel can be built for (CONFIG_NR_CPUS), and little enough to hold as a set.
MAX_ID = 65535


def parse(text: str, path: str) -> set[int]:
    """Read a list; empty elements and spaces around elements are allowed, as runc has it."""
    ids: set[int] = set()
    for element in text.split(","):
        element = element.strip(" ")  # noqa: PLW2901
        if element:
            first, dash, last = element.partition("-")
            low = _number(first, text, path)
            high = _number(last, text, path) if dash else low
            if low > high:
                raise SpecError(f'{path}: the range "{element}" runs backwards')
            ids.update(range(low, high + 1))
    if text and not ids:
        raise SpecError(f'{path}: no number in "{text}"')
    return ids


def _number(digits: str, text: str, path: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise SpecError(f'{path}: expected numbers and ranges such as 0-3,7, found "{text}"')
    number = int(digits)
    if number > MAX_ID:
        raise SpecError(f"{path}: {number} is above {MAX_ID}")
    return number
