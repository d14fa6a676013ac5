# SPDX-License-Identifier: Apache-2.0
"""The text of --version.

Engines parse it as runc's.  The first line must start with "runc version", and hold the
second word only once; so its number is the runc whose command line and texts this
program keeps to, and our own follows in brackets.
"""

from ocirun.linux import libseccomp_file

OCIRUN = "0.1.0"
RUNC = "1.5.0"
SPEC = "1.3.0"
COMMIT = "unknown"


def text() -> str:
    """Make all lines."""
    return f"runc version {RUNC} (ocirun {OCIRUN})\ncommit: {COMMIT}\nspec: {SPEC}\n{_libseccomp()}"


def _libseccomp() -> str:
    found = libseccomp_file.version(libseccomp_file.directories())
    try:
        if not found:
            from ocirun.linux import seccomp

            found = seccomp.library_version()
        return "libseccomp: {}.{}.{}\n".format(*found)
    except OSError:
        return ""  # It is loaded only for a container with a seccomp profile.
