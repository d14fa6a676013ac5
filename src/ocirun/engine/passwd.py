# SPDX-License-Identifier: Apache-2.0
"""Looking up a user in the container's own passwd(5).

The file belongs to the image.  It is read here, by descriptor, and not by the C
library's functions: those would load the image's libraries (CVE-2019-14271).
"""

import os
import stat

from ocirun.linux import procfs

_SIZE_MAX = 1 << 20


def home_directory(fd: int, uid: int) -> str:
    """Give the home of a user, or "/" if the file does not say."""
    wanted = b"%d" % uid
    for line in _content(fd).split(b"\n"):
        fields = line.split(b":")
        # By the number alone: a user may be called "1000" and be root (CVE-2016-3697).
        if len(fields) >= 6 and fields[2] == wanted:
            return os.fsdecode(fields[5]) or "/"
    return "/"


def _content(fd: int) -> bytes:
    # Not opened before it is known to be a file: anything could lie there.
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return b""
    try:
        file = procfs.reopen(fd, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return b""
    data = b""
    try:
        while len(data) < _SIZE_MAX and (chunk := os.read(file, 65536)):
            data += chunk
    finally:
        os.close(file)
    return data
