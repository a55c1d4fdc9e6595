"""What stands in the two tables now, found by key and strongly consistent: adjustments, stock items, the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from inventory.aws.failures import require_complete, translated_failures
from inventory.domain.errors import StockItemUnreadable, StoreUnavailable
from inventory.domain.model import Adjustment, StockItem
from inventory.storage import keys
from inventory.storage.items import MALFORMED, is_active, located, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        KeysAndAttributesTypeDef,
        QueryInputTypeDef,
    )

    from inventory.domain.model import Adjustment, StockItem
    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.items import Item, KeyAttributes


KEYS_MAX: Final = 100
"""Keys of one BatchGetItem."""


def read_by_key(client: DynamoDBClient, wanted: Mapping[str, Sequence[KeyAttributes]]) -> dict[str, list[Item]]:
    """Read items of one or more tables by key: one BatchGetItem of at most 100 keys, strongly consistent.

    Returns:
        For each table what was found, in no order.

    Raises:
        StoreUnavailable: there was no whole answer.
    """
    request: dict[str, KeysAndAttributesTypeDef] = {
        table: {"Keys": keys_of_table, "ConsistentRead": True}
        for table, keys_of_table in wanted.items()
        if keys_of_table
    }
    if not request:
        return {table: [] for table in wanted}
    with translated_failures():
        reply = client.batch_get_item(RequestItems=request)
    # Throttled keys come back unread; a reply that was cut off can arrive as an empty one, without an error.
    if "Responses" not in reply or reply.get("UnprocessedKeys"):
        raise StoreUnavailable
    return {table: list(reply["Responses"].get(table, [])) for table in wanted}


@dataclass(frozen=True, slots=True)
class StockItemsPage:
    """Stock items of one variant, by location in the order of its id.

    ``next_after`` is the location after which others follow, None where none do; a page may hold none and still have a
    next one.
    """

    stock_items: list[tuple[UUID, StockItem]]
    next_after: UUID | None


class Lookups:
    """Reads by key. Each method is one call and raises ``StoreUnavailable`` where it got no whole answer."""

    def __init__(self, client: DynamoDBClient, *, inventory_table: str, ledger_table: str) -> None:
        self._client = client
        self._inventory_table = inventory_table
        self._ledger_table = ledger_table

    def adjustment(self, business_id: UUID, adjustment_id: UUID) -> tuple[Adjustment, UUID | None] | None:
        """Read a ledger row and the id of its reversal, None where it was not reversed.

        Raises:
            RowUnreadable: what stands under its key is no row.
        """
        rows, links = self._by_key(
            ledger=[{"pk": {"S": keys.ledger(business_id, adjustment_id)}}],
            inventory=[_reversal_key(business_id, adjustment_id)],
        )
        if not rows:
            return None
        return row_of(rows[0]), _reversal_id(links[0]) if links else None

    def reversals(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, UUID]:
        """Read which of at most 100 adjustments were reversed, and by which. An id may come twice."""
        if not adjustment_ids:
            return {}
        adjustment_of_key = {keys.reversal(business_id, each): each for each in adjustment_ids}
        # Each once: DynamoDB refuses a read that names a key twice.
        _, links = self._by_key(inventory=[_reversal_key(business_id, each) for each in dict.fromkeys(adjustment_ids)])
        found = ((adjustment_of_key[link["pk"]["S"]], _reversal_id(link)) for link in links)
        return {adjustment_id: reversal_id for adjustment_id, reversal_id in found if reversal_id is not None}

    def stock_item(self, business_id: UUID, variant_id: UUID, location_id: UUID) -> Item | None:
        """Read one stock item as it is stored, as whoever judges it must see garbage too.

        None where the variant was never adjusted at the location.
        """
        _, found = self._by_key(inventory=[_stock_key(business_id, variant_id, location_id)])
        return found[0] if found else None

    def ledger_row(self, business_id: UUID, adjustment_id: UUID) -> Item | None:
        """Read one ledger row as it is stored, for whoever judges it; None where there is none."""
        found, _ = self._by_key(ledger=[{"pk": {"S": keys.ledger(business_id, adjustment_id)}}])
        return found[0] if found else None

    def stock_items(
        self, business_id: UUID, variant_id: UUID, *, after: UUID | None = None, limit: int | None = None
    ) -> StockItemsPage:
        """Read a variant's stock items at the locations after one: at most ``limit``, or as many as 1 MB holds.

        A page ends before a stock item that can't be read: those before it stay within reach.

        Raises:
            StockItemUnreadable: the first one can't be read.
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
            request["ExclusiveStartKey"] = _stock_key(business_id, variant_id, after)
        with translated_failures():
            reply = self._client.query(**request)
        require_complete(reply)
        found: list[tuple[UUID, StockItem]] = []
        for item in reply["Items"]:
            try:
                found.append(located(item))
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
        settings: KeyAttributes = {"pk": {"S": keys.business(business_id)}, "sk": {"S": keys.SETTINGS}}
        _, found = self._by_key(inventory=[settings])
        return bool(found)

    def active(self, business_id: UUID, variant_id: UUID, location_id: UUID | None) -> tuple[bool, bool]:
        """Whether the business has such an active variant, and such an active location where one is named."""
        catalog = keys.business(business_id)
        wanted = [keys.variant(variant_id), *([] if location_id is None else [keys.location(location_id)])]
        _, found = self._by_key(inventory=[{"pk": {"S": catalog}, "sk": {"S": sk}} for sk in wanted])
        active = {item["sk"]["S"] for item in found if is_active(item)}
        return wanted[0] in active, wanted[-1] in active

    def _by_key(
        self, *, ledger: Sequence[KeyAttributes] = (), inventory: Sequence[KeyAttributes] = ()
    ) -> tuple[list[Item], list[Item]]:
        """Read ledger rows and inventory items; absent ones are left out."""
        found = read_by_key(self._client, {self._ledger_table: ledger, self._inventory_table: inventory})
        return found[self._ledger_table], found[self._inventory_table]


def _reversal_key(business_id: UUID, adjustment_id: UUID) -> KeyAttributes:
    return {"pk": {"S": keys.reversal(business_id, adjustment_id)}, "sk": {"S": keys.REVERSAL}}


def _reversal_id(link: Item) -> UUID | None:
    """Where a link leads; None where it says nothing of the kind: it is then as good as absent."""
    try:
        return UUID(link["reversal_id"]["S"])
    except MALFORMED:
        return None


def _stock_key(business_id: UUID, variant_id: UUID, location_id: UUID) -> KeyAttributes:
    return {"pk": {"S": keys.stock(business_id, variant_id)}, "sk": {"S": str(location_id)}}
