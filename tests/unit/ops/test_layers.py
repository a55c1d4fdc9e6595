"""What stands beside the package imports in one direction only: ops, then tools, then local."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MAY_IMPORT = {
    "ops": set[str](),
    "tools": {"ops", "inventory"},
    "local": {"ops", "tools"},
}
"""Of what is in the repository."""
OURS = {"ops", "tools", "local", "inventory", "functions", "tests"}
MODULES = [(folder, path) for folder in MAY_IMPORT for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """The top-level names of all that a module imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(("folder", "path"), MODULES, ids=[str(path.relative_to(ROOT)) for _, path in MODULES])
def test_a_module_imports_only_what_its_folder_may(folder: str, path: Path) -> None:
    assert imported(path) & OURS <= MAY_IMPORT[folder] | {folder}


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_each_folder_uses_all_that_it_may(folder: str) -> None:
    """So that the test above looks at something."""
    used = set[str]().union(*(imported(path) for each, path in MODULES if each == folder))
    assert used & OURS - {folder} == MAY_IMPORT[folder]
