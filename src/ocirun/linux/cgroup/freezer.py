# SPDX-License-Identifier: Apache-2.0
"""Whether a cgroup is frozen: all that the status of a container has to know of it."""

from ocirun.linux import file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def is_frozen(paths: "Mapping[str, str]") -> bool:
    """Tell whether the cgroup itself, not one above it, was told to freeze.

    `paths` has the directory of each v1 controller, and that of v2 under the empty name.
    """
    if "freezer" in paths:
        path = f"{paths['freezer']}/freezer.self_freezing"
    elif list(paths) == [""]:
        path = f"{paths['']}/cgroup.freeze"
    else:
        return False
    try:
        return file.read(path) == b"1\n"
    except OSError as error:
        # ENOENT, ENODEV: it was removed before, or just now.
        if error.errno in (2, 19):
            return False
        raise
