# SPDX-License-Identifier: Apache-2.0
"""The file in which a caller finds the pid of what it has started."""

import os

from ocirun.errors import KernelError


def write(path: str, pid: int) -> None:
    """Write the pid so that whoever waits for the file finds it whole."""
    directory, name = os.path.split(os.path.abspath(path))
    temporary = f"{directory}/.{name}.{os.getpid()}"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            os.write(fd, b"%d" % pid)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except OSError as error:
        raise KernelError(
            f"write the pid file: {path}: {(error.strerror or '').lower()}"
        ) from error
