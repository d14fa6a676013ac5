# SPDX-License-Identifier: Apache-2.0
"""The cgroups of one container, on whichever cgroup set-up this host has.

Both versions offer the same methods; only the module for this host is ever imported.
Nothing here knows what a limit means: settings come as (controller, file, value, ...).
"""

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup import v1, v2
    from ocirun.linux.cgroup.layout import Layout

    Cgroup = v1.Cgroup | v2.Cgroup


def plan(path: str, host: "Layout | None" = None) -> "Cgroup":
    """Return the cgroups for a path, not made yet.

    An absolute path starts at the top of each hierarchy, a relative one where the caller is.
    `host` is what layout.read() gave, for a caller who has asked already.
    """
    if host is None:
        from ocirun.linux.cgroup import layout

        host = layout.read()
    if host.version == 2:
        from ocirun.linux.cgroup import v2

        return v2.plan(host, path)
    if host.version == 1:
        from ocirun.linux.cgroup import v1

        return v1.plan(host, path)
    raise OSError(errno.ENOENT, "no cgroup hierarchy is mounted", "/sys/fs/cgroup")


def from_paths(paths: dict[str, str], made: list[str]) -> "Cgroup":
    """Return cgroups that exist already, from what their `paths` and `made` were."""
    if list(paths) == [""]:
        from ocirun.linux.cgroup import v2

        return v2.Cgroup(paths[""], made)
    from ocirun.linux.cgroup import v1

    return v1.Cgroup(paths, made)
