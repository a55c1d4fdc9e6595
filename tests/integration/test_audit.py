"""Real tables with every form of tampering: proof and audit find and name each, and nothing else."""

from __future__ import annotations

import threading
from copy import replace
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from inventory.domain.errors import TryAgain
from inventory.domain.hash_chain import row_hash
from inventory.domain.model import Segment, StockItemId
from inventory.domain.rules import stock_after
from inventory.integrity.audit import Auditor, AuditResult
from inventory.integrity.chain_check import ProblemKind
from inventory.integrity.item_checks import AuditKind
from inventory.integrity.proof import Prover
from inventory.storage import keys, lookups
from inventory.storage.items import adjustment_of, ledger_item
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.table_scan import DynamoDBAuditTables
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_VARIANT, VARIANT
from tests.support.builders.tampered_tables import TAMPERINGS, StoredHistory, stock_item, stored_history
from tests.support.faults.proxy import Ending, Fault
from tests.support.harness.shop import AMPLE_S, Shop, Waits, environment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.domain.model import Adjustment
    from inventory.integrity.proof import Proof
    from tests.support.faults.proxy import FaultsProxy
    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients

SEGMENTS = (1, 3, 24)
DELTAS = (10, -3, 5, 7, -2, 8)
N = 2
"""The row that is altered, counted from 0."""
PROOF_CALLS, AUDIT_CALLS = ("BatchGetItem", "Query"), ("Scan", "BatchGetItem", "Query")


@dataclass(frozen=True)
class Hand:
    """Direct writes to the tables, past the service."""

    tables: Tables

    def write(self, found: StoredHistory) -> None:
        for item in found.rows:
            self.put(self.tables.ledger, item)
        if found.stock is not None:
            self.put(self.tables.inventory, found.stock)

    def tamper(self, honest: StoredHistory, tampered: StoredHistory) -> None:
        kept = [item["pk"] for item in tampered.rows]
        for item in honest.rows:
            if item["pk"] not in kept:
                self.remove(self.tables.ledger, item)
        if honest.stock is not None:
            self.remove(self.tables.inventory, honest.stock)
        self.write(tampered)

    def put(self, table: str, item: dict[str, Any]) -> None:
        self.tables.client.put_item(TableName=table, Item=item)

    def remove(self, table: str, item: dict[str, Any]) -> None:
        key: dict[str, Any] = {name: item[name] for name in ("pk", "sk") if name in item}
        self.tables.client.delete_item(TableName=table, Key=key)


@pytest.fixture
def by_hand(tables: Tables) -> Hand:
    return Hand(tables)


def prover(client: DynamoDBClient, tables: Tables, **settings: Any) -> Prover:
    stock_items = lookups.Lookups(client, inventory_table=tables.inventory, ledger_table=tables.ledger)
    made = Prover(DynamoDBLedgerIndex(client, tables.ledger), stock_items, Waits())
    return replace(made, **settings)


def auditor(client: DynamoDBClient, tables: Tables, *, page_items: int = 500, **settings: Any) -> Auditor:
    scanned = DynamoDBAuditTables(
        client, inventory_table=tables.inventory, ledger_table=tables.ledger, page_items=page_items
    )
    return Auditor(scanned, prover(client, tables, **settings), sleep=Waits())


def proved(client: DynamoDBClient, tables: Tables, **settings: Any) -> Proof:
    return prover(client, tables, **settings).prove(
        StockItemId(BUSINESS, VARIANT, LOCATION), None, remaining_s=lambda: AMPLE_S
    )


def audited(client: DynamoDBClient, tables: Tables, segments: int = 1, **settings: Any) -> AuditResult:
    """The findings of all segments together; each is continued until it is done."""
    whole = AuditResult()
    made = auditor(client, tables, **settings)
    for number in range(segments):
        position: str | None = None
        while True:
            found = made.audit(Segment(number, segments), position, remaining_s=lambda: AMPLE_S)
            whole.rows += found.rows
            whole.stock_items += found.stock_items
            for each in found.mismatches:
                whole.add(each)
            position = found.next_position
            if position is None:
                break
    return whole


def places_and_kinds(found: AuditResult) -> set[tuple[int | None, ProblemKind | AuditKind]]:
    return {(each.sequence, each.kind) for each in found.mismatches}


