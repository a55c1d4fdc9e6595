"""The modules that faults are put into, the tests that judge them, and the copy in which it happens."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[3]
WORK = ROOT / ".local" / "mutation"

_LOOP = ("adjusting/test_loop", "adjusting/test_loop_batches", "adjusting/test_reversal")
_STORE = (
    "storage/test_stock_store_commit",
    "storage/test_stock_store_group",
    "storage/test_stock_store_load",
    "storage/test_stock_store_find",
    "storage/test_stock_store_transactional_read",
    "storage/test_cached_stock",
)
TESTS = {
    "domain.rules": ("domain/test_rules", *_LOOP),
    "adjusting.loop": (*_LOOP, "storage/test_cached_stock", "storage/test_stock_store_find"),
    "storage.stock_store": _STORE,
    "storage.items": (*_STORE, "storage/test_lookups", "integrity/test_proof", "queries/test_corrupt_data"),
    "domain.retry_budget": ("domain/test_retry_budget", *_LOOP),
    "aws.failures": ("aws/test_clients", "storage/test_stock_store_commit", "storage/test_stock_store_load"),
    "aws.clients": ("aws/test_clients", "storage/test_stock_store_commit", "storage/test_stock_store_load"),
    "storage.lookups": ("storage/test_lookups", *_STORE, "queries/test_reader", "queries/test_corrupt_data"),
    "storage.transactions": _STORE,
    "storage.rejections": ("storage/test_rejections",),
    "storage.cache": ("storage/test_cache", "storage/test_cached_stock", "storage/test_stock_store_load"),
    "adjusting.reversal": ("adjusting/test_reversal",),
    "domain.hash_chain": ("domain/test_hash_chain", "domain/test_rules", "queries/test_export"),
    "domain.timestamps": ("domain/test_timestamps", "domain/test_rules"),
    "domain.store": _LOOP,
    "storage.keys": ("storage/test_keys", "storage/test_stock_store_commit"),
    "domain.model": ("domain/test_rules", "storage/test_cached_stock"),
}
"""Modules, the most important ones first, and the fast tests that concern each."""

PROTOCOLS = frozenset({"domain.store"})
"""Of these, only the values are changed: no test runs the body of a protocol's method."""

READ_BY_TESTS = ("template.yaml", "monitoring.yaml", "functions", "events", "ops", "tools")
"""What some of the tests read, or load from, besides the package."""


def source_of(module: str) -> str:
    """A module's file, from the folder that holds the package."""
    return f"inventory/{module.replace('.', '/')}.py"


def prepare(module: str) -> Path:
    """Copy what a run needs into a folder of its own, with the package in ``src/``: mutmut finds it only there."""
    folder = WORK / module
    shutil.rmtree(folder, ignore_errors=True)
    _copy_folder(ROOT / "layers/inventory/inventory", folder / "src/inventory")
    for name in ("conftest.py", "data", "support"):
        _copy(f"tests/{name}", folder)
    for name in ("conftest", "storage/conftest", *TESTS[module]):
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
