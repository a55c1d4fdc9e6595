"""The history of one stock item as stored items, ways to tamper with it, and what a proof must find for each."""

from __future__ import annotations

import copy
from copy import replace
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from inventory.domain.hash_chain import row_hash
from inventory.domain.model import GENESIS_HASH
from inventory.domain.rules import stock_after
from inventory.domain.timestamps import instant_text
from inventory.integrity.chain_check import Problem, ProblemKind
from inventory.storage import keys
from inventory.storage.items import adjustment_of, ledger_item
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import BUSINESS, LOCATION, NOW, OTHER_VARIANT, TICK, VARIANT
from tests.support.fakes.paging import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inventory.domain.model import Adjustment
    from inventory.storage.ledger_index import IndexPage, IndexQuery

type Item = dict[str, Any]


def history(deltas: Iterable[int], **members: Any) -> list[Adjustment]:
    """Rows that add up, a second apart."""
    rows: list[Adjustment] = []
    quantity, previous_hash = 0, GENESIS_HASH
    for number, delta in enumerate(deltas, start=1):
        quantity += delta
        row = an_adjustment(
            id=UUID(int=(members.get("variant_id", VARIANT).int + number) % 2**128),
            delta=delta,
            sequence=number,
            quantity_after=quantity,
            created_at=NOW + timedelta(seconds=number),
            previous_hash=previous_hash,
            **members,
        )
        rows.append(row)
        previous_hash = row.hash
    return rows


def stock_item(row: Adjustment) -> Item:
    """The stock item's attributes as a row leaves it."""
    after = stock_after(row)
    return {
        "pk": {"S": keys.stock(row.business_id, row.variant_id)},
        "sk": {"S": str(row.location_id)},
        "quantity": {"N": str(after.quantity)},
        "sequence": {"N": str(after.sequence)},
        "updated_at": {"S": instant_text(after.updated_at)},
        "head_hash": {"S": after.head_hash},
    }


@dataclass
class StoredHistory:
    """Rows and stock item as items. The rows are in the order in which they were written."""

    rows: list[Item]
    stock: Item | None
    problem: Problem | None = None

    def with_problem(self, problem: Problem) -> StoredHistory:
        return replace(self, problem=problem)


def stored_history(deltas: Iterable[int], **members: Any) -> StoredHistory:
    rows = history(deltas, **members)
    return StoredHistory([ledger_item(row) for row in rows], stock_item(rows[-1]) if rows else None)


# ---------------------------------------------------------------------------------- ways to tamper with a history

type Tampering = Callable[[StoredHistory, int], StoredHistory | None]
"""Tampers at the nth row, counted from 0, and says what a proof must find; None where that is impossible there."""


def _rehashed(item: Item, **changes: Any) -> Item:
    """The item with members changed by somebody who knows how rows are hashed and keyed."""
    row = replace(adjustment_of(item), **changes)
    return dict(ledger_item(replace(row, hash=row_hash(row))))


def _with_row(found: StoredHistory, n: int, item: Item, sequence: int, kind: ProblemKind) -> StoredHistory:
    rows = [*found.rows[:n], item, *found.rows[n + 1 :]]
    return replace(found, rows=rows).with_problem(Problem(sequence, kind))


def _with_attribute(name: str, value: Item | None, kind: ProblemKind) -> Tampering:
    def tamper(found: StoredHistory, n: int) -> StoredHistory:
        item = {**found.rows[n], name: value}
        return _with_row(found, n, {key: each for key, each in item.items() if each is not None}, n + 1, kind)

    return tamper


def _with_stock(kind: ProblemKind = ProblemKind.STOCK_ITEM_CHANGED, **changes: Item | None) -> Tampering:
    def tamper(found: StoredHistory, _: int) -> StoredHistory:
        assert found.stock is not None
        stock = {name: value for name, value in {**found.stock, **changes}.items() if value is not None}
        return replace(found, stock=stock).with_problem(Problem(len(found.rows), kind))

    return tamper


def _time(seconds: float, *, hashed: bool) -> Tampering:
    def tamper(found: StoredHistory, n: int) -> StoredHistory | None:
        row = adjustment_of(found.rows[n])
        moved = row.created_at + timedelta(seconds=seconds)
        item = _rehashed(found.rows[n], created_at=moved)
        if not hashed:
            return _with_row(found, n, {**item, "hash": found.rows[n]["hash"]}, n + 1, ProblemKind.ROW_CHANGED)
        if seconds < 0:
            return _with_row(found, n, item, n + 1, ProblemKind.TIME_WRONG) if n else None
        return _after(found, n, item)

    return tamper


def _after(found: StoredHistory, n: int, item: Item) -> StoredHistory:
    """A row that is right by itself, but no longer what was written: what comes after it does not fit."""
    if n + 1 == len(found.rows):
        return _with_row(found, n, item, n + 1, ProblemKind.STOCK_ITEM_CHANGED)
    return _with_row(found, n, item, n + 2, ProblemKind.CHAIN_BROKEN)