# ------------------------------------------------------------------------------------ tables tampered with by hand


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_each_form_of_tampering_is_named_by_the_proof_and_by_the_audit(
    tamper: str, clients: Clients, tables: Tables, by_hand: Hand
) -> None:
    client, honest = clients.make(), stored_history(DELTAS)
    by_hand.write(honest)
    assert proved(client, tables).verified is True
    assert audited(client, tables).mismatch_count == 0

    tampered = TAMPERINGS[tamper](honest, N)
    assert tampered is not None
    assert tampered.problem is not None
    by_hand.tamper(honest, tampered)

    proof, found = proved(client, tables), audited(client, tables)
    assert (proof.verified, proof.first_problem) == (False, tampered.problem)
    if tampered.stock is None:  # then each row is a problem
        assert places_and_kinds(found) == {
            (number, ProblemKind.STOCK_ITEM_MISSING) for number in range(1, len(DELTAS) + 1)
        }
    else:
        assert (tampered.problem.sequence, tampered.problem.kind) in places_and_kinds(found)
    assert {each.business_id for each in found.mismatches} == {str(BUSINESS)} or "id" in tamper
    for segments, pages in ((3, {"page_items": 1, "page_rows": 1}), (24, {})):
        assert set(audited(client, tables, segments, **pages).mismatches) == set(found.mismatches)

    by_hand.tamper(tampered, honest)
    assert proved(client, tables).verified is True
    assert audited(client, tables).mismatch_count == 0


def test_the_audit_counts_every_row_and_stock_item_once_in_any_number_of_segments(
    clients: Clients, tables: Tables, by_hand: Hand
) -> None:
    for number in range(20):
        by_hand.write(stored_history(DELTAS, variant_id=UUID(int=(number + 1) << 64, version=4)))
    Shop(tables).open()  # a catalog, which no proof covers
    for segments in SEGMENTS:
        for page_items in (7, 500):
            found = audited(clients.make(), tables, segments, page_items=page_items)
            assert (found.rows, found.stock_items, found.mismatch_count) == (20 * len(DELTAS), 20, 0)


def test_rows_in_no_index_and_of_no_stock_item_are_found_in_the_ledger_itself(
    clients: Clients, tables: Tables, by_hand: Hand
) -> None:
    strays = stored_history([1], variant_id=OTHER_VARIANT)
    by_hand.put(tables.ledger, strays.rows[0])
    by_hand.put(tables.ledger, {"pk": {"S": "written by hand"}, "sequence": {"N": "5"}})
    by_hand.put(tables.inventory, {"pk": {"S": "STOCK#x"}, "sk": {"S": "y"}})
    found = audited(clients.make(), tables)
    assert {(each.kind, each.key) for each in found.mismatches} == {
        (ProblemKind.STOCK_ITEM_MISSING, strays.rows[0]["pk"]["S"]),
        (ProblemKind.ROW_UNREADABLE, "written by hand"),
        (AuditKind.ITEM_UNKNOWN, "STOCK#x y"),
    }


# --------------------------------------------------------------------------------------------------- reversal links


def with_reversal(found: StoredHistory) -> tuple[StoredHistory, Adjustment, dict[str, Any]]:
    """The last row becomes the reversal of the one before it; returned with its link."""
    last, reversed_row = adjustment_of(found.rows[-1]), adjustment_of(found.rows[-2])
    assert last.delta == -reversed_row.delta
    row = replace(last, reverses=reversed_row.id)
    row = replace(row, hash=row_hash(row))
    link = {
        "pk": {"S": keys.reversal(BUSINESS, reversed_row.id)},
        "sk": {"S": keys.REVERSAL},
        "reversal_id": {"S": str(row.id)},
    }
    assert stock_after(row) != stock_after(last)
    return StoredHistory([*found.rows[:-1], dict(ledger_item(row))], stock_item(row)), row, link


def test_reversals_and_their_links_are_checked_in_both_directions(
    clients: Clients, tables: Tables, by_hand: Hand
) -> None:
    client = clients.make()
    found, row, link = with_reversal(stored_history((*DELTAS, -DELTAS[-1])))
    by_hand.write(found)
    by_hand.put(tables.inventory, link)
    assert audited(client, tables).mismatch_count == 0

    by_hand.remove(tables.inventory, link)
    assert places_and_kinds(audited(client, tables)) == {(row.sequence, AuditKind.REVERSAL_NOT_LINKED)}
    assert proved(client, tables).verified is True

    other_id = adjustment_of(found.rows[0]).id
    by_hand.put(tables.inventory, {**link, "reversal_id": {"S": str(other_id)}})
    assert places_and_kinds(audited(client, tables)) == {
        (row.sequence, AuditKind.REVERSAL_NOT_LINKED),
        (None, AuditKind.REVERSAL_LINK_WRONG),
    }

    by_hand.put(tables.inventory, link)
    for reversal_id in ({"S": str(uuid4())}, {"S": "garbage"}, {"N": "1"}, {"S": str(row.id)}):
        by_hand.put(
            tables.inventory, {**link, "pk": {"S": keys.reversal(BUSINESS, other_id)}, "reversal_id": reversal_id}
        )
        (mismatch,) = audited(client, tables).mismatches
        assert (mismatch.kind, mismatch.adjustment_id) == (AuditKind.REVERSAL_LINK_WRONG, str(other_id))


