"""The modules that faults are put into, the tests that judge them, and the copy in which it happens."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".local" / "mutation"

_STORE = (
    "test_store_commit",
    "test_store_group",
    "test_store_load",
    "test_store_find",
    "test_store_one_moment",
    "test_remembered_stock",
)
TESTS = {
    "adjust": (
        "test_decide",
        "test_adjust",
        "test_adjust_all",
        "test_reverse",
        "test_remembered_stock",
        "test_store_find",
    ),
    "dynamodb": _STORE,
    "known_stock": ("test_remembered_stock",),
    "tries": ("test_adjust", "test_adjust_all", "test_reverse"),
    "client": ("test_client", "test_store_commit", "test_store_load"),
    "memory": ("test_small_parts", "test_remembered_stock", "test_store_load"),
    "reverse": ("test_reverse",),
    "chain": ("test_small_parts", "test_decide"),
    "keys": ("test_small_parts", "test_store_commit"),
    "model": ("test_decide", "test_remembered_stock"),
}
"""Modules, the most important ones first, and the fast tests that concern each."""

READ_BY_TESTS = ("template.yaml", "monitoring.yaml", "functions", "events", "local")
"""What some of the tests read, or load from, besides the package."""


def prepare(module: str) -> Path:
    """Copy what a run needs into a folder of its own, with the package in ``src/``: mutmut finds it only there."""
    folder = WORK / module
    shutil.rmtree(folder, ignore_errors=True)
    _copy_folder(ROOT / "layers/inventory/inventory", folder / "src/inventory")
    for name in ("conftest.py", "data", "support"):
        _copy(f"tests/{name}", folder)
    for name in ("conftest", *TESTS[module]):
        _copy(f"tests/unit/{name}.py", folder)
    shutil.copy(Path(__file__).with_name("sampling.py"), folder / "conftest.py")
    for name in READ_BY_TESTS:
        _copy(name, folder)
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8").replace('"layers/inventory"', '"src"')
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    return folder


def _copy(name: str, folder: Path) -> None:
    source, target = ROOT / name, folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        _copy_folder(source, target)
    else:
        shutil.copy(source, target)


def _copy_folder(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
