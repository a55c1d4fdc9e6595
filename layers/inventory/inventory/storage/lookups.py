"""Strongly consistent reads by key: adjustments, stock items, the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from inventory.aws.failures import require_complete, translated_failures
from inventory.domain.errors import StockItemUnreadable, StoreUnavailable
from inventory.storage import keys
from inventory.storage.items import (
    is_active,
    key_attributes,
    key_of,
    read_adjustment,
    read_reversal_id,
    read_stock_at_location,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        KeysAndAttributesTypeDef,
        QueryInputTypeDef,
    )

    from inventory.domain.model import Adjustment, StockItem
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


@dataclass(frozen=True, slots=True)
class StockItemsPage:
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
        """Read a ledger row, and the id of its reversal or None.

        Raises:
            RowUnreadable: the item under its key is not a row.
        """
        rows, links = self._by_key(
            ledger=[keys.ledger_row_key(business_id, adjustment_id)],
            inventory=[keys.reversal_link_key(business_id, adjustment_id)],
        )
        if not rows:
            return None
        return read_adjustment(rows[0]), read_reversal_id(links[0]) if links else None

    def reversals(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, UUID]:
        """Read which of at most ``KEYS_MAX`` adjustments were reversed, and by which. An id may come twice.

        A link that names no reversal counts as absent.
        """
        # A dictionary, as DynamoDB refuses a read that names a key twice.
        adjustment_of_key = {keys.reversal_link_key(business_id, each): each for each in adjustment_ids}
        _, links = self._by_key(inventory=[*adjustment_of_key])
        found = ((adjustment_of_key[key_of(link)], read_reversal_id(link)) for link in links)
        return {adjustment_id: reversal_id for adjustment_id, reversal_id in found if reversal_id is not None}

    def stock_item(self, business_id: UUID, variant_id: UUID, location_id: UUID) -> Item | None:
        """Read one stock item as it is stored, readable or not.

        None where the variant was never adjusted at the location.
        """
        _, found = self._by_key(inventory=[keys.stock_item_key(business_id, variant_id, location_id)])
        return found[0] if found else None

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

    def of_variant(self, business_id: UUID, variant_id: UUID, budget: RetryBudget) -> Iterator[tuple[UUID, StockItem]]:
        """Read all of a variant's stock items, page by page."""
        after: UUID | None = None
        while True:
            page = budget.retry(partial(self.stock_items, business_id, variant_id, after=after))
            yield from page.stock_items
            after = page.next_after
            if after is None:
                return

    def has_business(self, business_id: UUID) -> bool:
        """Whether there is such a business."""
        _, found = self._by_key(inventory=[keys.settings_key(business_id)])
        return bool(found)

    def active(self, business_id: UUID, variant_id: UUID, location_id: UUID | None) -> tuple[bool, bool]:
        """Whether the variant, and the location if there is one, are in use."""
        wanted = [keys.variant_key(business_id, variant_id)]
        if location_id is not None:
            wanted.append(keys.location_key(business_id, location_id))
        _, found = self._by_key(inventory=wanted)
        active = {key_of(item) for item in found if is_active(item)}
        return wanted[0] in active, wanted[-1] in active

    def _by_key(
        self, *, ledger: Sequence[ItemKey] = (), inventory: Sequence[ItemKey] = ()
    ) -> tuple[list[Item], list[Item]]:
        """Read ledger rows and inventory items; absent ones are left out."""
        found = read_by_key(self._client, {self._ledger_table: ledger, self._inventory_table: inventory})
        return found[self._ledger_table], found[self._inventory_table]
