"""The store of stock and ledger on DynamoDB: one read, one transaction, and what a cancelled transaction means."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeIs, cast

from inventory.aws.failures import CONDITION_FAILED, TRANSIENT_REASONS, require_complete, translated_failures
from inventory.domain.errors import Refusal, StoreUnavailable
from inventory.domain.model import (
    BUILT_IN_REASON_CODES,
    Adjustment,
    Command,
    ReversalLink,
    Snapshot,
    StockItem,
    StockItemId,
)
from inventory.domain.rules import require_active, stock_after, variant_name
from inventory.domain.store import OPERATIONS_MAX, CommitResult, Committed, Contended, no_deadline
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
    reason_direction_of,
    rejection_of,
    reversal_id_of,
    reversal_link_item,
    stock_index_attributes,
    stock_item_attributes,
    stock_item_of,
    variant_id_of_sku,
)
from inventory.storage.lookups import KEYS_MAX, read_by_key
from inventory.storage.transactions import (
    NOT_AT_FAULT,
    absent,
    are_among,
    cancellation_reasons,
    put_if_absent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        ConditionCheckTypeDef,
        PutTypeDef,
        TransactGetItemTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

    from inventory.domain.model import Direction
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey

    type _Wanted = tuple[str, ItemKey]
    """A table and a key in it."""

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

_ATTRIBUTE_NAMES: Final = {"sequence": "#sequence"}
"""Attributes whose names DynamoDB reserves."""

_REASON_CODE: Final = re.compile("[a-z][a-z0-9_]{0,39}")
"""A code that a business can register. No other text is looked for, so none becomes part of a key."""


class _Found:
    """What a load found: items of the inventory table by key, and ledger rows."""

    __slots__ = ("items", "rows", "transactional")

    def __init__(self, items: dict[ItemKey, Item], rows: list[Item], *, transactional: bool = False) -> None:
        self.items = items
        self.rows = rows
        self.transactional = transactional


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

    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        """Make a snapshot from the catalog items that are still trusted, and the last known states of stock items."""
        commands = _distinct(commands)
        stock: dict[StockItemId, StockItem] = {}
        snapshot = _snapshot(commands, self._catalog.trusted, stock, cached=True)
        for each in commands:
            try:
                _, stock_item_id = require_active(each, snapshot)
            except Refusal:
                return None  # something is not cached; what is not in use never is
            state = self._stock.trusted(keys.stock_item_key(*stock_item_id))
            if state is None:
                return None
            stock[stock_item_id] = state
        return snapshot

    def load(
        self,
        commands: Sequence[Command],
        recorded_ids: Sequence[UUID] = (),
        *,
        reverses: UUID | None = None,
        transactional: bool = False,
        require_time: Callable[[], None] = no_deadline,
    ) -> Snapshot:
        """Read catalog, stock items, ledger rows and the link to an earlier reversal in one call.

        The call is a BatchGetItem. With ``transactional`` it is a TransactGetItems, which costs twice as much and is
        cancelled while a write is in progress. A second call is needed for more than 100 keys, or if the default
        location or the variant of a SKU is not the last known one; then the load is not transactional.
        """
        commands = _distinct(commands)
        business_id = commands[0].business_id
        link_keys = [] if reverses is None else [keys.reversal_link_key(business_id, reverses)]
        catalog, stock_items = _keys_to_read(commands, self._catalog.last_known)
        found = self._read(
            catalog,
            [*stock_items, *link_keys],
            _row_keys(business_id, recorded_ids),
            transactional=transactional,
            require_time=require_time,
        )
        # What was known may be wrong, and some was not known. Now the default location and all SKUs are.
        right_catalog, right_items = _keys_to_read(commands, found.items.get)
        more_catalog = [key for key in right_catalog if key not in catalog]
        more_items = [key for key in right_items if key not in stock_items]
        if more_catalog or more_items:
            require_time()
            more = self._read(more_catalog, more_items, [], require_time=require_time)
            found = _Found(found.items | more.items, found.rows)
        link = found.items.get(link_keys[0]) if link_keys else None
        return _snapshot(commands, found.items.get, self._stock_in(found, right_items))._replace(
            recorded=adjustments_by_id(found.rows),
            reversed_by=None if link is None else reversal_id_of(link),
            transactional=found.transactional,
        )

    def _stock_in(self, found: _Found, stock_items: Mapping[ItemKey, StockItemId]) -> dict[StockItemId, StockItem]:
        """Convert the stock items that a load found, and cache their states."""
        stock: dict[StockItemId, StockItem] = {}
        for key, stock_item_id in stock_items.items():
            if key in found.items:
                stock[stock_item_id] = state = stock_item_of(found.items[key])
                self._stock.put(key, state, read_at_s=self._time_s())
        return stock

    def stock_item_ids(
        self, commands: Sequence[Command], *, require_time: Callable[[], None] = no_deadline
    ) -> list[StockItemId | None]:
        """Return the stock items, from the cache or by as many reads as it takes."""
        settings_key = keys.settings_key(commands[0].business_id)
        wanted = {_variant_key(each): None for each in commands if each.sku is not None}
        if any(each.location_id is None for each in commands):
            wanted[settings_key] = None
        found = self._read(list(wanted), [], [], require_time=require_time)
        return _stock_item_ids(commands, found.items.get, default_location_id_of(found.items.get(settings_key)))

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        """Read ledger rows in one transaction, because refusals depend on them.

        A batch of reads can see one half of a transaction without the other, and so a request that was applied would
        be refused:

            this request         reads: stock 0, no row       looks: no row, refuses
            its first attempt    ... commits stock 0                                    and its row ...

        A transaction sees all of the first attempt, and is cancelled while that one is in progress.
        """
        wanted = [(self._ledger_table, key) for key in _row_keys(business_id, adjustment_ids)]
        return adjustments_by_id(self._transact_get(wanted).rows) if wanted else {}

    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        """Update the stock items, append the rows, put the link of a reversal, and check messages: one transaction.

        It is the only write of the service to stock and ledger. The stock item's sequence number guards it, as every
        change of the stock item changes that number:

            this request     reads 41          decides 42   writes 42 if still 41: cancelled, decides 43 from 42
            another one              writes 42

        The parts are in the order of the stock items' keys, so two groups meet at the first item that both change.
        """
        after = _states_after(rows, snapshot.stock)
        parts = self._parts(rows, after, snapshot, link, message_digests)
        if len(parts) > OPERATIONS_MAX:
            raise ValueError("the rows do not make one transaction")
        stock_keys = [keys.stock_item_key(*each) for each in after]
        # Until the outcome is known, so are the stock items' states unknown.
        for key in stock_keys:
            self._stock.forget(key)
        try:
            with translated_failures():
                reply = self._client.transact_write_items(TransactItems=parts, ReturnConsumedCapacity="TOTAL")
        except self._client.exceptions.TransactionCanceledException as error:
            cancelled = _Cancelled(error, list(after), rows, message_digests, parts=len(parts))
            self._cache_seen(cancelled, snapshot)
            return cancelled.result(snapshot)
        require_complete(reply)
        for key, state in zip(stock_keys, after.values(), strict=True):
            self._stock.put(key, state, read_at_s=self._time_s())
        return Committed()

    def _cache_seen(self, cancelled: _Cancelled, snapshot: Snapshot) -> None:
        """Cache the stock items that were still as they were seen; the others are contended."""
        for stock_item_id, is_at_fault in cancelled.stock_items_at_fault():
            key = keys.stock_item_key(*stock_item_id)
            state = snapshot.stock.get(stock_item_id)
            if is_at_fault:
                self._stock.mark_contended(key)
            elif state is not None:
                self._stock.put(key, state, read_at_s=self._time_s())

    # ------------------------------------------------------------------------------------- the parts of the transaction

    def _parts(
        self,
        rows: Sequence[Adjustment],
        after: Mapping[StockItemId, StockItem],
        snapshot: Snapshot,
        link: ReversalLink | None,
        message_digests: Sequence[str],
    ) -> list[TransactWriteItemTypeDef]:
        parts: list[TransactWriteItemTypeDef] = [
            {"Update": self._stock_update(each, state, snapshot.stock.get(each))} for each, state in after.items()
        ]
        parts += [{"Put": self._row_put(row)} for row in rows]
        if link is not None:
            parts.append({"Put": self._link_put(rows[0].business_id, link)})
        parts += [{"ConditionCheck": self._not_rejected(each)} for each in message_digests]
        return parts

    def _stock_update(self, stock_item_id: StockItemId, after: StockItem, seen: StockItem | None) -> UpdateTypeDef:
        """Set the stock item to its new state, if it still is as it was seen."""
        values = stock_item_attributes(after)
        if seen is None:
            # No later write names these, so the index of a business's stock items costs an adjustment nothing.
            values |= stock_index_attributes(stock_item_id)
        return {
            "TableName": self._inventory_table,
            "Key": key_attributes(keys.stock_item_key(*stock_item_id)),
            "UpdateExpression": _setting(tuple(values)),
            "ConditionExpression": keys.ITEM_ABSENT if seen is None else _STOCK_AS_SEEN,
            "ExpressionAttributeNames": {"#sequence": "sequence"},
            "ExpressionAttributeValues": {
                **{f":{name}": value for name, value in values.items()},
                **({} if seen is None else _seen_values(seen)),
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _row_put(self, row: Adjustment) -> PutTypeDef:
        """Append a ledger row, if there is none with its id."""
        return put_if_absent(self._ledger_table, ledger_item(row))

    def _link_put(self, business_id: UUID, link: ReversalLink) -> PutTypeDef:
        """Record that a row or a group was reversed, and by which, if it never was. A link never changes."""
        return put_if_absent(self._inventory_table, reversal_link_item(business_id, link))

    def _not_rejected(self, message_digest: str) -> ConditionCheckTypeDef:
        """Check that no delivery of a message was rejected."""
        return absent(self._inventory_table, keys.rejection_key(message_digest))

    # --------------------------------------------------------------------------------------------------------- reading

    def _read(
        self,
        catalog: Sequence[ItemKey],
        current: Sequence[ItemKey],
        row_keys: Sequence[ItemKey],
        *,
        transactional: bool = False,
        require_time: Callable[[], None] = no_deadline,
    ) -> _Found:
        """Read items; of the ``catalog`` only those that the cache has not. Absent ones are left out."""
        cached = {key: item for key in catalog if (item := self._catalog.trusted(key)) is not None}
        missing = [key for key in catalog if key not in cached]
        wanted = [(self._ledger_table, key) for key in row_keys]
        wanted += [(self._inventory_table, key) for key in (*missing, *current)]
        read_at_s = self._time_s()
        # The rows that do not fit come first. If one is appended in between, the stock item has changed with it.
        found = _Found(cached, [])
        for earlier in _parts_before_last(wanted):
            found = _merged(found, self._batch_get(earlier))
            require_time()
        read = self._transact_get if transactional and len(wanted) <= KEYS_MAX else self._batch_get
        found = _merged(found, read(wanted[-KEYS_MAX:]))
        self._cache_catalog(missing, found, read_at_s)
        return found

    def _cache_catalog(self, catalog_keys: list[ItemKey], found: _Found, read_at_s: float) -> None:
        """Cache active items only: one that is absent or inactive, and so refuses requests, is read each time."""
        for key in catalog_keys:
            if is_active(found.items.get(key)):
                self._catalog.put(key, found.items[key], read_at_s=read_at_s)
            else:
                self._catalog.forget(key)

    def _transact_get(self, wanted: Sequence[_Wanted]) -> _Found:
        """Read items by key in one transaction."""
        parts: list[TransactGetItemTypeDef] = [
            {"Get": {"TableName": table, "Key": key_attributes(key)}} for table, key in wanted
        ]
        try:
            with translated_failures():
                reply = self._client.transact_get_items(TransactItems=parts, ReturnConsumedCapacity="TOTAL")
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = cancellation_reasons(error)
            if len(reasons) == len(parts) and are_among(reasons, TRANSIENT_REASONS):
                raise StoreUnavailable from error
            raise
        require_complete(reply)
        if len(reply["Responses"]) != len(parts):
            raise StoreUnavailable
        found: dict[str, list[Item]] = {self._inventory_table: [], self._ledger_table: []}
        for (table, _), part in zip(wanted, reply["Responses"], strict=True):
            if "Item" in part:
                found[table].append(part["Item"])
        return _Found(by_key(found[self._inventory_table]), found[self._ledger_table], transactional=True)

    def _batch_get(self, wanted: Sequence[_Wanted]) -> _Found:
        """Read items by key, strongly consistent."""
        by_table: dict[str, list[ItemKey]] = {self._inventory_table: [], self._ledger_table: []}
        for table, key in wanted:
            by_table[table].append(key)
        found = read_by_key(self._client, by_table)
        return _Found(by_key(found[self._inventory_table]), found[self._ledger_table])


def _parts_before_last(wanted: Sequence[_Wanted]) -> list[Sequence[_Wanted]]:
    """Cut off what does not fit into one read, in parts that each do."""
    end = len(wanted) - KEYS_MAX
    return [wanted[first : min(first + KEYS_MAX, end)] for first in range(0, end, KEYS_MAX)]


def _merged(earlier: _Found, later: _Found) -> _Found:
    return _Found(earlier.items | later.items, earlier.rows + later.rows, transactional=later.transactional)


def _distinct(commands: Sequence[Command]) -> Sequence[Command]:
    """Leave out commands for which the same has to be known as for another: many lines are often for one stock item."""
    if len(commands) == 1:
        return commands
    return [*{(each.sku, each.variant_id, each.location_id, each.reason_code): each for each in commands}.values()]


def _keys_to_read(
    commands: Sequence[Command], known: Callable[[ItemKey], Item | None]
) -> tuple[list[ItemKey], dict[ItemKey, StockItemId]]:
    """Return the keys of catalog items and of stock items, as far as they follow from the catalog that is known."""
    settings_key = keys.settings_key(commands[0].business_id)
    default_id = default_location_id_of(known(settings_key))
    stock_item_ids = _stock_item_ids(commands, known, default_id)
    catalog = [settings_key, *_catalog_keys(commands, default_id)]
    return catalog, {keys.stock_item_key(*each): each for each in stock_item_ids if each is not None}


def _catalog_keys(commands: Sequence[Command], default_id: UUID | None) -> list[ItemKey]:
    """Return the keys of variants or claims, locations and reason codes, each once."""
    wanted: dict[ItemKey, None] = {}
    for each in commands:
        wanted[_variant_key(each)] = None
        location_id = each.location_id or default_id
        if location_id is not None:
            wanted[keys.location_key(each.business_id, location_id)] = None
        if _is_own_reason(each.reason_code):
            wanted[keys.reason_key(each.business_id, each.reason_code)] = None
    return list(wanted)


def _is_own_reason(code: str | None) -> TypeIs[str]:
    """Whether the business may have registered the code."""
    return code is not None and code not in BUILT_IN_REASON_CODES and _REASON_CODE.fullmatch(code) is not None


def _variant_key(command: Command) -> ItemKey:
    """Return the key of the item that shows whether the variant is active: its own, or the claim on its SKU."""
    if command.sku is not None:
        return keys.sku_key(command.business_id, command.sku)
    return keys.variant_key(command.business_id, cast("UUID", command.variant_id))


def _stock_item_ids(
    commands: Sequence[Command], known: Callable[[ItemKey], Item | None], default_id: UUID | None
) -> list[StockItemId | None]:
    """Return which stock item each command is for; None where that does not follow from what is known."""
    found: list[StockItemId | None] = []
    for each in commands:
        variant_id = each.variant_id if each.sku is None else _variant_of(known(_variant_key(each)))
        location_id = each.location_id or default_id
        if variant_id is None or location_id is None:
            found.append(None)
        else:
            found.append(StockItemId(each.business_id, variant_id, location_id))
    return found


def _variant_of(claim: Item | None) -> UUID | None:
    return None if claim is None else variant_id_of_sku(claim)


def _snapshot(
    commands: Sequence[Command],
    known: Callable[[ItemKey], Item | None],
    stock: Mapping[StockItemId, StockItem],
    *,
    cached: bool = False,
) -> Snapshot:
    """Make a snapshot of catalog and stock. ``known`` gives the catalog's items."""
    settings = known(keys.settings_key(commands[0].business_id))
    default_id = default_location_id_of(settings)
    variants: dict[UUID | str, UUID] = {}
    locations: set[UUID] = set()
    reasons: dict[str, Direction] = {}
    for each in commands:
        variant = known(_variant_key(each))
        if variant is not None and is_active(variant):
            variants[variant_name(each)] = each.variant_id or variant_id_of_sku(variant)
        location_id = each.location_id or default_id
        if location_id is not None and is_active(known(keys.location_key(each.business_id, location_id))):
            locations.add(location_id)
        if _is_own_reason(each.reason_code):
            reason = known(keys.reason_key(each.business_id, each.reason_code))
            if reason is not None and is_active(reason):
                reasons[each.reason_code] = reason_direction_of(reason)
    return Snapshot(
        business=None if settings is None else business_of(settings),
        variants=variants,
        locations=locations,
        reasons=reasons,
        stock=stock,
        recorded={},
        cached=cached,
    )


