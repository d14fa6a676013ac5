# SPDX-License-Identifier: Apache-2.0
"""Importing the package's modules from one file that the installation made.

The usual way looks for each module in directories and compares it with its source:
0.2 ms each, for sixty modules of one command.  Here it is a read at a known place; and
the modules of a command, which are known beforehand, are one read without the import
system.  The file holds what the sources were at the installation; without it, or with
that of another release of Python, modules are imported in the usual way.  Its format is
described where it is made, in pack.py.
"""
# ruff: noqa: S102, S302  it is our own code, from our own installation

import _frozen_importlib
import _imp
import builtins
import marshal
import sys
from posix import O_CLOEXEC, O_RDONLY, close, open as open_, pread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    Tables = tuple[dict[str, tuple[bool, int, int]], dict[str, tuple[int, int]]]
else:
    ModuleSpec = _frozen_importlib.ModuleSpec
    ModuleType = type(sys)


class Finder:
    """A finder and loader (importlib.abc.MetaPathFinder) for the modules of one pack."""

    __slots__ = ("_fd", "_groups", "_index", "_library", "_place", "_start")

    def __init__(
        self, fd: int, start: int, tables: "Tables", place: str, library: str = ""
    ) -> None:
        #: stays open for as long as the program runs, close-on-exec
        self._fd = fd
        self._start = start
        self._index, self._groups = tables
        #: the directory that holds the package, and that of the standard library
        self._place = place
        self._library = library

    def install(self) -> None:
        """Import from the pack from now on."""
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> "ModuleSpec | None":
        """Give the specification of a module of ours, or None."""
        entry = self._index.get(name)
        if entry is None:
            return None
        origin = self._origin(name)
        # Only the methods of a loader are asked for, not its class.
        spec = ModuleSpec(name, self, origin=origin, is_package=entry[0])  # type: ignore[arg-type]
        if spec.submodule_search_locations is not None:
            # The extension module is not in the pack: it is found here in the usual way.
            spec.submodule_search_locations.append(origin.rpartition("/")[0])
        return spec

    def _origin(self, name: str) -> str:
        inner = name.replace(".", "/") + ("/__init__.py" if self._index[name][0] else ".py")
        return f"{self._place if name.startswith('ocirun') else self._library}/{inner}"

    def create_module(self, _spec: object) -> None:
        """Leave the making of the module to the import system."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code, and before it that of all modules that it imports."""
        name = module.__name__
        # Not by spec.has_location, which asks for the place of a .pyc too.
        module.__file__ = self._origin(name)
        group = self._groups.get(name)
        if group:
            place, size = group
            for part, code in marshal.loads(pread(self._fd, size, self._start + place)):
                if part not in sys.modules:
                    self._run(part, code)
                elif part == name:
                    exec(code, module.__dict__)
        else:
            exec(self.get_code(name), module.__dict__)

    def _run(self, name: str, code: "CodeType") -> None:
        """Do what an import does, for a module of which all is known."""
        module = ModuleType(name)
        parent, _, child = name.rpartition(".")
        module.__file__ = self._origin(name)
        module.__loader__ = self  # type: ignore[assignment]  # see find_spec
        module.__package__ = parent
        if self._index[name][0]:
            module.__spec__ = spec = self.find_spec(name)
            module.__package__ = name
            module.__path__ = spec.submodule_search_locations  # type: ignore[union-attr, assignment]
        sys.modules[name] = module
        exec(code, module.__dict__)
        if parent:
            setattr(sys.modules[parent], child, module)

    def get_code(self, name: str) -> "CodeType":
        """Give a module's code; runpy asks for it by this name."""
        _, place, size = self._index[name]
        code: CodeType = marshal.loads(pread(self._fd, size, self._start + place))
        return code


class Rest:
    """The last finder of the program that has the interpreter linked in (launcher/embedded.c).

    That one was started by half, and looks into no directory yet.
    """

    __slots__ = ("_complete", "_shared")

    def __init__(self, shared: str, complete: "Callable[[], None]") -> None:
        #: the directory of the standard library's own extension modules
        self._shared = shared
        self._complete = complete

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Load what is one shared library alone; for anything else start the other half."""
        if name in sys.builtin_module_names:
            # The finder for these gives up on those of a package.
            builtin = _frozen_importlib.BuiltinImporter
            return ModuleSpec(name, builtin, origin="built-in")  # type: ignore[arg-type]
        if path is None:
            file = f"{self._shared}/{name}{_imp.extension_suffixes()[0]}"
            try:
                # Opened, not looked for: the loader does not tell why it could not do so.
                close(open_(file, O_RDONLY | O_CLOEXEC))
            except FileNotFoundError:
                pass
            else:
                return ModuleSpec(name, self, origin=file)  # type: ignore[arg-type]
        sys.meta_path.remove(self)
        known = len(sys.meta_path)
        self._complete()
        for finder in sys.meta_path[known:]:
            found = finder.find_spec(name, path, target)
            if found:
                return found
        return None

    def create_module(self, spec: "ModuleSpec") -> "ModuleType":
        """Load the library."""
        return _imp.create_dynamic(spec)

    def exec_module(self, module: "ModuleType") -> None:
        """Let the library fill the module."""
        _imp.exec_dynamic(module)


def _open(*args: object, **switches: object) -> object:
    """Take the place of open() until it is needed: the other half would have brought it."""
    import io

    builtins.open = io.open
    return io.open(*args, **switches)  # type: ignore[call-overload]  # noqa: UP020  see above


def _install_half_os(finder: Finder) -> None:
    if _imp.is_frozen("os") and "os" not in sys.modules:
        sys.modules["os"] = module = ModuleType("os")
        exec(finder.get_code("ocirun.half_os"), module.__dict__)


def start(place: str, library: str, shared: str, complete: "Callable[[], None]") -> None:
    """Run the command in the program that has the interpreter linked in."""
    builtins.open = _open  # type: ignore[assignment]
    sys.meta_path.append(Rest(shared, complete))
    try:
        fd = open_(f"{place}/ocirun/modules.pack", O_RDONLY | O_CLOEXEC)
        size = int.from_bytes(pread(fd, 8, 0)[4:], "little")
        _, *tables = marshal.loads(pread(fd, size, 8))
        finder = Finder(fd, 8 + size, tables, place, library)
        finder.install()
        _install_half_os(finder)
    except OSError:
        pass
    from ocirun.cli.main import run

    run()
