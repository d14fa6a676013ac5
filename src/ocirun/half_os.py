# SPDX-License-Identifier: Apache-2.0
"""The module `os`, as far as a command needs it, in the program of launcher/embedded.c.

The standard library's own costs more than any of our modules: it imports the abstract
base classes of all collections, for `environ` and two functions.  This has what `posix`
has, by the same names, and `path`.  Whatever else is asked for, the standard library's code
runs in this very module, which is then the usual one.

It is never imported by its own name: ocirun/packed.py makes it the module `os`.
"""

import posix
import sys
from posix import *  # noqa: F403
from posix import _exit, fspath  # noqa: F401

del environ  # noqa: F821  as bytes in `posix`

SEEK_SET, SEEK_CUR, SEEK_END = 0, 1, 2


def fsencode(filename: str | bytes) -> bytes:
    """Give the bytes of a file's name."""
    name = fspath(filename)
    return name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name


def fsdecode(filename: str | bytes) -> str:
    """Give a file's name as text."""
    name = fspath(filename)
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def __getattr__(name: str) -> object:
    names = globals()
    if name == "environ":
        # To be looked at only: a change would not reach the programs that we start.
        names[name] = {fsdecode(key): fsdecode(value) for key, value in posix.environ.items()}
        return names[name]
    if name.startswith("__"):
        raise AttributeError(name)
    del names["__getattr__"]
    import _imp

    exec(_imp.get_frozen_object("os"), names)  # noqa: S102  the interpreter's own
    if name not in names:
        raise AttributeError(f"module 'os' has no attribute {name!r}")
    return names[name]


# Only now: it imports `os`, which is this module.
import posixpath as path  # noqa: E402

sys.modules["os.path"] = path