def _without_zone(found: StoredHistory, n: int) -> StoredHistory:
    item = {**found.rows[n], "created_at": {"S": found.rows[n]["created_at"]["S"].removesuffix("Z")}}
    return _with_row(found, n, item, n + 1, ProblemKind.ROW_UNREADABLE)


def _changed_sequence(to: int) -> Tampering:
    def tamper(found: StoredHistory, n: int) -> StoredHistory | None:
        if n + 1 == to:
            return None
        return _with_row(found, n, {**found.rows[n], "sequence": {"N": str(to)}}, n + 1, ProblemKind.ROW_CHANGED)

    return tamper


def _removed(found: StoredHistory, n: int) -> StoredHistory:
    return replace(found, rows=found.rows[:n] + found.rows[n + 1 :]).with_problem(
        Problem(n + 1, ProblemKind.ROW_MISSING)
    )


def _inserted(after: timedelta) -> Tampering:
    def tamper(found: StoredHistory, n: int) -> StoredHistory:
        row = adjustment_of(found.rows[n])
        item = _rehashed(found.rows[n], id=UUID(int=n, version=4), created_at=row.created_at + after)
        return replace(found, rows=[*found.rows, item]).with_problem(Problem(n + 1, ProblemKind.ROW_INSERTED))

    return tamper


def _appended(further: int) -> Tampering:
    def tamper(found: StoredHistory, n: int) -> StoredHistory:
        head = adjustment_of(found.rows[-1])
        item = _rehashed(
            found.rows[-1],
            id=UUID(int=n, version=4),
            sequence=head.sequence + further,
            delta=1,
            quantity_after=head.quantity_after + 1,
            created_at=head.created_at + TICK,
            previous_hash=head.hash,
        )
        problem = Problem(head.sequence + further, ProblemKind.ROW_INSERTED)
        return replace(found, rows=[*found.rows, item]).with_problem(problem)

    return tamper


def _rehashed_delta(found: StoredHistory, n: int) -> StoredHistory:
    row = adjustment_of(found.rows[n])
    return _with_row(found, n, _rehashed(found.rows[n], delta=row.delta + 1), n + 1, ProblemKind.BALANCE_WRONG)


def _rehashed_reason(found: StoredHistory, n: int) -> StoredHistory:
    return _after(found, n, _rehashed(found.rows[n], reason="another one"))


def _swapped(found: StoredHistory, n: int) -> StoredHistory | None:
    """Two rows change places, and are hashed anew."""
    if n + 1 == len(found.rows):
        return None
    first, second = (adjustment_of(item) for item in found.rows[n : n + 2])
    rows = [
        *found.rows[:n],
        _rehashed(found.rows[n], sequence=second.sequence, created_at=second.created_at),
        _rehashed(found.rows[n + 1], sequence=first.sequence, created_at=first.created_at),
        *found.rows[n + 2 :],
    ]
    return replace(found, rows=rows).with_problem(Problem(n + 1, ProblemKind.CHAIN_BROKEN))


def _swapped_deltas(found: StoredHistory, n: int) -> StoredHistory | None:
    if n + 1 == len(found.rows) or found.rows[n]["delta"] == found.rows[n + 1]["delta"]:
        return None
    rows = copy.deepcopy(found.rows)
    rows[n]["delta"], rows[n + 1]["delta"] = rows[n + 1]["delta"], rows[n]["delta"]
    return replace(found, rows=rows).with_problem(Problem(n + 1, ProblemKind.ROW_CHANGED))


def _without_stock(found: StoredHistory, _: int) -> StoredHistory:
    return replace(found, stock=None).with_problem(Problem(len(found.rows), ProblemKind.STOCK_ITEM_MISSING))


def _moved_to_another_key(found: StoredHistory, n: int) -> StoredHistory:
    item = {**found.rows[n], "pk": {"S": f"{BUSINESS}#{UUID(int=n, version=4)}"}}
    return _with_row(found, n, item, n + 1, ProblemKind.ROW_MISPLACED)


def _stock_sequence(by: int) -> Tampering:
    return lambda found, n: _with_stock(sequence={"N": str(len(found.rows) + by)})(found, n)


_ANOTHER_STOCK_ITEM = keys.ledger_stock_item(BUSINESS, OTHER_VARIANT, LOCATION)