def test_a_wrong_reversal_and_an_unknown_item_are_found(clients: Clients, tables: Tables, by_hand: Hand) -> None:
    client = clients.make()
    found, row, link = with_reversal(stored_history((*DELTAS, -DELTAS[-1])))
    by_hand.write(found)
    by_hand.put(tables.inventory, link)
    by_hand.remove(tables.ledger, found.rows[-2])
    assert places_and_kinds(audited(client, tables)) == {
        (row.sequence, AuditKind.REVERSAL_WRONG),
        (row.sequence - 1, ProblemKind.ROW_MISSING),
    }
    by_hand.put(tables.ledger, found.rows[-2])

    assert found.stock is not None
    by_hand.put(tables.inventory, {**found.stock, "note": {"S": "by hand"}})
    by_hand.put(tables.inventory, {**link, "note": {"S": "by hand"}})
    by_hand.put(tables.inventory, {"pk": {"S": "BUSINESS#garbage"}, "sk": {"S": "SETTINGS"}})
    assert places_and_kinds(audited(client, tables)) == {
        (row.sequence, ProblemKind.STOCK_ITEM_CHANGED),
        (None, AuditKind.REVERSAL_LINK_WRONG),
        (None, AuditKind.ITEM_UNKNOWN),
    }


# ------------------------------------------------------------------------------------------------ while others write


def test_concurrent_writes_are_not_reported_as_differences(clients: Clients, tables: Tables, shop: Shop) -> None:
    """With each page of rows that a look reads another write begins; no look may find anything."""
    client = clients.make(read_timeout_s=60)
    may_write, wrote, done = threading.Semaphore(3), threading.Semaphore(0), threading.Event()

    def write() -> None:
        service = environment(clients.make(read_timeout_s=60), tables)
        for variant_id in cycle([shop.variant_id, shop.other_variant_id]):
            may_write.acquire()
            if done.is_set():
                return
            service.adjust(shop.command(1, variant_id=variant_id))
            wrote.release()

    environment(client, tables).adjust(shop.command(1))
    client.meta.events.register("before-call.dynamodb.Query", lambda **_: may_write.release())
    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(10):
            assert wrote.acquire(timeout=60), "each look is at something new"
            proof = prover(client, tables).prove(
                StockItemId(shop.business_id, shop.variant_id, shop.location_id), None, remaining_s=lambda: AMPLE_S
            )
            assert (proof.verified, proof.first_problem) == (True, None)
            assert proof.rows == proof.sequence == proof.sum == proof.quantity
            assert audited(client, tables, 3, page_items=10, page_rows=10).mismatches == []
    finally:
        done.set()
        may_write.release(len(writers))
        for writer in writers:
            writer.join()
    assert proof.sequence > 1
    assert audited(client, tables).rows == len(tables.rows())


# ----------------------------------------------------------------------------------------------- faults on the wire

FAULTS = [Fault(ending, delivered=True) for ending in Ending if ending is not Ending.STALLED]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.ending.name)
@pytest.mark.parametrize("operation", AUDIT_CALLS)
def test_a_failed_call_is_retried_and_lasting_failures_give_no_verdict(
    operation: str, fault: Fault, clients: Clients, proxy: FaultsProxy, tables: Tables, by_hand: Hand
) -> None:
    by_hand.write(stored_history(DELTAS))
    client = clients.make(proxy.endpoint_url)

    proxy.break_nth(operation, fault)
    found = audited(client, tables)
    assert (found.rows, found.stock_items, found.mismatch_count) == (len(DELTAS), 1, 0)
    proxy.break_every(operation, fault)
    with pytest.raises(TryAgain):
        audited(client, tables)

    if operation in PROOF_CALLS:
        proxy.break_nth(operation, fault)
        assert proved(client, tables).verified is True
        proxy.break_every(operation, fault)
        with pytest.raises(TryAgain):
            proved(client, tables)
