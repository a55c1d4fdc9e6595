"""Strongly consistent reads by key: adjustments, stock items, the catalog."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from inventory.aws.failures import require_complete, translated_failures
from inventory.domain.errors import StockItemUnreadable, StoreUnavailable
from inventory.domain.rules import group_row_ids, reversal_of
from inventory.domain.uuids import uuid_of
from inventory.storage import keys
from inventory.storage.items import (
    by_key,
    is_active,
    key_attributes,
    key_of,
    read_adjustment,
    read_reversal_link,
    read_stock_at_location,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        KeysAndAttributesTypeDef,
        QueryInputTypeDef,
    )

    from inventory.domain.model import Adjustment, StockItem, StockItemId
    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey

KEYS_MAX: Final = 100
"""Keys of one BatchGetItem."""


def read_by_key(client: DynamoDBClient, wanted: Mapping[str, Sequence[ItemKey]]) -> dict[str, list[Item]]:
    """Read items of one or more tables by key: one BatchGetItem of at most ``KEYS_MAX`` keys, strongly consistent.

    Returns:
        The items of each table that exist, in no order.

    Raises:
        StoreUnavailable: there was no complete answer.
    """
    request: dict[str, KeysAndAttributesTypeDef] = {
        table: {"Keys": [key_attributes(key) for key in item_keys], "ConsistentRead": True}
        for table, item_keys in wanted.items()
        if item_keys
    }
    if not request:
        return {table: [] for table in wanted}
    with translated_failures():
        reply = client.batch_get_item(RequestItems=request)
    # DynamoDB returns throttled keys unread. A damaged reply can arrive as an empty one, without an error.
    if "Responses" not in reply or reply.get("UnprocessedKeys"):
        raise StoreUnavailable
    return {table: list(reply["Responses"].get(table, [])) for table in wanted}


def _reversed_as(row: Adjustment) -> UUID:
    """Return the id under which the reversal of a row is linked: a row of a group is reversed with its group."""
    return row.group_id or row.id


def _reversal_in(links: Sequence[Item], row: Adjustment) -> UUID | None:
    """Return the id of the row that reverses a row; None where no link says so."""
    key = keys.reversal_link_key(row.business_id, _reversed_as(row))
    found = (read_reversal_link(link) for link in links if key_of(link) == key)
    link = next(found, None)
    return None if link is None else reversal_of(row, link)


class StockItemsPage(NamedTuple):
    """Stock items of one variant with their locations' ids, in the order of these.

    ``next_after`` is the location after which the next page begins, None at the end. An empty page can have a next one.
    """

    stock_items: list[tuple[UUID, StockItem]]
    next_after: UUID | None


class Lookups:
    """Reads by key. Each method is one call, and raises ``StoreUnavailable`` where it got no complete answer."""

    def __init__(self, client: DynamoDBClient, *, inventory_table: str, ledger_table: str) -> None:
        self._client = client
        self._inventory_table = inventory_table
        self._ledger_table = ledger_table

    def adjustment(self, business_id: UUID, adjustment_id: UUID) -> tuple[Adjustment, UUID | None] | None:
        """Read a ledger row, and the id of its reversal or None. A later row of a group takes a second call.

        Raises:
            RowUnreadable: the item under its key is not a row.
        """
        rows, links = self._by_key(
            ledger=[keys.ledger_row_key(business_id, adjustment_id)],
            inventory=[keys.reversal_link_key(business_id, adjustment_id)],
        )
        if not rows:
            return None
        row = read_adjustment(rows[0])
        if _reversed_as(row) != adjustment_id:
            return row, self.reversals(business_id, [row]).get(adjustment_id)
        return row, _reversal_in(links, row)

    def reversals(self, business_id: UUID, rows: Sequence[Adjustment]) -> dict[UUID, UUID]:
        """Read which of at most ``KEYS_MAX`` rows were reversed, and by which. A row may come twice.

        A link that names no reversal counts as absent.
        """
        # A set, as DynamoDB refuses a read that names a key twice.
        wanted = {keys.reversal_link_key(business_id, _reversed_as(row)) for row in rows}
        _, links = self._by_key(inventory=[*wanted])
        return {row.id: reversal for row in rows if (reversal := _reversal_in(links, row)) is not None}

    def group(self, business_id: UUID, group_id: UUID) -> list[Adjustment] | None:
        """Read all rows of a group, in their order, in at most two calls; None if there is no such group.

        Raises:
            StoreUnavailable: some rows are there and some not yet.
            RowUnreadable: an item under one of their keys is not a row.
        """
        found, _ = self._by_key(ledger=[keys.ledger_row_key(business_id, group_id)])
        first = read_adjustment(found[0]) if found else None
        if first is None or first.group_id != group_id:
            return None
        _, *later = group_row_ids(first)
        found, _ = self._by_key(ledger=[keys.ledger_row_key(business_id, each) for each in later])
        rows = {row.id: row for row in map(read_adjustment, found)}
        if len(rows) < len(later):
            raise StoreUnavailable
        return [first, *(rows[each] for each in later)]

    def stock_item(self, business_id: UUID, variant_id: UUID, location_id: UUID) -> Item | None:
        """Read one stock item as it is stored, readable or not.

        None where the variant was never adjusted at the location.
        """
        _, found = self._by_key(inventory=[keys.stock_item_key(business_id, variant_id, location_id)])
        return found[0] if found else None

    def stock_items_by_id(self, stock_item_ids: Sequence[StockItemId]) -> dict[StockItemId, Item]:
        """Read at most ``KEYS_MAX`` stock items as they are stored, readable or not; absent ones are left out."""
        id_of_key = {keys.stock_item_key(*each): each for each in stock_item_ids}
        _, found = self._by_key(inventory=[*id_of_key])
        return {id_of_key[key_of(item)]: item for item in found}

    def skus(self, business_id: UUID, variant_ids: Iterable[UUID]) -> dict[UUID, str]:
        """Read the SKUs of at most ``KEYS_MAX`` variants, active or not; one without a SKU is left out."""
        id_of_key = {keys.variant_key(business_id, each): each for each in variant_ids}
        _, found = self._by_key(inventory=[*id_of_key])
        return {id_of_key[key_of(item)]: item["sku"]["S"] for item in found if "sku" in item}

    def variant_of_sku(self, business_id: UUID, sku: str) -> UUID | None:
        """Read which active variant has a SKU; None where none has."""
        _, found = self._by_key(inventory=[keys.sku_key(business_id, sku)])
        return uuid_of(found[0]["variant_id"]["S"]) if found else None

    def catalog_items(self, item_keys: Sequence[ItemKey]) -> dict[ItemKey, Item]:
        """Read at most ``KEYS_MAX`` items of the catalog; absent ones are left out."""
        return by_key(self._by_key(inventory=item_keys)[1])

    def catalog_page(
        self, business_id: UUID, prefix: str, *, after: str | None, limit: int
    ) -> tuple[list[Item], str | None]:
        """Read a business's catalog items whose sort keys begin with ``prefix``, after one of these sort keys.

        Returns:
            The items, in the order of their sort keys, and the key after which the next page begins, None at the end.
        """
        request: QueryInputTypeDef = {
            "TableName": self._inventory_table,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":pk": {"S": keys.business(business_id)}, ":prefix": {"S": prefix}},
            # One more than the page has shows whether there is a next page.
            "Limit": limit + 1,
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if after is not None:
            request["ExclusiveStartKey"] = key_attributes((keys.business(business_id), after))
        with translated_failures():
            reply = self._client.query(**request)
        require_complete(reply)
        items = reply["Items"][:limit]
        has_more = len(reply["Items"]) > limit or (bool(items) and "LastEvaluatedKey" in reply)
        return [*items], items[-1]["sk"]["S"] if has_more else None

    def adjustments(self, business_id: UUID, adjustment_ids: Iterable[UUID]) -> dict[UUID, Adjustment]:
        """Read at most ``KEYS_MAX`` ledger rows; absent ones are left out.

        Raises:
            RowUnreadable: an item under one of the keys is not a row.
        """
        wanted = dict.fromkeys(keys.ledger_row_key(business_id, each) for each in adjustment_ids)
        rows = map(read_adjustment, self._by_key(ledger=[*wanted])[0])
        return {row.id: row for row in rows}

    def ledger_row(self, business_id: UUID, adjustment_id: UUID) -> Item | None:
        """Read one ledger row as it is stored, readable or not; None where there is none."""
        found, _ = self._by_key(ledger=[keys.ledger_row_key(business_id, adjustment_id)])
        return found[0] if found else None

    def stock_items(
        self, business_id: UUID, variant_id: UUID, *, after: UUID | None = None, limit: int | None = None
    ) -> StockItemsPage:
        """Read a variant's stock items at the locations after one: at most ``limit``, or as many as 1 MB holds.

        A page ends before an unreadable stock item, so that those before it can be read.

        Raises:
            StockItemUnreadable: the first one is unreadable.
        """
        request: QueryInputTypeDef = {
            "TableName": self._inventory_table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": keys.stock(business_id, variant_id)}},
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if limit is not None:
            request["Limit"] = limit
        if after is not None:
            request["ExclusiveStartKey"] = key_attributes(keys.stock_item_key(business_id, variant_id, after))
        with translated_failures():
            reply = self._client.query(**request)
        require_complete(reply)
        found: list[tuple[UUID, StockItem]] = []
        for item in reply["Items"]:
            try:
                found.append(read_stock_at_location(item))
            except StockItemUnreadable:
                if not found:
                    raise
                return StockItemsPage(found, found[-1][0])
        last = reply.get("LastEvaluatedKey")
        return StockItemsPage(found, None if last is None else UUID(last["sk"]["S"]))

    def of_variant(
        self, business_id: UUID, variant_id: UUID, budget: RetryBudget, *, limit: int
    ) -> list[tuple[UUID, StockItem]]:
        """Read a variant's stock items, page by page, but at most ``limit``."""
        found: list[tuple[UUID, StockItem]] = []
        after: UUID | None = None
        while True:
            read = partial(self.stock_items, business_id, variant_id, after=after, limit=limit - len(found))
            page = budget.retry(read)
            found += page.stock_items
            after = page.next_after
            if after is None or len(found) == limit:
                return found

    def has_business(self, business_id: UUID) -> bool:
        """Whether there is such a business."""
        _, found = self._by_key(inventory=[keys.settings_key(business_id)])
        return bool(found)

    def active(self, business_id: UUID, variant_id: UUID | None, location_id: UUID | None) -> tuple[bool, bool]:
        """Whether the variant and the location are in use; True for one that is not given."""
        variant = None if variant_id is None else keys.variant_key(business_id, variant_id)
        location = None if location_id is None else keys.location_key(business_id, location_id)
        _, found = self._by_key(inventory=[key for key in (variant, location) if key is not None])
        active = {key_of(item) for item in found if is_active(item)}
        return variant is None or variant in active, location is None or location in active

    def _by_key(
        self, *, ledger: Sequence[ItemKey] = (), inventory: Sequence[ItemKey] = ()
    ) -> tuple[list[Item], list[Item]]:
        """Read ledger rows and inventory items; absent ones are left out."""
        found = read_by_key(self._client, {self._ledger_table: ledger, self._inventory_table: inventory})
        return found[self._ledger_table], found[self._inventory_table]
