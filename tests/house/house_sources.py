"""The source of the package, as the tests of the house read it."""

import ast
from collections.abc import Iterator

from scripts.house import ROOT, modules, tree

__all__ = ["ROOT", "imports", "modules", "tree"]


def imports(name: str) -> set[str]:
    """The modules of the package that this one imports when it runs, wherever it says so."""
    return set(_imported(tree(modules()[name]))) - {name}


def _imported(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            for inner in node.orelse:
                yield from _imported(inner)
        case ast.Import(names=names):
            yield from (alias.name for alias in names if alias.name in modules())
        case ast.ImportFrom(module=str(source), names=names, level=0) if source in modules():
            for alias in names:
                below = f"{source}.{alias.name}"
                yield below if below in modules() else source
        case _:
            for inner in ast.iter_child_nodes(node):
                yield from _imported(inner)
