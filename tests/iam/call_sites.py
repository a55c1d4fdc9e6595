"""Every place in the sources that calls AWS, and which of them each function loads."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, Final

from botocore import xform_name

from inventory.aws.fast_session import OPERATIONS
from tests.iam.recording import SOURCES
from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE: Final = SOURCES[0]
METHODS: Final = {xform_name(operation) for operations in OPERATIONS.values() for operation in operations}
"""The SDK's names for what the service calls."""


@cache
def call_sites(module: Path) -> frozenset[str]:
    """The functions of a module that call AWS: ``storage/stock_store.py:commit``."""
    (folder,) = [each for each in SOURCES if module.is_relative_to(each)]
    return frozenset(f"{module.relative_to(folder)}:{name}" for name in _callers(_tree(module), "<module>"))


@cache
def modules_loaded_by(function: str) -> frozenset[Path]:
    """The handler of the function in this folder, and every module of the package that it imports, however far."""
    found: set[Path] = set()
    left = [ROOT / "functions" / function / "handler.py"]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += _imported(_tree(module))
    return frozenset(found)


@cache
def _tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def _callers(node: ast.AST, within: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Call(func=ast.Attribute(attr=method, value=ast.Name(id=name) | ast.Attribute(attr=name))) if (
                method in METHODS and name.endswith("client")
            ):
                yield within
        inside = child.name if isinstance(child, ast.FunctionDef) else within
        yield from _callers(child, inside)


def _imported(tree: ast.Module) -> Iterator[Path]:
    """The package's modules that a module imports when it runs: not what only its types need."""
    for node in _executed(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("inventory"):
            module = PACKAGE.joinpath(*(node.module or "").split(".")[1:])
            places = [module, *(module / alias.name for alias in node.names)]
            yield from (file for each in places if (file := each.with_suffix(".py")).exists())


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from _executed(child)
