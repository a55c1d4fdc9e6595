"""The faults that mutmut does not make: in the values of a module, and in functions that bear a decorator."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.aws import failures
from tests.campaigns.mutation.fault import Fault, Tried, one_line
from tests.campaigns.mutation.workspace import prepare, source_of

if TYPE_CHECKING:
    from pathlib import Path


class Change(NamedTuple):
    """``instead_of``, which the module holds once, becomes ``stands``. ``where``: the package, the module, the name."""

    where: str
    instead_of: str
    stands: str

    @property
    def module(self) -> str:
        """The module that is changed, as ``package.module``."""
        return ".".join(self.where.split(".")[:2])


CHANGES: Final = (
    Change("domain.store.OPERATIONS_MAX", "OPERATIONS_MAX: Final = 100", "OPERATIONS_MAX: Final = 101"),
    Change("domain.timestamps.TICK", "timedelta(microseconds=1)", "timedelta(microseconds=0)"),
    Change("domain.timestamps.TICK", "timedelta(microseconds=1)", "timedelta(microseconds=2)"),
    Change(
        "adjusting.loop._Request",
        '__slots__ = ("group", "id", "identities", "lines")',
        '__slots__ = ("group", "id", "identities", "lines")\n'
        "    __eq__ = lambda self, other: (self.lines, self.id) == (other.lines, other.id)\n"
        "    __hash__ = lambda self: hash((self.lines, self.id))",
    ),
    Change("adjusting.loop._Run._pending", "if request not in self._results]", "]"),
    Change("adjusting.loop._Run._pending", "if request not in self._results]", "if request in self._results]"),
    Change(
        "storage.stock_store.CATALOG_ENTRIES_MAX",
        "CATALOG_ENTRIES_MAX: Final = 10_000",
        "CATALOG_ENTRIES_MAX: Final = 10",
    ),
    Change("storage.lookups.KEYS_MAX", "KEYS_MAX: Final = 100", "KEYS_MAX: Final = 101"),
    Change("storage.lookups.KEYS_MAX", "KEYS_MAX: Final = 100", "KEYS_MAX: Final = 99"),
    Change("storage.transactions.NOT_AT_FAULT", 'NOT_AT_FAULT: Final = "None"', 'NOT_AT_FAULT: Final = ""'),
    Change(
        "storage.stock_store.STOCK_ENTRIES_MAX",
        "STOCK_ENTRIES_MAX: Final = 10_000",
        "STOCK_ENTRIES_MAX: Final = 0",
    ),
    Change("storage.cache.CONTENDED_LIFETIME_S", "CONTENDED_LIFETIME_S: Final = 60", "CONTENDED_LIFETIME_S: Final = 0"),
    Change("domain.retry_budget.RetryBudget.__init__", "self.attempts = 1", "self.attempts = 0"),
    Change("domain.retry_budget.RetryBudget.__init__", "self.attempts = 1", "self.attempts = 2"),
    Change("domain.retry_budget.CALL_BUDGET_S", "READ_TIMEOUT_S + 0.5", "READ_TIMEOUT_S - 0.5"),
    *(
        Change("aws.failures._TRANSIENT_CODES", f'        "{code}",\n', "")
        for code in sorted(failures._TRANSIENT_CODES)
    ),
    Change("aws.failures.CONDITION_FAILED", '"ConditionalCheckFailed"', '"ConditionalCheckFailedException"'),
    Change("aws.failures.TRANSIENT_REASONS", '"TransactionConflict", ', ""),
    Change("aws.failures.TRANSIENT_REASONS", '"ThrottlingError", ', ""),
    Change("aws.failures.TRANSIENT_REASONS", ', "ProvisionedThroughputExceeded"})', "})"),
    Change("aws.failures._HTTP_SERVER_ERROR", "_HTTP_SERVER_ERROR: Final = 500", "_HTTP_SERVER_ERROR: Final = 501"),
    Change("aws.failures._HTTP_SERVER_ERROR", "_HTTP_SERVER_ERROR: Final = 500", "_HTTP_SERVER_ERROR: Final = 400"),
    Change("aws.failures._NO_REPLY", "(ChecksumError, NoConnectionError", "(NoConnectionError"),
    Change("aws.failures._NO_REPLY", "NoConnectionError, HTTPClientError", "HTTPClientError"),
    Change("aws.failures._NO_REPLY", "HTTPClientError, IncompleteReadError", "IncompleteReadError"),
    Change("aws.failures._NO_REPLY", "IncompleteReadError, ResponseParserError)", "ResponseParserError)"),
    Change("aws.failures._NO_REPLY", "IncompleteReadError, ResponseParserError)\n", "IncompleteReadError)\n"),
    Change("aws.failures.translated_failures", "if not _is_transient(error):", "if _is_transient(error):"),
    Change("aws.failures.translated_failures", "if not _is_transient(error):", "if False:"),
    Change("aws.failures.translated_failures", "if not _is_transient(error):", "if True:"),
    Change("aws.failures.translated_failures", "except (BotoCoreError, ClientError", "except (ClientError"),
    Change("aws.failures.translated_failures", "(BotoCoreError, ClientError, Resp", "(BotoCoreError, Resp"),
    Change("aws.failures.translated_failures", "ClientError, ResponseParserError) as", "ClientError) as"),
    Change("domain.hash_chain.FIRST_FORM", "FIRST_FORM: Final = 1", "FIRST_FORM: Final = 0"),
    Change("domain.hash_chain.canonical_text", "{_json(row.reference)}", '"{row.reference}"'),
    Change("domain.hash_chain.canonical_text", ',"delta":', ', "delta":'),
    Change("domain.hash_chain.canonical_text", "_json(row.expected_quantity)", "_json(row.delta)"),
    Change("storage.keys.SETTINGS", '"SETTINGS"', '"settings"'),
    Change("storage.keys.REVERSAL", 'REVERSAL: Final = "REVERSAL"', 'REVERSAL: Final = "reversal"'),
    Change("storage.keys.BUSINESS_SHARDS", "BUSINESS_SHARDS: Final = 8", "BUSINESS_SHARDS: Final = 9"),
    Change("storage.keys.ledger_stock_item", "}#{uuid_text(location_id)}", "}"),
    Change("storage.keys.ledger_business", "digest()[0]", "digest()[1]"),
    Change("storage.keys.ledger_business", "digest()[0] % BUSINESS_SHARDS", "digest()[0]"),
    Change("domain.model.QUANTITY_MAX", "2**53 - 1", "2**53"),
    Change("domain.model.QUANTITY_MAX", "2**53 - 1", "2**53 - 2"),
    Change("domain.model.GENESIS_HASH", '"0" * 64', '"0" * 63'),
    Change("domain.model.Snapshot", "cached: bool = False", "cached: bool = True"),
    Change("aws.event_bus.DETAIL_SIZE_MAX_BYTES", "240 * 1024", "256 * 1024"),
    Change("aws.event_bus.EVENTS_MAX", "EVENTS_MAX: Final = 10", "EVENTS_MAX: Final = 11"),
    Change("aws.event_bus.CALL_SIZE_MAX_BYTES", "MAX_BYTES: Final = 256 * 1024", "MAX_BYTES: Final = 512 * 1024"),
    Change("aws.event_bus.Event.size_bytes", "len(SOURCE) + ", ""),
    Change("aws.event_bus.Event.size_bytes", "len(self.detail.encode())", "len(self.detail)"),
    Change("entrypoints.rejections._KEPT_SIZE_MAX_BYTES", "MAX_BYTES: Final = 1024", "MAX_BYTES: Final = 4096"),
    Change("entrypoints.rejections._KEPT_ENTRIES_MAX", "ENTRIES_MAX: Final = 50", "ENTRIES_MAX: Final = 500"),
    Change("entrypoints.responses._TO_MASK", "{8,}", "{36}"),
    Change("entrypoints.direct.DIRECT_ENTRIES_SIZE_MAX_BYTES", "32 * 1024", "1024 * 1024"),
    Change("integrity.audit.MISMATCHES_LISTED_MAX", "LISTED_MAX: Final = 100", "LISTED_MAX: Final = 101"),
    Change("integrity.audit._REPEATED_CHECKS_MAX", "CHECKS_MAX: Final = 3", "CHECKS_MAX: Final = 1"),
    Change("integrity.item_checks._CATALOG_NAME", "[0-9a-f]{64}", "[0-9a-f]+"),
    Change("integrity.proof.PROOF_ROWS_MAX", "ROWS_MAX: Final = 10_000", "ROWS_MAX: Final = 20_000"),
    Change("integrity.proof.PROOF_PAUSES_S", "(0.1, 0.2, 0.4, 0.8)", "(0.1, 0.2, 0.4)"),
    Change("integrity.chain_check.ChainCheck.has_pending_rows", "return bool(self._pending)", "return False"),
    Change("integrity.chain_check.ChainCheck.highest_sequence", "default=self.sequence", "default=0"),
    Change("queries.export.TEXT_SIZE_MAX_BYTES", "5_000_000", "50_000_000"),
    Change("queries.adjustments.ROWS_EXAMINED_MAX", "EXAMINED_MAX: Final = 1_000", "EXAMINED_MAX: Final = 1_001"),
    Change("queries.levels.INDEX_DELAY_MAX", "timedelta(minutes=5)", "timedelta(minutes=50)"),
    Change("queries.levels.LevelFilter.limits_quantity", "self.quantity_at_most is not None or ", ""),
    Change("queries.level_pages.STOCK_ITEMS_EXAMINED_MAX", "MAX: Final = 1_000", "MAX: Final = 1_001"),
)


def try_all(module: str) -> list[Tried]:
    """Try each change of a module.

    Raises:
        ValueError: the module does not hold what is to be changed once.
        RuntimeError: the tests fail without a change.
    """
    changes = [each for each in CHANGES if each.module == module]
    if not changes:
        return []
    folder = prepare(module)
    if not _tests_pass(folder):
        raise RuntimeError(f"the tests of {module} fail as it is")
    source = folder / "src" / source_of(module)
    as_it_is = source.read_text(encoding="utf-8")
    tried: list[Tried] = []
    for change in changes:
        if as_it_is.count(change.instead_of) != 1:
            raise ValueError(change.where, change.instead_of)
        source.write_text(as_it_is.replace(change.instead_of, change.stands), encoding="utf-8")
        diff = f"- {change.instead_of.strip()}\n+ {change.stands.strip()}"
        stands = one_line(change.stands) or f"without {one_line(change.instead_of)}"
        tried.append(Tried(Fault(change.where, stands), noticed=not _tests_pass(folder), diff=diff))
    return tried


def _tests_pass(folder: Path) -> bool:
    # Without compiled files: two changes within a second and of one length would look the same to the import.
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "tests"]
    return subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False).returncode == 0  # noqa: S603
