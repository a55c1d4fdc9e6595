"""While a function starts nothing is collected, and afterwards only what requests leave behind."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LAYER = ROOT / "layers" / "inventory"
HANDLERS = sorted(path for path in ROOT.glob("functions/*/handler.py") if path.parent.name != "describe_api")
"""Of the functions that load libraries."""


def test_the_collector_is_off_until_the_start_is_finished() -> None:
    program = """
import gc
assert gc.isenabled()
from inventory.entrypoints.cold_start import start_finished
assert not gc.isenabled()
start_finished()
assert gc.isenabled()
assert gc.get_freeze_count() > 1_000
"""
    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(LAYER)}, timeout=60, check=True)  # noqa: S603


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_begins_its_start_before_it_loads_libraries_and_finishes_it_when_all_is_made(handler: Path) -> None:
    body = ast.parse(handler.read_text(encoding="utf-8")).body
    imported = [each.module for each in body if isinstance(each, ast.ImportFrom)]
    made = [each for each in body if isinstance(each, ast.Assign | ast.AnnAssign | ast.Expr)]

    libraries = [name for name in imported if name and name.split(".")[0] not in sys.stdlib_module_names]
    assert libraries[0] == "inventory.entrypoints.cold_start"
    assert ast.unparse(made[-1]) == "start_finished()"
