# SPDX-License-Identifier: Apache-2.0
"""Makes modules.pack, the bytecode of all modules in one file; ocirun/packed.py reads it.

    magic number of the bytecode | size of the head | head | code of single modules, and groups
    head = marshal of (code of ocirun/packed.py, {module: (is a package, place, size)},
                       {module: (place, size)})

A group is a module with all that it imports at its top, in the order in which the code is to
be run: marshal of [(module, code)].
"""

import ast
import marshal
import os
import sysconfig
from collections.abc import Iterator
from glob import glob
from importlib.util import MAGIC_NUMBER

LOADER = "ocirun.packed"
MAIN = "ocirun.cli.main"
# What the commands that are called most import late, and yet nearly always.
COMMANDS = {
    "create": ("ocirun.spec.linux", "ocirun.engine.idmap", "ocirun.engine.listener"),
    "delete": ("ocirun.linux.cgroup.freezer",),
    "exec": ("ocirun.engine.foreground", "ocirun.linux.cgroup.freezer"),
    "kill": (),
    "run": ("ocirun.spec.linux", "ocirun.engine.idmap"),
    "start": (),
    "state": ("ocirun.linux.cgroup.freezer",),
}
# Of the standard library, what the interpreter's start needs (launcher/embedded.c).
ENCODINGS = ("__init__", "aliases", "utf_8")


class Stripping(ast.NodeTransformer):
    """Takes away what is for readers and checkers only: a third of what is to be loaded."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        plain = ast.Assign([node.target], node.value) if node.value else ast.Pass()
        return ast.copy_location(plain, node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse or ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)


class Module:
    def __init__(self, path: str, top: str) -> None:
        file = os.path.relpath(path, top)
        parts = file.removesuffix(".py").split("/")
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        with open(path, encoding="utf-8") as stream:
            tree = ast.parse(stream.read())
        tree = ast.fix_missing_locations(Stripping().visit(tree))
        self.imports = list(_imports(tree.body))
        # As under -OO, without docstrings and assertions.
        self.code = compile(tree, file, "exec", dont_inherit=True, optimize=2)


def _imports(body: list[ast.stmt]) -> Iterator[str]:
    """Names that may be modules, in the order of the statements at the top."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _modules() -> dict[str, Module]:
    library = sysconfig.get_path("stdlib")
    found = [Module(path, "src") for path in sorted(glob("src/ocirun/**/*.py", recursive=True))]
    found += [Module(f"{library}/encodings/{name}.py", library) for name in ENCODINGS]
    return {module.name: module for module in found}


def _order(name: str, modules: dict[str, Module], found: dict[str, None]) -> None:
    """Put a module after all that it imports."""
    if name not in modules or name in found:
        return
    _order(name.rpartition(".")[0], modules, found)
    if name in found:
        return
    for imported in modules[name].imports:
        _order(imported, modules, found)
    found[name] = None


def _groups(modules: dict[str, Module]) -> Iterator[tuple[str, list[str]]]:
    first: dict[str, None] = {}
    _order(MAIN, modules, first)
    yield MAIN, list(first)
    for command, late in COMMANDS.items():
        found = dict(first)
        name = f"ocirun.cli.{command}"
        for imported in (*modules[name].imports, *late):
            _order(imported, modules, found)
        _order(name, modules, found)
        yield name, [module for module in found if module not in first]


def loader() -> bytes:
    """The code of ocirun/packed.py, for the launcher that has the interpreter linked in."""
    return marshal.dumps(Module("src/ocirun/packed.py", "src").code)


def pack() -> bytes:
    modules = _modules()
    chunks: list[bytes] = []

    def add(value: object) -> tuple[int, int]:
        place = sum(map(len, chunks))
        chunks.append(marshal.dumps(value))
        return place, len(chunks[-1])

    index = {m.name: (m.is_package, *add(m.code)) for m in modules.values()}
    groups = {
        name: add([(part, modules[part].code) for part in parts])
        for name, parts in _groups(modules)
    }
    head = marshal.dumps((modules[LOADER].code, index, groups))
    return MAGIC_NUMBER + len(head).to_bytes(4, "little") + head + b"".join(chunks)