def _row_keys(business_id: UUID, adjustment_ids: Sequence[UUID]) -> list[ItemKey]:
    """Return each key once: DynamoDB refuses a read that names a key twice."""
    return [keys.ledger_row_key(business_id, each) for each in dict.fromkeys(adjustment_ids)]


@lru_cache
def _setting(names: tuple[str, ...]) -> str:
    """Write the expression that sets some attributes. There are only a few of them."""
    return "SET " + ", ".join(f"{_ATTRIBUTE_NAMES.get(name, name)} = :{name}" for name in names)


def _seen_values(seen: StockItem) -> dict[str, AttributeValueTypeDef]:
    return {
        ":seen": {"N": str(seen.sequence)},
        ":seen_quantity": {"N": str(seen.quantity)},
        ":seen_hash": {"S": seen.head_hash},
    }


def _states_after(rows: Sequence[Adjustment], seen: Mapping[StockItemId, StockItem]) -> dict[StockItemId, StockItem]:
    """Return the states that rows leave of their stock items, in the order of the items' keys."""
    after: dict[StockItemId, StockItem] = {}
    for row in rows:
        stock_item_id = row.stock_item_id
        after[stock_item_id] = stock_after(row, after.get(stock_item_id) or seen.get(stock_item_id))
    return after if len(after) == 1 else dict(sorted(after.items()))


