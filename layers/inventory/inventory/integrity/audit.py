"""The audit of everything, a segment at a time: every stock item is proved, and every ledger row is looked at.

A proof reads the rows that an index shows of a stock item. What no index shows, what belongs to no stock item and what
is linked to nothing is found from the other side: in the ledger itself, row by row.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import batched
from math import inf
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import InvalidRequest, StoreUnavailable, TryAgain
from inventory.domain.retry_budget import CALL_BUDGET_S, RetryBudget
from inventory.integrity.chain_check import Problem, ProblemKind, read_row
from inventory.integrity.item_checks import (
    AuditKind,
    ids_of_link,
    is_of_catalog,
    place_of_stock,
    reversal_of,
    sequence_of_odd_stock,
)
from inventory.schemas.problems import not_handed_out
from inventory.storage import cursors, keys
from inventory.storage.items import claimed_integer, read_stock_item
from inventory.storage.lookups import KEYS_MAX
from inventory.storage.table_scan import ItemKey, key_of

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment, Segment
    from inventory.integrity.item_checks import Place
    from inventory.integrity.proof import Proof, Prover
    from inventory.storage.items import Item
    from inventory.storage.table_scan import AuditTables

DIFFERENCES_LISTED_MAX: Final = 100

AUDIT_PAUSES_S: Final = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Before each further look at what may be late: longer than a caller would wait, for nobody waits."""

_KINDS_LOOKED_AT: Final = 3
"""Of what a page of the ledger may show to be wrong, so many kinds are looked at again, one after the other."""

_TEXT_LENGTH_MAX: Final = 200
"""Of what an item says of itself: by hand it may be anything."""

_INVENTORY, _LEDGER = "inventory", "ledger"

_KEY_BYTES_MAX: Final = {_INVENTORY: (2048, 1024), _LEDGER: (2048,)}
"""Of the parts of a key in each table, as DynamoDB takes them."""

