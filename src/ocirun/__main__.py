# SPDX-License-Identifier: Apache-2.0
"""Entry point of the ocirun command, and of `python -m ocirun`."""

import gc
import sys

# One command makes no garbage worth the search for it; that took a tenth of the time.
gc.disable()
if not __package__:
    # Started by path, under -I -P: nothing has put the package's directory on sys.path.
    import marshal
    from _frozen_importlib_external import MAGIC_NUMBER
    from posix import O_CLOEXEC, O_RDONLY, open as open_, pread

    place = __file__.rpartition("/")[0].rpartition("/")[0]
    sys.path.append(place)
    try:
        fd = open_(place + "/ocirun/modules.pack", O_RDONLY | O_CLOEXEC)
        head = pread(fd, 8, 0)
        if head[:4] == MAGIC_NUMBER:
            size = int.from_bytes(head[4:], "little")
            code, *tables = marshal.loads(pread(fd, size, 8))  # noqa: S302
            names = {"__name__": "ocirun.packed"}
            exec(code, names)  # noqa: S102  (ocirun/packed.py explains)
            names["Finder"](fd, 8 + size, tables, place).install()  # type: ignore[operator]
    except OSError:
        pass

from ocirun.cli.main import run  # noqa: E402  (only now can it be found)

run()
