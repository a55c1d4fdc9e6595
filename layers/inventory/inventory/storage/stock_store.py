"""The store on DynamoDB: its items, the one transaction, and the reading of cancellation reasons."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TypedDict, cast

from inventory.aws.failures import CONDITION_FAILED, TRANSIENT_REASONS, require_complete, translated_failures
from inventory.domain.errors import StoreUnavailable
from inventory.domain.model import Adjustment, Command, Snapshot, StockItem
from inventory.domain.rules import stock_after
from inventory.domain.store import CommitResult, Committed, Contended, no_deadline
from inventory.domain.timestamps import instant_text
from inventory.storage import keys
from inventory.storage.cache import KnownStock, Memory
from inventory.storage.items import (
    adjustments_by_id,
    business_of,
    default_location_id_of,
    inventory_key_of,
    is_active,
    ledger_item,
    link_reversal_id,
    stock_item_of,
)
from inventory.storage.lookups import KEYS_MAX, read_by_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
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

    from inventory.storage.items import InventoryKey, Item

CATALOG_LIFETIME_S: Final = 60
"""Seconds for which an active variant, an active location and a business's settings are taken as read."""

CATALOG_ENTRIES_MAX: Final = 10_000


class _PartIndex(IntEnum):
    """Where each part stands in the transaction, and so its reason among the cancellation reasons.

    The rows follow one another; behind them, in a reversal's transaction only, comes the link.
    """

    STOCK = 0
    FIRST_ROW = 1


class _CancellationReason(TypedDict, total=False):
    Code: str
    Item: dict[str, AttributeValueTypeDef]


_NOT_AT_FAULT: Final = "None"


