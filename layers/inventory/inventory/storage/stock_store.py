"""The store of stock and ledger on DynamoDB: one read, one transaction, and what a cancelled transaction means."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict, cast

from inventory.aws.failures import CONDITION_FAILED, TRANSIENT_REASONS, require_complete, translated_failures
from inventory.domain.errors import StoreUnavailable
from inventory.domain.model import Adjustment, Command, Snapshot, StockItem, StockItemId
from inventory.domain.rules import stock_after
from inventory.domain.store import CommitResult, Committed, Contended, no_deadline
from inventory.domain.timestamps import instant_text
from inventory.storage import keys
from inventory.storage.cache import Cache
from inventory.storage.items import (
    adjustments_by_id,
    business_of,
    by_key,
    default_location_id_of,
    is_active,
    key_attributes,
    ledger_item,
    reversal_id_of,
    reversal_link_item,
    stock_index_attributes,
    stock_item_of,
)
from inventory.storage.lookups import KEYS_MAX, read_by_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet
    from uuid import UUID

    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        PutTypeDef,
        TransactGetItemTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey

CATALOG_LIFETIME_S: Final = 60
"""Seconds for which an active variant, an active location and a business's settings are trusted without a read."""

CATALOG_ENTRIES_MAX: Final = 10_000

STOCK_ENTRIES_MAX: Final = 10_000
"""Stock items in the cache: about 1 KB each."""

_STOCK_AS_SEEN: Final = "#sequence = :seen AND quantity = :seen_quantity AND head_hash = :seen_hash"
"""Condition on the stock item. Against other writers, the sequence alone would do.

The hash is for a cached state that is older than a table which was restored from a backup: since then the same sequence
numbers were used again. The quantity is for a value that somebody has set by hand: it must not be overwritten unseen.
"""

_INDEXED: Final = ", business_shard = :shard, location_variant = :place"
"""Puts a new stock item into the index of its business's. No later write names these, so the index costs nothing."""

_NOT_AT_FAULT: Final = "None"


class _PartIndex(IntEnum):
    """Where each part is in the transaction, and so is its reason among the cancellation reasons.

    The rows follow one another. After them comes the link of a reversal, in its transaction only.
    """

    STOCK = 0
    FIRST_ROW = 1


class _CancellationReason(TypedDict, total=False):
    Code: str
    Item: dict[str, AttributeValueTypeDef]


class _KeysToRead(NamedTuple):
    """Keys of one load: catalog items may come from the cache; stock item, link and rows are always read."""

    catalog: list[ItemKey]
    current: list[ItemKey]
    rows: list[ItemKey]


class _Found(NamedTuple):
    """What a load found: items of the inventory table by key, and ledger rows."""

    items: dict[ItemKey, Item]
    rows: list[Item]
    transactional: bool = False