TAMPERINGS: dict[str, Tampering] = {
    "a row's reason was changed": _with_attribute("reason", {"S": "bent"}, ProblemKind.ROW_CHANGED),
    "a row's delta was changed": _with_attribute("delta", {"N": "1000001"}, ProblemKind.ROW_CHANGED),
    "a row's balance was changed": _with_attribute("quantity_after", {"N": "1000001"}, ProblemKind.ROW_CHANGED),
    "a row's author was changed": _with_attribute("created_by", {"S": "somebody else"}, ProblemKind.ROW_CHANGED),
    "a row's optional member was added": _with_attribute("reference", {"S": "CC-18"}, ProblemKind.ROW_CHANGED),
    "a row's hash was changed": _with_attribute("hash", {"S": "0" * 64}, ProblemKind.ROW_CHANGED),
    "a row's previous hash was changed": _with_attribute("previous_hash", {"S": "1" * 64}, ProblemKind.ROW_CHANGED),
    "a row's sequence was raised": _changed_sequence(1_000_000),
    "a row's sequence was lowered": _changed_sequence(1),
    "a row's sequence was made negative": _changed_sequence(-7),
    "a row's time was changed to an earlier one": _time(-3.5, hashed=False),
    "a row's time was changed to a later one": _time(3.5, hashed=False),
    "a row's time was changed to an earlier one and hashed anew": _time(-3.5, hashed=True),
    "a row's time was changed to a later one and hashed anew": _time(3.5, hashed=True),
    "a row's delta was changed and hashed anew": _rehashed_delta,
    "a row's reason was changed and hashed anew": _rehashed_reason,
    "two rows were swapped and hashed anew": _swapped,
    "two rows' deltas were swapped": _swapped_deltas,
    "a row was removed": _removed,
    "a row was inserted before its double": _inserted(-TICK),
    "a row was inserted after its double": _inserted(TICK),
    "a row was inserted at the end of time": _inserted(timedelta(days=1)),
    "a row was inserted past the head": _appended(1),
    "a row was inserted far past the head": _appended(1_000),
    "a row's reason was taken away": _with_attribute("reason", None, ProblemKind.ROW_UNREADABLE),
    "a row's sequence was taken away": _with_attribute("sequence", None, ProblemKind.ROW_UNREADABLE),
    "a row's delta became a text": _with_attribute("delta", {"S": "5"}, ProblemKind.ROW_UNREADABLE),
    "a row's id became garbage": _with_attribute("id", {"S": "garbage"}, ProblemKind.ROW_UNREADABLE),
    "a row's time became one without a zone": _without_zone,
    "a row was given an attribute": _with_attribute("note", {"S": "by hand"}, ProblemKind.ROW_MISPLACED),
    "a row was put into another shard": _with_attribute(
        "business_shard", {"S": "elsewhere"}, ProblemKind.ROW_MISPLACED
    ),
    "a row's place in the other index was changed": _with_attribute(
        "created_at_id", {"S": "0"}, ProblemKind.ROW_MISPLACED
    ),
    "a row was put under another key": _moved_to_another_key,
    "a row was taken out of the index": _with_attribute("stock_item", None, ProblemKind.ROW_MISSING),
    "a row was put under another stock item": _with_attribute(
        "stock_item", {"S": _ANOTHER_STOCK_ITEM}, ProblemKind.ROW_MISSING
    ),
    "the stock item's quantity was changed": _with_stock(quantity={"N": "1000001"}),
    "the stock item's sequence was raised": _stock_sequence(2),
    "the stock item's sequence was lowered": _stock_sequence(-1),
    "the stock item's head was changed": _with_stock(head_hash={"S": "1" * 64}),
    "the stock item's time was changed": _with_stock(updated_at={"S": "2026-01-01T00:00:00.000000Z"}),
    "the stock item was reset": _with_stock(quantity={"N": "0"}, sequence={"N": "0"}, head_hash={"S": GENESIS_HASH}),
    "the stock item's head was taken away": _with_stock(ProblemKind.STOCK_ITEM_UNREADABLE, head_hash=None),
    "the stock item's quantity became a text": _with_stock(ProblemKind.STOCK_ITEM_UNREADABLE, quantity={"S": "5"}),
    "the stock item was removed": _without_stock,
}


# -------------------------------------------------------------------------------------------------- stored to be read


@dataclass
class ReadTables:
    """StoredHistory as ``LedgerIndex`` and ``ItemsByKey``. ``late`` are keys of rows that the index does not have yet.

    ``before_read`` happens before each read: a writer between any two of them.
    """

    stored: StoredHistory
    late: set[str] = field(default_factory=set)
    before_read: Callable[[], None] = lambda: None
    reads: list[str] = field(default_factory=list)

    def page(self, query: IndexQuery) -> IndexPage:
        self.reads.append("page")
        self.before_read()
        items = [item for item in self.stored.rows if item["pk"]["S"] not in self.late]
        return page_of(items, query)

    def ledger_row(self, business_id: UUID, adjustment_id: UUID) -> Item | None:
        self.reads.append("row")
        self.before_read()
        pk = {"S": keys.ledger(business_id, adjustment_id)}
        return next((item for item in self.stored.rows if item["pk"] == pk), None)

    def stock_item(self, business_id: UUID, variant_id: UUID, location_id: UUID) -> Item | None:
        self.reads.append("stock item")
        self.before_read()
        stock = self.stored.stock
        place = {"pk": {"S": keys.stock(business_id, variant_id)}, "sk": {"S": str(location_id)}}
        return stock if stock is not None and place.items() <= stock.items() else None