class DynamoDBStore:
    """The two tables of the write path behind ``adjust.Store``. ``time_s`` is the wall clock in seconds."""

    def __init__(
        self, client: DynamoDBClient, *, inventory_table: str, ledger_table: str, time_s: Callable[[], float]
    ) -> None:
        self._client = client
        self._inventory_table = inventory_table
        self._ledger_table = ledger_table
        self._time_s = time_s
        self._catalog: Memory[InventoryKey, Item] = Memory(
            lifetime_s=CATALOG_LIFETIME_S, entries_max=CATALOG_ENTRIES_MAX, time_s=time_s
        )
        self._stock: KnownStock[InventoryKey] = KnownStock(time_s)

    def cached(self, command: Command) -> Snapshot | None:
        """Put together what was read or written before: catalog items still trusted, and the stock item's state."""
        settings = self._catalog.trusted((keys.business(command.business_id), keys.SETTINGS))
        variant = self._catalog.trusted((keys.business(command.business_id), keys.variant(command.variant_id)))
        location_id = command.location_id or default_location_id_of(settings)
        if settings is None or variant is None or location_id is None:
            return None
        location = self._catalog.trusted((keys.business(command.business_id), keys.location(location_id)))
        stock = self._stock.state(_stock_key(command.business_id, command.variant_id, location_id))
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

        That is a BatchGetItem, or for ``transactional`` a TransactGetItems, which costs twice as much and is cancelled
        by a write that is under way. A second one follows where that would be more than 100 keys, and where no location
        is named and the business's default one was never seen here: then the whole is not of one moment.
        """
        settings_key = (keys.business(command.business_id), keys.SETTINGS)
        variant_key = (keys.business(command.business_id), keys.variant(command.variant_id))
        location_id = command.location_id or default_location_id_of(self._catalog.last_known(settings_key))

        items, recorded, in_one_transaction = self._read(
            command,
            [settings_key, variant_key],
            location_id,
            recorded_ids,
            transactional=transactional,
            require_time=require_time,
        )
        settings = items.get(settings_key)
        if command.location_id is None and location_id != default_location_id_of(settings):
            location_id = default_location_id_of(settings)
            if location_id is not None:
                require_time()
                more, _, _ = self._read(command, [], location_id, [], transactional=False, require_time=require_time)
                items |= more
                in_one_transaction = False

        stock = None
        if location_id is not None:
            stock = self._see(_stock_key(command.business_id, command.variant_id, location_id), items)
        link = None if command.reverses is None else items.get(_link_key(command.business_id, command.reverses))
        return Snapshot(
            business=None if settings is None else business_of(settings),
            variant_active=is_active(items.get(variant_key)),
            location_id=location_id,
            location_active=location_id is not None
            and is_active(items.get((keys.business(command.business_id), keys.location(location_id)))),
            stock=stock,
            recorded=adjustments_by_id(recorded),
            reversed_by=None if link is None else link_reversal_id(link),
            transactional=in_one_transaction,
        )

    def _see(self, key: InventoryKey, items: Mapping[InventoryKey, Item]) -> StockItem | None:
        """The stock item among what was read, remembered."""
        item = items.get(key)
        if item is None:
            return None
        stock = stock_item_of(item)
        self._stock.saw(key, stock)
        return stock

    def default_location_id(self, business_id: UUID) -> UUID | None:
        """Remember the business's default location, or read it."""
        settings_key = (keys.business(business_id), keys.SETTINGS)
        settings = self._catalog.trusted(settings_key)
        if settings is None:
            read_at_s = self._time_s()
            settings = self._batch_get([settings_key], [])[0].get(settings_key)
            if settings is not None:
                self._catalog.remember(settings_key, settings, read_at_s=read_at_s)
        return default_location_id_of(settings)

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        """Read ledger rows in one transaction, for this is what a refusal rests on.

        Batches of reads may see the halves of a transaction one after the other, and so refuse what was done:

            this request     reads: stock 0, no row     looks: no row, refuses
            its first try    ... commits stock 0                                  and its row ...

        A read that is a transaction itself sees all of the first try; while that is under way, it is cancelled.
        """
        wanted = _ledger_keys(business_id, adjustment_ids)
        if not wanted:
            return {}
        _, rows = self._transact_get([], wanted)
        return adjustments_by_id(rows)

    def commit(self, rows: Sequence[Adjustment], snapshot: Snapshot) -> CommitResult:
        """Update the stock item, append the rows, and link what one reverses to it: one transaction.

        It is the only write of the service to stock and ledger.

        The stock item's sequence number is its guard. Whatever has changed it since it was seen has moved that number:

            this request     reads 41          decides 42   writes 42 if still 41: refused, decides again from 42
            another one              writes 42
        """
        puts = [self._append(row) for row in rows]
        puts += [self._link(row, row.reverses) for row in rows if row.reverses is not None]
        parts: list[TransactWriteItemTypeDef] = [{"Update": self._stock_update(rows[-1], snapshot.stock)}]
        parts += [{"Put": put} for put in puts]
        stock_key = _stock_key(rows[-1].business_id, rows[-1].variant_id, rows[-1].location_id)
        # Until it is known what became of this, the state that it was to change is not known either.
        self._stock.forget(stock_key)
        try:
            with translated_failures():
                reply = self._client.transact_write_items(TransactItems=parts, ReturnConsumedCapacity="TOTAL")
        except self._client.exceptions.TransactionCanceledException as error:
            result = _cancelled(error, rows, snapshot, parts=len(parts))
            if isinstance(result, Contended) or result.stock != snapshot.stock:
                self._stock.mark_contended(stock_key)
            elif result.stock is not None:
                self._stock.saw(stock_key, result.stock)
            return result
        require_complete(reply)
        self._stock.saw(stock_key, stock_after(rows[-1]))
        return Committed()

    def _stock_update(self, last_row: Adjustment, seen: StockItem | None) -> UpdateTypeDef:
        """The stock item as the last row leaves it, if it still is what was seen."""
        # Against other writers the sequence alone would do. The hash, as a remembered state may be older than a table
        # that was restored from a backup: the numbers that were given out since then are given out again. The quantity,
        # as what somebody has set by hand must not be overwritten as if it had never been.
        stock_unmoved = (
            "#sequence = :seen AND quantity = :seen_quantity AND head_hash = :seen_hash"
            if seen
            else "attribute_not_exists(pk)"
        )
        after = stock_after(last_row)
        return {
            "TableName": self._inventory_table,
            "Key": {
                "pk": {"S": keys.stock(last_row.business_id, last_row.variant_id)},
                "sk": {"S": str(last_row.location_id)},
            },
            "UpdateExpression": "SET quantity = :quantity, #sequence = :sequence, updated_at = :at, head_hash = :hash",
            "ConditionExpression": stock_unmoved,
            "ExpressionAttributeNames": {"#sequence": "sequence"},
            "ExpressionAttributeValues": {
                ":quantity": {"N": str(after.quantity)},
                ":sequence": {"N": str(after.sequence)},
                ":at": {"S": instant_text(after.updated_at)},
                ":hash": {"S": after.head_hash},
                **(_seen_values(seen) if seen else {}),
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _append(self, row: Adjustment) -> PutTypeDef:
        """A ledger row, if there is none of its id."""
        row_absent = "attribute_not_exists(pk)"
        return {
            "TableName": self._ledger_table,
            "Item": ledger_item(row),
            "ConditionExpression": row_absent,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _link(self, reversal: Adjustment, reversed_id: UUID) -> PutTypeDef:
        """The mark that an adjustment was reversed, and by which: put once, never changed."""
        never_reversed = "attribute_not_exists(pk)"
        pk, sk = _link_key(reversal.business_id, reversed_id)
        return {
            "TableName": self._inventory_table,
            "Item": {"pk": {"S": pk}, "sk": {"S": sk}, "reversal_id": {"S": str(reversal.id)}},
            "ConditionExpression": never_reversed,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _read(
        self,
        command: Command,
        catalog_keys: list[InventoryKey],
        location_id: UUID | None,
        recorded_ids: Sequence[UUID],
        *,
        transactional: bool,
        require_time: Callable[[], None],
    ) -> tuple[dict[InventoryKey, Item], list[Item], bool]:
        """Read catalog items (or remember them), and stock item, link and ledger rows where their ids are known.

        Returns:
            Items of the inventory table by key, ledger rows, and whether all that was read is of one moment.
        """
        moving_keys: list[InventoryKey] = []
        if location_id is not None:
            catalog_keys = [*catalog_keys, (keys.business(command.business_id), keys.location(location_id))]
            moving_keys.append(_stock_key(command.business_id, command.variant_id, location_id))
        if command.reverses is not None:
            moving_keys.append(_link_key(command.business_id, command.reverses))

        remembered = {key: item for key in catalog_keys if (item := self._catalog.trusted(key)) is not None}
        missing = [key for key in catalog_keys if key not in remembered]
        inventory_keys = [*missing, *moving_keys]
        ledger_keys = _ledger_keys(command.business_id, recorded_ids)
        in_one_call = KEYS_MAX - len(inventory_keys)
        read_at_s = self._time_s()
        fits = len(ledger_keys) <= in_one_call
        # The rows that do not fit come first: a row that is appended in between is then one that moves the stock item.
        rows: list[Item] = []
        if not fits:
            _, rows = self._batch_get([], ledger_keys[in_one_call:])
            require_time()
        read = self._transact_get if transactional and fits else self._batch_get
        found, others = read(inventory_keys, ledger_keys[:in_one_call])
        for key in missing:
            # Only what lets a request pass is remembered: an absent or inactive item is looked for each time.
            if is_active(found.get(key)):
                self._catalog.remember(key, found[key], read_at_s=read_at_s)
            else:
                self._catalog.forget(key)
        return remembered | found, rows + others, transactional and fits

    def _transact_get(
        self, inventory_keys: list[InventoryKey], ledger_keys: list[str]
    ) -> tuple[dict[InventoryKey, Item], list[Item]]:
        """Read items by key, all of one moment; absent ones are left out."""
        parts: list[TransactGetItemTypeDef] = [
            {"Get": {"TableName": self._inventory_table, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}}
            for pk, sk in inventory_keys
        ]
        parts += [{"Get": {"TableName": self._ledger_table, "Key": {"pk": {"S": pk}}}} for pk in ledger_keys]
        try:
            with translated_failures():
                reply = self._client.transact_get_items(TransactItems=parts, ReturnConsumedCapacity="TOTAL")
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = _reasons(error)
            if len(reasons) == len(parts) and _may_pass(reasons, TRANSIENT_REASONS):
                raise StoreUnavailable from error
            raise
        require_complete(reply)
        if len(reply["Responses"]) != len(parts):
            raise StoreUnavailable
        found = [each.get("Item") for each in reply["Responses"]]
        of_inventory, of_ledger = found[: len(inventory_keys)], found[len(inventory_keys) :]
        return (
            {inventory_key_of(item): item for item in of_inventory if item is not None},
            [item for item in of_ledger if item is not None],
        )

    def _batch_get(
        self, inventory_keys: list[InventoryKey], ledger_keys: list[str]
    ) -> tuple[dict[InventoryKey, Item], list[Item]]:
        """Read items by key, strongly consistent; absent ones are left out."""
        found = read_by_key(
            self._client,
            {
                self._inventory_table: [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in inventory_keys],
                self._ledger_table: [{"pk": {"S": pk}} for pk in ledger_keys],
            },
        )
        return {inventory_key_of(item): item for item in found[self._inventory_table]}, found[self._ledger_table]


def _cancelled(
    error: ClientError, rows: Sequence[Adjustment], snapshot: Snapshot, *, parts: int
) -> Snapshot | Contended:
    """Translate the reasons for a cancelled transaction, each by its position; what is not understood is raised."""
    reasons = _reasons(error)
    if len(reasons) != parts:
        raise error
    there = {
        position: reason["Item"]
        for position, reason in enumerate(reasons)
        if reason.get("Code") == CONDITION_FAILED and "Item" in reason
    }
    if there:
        behind_rows = _PartIndex.FIRST_ROW + len(rows)
        recorded = [item for position, item in there.items() if _PartIndex.FIRST_ROW <= position < behind_rows]
        stock, link = there.get(_PartIndex.STOCK), there.get(behind_rows)
        return replace(
            snapshot,
            recorded={**snapshot.recorded, **adjustments_by_id(recorded)},
            stock=snapshot.stock if stock is None else stock_item_of(stock),
            reversed_by=snapshot.reversed_by if link is None else link_reversal_id(link),
            cached=False,
            transactional=False,
        )
    # A condition that failed on an item that is not handed back: the item is gone again, so it must be read.
    if _may_pass(reasons, TRANSIENT_REASONS | {CONDITION_FAILED}):
        return Contended()
    raise error


def _reasons(error: ClientError) -> list[_CancellationReason]:
    """Why a transaction was cancelled: a reason for each of its parts, in their order."""
    return cast("list[_CancellationReason]", error.response.get("CancellationReasons", []))


def _may_pass(reasons: Sequence[_CancellationReason], passing: AbstractSet[str]) -> bool:
    """Whether a part was at fault, and each that was for a reason that may be gone when it is tried again."""
    at_fault = {reason.get("Code") for reason in reasons} - {_NOT_AT_FAULT}
    return bool(at_fault) and at_fault <= passing


def _seen_values(seen: StockItem) -> dict[str, AttributeValueTypeDef]:
    return {
        ":seen": {"N": str(seen.sequence)},
        ":seen_quantity": {"N": str(seen.quantity)},
        ":seen_hash": {"S": seen.head_hash},
    }


def _stock_key(business_id: UUID, variant_id: UUID, location_id: UUID) -> InventoryKey:
    return keys.stock(business_id, variant_id), str(location_id)


def _ledger_keys(business_id: UUID, adjustment_ids: Sequence[UUID]) -> list[str]:
    """Each once: DynamoDB refuses a read that names a key twice."""
    return [keys.ledger(business_id, each) for each in dict.fromkeys(adjustment_ids)]


def _link_key(business_id: UUID, adjustment_id: UUID) -> InventoryKey:
    return keys.reversal(business_id, adjustment_id), keys.REVERSAL