class StockStore:
    """``Store`` on the inventory and the ledger table. ``time_s`` gives the wall clock in seconds."""

    def __init__(
        self, client: DynamoDBClient, *, inventory_table: str, ledger_table: str, time_s: Callable[[], float]
    ) -> None:
        self._client = client
        self._inventory_table = inventory_table
        self._ledger_table = ledger_table
        self._time_s = time_s
        self._catalog: Cache[ItemKey, Item] = Cache(
            lifetime_s=CATALOG_LIFETIME_S, entries_max=CATALOG_ENTRIES_MAX, time_s=time_s
        )
        # An old state does no harm: a commit's condition fails then, and its answer holds the present state. But it
        # costs a transaction, and on a contended item it would fail nearly every time.
        self._stock: Cache[ItemKey, StockItem] = Cache(
            lifetime_s=math.inf, entries_max=STOCK_ENTRIES_MAX, time_s=time_s
        )

    def cached(self, command: Command) -> Snapshot | None:
        """Make a snapshot from the catalog items that are still trusted, and the last known state of the stock item."""
        settings = self._catalog.trusted(keys.settings_key(command.business_id))
        variant = self._catalog.trusted(keys.variant_key(command.business_id, command.variant_id))
        location_id = command.location_id or default_location_id_of(settings)
        if settings is None or variant is None or location_id is None:
            return None
        location = self._catalog.trusted(keys.location_key(command.business_id, location_id))
        stock = self._stock.trusted(keys.stock_item_key(command.business_id, command.variant_id, location_id))
        if location is None or stock is None:
            return None
        return Snapshot(
            business=business_of(settings),
            variant_active=is_active(variant),
            location_id=location_id,
            location_active=is_active(location),
            stock=stock,
            recorded={},
            cached=True,
        )

    def load(
        self,
        command: Command,
        recorded_ids: Sequence[UUID],
        *,
        transactional: bool = False,
        require_time: Callable[[], None] = no_deadline,
    ) -> Snapshot:
        """Read catalog, stock item, ledger rows and the link to an earlier reversal in one call.

        The call is a BatchGetItem. With ``transactional`` it is a TransactGetItems, which costs twice as much and is
        cancelled while a write is in progress. A second call is needed for more than 100 keys, or if the request names
        no location and the last known default location is wrong or unknown; then the load is not transactional.
        """
        settings_key = keys.settings_key(command.business_id)
        variant_key = keys.variant_key(command.business_id, command.variant_id)
        location_id = command.location_id or default_location_id_of(self._catalog.last_known(settings_key))
        wanted = _keys_to_read(command, location_id, [settings_key, variant_key], recorded_ids)
        found = self._read(wanted, transactional=transactional, require_time=require_time)
        default_id = default_location_id_of(found.items.get(settings_key))
        if command.location_id is None and location_id != default_id:
            location_id = default_id
            if location_id is not None:
                require_time()
                more = self._read(_keys_to_read(command, location_id))
                found = _Found(found.items | more.items, found.rows)
        return self._snapshot(command, location_id, found)

    def default_location_id(self, business_id: UUID) -> UUID | None:
        """Return the business's default location, from the cache or by a read."""
        settings_key = keys.settings_key(business_id)
        settings = self._catalog.trusted(settings_key)
        if settings is None:
            read_at_s = self._time_s()
            settings = self._batch_get([settings_key], []).items.get(settings_key)
            if settings is not None:
                self._catalog.put(settings_key, settings, read_at_s=read_at_s)
        return default_location_id_of(settings)

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        """Read ledger rows in one transaction, because refusals depend on them.

        A batch of reads can see one half of a transaction without the other, and so a request that was applied would
        be refused:

            this request         reads: stock 0, no row       looks: no row, refuses
            its first attempt    ... commits stock 0                                    and its row ...

        A transaction sees all of the first attempt, and is cancelled while that one is in progress.
        """
        wanted = _row_keys(business_id, adjustment_ids)
        return adjustments_by_id(self._transact_get([], wanted).rows) if wanted else {}

    def commit(self, rows: Sequence[Adjustment], snapshot: Snapshot) -> CommitResult:
        """Update the stock item, append the rows, and link what one reverses to it: one transaction.

        It is the only write of the service to stock and ledger. The stock item's sequence number guards it, as every
        change of the stock item changes that number:

            this request     reads 41          decides 42   writes 42 if still 41: cancelled, decides 43 from 42
            another one              writes 42
        """
        last = rows[-1]
        puts = [self._row_put(row) for row in rows]
        puts += [self._link_put(row, row.reverses) for row in rows if row.reverses is not None]
        parts: list[TransactWriteItemTypeDef] = [{"Update": self._stock_update(last, snapshot.stock)}]
        parts += [{"Put": put} for put in puts]
        stock_key = keys.stock_item_key(last.business_id, last.variant_id, last.location_id)
        # Until the outcome is known, so is the stock item's state unknown.
        self._stock.forget(stock_key)
        try:
            with translated_failures():
                reply = self._client.transact_write_items(TransactItems=parts, ReturnConsumedCapacity="TOTAL")
        except self._client.exceptions.TransactionCanceledException as error:
            result = _result_of_cancelled(error, rows, snapshot, parts=len(parts))
            if isinstance(result, Contended) or result.stock != snapshot.stock:
                self._stock.mark_contended(stock_key)
            elif result.stock is not None:
                self._stock.put(stock_key, result.stock, read_at_s=self._time_s())
            return result
        require_complete(reply)
        self._stock.put(stock_key, stock_after(last), read_at_s=self._time_s())
        return Committed()

    # ------------------------------------------------------------------------------------- the parts of the transaction

    def _stock_update(self, last_row: Adjustment, seen: StockItem | None) -> UpdateTypeDef:
        """Set the stock item to its state after the last row, if it still is as it was seen."""
        after = stock_after(last_row)
        stock_item_id = StockItemId(last_row.business_id, last_row.variant_id, last_row.location_id)
        expression = "SET quantity = :quantity, #sequence = :sequence, updated_at = :at, head_hash = :hash"
        return {
            "TableName": self._inventory_table,
            "Key": key_attributes(keys.stock_item_key(*stock_item_id)),
            "UpdateExpression": expression + _INDEXED if seen is None else expression,
            "ConditionExpression": keys.ITEM_ABSENT if seen is None else _STOCK_AS_SEEN,
            "ExpressionAttributeNames": {"#sequence": "sequence"},
            "ExpressionAttributeValues": {
                ":quantity": {"N": str(after.quantity)},
                ":sequence": {"N": str(after.sequence)},
                ":at": {"S": instant_text(after.updated_at)},
                ":hash": {"S": after.head_hash},
                **(_index_values(stock_item_id) if seen is None else _seen_values(seen)),
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _row_put(self, row: Adjustment) -> PutTypeDef:
        """Append a ledger row, if there is none with its id."""
        return _put_if_absent(self._ledger_table, ledger_item(row))

    def _link_put(self, reversal: Adjustment, reversed_id: UUID) -> PutTypeDef:
        """Record that an adjustment was reversed, and by which, if it never was. A link never changes."""
        return _put_if_absent(self._inventory_table, reversal_link_item(reversal.business_id, reversed_id, reversal.id))

    # --------------------------------------------------------------------------------------------------------- reading

    def _read(
        self, wanted: _KeysToRead, *, transactional: bool = False, require_time: Callable[[], None] = no_deadline
    ) -> _Found:
        """Read items, except catalog items that the cache has. Absent ones are left out."""
        cached = {key: item for key in wanted.catalog if (item := self._catalog.trusted(key)) is not None}
        missing = [key for key in wanted.catalog if key not in cached]
        inventory_keys = [*missing, *wanted.current]
        read_at_s = self._time_s()
        rows_max = KEYS_MAX - len(inventory_keys)
        fits = len(wanted.rows) <= rows_max
        # The rows that do not fit come first. If one is appended in between, the stock item has changed with it.
        earlier: list[Item] = []
        if not fits:
            earlier = self._batch_get([], wanted.rows[rows_max:]).rows
            require_time()
        read = self._transact_get if transactional and fits else self._batch_get
        found = read(inventory_keys, wanted.rows[:rows_max])
        self._cache_catalog(missing, found, read_at_s)
        return _Found(cached | found.items, earlier + found.rows, found.transactional)

    def _cache_catalog(self, catalog_keys: list[ItemKey], found: _Found, read_at_s: float) -> None:
        """Cache active items only: one that is absent or inactive, and so refuses requests, is read each time."""
        for key in catalog_keys:
            if is_active(found.items.get(key)):
                self._catalog.put(key, found.items[key], read_at_s=read_at_s)
            else:
                self._catalog.forget(key)

    def _transact_get(self, inventory_keys: list[ItemKey], row_keys: list[ItemKey]) -> _Found:
        """Read items by key in one transaction."""
        wanted = [(self._inventory_table, key) for key in inventory_keys]
        wanted += [(self._ledger_table, key) for key in row_keys]
        parts: list[TransactGetItemTypeDef] = [
            {"Get": {"TableName": table, "Key": key_attributes(key)}} for table, key in wanted
        ]
        try:
            with translated_failures():
                reply = self._client.transact_get_items(TransactItems=parts, ReturnConsumedCapacity="TOTAL")
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = _reasons(error)
            if len(reasons) == len(parts) and _are_among(reasons, TRANSIENT_REASONS):
                raise StoreUnavailable from error
            raise
        require_complete(reply)
        if len(reply["Responses"]) != len(parts):
            raise StoreUnavailable
        found = [each.get("Item") for each in reply["Responses"]]
        split = len(inventory_keys)
        return _Found(
            by_key(item for item in found[:split] if item is not None),
            [item for item in found[split:] if item is not None],
            transactional=True,
        )

    def _batch_get(self, inventory_keys: list[ItemKey], row_keys: list[ItemKey]) -> _Found:
        """Read items by key, strongly consistent."""
        found = read_by_key(self._client, {self._inventory_table: inventory_keys, self._ledger_table: row_keys})
        return _Found(by_key(found[self._inventory_table]), found[self._ledger_table])

    def _snapshot(self, command: Command, location_id: UUID | None, found: _Found) -> Snapshot:
        """Make a snapshot of what was read, and cache the state of the stock item."""
        settings = found.items.get(keys.settings_key(command.business_id))
        location = stock = link = None
        if location_id is not None:
            location = found.items.get(keys.location_key(command.business_id, location_id))
            stock_key = keys.stock_item_key(command.business_id, command.variant_id, location_id)
            if stock_key in found.items:
                stock = stock_item_of(found.items[stock_key])
                self._stock.put(stock_key, stock, read_at_s=self._time_s())
        if command.reverses is not None:
            link = found.items.get(keys.reversal_link_key(command.business_id, command.reverses))
        return Snapshot(
            business=None if settings is None else business_of(settings),
            variant_active=is_active(found.items.get(keys.variant_key(command.business_id, command.variant_id))),
            location_id=location_id,
            location_active=is_active(location),
            stock=stock,
            recorded=adjustments_by_id(found.rows),
            reversed_by=None if link is None else reversal_id_of(link),
            transactional=found.transactional,
        )


def _keys_to_read(
    command: Command, location_id: UUID | None, catalog: Sequence[ItemKey] = (), recorded_ids: Sequence[UUID] = ()
) -> _KeysToRead:
    """Add location, stock item and link to the keys of a load, as far as they are known."""
    wanted = _KeysToRead([*catalog], [], _row_keys(command.business_id, recorded_ids))
    if location_id is not None:
        wanted.catalog.append(keys.location_key(command.business_id, location_id))
        wanted.current.append(keys.stock_item_key(command.business_id, command.variant_id, location_id))
    if command.reverses is not None:
        wanted.current.append(keys.reversal_link_key(command.business_id, command.reverses))
    return wanted


def _row_keys(business_id: UUID, adjustment_ids: Sequence[UUID]) -> list[ItemKey]:
    """Return each key once: DynamoDB refuses a read that names a key twice."""
    return [keys.ledger_row_key(business_id, each) for each in dict.fromkeys(adjustment_ids)]


def _put_if_absent(table: str, item: Item) -> PutTypeDef:
    return {
        "TableName": table,
        "Item": item,
        "ConditionExpression": keys.ITEM_ABSENT,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _seen_values(seen: StockItem) -> dict[str, AttributeValueTypeDef]:
    return {
        ":seen": {"N": str(seen.sequence)},
        ":seen_quantity": {"N": str(seen.quantity)},
        ":seen_hash": {"S": seen.head_hash},
    }


def _index_values(stock_item_id: StockItemId) -> dict[str, AttributeValueTypeDef]:
    attributes = stock_index_attributes(stock_item_id)
    return {":shard": attributes["business_shard"], ":place": attributes["location_variant"]}


def _result_of_cancelled(
    error: ClientError, rows: Sequence[Adjustment], snapshot: Snapshot, *, parts: int
) -> Snapshot | Contended:
    """Translate the reasons of a cancelled transaction, each by its position. Unknown reasons are raised again."""
    reasons = _reasons(error)
    if len(reasons) != parts:
        raise error
    existing = {
        position: reason["Item"]
        for position, reason in enumerate(reasons)
        if reason.get("Code") == CONDITION_FAILED and "Item" in reason
    }
    if existing:
        link_index = _PartIndex.FIRST_ROW + len(rows)
        recorded = [item for position, item in existing.items() if _PartIndex.FIRST_ROW <= position < link_index]
        stock, link = existing.get(_PartIndex.STOCK), existing.get(link_index)
        return snapshot._replace(
            recorded={**snapshot.recorded, **adjustments_by_id(recorded)},
            stock=snapshot.stock if stock is None else stock_item_of(stock),
            reversed_by=snapshot.reversed_by if link is None else reversal_id_of(link),
            cached=False,
            transactional=False,
        )
    # A condition failed, but the reply holds no item: it is gone again, so it must be read.
    if _are_among(reasons, TRANSIENT_REASONS | {CONDITION_FAILED}):
        return Contended()
    raise error


def _reasons(error: ClientError) -> list[_CancellationReason]:
    """Return why a transaction was cancelled: a reason for each of its parts, in their order."""
    return cast("list[_CancellationReason]", error.response.get("CancellationReasons", []))


def _are_among(reasons: Sequence[_CancellationReason], codes: AbstractSet[str]) -> bool:
    """Whether at least one part was at fault, and each part at fault has one of the codes."""
    at_fault = {reason.get("Code") for reason in reasons} - {_NOT_AT_FAULT}
    return bool(at_fault) and at_fault <= codes
