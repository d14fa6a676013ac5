# SPDX-License-Identifier: Apache-2.0
"""From `linux.seccomp` of the configuration to a program for the kernel.

Compiled in the parent, before anything is made, and kept in a cache below the state
root.  With the program in the cache neither the translation nor libseccomp is loaded.
Installing the filter, and the listener that comes of it, is the stub's work; the
`listenerPath` and `listenerMetadata` of the section are read by whoever sends it on.
"""

import marshal

from ocirun.linux import seccomp_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.seccomp_cache import Program
    from ocirun.spec.model import Seccomp

# No container can be called so: "@" is not allowed in its ID.
CACHE = "@cache/seccomp"


def prepare(section: "Seccomp", root: str) -> "Program | None":
    """Return the filter to load, or None for a section that asks for nothing.

    Raises SpecError for a wrong section, KernelError where this host cannot have it.
    """
    if not section.get("defaultAction") and not section.get("syscalls"):
        return None
    # Version 2 has no back references, which depend on what else holds a string.
    profile = marshal.dumps(
        (
            section.get("defaultAction"),
            section.get("defaultErrnoRet"),
            section.get("architectures"),
            section.get("flags"),
            section.get("syscalls"),
        ),
        2,
    )
    directory = f"{root}/{CACHE}"
    key = seccomp_cache.key(profile)
    program = seccomp_cache.load(directory, key)
    if program is None:
        from ocirun.engine import seccomp_profile
        from ocirun.linux import seccomp_store

        program, library_path = seccomp_profile.compile_section(section)
        seccomp_store.store(directory, key, program, library_path)
    return program