type Get = Callable[[Sequence[ItemKey]], list[Item]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it ought to be, and where, as far as that can be read. ``key`` is the item's key."""

    kind: ProblemKind | AuditKind
    key: str
    business_id: str | None = None
    variant_id: str | None = None
    location_id: str | None = None
    sequence: int | None = None
    adjustment_id: str | None = None


@dataclass(slots=True)
class Findings:
    """What was looked at and found. ``differences`` lists the first of them, ``differences_count`` counts all.

    ``next_position`` is where to go on; None where the segment is done. ``stopped_by`` is the fault at which it ended;
    None where it did not end by one.
    """

    rows: int = 0
    stock_items: int = 0
    differences_count: int = 0
    differences: list[Difference] = field(default_factory=list)
    next_position: str | None = None
    stopped_by: StoreUnavailable | TryAgain | None = None

    def add(self, difference: Difference) -> None:
        """Note a difference."""
        self.differences_count += 1
        if len(self.differences) < DIFFERENCES_LISTED_MAX:
            self.differences.append(difference)


@dataclass(frozen=True, slots=True)
class Auditor:
    """Audits segments. ``prover`` is one that is patient and takes any number of rows."""

    tables: AuditTables
    prover: Prover
    sleep: Callable[[float], None] = time.sleep
    clock_s: Callable[[], float] = time.monotonic
    pauses_s: tuple[float, ...] = AUDIT_PAUSES_S

    def audit(
        self,
        segment: Segment,
        position: str | None = None,
        *,
        seconds: float = inf,
        remaining_s: Callable[[], float],
    ) -> Findings:
        """Audit a segment, or go on with it, until its end, until the time is up or until the tables can't be read.

        ``seconds`` is how long the invoker will wait; ``remaining_s`` is the time left of the invocation. What was
        found is told, once it came any further than where it began. Where a page could not be looked at to its end,
        what was found on it is found once more from ``next_position`` on; its rows and stock items are counted there.

        Raises:
            InvalidRequest: the position is not one of this segment.
            TryAgain: the tables gave no answer in time, before anything was looked at to its end.
        """
        try:
            return _Run(self, segment, self.clock_s() + seconds, remaining_s).go_on_from(position)
        except StoreUnavailable:
            raise TryAgain from None


@dataclass(frozen=True, slots=True)
class _AuditPosition:
    """Where to go on: after ``start`` in a table; ``proof`` goes on with the item that is next there."""

    table: str
    start: ItemKey | None
    proof: str | None = None


class _Run:
    """One segment on its way, first through the inventory, then through the ledger."""

    def __init__(self, parts: Auditor, segment: Segment, until_s: float, remaining_s: Callable[[], float]) -> None:
        self._parts = parts
        self._segment = segment
        self._until_s = until_s
        self._patience = RetryBudget(remaining_s, parts.sleep)
        looks_s = sum(parts.pauses_s)
        # With less time left nothing further is begun. The looks' own calls are short as a rule; two may be slow.
        self._whole_page = self._patience.reserve(_KINDS_LOOKED_AT * looks_s + CALL_BUDGET_S)
        # The links of a page are looked at when its stock items are proved.
        self._proving = self._patience.reserve(looks_s + CALL_BUDGET_S)
        self._question: dict[str, str] = {"question": "audit", "segment": f"{segment.number} of {segment.total}"}
        self._findings = Findings()

    def go_on_from(self, text: str | None) -> Findings:
        """Audit from a position, None for the beginning."""
        begin = _AuditPosition(_INVENTORY, None) if text is None else self._read(text)
        position: _AuditPosition | None = begin
        while position is not None:
            position, stopped = self._page(position, is_first=position == begin)
            if position is not None and (stopped or self._is_late()):
                self._findings.next_position = self._written(position)
                break
        return self._findings

    def _page(self, position: _AuditPosition, *, is_first: bool) -> tuple[_AuditPosition | None, bool]:
        """Look at a page; where to go on then, and whether to stop there."""
        counted = self._findings.rows, self._findings.stock_items
        try:
            return self._inventory_page(position) if position.table == _INVENTORY else self._ledger_page(position)
        except (StoreUnavailable, TryAgain) as error:
            # Whoever goes on from where he began would ask for ever.
            if is_first:
                raise
            self._findings.rows, self._findings.stock_items = counted
            self._findings.stopped_by = error
            return position, True

    def _is_late(self) -> bool:
        return self._parts.clock_s() >= self._until_s or not self._whole_page.has_time()

    # ---------------------------------------------------------------------------------------------- the inventory

    def _inventory_page(self, position: _AuditPosition) -> tuple[_AuditPosition, bool]:
        page = self._patience.retry(lambda: self._parts.tables.inventory_page(self._segment, position.start))
        links: list[Item] = []
        done, proof = position.start, position.proof
        for item in page.items:
            try:
                proof = self._inventory_item(item, links, proof)
            except TryAgain as error:
                if done == position.start:
                    raise
                self._findings.stopped_by = error
            if proof is not None or self._findings.stopped_by is not None:
                self._check_links(links)
                return _AuditPosition(_INVENTORY, done, proof), True
            done = key_of(item)
            if self._is_late():
                break
        else:
            # Where the page ends: its items may end before, for a page may hold none and still have a next one.
            done = page.next_start
        self._check_links(links)
        return _AuditPosition(_LEDGER, None) if done is None else _AuditPosition(_INVENTORY, done), False

    def _inventory_item(self, item: Item, links: list[Item], proof: str | None) -> str | None:
        """Look at one item; the cursor of its proof where there was not time enough for it."""
        if is_of_catalog(item):
            return None
        if (place := place_of_stock(item)) is not None:
            return self._prove(place, item, proof)
        if ids_of_link(item) is not None:
            links.append(item)
        else:
            self._findings.add(Difference(AuditKind.ITEM_UNKNOWN, _readable(item)))
        return None

    def _prove(self, place: Place, item: Item, cursor: str | None) -> str | None:
        proof = self._proved(place, cursor)
        while proof.verified is None and not self._is_late():
            try:
                proof = self._proved(place, proof.next_cursor)
            except TryAgain as error:
                self._findings.stopped_by = error
                break
        if proof.verified is None:
            return proof.next_cursor
        self._findings.stock_items += 1
        problem = proof.first_problem
        if problem is None and (sequence := sequence_of_odd_stock(item)) is not None:
            problem = Problem(sequence, ProblemKind.STOCK_ITEM_CHANGED)
        if problem is not None:
            business_id, variant_id, location_id = map(str, place)
            where = {"business_id": business_id, "variant_id": variant_id, "location_id": location_id}
            self._findings.add(Difference(problem.kind, _readable(item), sequence=problem.sequence, **where))
        return None

    def _proved(self, place: Place, cursor: str | None) -> Proof:
        prove = partial(self._parts.prover.prove, *place, remaining_s=self._proving.remaining_s)
        try:
            return prove(cursor)
        except InvalidRequest:
            # The item whose proof the cursor goes on with is gone, or another one has come before it.
            return prove(None)

    def _check_links(self, links: list[Item]) -> None:
        for link in self._confirmed(links, self._wrong_links):
            business_id, adjustment_id = ids_of_link(link) or (None, None)
            self._findings.add(
                Difference(
                    AuditKind.REVERSAL_LINK_WRONG,
                    _readable(link),
                    business_id=str(business_id),
                    adjustment_id=str(adjustment_id),
                )
            )

    def _wrong_links(self, links: list[Item]) -> list[Item]:
        """Those that do not lead to a row which reverses the adjustment that they belong to."""
        reversals = {key: link for link in links if (key := reversal_of(link)) is not None}
        rows = {key_of(item): item for item in self._get(self._parts.tables.ledger_items, reversals)}

        def leads_back(link: Item) -> bool:
            ids, key = ids_of_link(link), reversal_of(link)
            row = None if key is None or key not in rows else read_row(rows[key])[0]
            return row is not None and ids == (row.business_id, row.reverses)

        return [link for link in links if not leads_back(link)]

    # ------------------------------------------------------------------------------------------------- the ledger

    def _ledger_page(self, position: _AuditPosition) -> tuple[_AuditPosition | None, bool]:
        page = self._patience.retry(lambda: self._parts.tables.ledger_page(self._segment, position.start))
        rows: list[Adjustment] = []
        for item in page.items:
            row, kind = read_row(item)
            if row is None or kind is not None:
                self._findings.add(_of_item(kind or ProblemKind.ROW_UNREADABLE, item))
            else:
                rows.append(row)
        self._findings.rows += len(page.items)
        for row, kind in self._confirmed([(row, ProblemKind.STOCK_ITEM_MISSING) for row in rows], self._without_stock):
            self._findings.add(_of_row(kind, row))
        reversals = [row for row in rows if row.reverses is not None]
        for row in self._confirmed(reversals, self._without_reversed):
            self._findings.add(_of_row(AuditKind.REVERSAL_WRONG, row))
        for row in self._confirmed(reversals, self._without_link):
            self._findings.add(_of_row(AuditKind.REVERSAL_NOT_LINKED, row))
        return None if page.next_start is None else _AuditPosition(_LEDGER, page.next_start), False

    def _without_stock(self, suspects: list[tuple[Adjustment, ProblemKind]]) -> list[tuple[Adjustment, ProblemKind]]:
        """Those whose stock item is missing, or has not come as far as they have.

        One that can't be read is told where the stock items are looked at.
        """
        rows = [row for row, _ in suspects]
        found = {key_of(item): item for item in self._get(self._parts.tables.inventory_items, map(_stock_key, rows))}
        stocks = {key: read_stock_item(item) for key, item in found.items()}
        missing = [(row, ProblemKind.STOCK_ITEM_MISSING) for row in rows if _stock_key(row) not in stocks]
        past_it = [
            (row, ProblemKind.ROW_INSERTED)
            for row in rows
            if (stock := stocks.get(_stock_key(row))) is not None and stock.sequence < row.sequence
        ]
        return missing + past_it

    def _without_reversed(self, rows: list[Adjustment]) -> list[Adjustment]:
        """Those that do not take back, exactly, a row of the same stock item.

        What they reverse is told by itself where it is not as it was written; nothing is to be compared with it then.
        """
        found = {
            key_of(item): read_row(item) for item in self._get(self._parts.tables.ledger_items, map(_reversed, rows))
        }

        def is_wrong(row: Adjustment) -> bool:
            if _reversed(row) not in found:
                return True
            other, kind = found[_reversed(row)]
            return other is not None and kind is None and _moved(other, -other.delta) != _moved(row, row.delta)

        return [row for row in rows if is_wrong(row)]

    def _without_link(self, rows: list[Adjustment]) -> list[Adjustment]:
        """Those that no link leads to from the adjustment that they reverse."""
        found = {key_of(item): item for item in self._get(self._parts.tables.inventory_items, map(_link_key, rows))}
        return [row for row in rows if found.get(_link_key(row), {}).get("reversal_id") != {"S": str(row.id)}]

    # ------------------------------------------------------------------------------------------------ for both

    def _get(self, get: Get, wanted: Iterable[ItemKey]) -> list[Item]:
        """Read items by key, each once and a bounded number a call."""
        return [
            item
            for some in batched(dict.fromkeys(wanted), KEYS_MAX, strict=False)
            for item in self._patience.retry(partial(get, some))
        ]

    def _confirmed[T](self, suspects: list[T], still: Callable[[list[T]], list[T]]) -> list[T]:
        """Those that are wrong at each look: of two items written together, one may be read before the other."""
        for pause_s in (0.0, *self._parts.pauses_s):
            if not suspects:
                break
            if pause_s:
                self._patience.require_time(after_s=pause_s)
                self._parts.sleep(pause_s)
            suspects = still(suspects)
        return suspects

    def _written(self, position: _AuditPosition) -> str:
        return cursors.cursor(json.dumps([position.table, position.start, position.proof]), self._question)

    def _read(self, text: str) -> _AuditPosition:
        found = cursors.position(text, self._question)
        position = None if found is None else _position(found)
        if position is None:
            raise not_handed_out(["body", "position"], text)
        return position


def _position(text: str) -> _AuditPosition | None:
    """Read what ``_written`` wrote; None for what somebody made up, be it JSON or not."""
    try:
        table, start, proof = json.loads(text)
        bytes_max = _KEY_BYTES_MAX[table]
        key = None if start is None else _key(start, bytes_max)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
    # Only an item of the inventory is gone on with; the ledger's rows are looked at one by one.
    right = proof is None or (table == _INVENTORY and isinstance(proof, str))
    return _AuditPosition(table, key, proof) if right else None


def _key(given: object, bytes_max: Sequence[int]) -> ItemKey:
    """A key, as JSON has it; raises what garbage raises where it is none that DynamoDB would take."""
    if not isinstance(given, list):
        raise TypeError(given)
    for part, most in zip(given, bytes_max, strict=True):
        if not 0 < len(part.encode()) <= most:
            raise ValueError(given)
    return tuple(given)


def _stock_key(row: Adjustment) -> ItemKey:
    return keys.stock(row.business_id, row.variant_id), str(row.location_id)


def _reversed(row: Adjustment) -> ItemKey:
    """Key of the row that a reversal takes back."""
    assert row.reverses is not None  # noqa: S101  asked for reversals only
    return (keys.ledger(row.business_id, row.reverses),)


def _moved(row: Adjustment, delta: int) -> tuple[ItemKey, int]:
    return _stock_key(row), delta


def _link_key(row: Adjustment) -> ItemKey:
    assert row.reverses is not None  # noqa: S101  asked for reversals only
    return keys.reversal(row.business_id, row.reverses), keys.REVERSAL


def _of_row(kind: ProblemKind | AuditKind, row: Adjustment) -> Difference:
    return Difference(
        kind,
        keys.ledger(row.business_id, row.id),
        business_id=str(row.business_id),
        variant_id=str(row.variant_id),
        location_id=str(row.location_id),
        sequence=row.sequence,
        adjustment_id=str(row.id),
    )


def _of_item(kind: ProblemKind, item: Item) -> Difference:
    """A row that may be garbage, by what it says of itself."""

    def text(name: str) -> str | None:
        found = item.get(name, {}).get("S")
        return None if found is None else found[:_TEXT_LENGTH_MAX]

    return Difference(
        kind,
        _readable(item),
        business_id=text("business_id"),
        variant_id=text("variant_id"),
        location_id=text("location_id"),
        sequence=claimed_integer(item, "sequence"),
        adjustment_id=text("id"),
    )


def _readable(item: Item) -> str:
    return " ".join(key_of(item))[:_TEXT_LENGTH_MAX]