class _Cancelled:
    """Why a transaction was cancelled: its reasons by position, for stock items, rows, the link and messages.

    Raises:
        ClientError: the reasons are not those of this transaction.
    """

    def __init__(
        self,
        error: ClientError,
        stock_item_ids: Sequence[StockItemId],
        rows: Sequence[Adjustment],
        message_digests: Sequence[str],
        *,
        parts: int,
    ) -> None:
        self._error = error
        self._stock_item_ids = stock_item_ids
        self._message_digests = message_digests
        self._reasons = cancellation_reasons(error)
        self._link_index = len(stock_item_ids) + len(rows)
        self._first_message = parts - len(message_digests)
        if len(self._reasons) != parts:
            raise error

    def stock_items_at_fault(self) -> list[tuple[StockItemId, bool]]:
        """Return each stock item, and whether its part was at fault."""
        pairs = zip(self._stock_item_ids, self._reasons, strict=False)
        return [(stock_item_id, reason.get("Code") != NOT_AT_FAULT) for stock_item_id, reason in pairs]

    def result(self, snapshot: Snapshot) -> Snapshot | Contended:
        """Translate the reasons. Unknown ones are raised again."""
        existing = {
            position: reason["Item"]
            for position, reason in enumerate(self._reasons)
            if reason.get("Code") == CONDITION_FAILED and "Item" in reason
        }
        if existing:
            return self._changed(snapshot, existing)
        # A condition failed, but the reply holds no item: it is gone again, so it must be read.
        if are_among(self._reasons, TRANSIENT_REASONS | {CONDITION_FAILED}):
            return Contended()
        raise self._error

    def _changed(self, snapshot: Snapshot, existing: Mapping[int, Item]) -> Snapshot:
        """Return the snapshot with the items that failed the conditions."""
        first_row = len(self._stock_item_ids)
        stock = {
            self._stock_item_ids[position]: stock_item_of(item)
            for position, item in existing.items()
            if position < first_row
        }
        recorded = [item for position, item in existing.items() if first_row <= position < self._link_index]
        link = existing.get(self._link_index) if self._link_index < self._first_message else None
        rejected = {
            self._message_digests[position - self._first_message]: rejection_of(item)
            for position, item in existing.items()
            if position >= self._first_message
        }
        return snapshot._replace(
            recorded={**snapshot.recorded, **adjustments_by_id(recorded)},
            stock={**snapshot.stock, **stock},
            reversed_by=snapshot.reversed_by if link is None else reversal_id_of(link),
            rejected={**snapshot.rejected, **rejected},
            cached=False,
            transactional=False,
        )
