"""Histories of any length, along three axes, and the requests that are made upon them.

Requests go round ten places, spread evenly over the whole history, so that their work is the same at every length.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID, uuid5

from inventory.domain.model import Business, Command, Snapshot, StockItemId
from inventory.domain.rules import RowIdentity, decide, keyed_id, stock_after
from inventory.domain.timestamps import instant_text
from inventory.storage import keys
from inventory.storage.items import ledger_item
from tests.support.builders.ids import BUSINESS, LOCATION, SUBJECT, VARIANT
from tests.support.builders.requests import an_api_event, an_authorizer_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inventory.domain.model import Adjustment, StockItem
    from tests.support.harness.emulated_tables import Item, Tables

QUANTITY_CHANGE: Final = 3
_PLACES_ASKED: Final = 10
_BATCH_MAX: Final = 25
_WRITERS: Final = 2
_NAMES: Final = UUID("a3b1a6f0-37c8-4c5e-9a3a-6b6f3d0c6f11")
_BEGIN: Final = datetime(2025, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
_REASON: Final = "Received from the supplier"
_REFERENCE: Final = "PO-2026-11-23"


class Axis(StrEnum):
    """What there are more and more of; each history has as many ledger rows."""

    ROWS = "rows of one stock item"
    ITEMS = "stock items of one business"
    BUSINESSES = "businesses"


class Place(NamedTuple):
    """A stock item at the one location."""

    business_id: UUID
    variant_id: UUID

    @property
    def key(self) -> Item:
        """Of the stock item in the inventory table."""
        return {"pk": {"S": keys.stock(self.business_id, self.variant_id)}, "sk": {"S": str(LOCATION)}}


def place(axis: Axis, number: int) -> Place:
    """The place of a history's row, by the row's number from 0."""
    business_id = uuid5(_NAMES, f"business {number}") if axis is Axis.BUSINESSES else BUSINESS
    variant_id = uuid5(_NAMES, f"variant {number}") if axis is Axis.ITEMS else VARIANT
    return Place(business_id, variant_id)


def asked_for(length: int) -> range:
    """The numbers of the rows whose places requests are for."""
    return range(0, length, length // _PLACES_ASKED)


def key_of(number: int) -> str:
    """The idempotency key under which a history's row was made."""
    return f"history-{number:012d}"


def command(at: Place, key: str) -> Command:
    """The request as it is understood."""
    return Command(
        business_id=at.business_id,
        variant_id=at.variant_id,
        quantity_change=QUANTITY_CHANGE,
        reason=_REASON,
        actor=SUBJECT,
        location_id=LOCATION,
        reason_code="receipt_correction",
        reference=_REFERENCE,
        idempotency_key=key,
    )


def request(at: Place, key: str, quantity_change: int = QUANTITY_CHANGE) -> dict[str, Any]:
    """The same as it is sent."""
    body = {
        "variant_id": str(at.variant_id),
        "quantity_change": quantity_change,
        "reason": _REASON,
        "location_id": str(LOCATION),
        "reason_code": "receipt_correction",
        "reference": _REFERENCE,
    }
    event: dict[str, Any] = an_api_event(
        body,
        headers=[("Content-Type", "application/json"), ("Idempotency-Key", key)],
        authorizer=an_authorizer_context(business_id=str(at.business_id)),
    )
    event["headers"]["x-business-id"] = str(at.business_id)
    event["multiValueHeaders"]["x-business-id"] = [str(at.business_id)]
    return event


def ledger(axis: Axis, length: int) -> Iterator[Adjustment]:
    """The rows, decided as the service decides them: their chains are whole."""
    stock: StockItem | None = None
    stock_item_id = StockItemId(BUSINESS, VARIANT, LOCATION)
    for number in range(length):
        asked = command(place(axis, number), key_of(number))
        snapshot = Snapshot(
            business=Business(allow_negative_stock=False, default_location_id=LOCATION),
            variants={} if asked.variant_id is None else {asked.variant_id: asked.variant_id},
            locations={LOCATION},
            reasons={},
            stock={},
            recorded={},
        )
        trails = {} if stock is None else {stock_item_id: (stock,)}
        row = decide(
            asked,
            snapshot,
            trails,
            identity=RowIdentity(keyed_id(asked.business_id, key_of(number))),
            now=_BEGIN + timedelta(seconds=number),
        )
        stock_item_id = row.stock_item_id
        stock = stock_after(row) if axis is Axis.ROWS else None
        yield row


def fill(tables: Tables, axis: Axis, length: int) -> None:
    """Write a history and all that goes with it; the way in is not the matter here."""

    def put(batch: tuple[tuple[str, Item], ...]) -> None:
        writes: dict[str, list[Any]] = {}
        for table, item in batch:
            writes.setdefault(table, []).append({"PutRequest": {"Item": item}})
        assert not tables.client.batch_write_item(RequestItems=writes)["UnprocessedItems"]

    with ThreadPoolExecutor(_WRITERS) as writers:
        # Few at a time: all at once would lie in memory.
        for batches in batched(batched(_items(tables, axis, length), _BATCH_MAX, strict=False), 100, strict=False):
            list(writers.map(put, batches))


def _items(tables: Tables, axis: Axis, length: int) -> Iterator[tuple[str, Item]]:
    asked = {place(axis, number) for number in asked_for(length)}
    if axis is not Axis.BUSINESSES:
        yield tables.inventory, _settings(BUSINESS)
        yield tables.inventory, _entry(BUSINESS, keys.location(LOCATION))
    if axis is Axis.ROWS:
        yield tables.inventory, _entry(BUSINESS, keys.variant(VARIANT))
    for row in ledger(axis, length):
        yield tables.ledger, ledger_item(row)
        at = Place(row.business_id, row.variant_id)
        if axis is Axis.BUSINESSES:
            yield tables.inventory, _settings(at.business_id)
            if at in asked:
                yield tables.inventory, _entry(at.business_id, keys.location(LOCATION))
        if axis is Axis.ITEMS or (axis is Axis.BUSINESSES and at in asked):
            yield tables.inventory, _entry(at.business_id, keys.variant(at.variant_id))
        if axis is not Axis.ROWS or row.sequence == length:
            yield tables.inventory, stock_item(at, stock_after(row))


def stock_item(at: Place, stock: StockItem) -> Item:
    """A stock item as it is stored."""
    return at.key | {
        "quantity": {"N": str(stock.quantity)},
        "sequence": {"N": str(stock.sequence)},
        "updated_at": {"S": instant_text(stock.updated_at)},
        "head_hash": {"S": stock.head_hash},
    }


def _settings(business_id: UUID) -> Item:
    return {
        "pk": {"S": keys.business(business_id)},
        "sk": {"S": keys.SETTINGS},
        "allow_negative_stock": {"BOOL": False},
        "default_location_id": {"S": str(LOCATION)},
    }


def _entry(business_id: UUID, sk: str) -> Item:
    return {"pk": {"S": keys.business(business_id)}, "sk": {"S": sk}, "active": {"BOOL": True}}
