# SPDX-License-Identifier: Apache-2.0
"""The version of libseccomp, told by the name of its file: loading it takes ctypes.

libtool calls the file libseccomp.so.MAJOR.MINOR.PATCH, and its ABI's name is a link to it.
"""

import os

SONAME = "libseccomp.so.2"


def directories() -> list[str]:
    """Give the places where distributions have it, in the order of the loader."""
    triplet = f"{os.uname().machine}-linux-gnu"
    return [f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]


def version(places: list[str]) -> tuple[int, ...] | None:
    """Give the version of the first one that is found there; None if it cannot be told."""
    for place in places:
        try:
            name = os.readlink(f"{place}/{SONAME}").rpartition("/")[2]
        except OSError:
            continue
        numbers = name.removeprefix("libseccomp.so.").split(".")
        if len(numbers) == 3 and all(number.isdecimal() for number in numbers):
            return tuple(map(int, numbers))
    return None
