"""The catalog's items on DynamoDB, and the one transaction that a command writes.

A command reads the items that it is about, decides, and writes on condition that each of them is as it was read. The
condition is ``updated_at``, which is different after every write. So two operators can't undo each other's work by
accident. An attempt that timed out can't do so either, however late it arrives:

    register      attempt     again: done                 ... the first attempt arrives: the item has changed, refused
    deactivate                              done
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.aws.failures import CONDITION_FAILED, TRANSIENT_REASONS, require_complete, translated_failures
from inventory.domain.catalog import Variant
from inventory.domain.errors import BusinessNotFound
from inventory.domain.timestamps import TICK, instant_text, parse_instant
from inventory.domain.uuids import uuid_of, uuid_text
from inventory.storage import keys
from inventory.storage.items import by_key, is_active, key_attributes
from inventory.storage.lookups import read_by_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, DeleteTypeDef, PutTypeDef, TransactWriteItemTypeDef

    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey
    from inventory.storage.stock_index import StockIndex
    from inventory.storage.stock_indexing import StockIndexing

    type Values = Mapping[str, AttributeValueTypeDef | None]
    type NewValues = dict[str, AttributeValueTypeDef | None]

_AS_SEEN: Final = "updated_at = :seen"

_AS_SEEN_WITHOUT_TIME: Final = "attribute_exists(pk) AND attribute_not_exists(updated_at)"
"""The condition on an item that somebody wrote by hand."""

_ANOTHER_WRITER: Final = TRANSIENT_REASONS | {CONDITION_FAILED}
"""Reasons for a cancelled transaction after which the command is decided again."""


class Change(NamedTuple):
    """What a command makes of one item.

    Attributes:
        key: the item's key.
        seen: the item as it was read; None where there was none.
        values: replace those of ``seen``; one that is None is removed. None removes the whole item.
    """

    key: ItemKey
    seen: Item | None
    values: Values | None

    @property
    def alters(self) -> bool:
        """Whether the item will be another one than the one that was seen."""
        seen = self.seen
        if seen is None or self.values is None:
            return self.values is not self.seen
        return any(seen.get(name) != value for name, value in self.values.items())


class Catalog:
    """Reads and writes the items. Each method is one call, and raises ``StoreUnavailable`` without a whole answer."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def stock_indexing(self) -> StockIndexing:
        """Give what puts stock items of the same table into their index."""
        from inventory.storage.stock_indexing import StockIndexing  # noqa: PLC0415  needed once a stack

        return StockIndexing(self._client, self._table_name)

    def stock_index(self) -> StockIndex:
        """Give what reads the index of the same table's stock items."""
        from inventory.storage.stock_index import StockIndex  # noqa: PLC0415  needed after a deactivation only

        return StockIndex(self._client, self._table_name)

    def require_businesses(self, business_ids: Iterable[UUID]) -> None:
        """Raise ``BusinessNotFound`` unless all of them, at most 100, exist. A business is never removed."""
        wanted = [keys.settings_key(each) for each in business_ids]
        if len(self.items(wanted)) != len(wanted):
            raise BusinessNotFound

    def items(self, wanted: Iterable[ItemKey]) -> dict[ItemKey, Item]:
        """Read at most 100 items, strongly consistent; absent ones are left out."""
        return by_key(read_by_key(self._client, {self._table_name: [*dict.fromkeys(wanted)]})[self._table_name])

    def write(self, changes: Sequence[Change], now: datetime) -> bool:
        """Make all of at most 100 changes, or none where another writer was faster. Without any there is no call.

        ``now`` is stored for people who look at the table, and to tell an item's states apart. So it is moved on where
        an item that was seen is not older.

        Returns:
            Whether the items are now as the changes say.

        Raises:
            StoreUnavailable: the outcome is unknown.
        """
        if not any(change.alters for change in changes):
            return True
        try:
            with translated_failures():
                reply = self._client.transact_write_items(
                    TransactItems=[self._part(change, now) for change in changes], ReturnConsumedCapacity="TOTAL"
                )
        except self._client.exceptions.TransactionCanceledException as error:
            codes = {reason.get("Code") for reason in error.response["CancellationReasons"]}
            if _ANOTHER_WRITER.isdisjoint(codes):
                raise
            return False
        require_complete(reply)
        return True

    def _part(self, change: Change, now: datetime) -> TransactWriteItemTypeDef:
        condition, values = _guard(change.seen)
        if change.values is None:
            delete: DeleteTypeDef = {
                "TableName": self._table_name,
                "Key": key_attributes(change.key),
                "ConditionExpression": condition,
            }
            if values:
                delete["ExpressionAttributeValues"] = values
            return {"Delete": delete}
        put: PutTypeDef = {
            "TableName": self._table_name,
            "Item": _item(change, now),
            "ConditionExpression": condition,
        }
        if values:
            put["ExpressionAttributeValues"] = values
        return {"Put": put}


def _guard(seen: Item | None) -> tuple[str, dict[str, AttributeValueTypeDef]]:
    """Make the condition that an item is still as it was seen, and the values in it."""
    if seen is None:
        return keys.ITEM_ABSENT, {}
    seen_at = _updated_at(seen)
    return (_AS_SEEN_WITHOUT_TIME, {}) if seen_at is None else (_AS_SEEN, {":seen": {"S": seen_at}})


def _item(change: Change, now: datetime) -> Item:
    """Make the whole item. It keeps the time of its first registration, and attributes that no rule here knows."""
    seen_at = _updated_at(change.seen)
    at = instant_text(now if seen_at is None else max(now, parse_instant(seen_at) + TICK))
    created: Values = {"created_at": {"S": at}} if change.seen is None else {}
    whole: Values = {
        **key_attributes(change.key),
        **created,
        **(change.seen or {}),
        **(change.values or {}),
        "updated_at": {"S": at},
    }
    return {name: value for name, value in whole.items() if value is not None}


def _updated_at(item: Item | None) -> str | None:
    return None if item is None or "updated_at" not in item else item["updated_at"]["S"]


# ------------------------------------------------------------------------------------------------------- the codecs


def business_id_of(settings: Item) -> UUID:
    """Return which business the settings are of."""
    return uuid_of(settings["pk"]["S"].partition("#")[2])


def variant_id_of(item: Item) -> UUID:
    """Return the id of a variant's item."""
    return uuid_of(item["sk"]["S"].removeprefix(keys.VARIANTS))


def variant_of(item: Item) -> Variant:
    """Convert an item to its variant."""
    return Variant(
        sku=item["sku"]["S"] if "sku" in item else None,
        name=item["name"]["S"] if "name" in item else None,
        active=is_active(item),
    )


def variant_values(variant: Variant) -> Values:
    """Convert a variant to the values of its item."""
    return {
        "sku": None if variant.sku is None else {"S": variant.sku},
        "name": None if variant.name is None else {"S": variant.name},
        "active": {"BOOL": variant.active},
    }


def claimed_by(claim: Item) -> UUID:
    """Return the variant that a claim names."""
    return uuid_of(claim["variant_id"]["S"])


def claim_values(sku: str, variant_id: UUID) -> Values:
    """Make the values of a claim."""
    return {"sku": {"S": sku}, "variant_id": {"S": uuid_text(variant_id)}}
