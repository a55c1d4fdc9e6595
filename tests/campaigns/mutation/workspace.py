"""The modules that faults are put into, the tests that judge them, and the copy in which it happens."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[3]
WORK = ROOT / ".local" / "mutation"

_LOOP = (
    "adjusting/test_loop",
    "adjusting/test_loop_batches",
    "adjusting/test_reversal",
    "adjusting/test_groups",
    "functions/test_counts",
)
_STORE = (
    "storage/test_stock_store_commit",
    "storage/test_stock_store_group",
    "storage/test_stock_store_load",
    "storage/test_stock_store_find",
    "storage/test_stock_store_transactional_read",
    "storage/test_cached_stock",
)
_QUEUE = (
    "functions/test_ingest_adjustments",
    "functions/test_ingest_groups",
    "functions/test_ingest_rejections",
)
_AUDIT = ("functions/test_audit_ledger", "integrity/test_both_forms")
_PROOF = ("integrity/test_proof", "integrity/test_both_forms", "property/test_proof")
_EXPORT = ("queries/test_export", "functions/test_export_by_invocation", "property/test_export")
_READING = ("functions/test_read_inventory", "functions/test_business_reads")
_LINES = (
    "functions/test_logs_and_metrics",
    "functions/test_request_lines",
    "functions/test_reverse_adjustment",
    "functions/test_export_by_invocation",
    *_QUEUE,
)
_WRITING = ("functions/test_create_adjustment", "functions/test_reverse_adjustment", "functions/test_groups")
_EDGES = (
    *_WRITING,
    "functions/test_tenancy",
    "functions/test_idempotency_key_header",
    "functions/test_browsers_and_encodings",
    "functions/test_hostile_requests",
    "functions/test_hostile_headers",
    "functions/test_forged_events",
)

_WHOLE = {
    "domain.rules": ("domain/test_rules", *_LOOP),
    "adjusting.loop": (
        *_LOOP,
        "functions/test_transfers",
        "functions/test_ingest_adjustments",
        "functions/test_ingest_rejections",
        "storage/test_cached_stock",
        "storage/test_stock_store_find",
    ),
    "storage.stock_store": (*_STORE, "storage/test_stock_indexing", "adjusting/test_groups"),
    "storage.items": (*_STORE, "storage/test_lookups", "integrity/test_proof", "queries/test_corrupt_data"),
    "domain.retry_budget": ("domain/test_retry_budget", *_LOOP),
    "aws.failures": ("aws/test_clients", "storage/test_stock_store_commit", "storage/test_stock_store_load"),
    "aws.clients": ("aws/test_clients", "storage/test_stock_store_commit", "storage/test_stock_store_load"),
    "storage.lookups": ("storage/test_lookups", *_STORE, "queries/test_reader", "queries/test_corrupt_data"),
    "storage.transactions": _STORE,
    "storage.rejections": ("storage/test_rejections",),
    "storage.cache": ("storage/test_cache", "storage/test_cached_stock", "storage/test_stock_store_load"),
    "adjusting.reversal": ("adjusting/test_reversal", "adjusting/test_groups"),
    "adjusting.merging": ("adjusting/test_merging", "adjusting/test_loop_batches"),
    "domain.hash_chain": ("domain/test_hash_chain", "domain/test_rules", "queries/test_export"),
    "domain.timestamps": ("domain/test_timestamps", "domain/test_rules"),
    "domain.store": _LOOP,
    "storage.keys": ("storage/test_keys", "storage/test_stock_store_commit"),
    "domain.model": ("domain/test_rules", "storage/test_cached_stock"),
}
"""The domain and the store, the most important modules first, and the fast tests that concern each."""

_SAMPLED = {
    "entrypoints.queue": _QUEUE,
    "entrypoints.messages": (*_QUEUE, "entrypoints/test_queue_original_ids", "functions/test_forged_events"),
    "entrypoints.rejections": _QUEUE,
    "aws.event_bus": ("aws/test_event_bus", "property/test_queue_messages", *_QUEUE),
    "entrypoints.ledger_stream": ("functions/test_publish_adjustments",),
    "integrity.audit": _AUDIT,
    "integrity.audit_position": _AUDIT,
    "integrity.cross_checks": _AUDIT,
    "integrity.group_checks": _AUDIT,
    "integrity.item_checks": _AUDIT,
    "integrity.mismatches": _AUDIT,
    "storage.table_scan": ("storage/test_table_scan", "storage/test_stock_indexing"),
    "integrity.proof": _PROOF,
    "integrity.chain_check": _PROOF,
    "integrity.proof_cursor": _PROOF,
    "queries.export": _EXPORT,
    "queries.export_formats": _EXPORT,
    "queries.adjustments": ("queries/test_adjustments", "property/test_adjustments", *_READING),
    "queries.feed": ("queries/test_feed", "property/test_feed", *_READING),
    "queries.levels": ("queries/test_reader", *_READING),
    "queries.level_pages": ("queries/test_level_pages", "queries/test_reader", *_READING),
    "entrypoints.telemetry": (
        *_LINES,
        "functions/test_audit_ledger",
        "functions/test_publish_adjustments",
        "queries/test_corrupt_data",
    ),
    "entrypoints.direct": ("functions/test_direct_invocation", *_QUEUE),
    "entrypoints.responses": (
        "entrypoints/test_responses",
        "functions/test_direct_invocation",
        "functions/test_read_inventory",
        *_EDGES,
    ),
    "api.requests": (*_EDGES, *_LINES),
    "api.responses": (*_EDGES, "api/test_responses"),
    "api.writes": (*_EDGES, "functions/test_batches", "functions/test_counts", "functions/test_transfers"),
    "api.reads": _READING,
    "api.authorizer": ("functions/test_authorizer", "functions/test_forged_events"),
}
"""What is around them. A run tries only some of mutmut's faults in each of these modules."""

TESTS = _WHOLE | _SAMPLED
"""All modules that faults are put into."""

SAMPLED = _SAMPLED.keys()

PROTOCOLS = frozenset({"domain.store"})
"""Of these, only the values are changed: no test runs the body of a protocol's method."""

READ_BY_TESTS = ("template.yaml", "monitoring.yaml", "functions", "events", "ops", "tools", "docs")
"""What some of the tests read, or load from, besides the package."""


def source_of(module: str) -> str:
    """A module's file, from the folder that holds the package."""
    return f"inventory/{module.replace('.', '/')}.py"


def test_file(name: str) -> str:
    """A file of tests, from the project's folder: unit tests are named from theirs."""
    return f"tests/{name}.py" if name.startswith("property/") else f"tests/unit/{name}.py"


def prepare(module: str) -> Path:
    """Copy what a run needs into a folder of its own, with the package in ``src/``: mutmut finds it only there."""
    folder = WORK / module
    shutil.rmtree(folder, ignore_errors=True)
    _copy_folder(ROOT / "layers/inventory/inventory", folder / "src/inventory")
    for name in ("data", "support"):
        _copy(f"tests/{name}", folder)
    for name in TESTS[module]:
        test = test_file(name)
        _copy(test, folder)
        for parent in Path(test).parents:
            if parent.name and (ROOT / parent / "conftest.py").exists():
                _copy(f"{parent}/conftest.py", folder)
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
