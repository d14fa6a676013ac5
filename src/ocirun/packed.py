# SPDX-License-Identifier: Apache-2.0
"""Importing the package's modules from one file that the installation made.

The usual way looks for each module in directories and compares it with its source:
0.2 ms each, for fifty modules of one command.  Here it is a read at a known place.
The file holds what the sources were at the installation; without it, or with that of
another release of Python, modules are imported in the usual way.

    magic number of the bytecode | size of the head | head | code of all modules
    head = marshal of (code of this module, {name: (is a package, place, size)})
"""

import _frozen_importlib
import marshal
import sys
from posix import pread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
else:
    ModuleSpec = _frozen_importlib.ModuleSpec


class Finder:
    """A finder and loader (importlib.abc.MetaPathFinder) for the modules of one pack."""

    __slots__ = ("_directory", "_fd", "_index", "_start")

    def __init__(
        self, fd: int, start: int, index: dict[str, tuple[bool, int, int]], directory: str
    ) -> None:
        #: stays open for as long as the program runs, close-on-exec
        self._fd = fd
        self._start = start
        self._index = index
        self._directory = directory

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> "ModuleSpec | None":
        """Give the specification of a module of ours, or None."""
        entry = self._index.get(name)
        if entry is None:
            return None
        place = f"{self._directory}/{name.partition('.')[2].replace('.', '/')}".rstrip("/")
        origin = f"{place}/__init__.py" if entry[0] else f"{place}.py"
        # Only the methods of a loader are asked for, not its class.
        spec = ModuleSpec(name, self, origin=origin, is_package=entry[0])  # type: ignore[arg-type]
        spec.has_location = True  # so that the module has a __file__
        if spec.submodule_search_locations is not None:
            # The extension module is not in the pack: it is found here in the usual way.
            spec.submodule_search_locations.append(place)
        return spec

    def create_module(self, _spec: object) -> None:
        """Leave the making of the module to the import system."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code."""
        # Our own code, from our own installation.
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102

    def get_code(self, name: str) -> "CodeType":
        """Give a module's code; runpy asks for it by this name."""
        _, place, size = self._index[name]
        code: CodeType = marshal.loads(pread(self._fd, size, self._start + place))  # noqa: S302
        return code


def install(fd: int, start: int, index: dict[str, tuple[bool, int, int]], directory: str) -> None:
    """Import from the pack from now on."""
    sys.meta_path.insert(0, Finder(fd, start, index, directory))
