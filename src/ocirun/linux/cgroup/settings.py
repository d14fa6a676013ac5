# SPDX-License-Identifier: Apache-2.0
"""Write a list of values to the files of a cgroup, in an order the kernel accepts.

A setting is (controller, file, value, field, presence).  `field` is the caller's name for
it and only comes back in the error.  What the values mean is not known here.
"""

import errno

from ocirun.linux.cgroup import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Setting = tuple[str, str, str, str, int]
    Locate = Callable[[str], str]

REQUIRED = 0
OPTIONAL = 1
"""A kernel without this file needs no such setting."""
FALLBACK = 2
"""Written only when the file of the OPTIONAL setting before it does not exist."""


class SettingError(OSError):
    """The kernel refused a setting, or the cgroup has no such file."""

    setting: "Setting"


def apply(settings: "Iterable[Setting]", locate: "Locate") -> None:
    """Write all settings; `locate(controller)` returns the directory or raises OSError."""
    # Some values are checked against each other: memory with memory plus swap, a quota with its
    # period and burst, both real-time values.  Whether the one or the other goes first depends on the
    # values that are there, so what gets EINVAL is tried again after the rest.
    again: list[Setting] = []
    missing = False
    for setting in settings:
        presence = setting[4]
        if presence == FALLBACK and not missing:
            continue
        missing = False
        try:
            tree.write(locate(setting[0]), setting[1], setting[2])
        except OSError as error:
            if presence == OPTIONAL and error.errno == errno.ENOENT:
                missing = True
            elif error.errno == errno.EINVAL and "/" not in setting[1]:
                again.append(setting)
            else:
                raise _refused(error, setting) from None
    for setting in again:
        try:
            tree.write(locate(setting[0]), setting[1], setting[2])
        except OSError as error:
            raise _refused(error, setting) from None


def _refused(error: OSError, setting: "Setting") -> SettingError:
    refused = SettingError(error.errno, error.strerror, error.filename)
    refused.setting = setting
    return refused
