"""The writes of the catalog on DynamoDB: businesses, locations and variants in the inventory table.

A write sets values, under a condition where it needs one, and reads nothing before. So two operators cannot undo each
other's work by accident.

Every write is a transaction with the token of its command, so that all attempts of a command are one write. Without it
an attempt that timed out could arrive late, and undo another command that was acknowledged in between:

    register      attempt     again: done                 ... the first attempt arrives: active again, for good
    deactivate                              done
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.aws.failures import CONDITION_FAILED, TRANSIENT_REASONS, require_complete, translated_failures
from inventory.domain.errors import BusinessNotFound, LocationNotFound, StoreUnavailable, VariantNotFound
from inventory.domain.timestamps import instant_text
from inventory.storage import keys
from inventory.storage.items import key_attributes
from inventory.storage.stock_indexing import StockIndexing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef, UpdateTypeDef

    from inventory.domain.errors import Refusal
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey


class Catalog:
    """The writes. Each method raises ``StoreUnavailable`` where the same call may succeed later.

    ``now`` is stored for people who look at the table; no rule reads it. ``token``, up to 36 characters, is the same
    for all attempts of one command and differs between commands; DynamoDB keeps it for ten minutes. To register an item
    again replaces the given values, makes it active and leaves all other values.
    """

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def stock_indexing(self) -> StockIndexing:
        """Give what puts stock items of the same table into their index."""
        return StockIndexing(self._client, self._table_name)

    def require_businesses(self, business_ids: Iterable[UUID]) -> None:
        """Raise ``BusinessNotFound`` unless all of them, at most 100, exist. A business is never removed."""
        wanted = [key_attributes(keys.settings_key(each)) for each in business_ids]
        with translated_failures():
            reply = self._client.batch_get_item(
                RequestItems={self._table_name: {"Keys": wanted, "ConsistentRead": True, "ProjectionExpression": "pk"}},
            )
        # DynamoDB returns throttled keys unread. A damaged reply can arrive as an empty one, without an error.
        if "Responses" not in reply or reply.get("UnprocessedKeys"):
            raise StoreUnavailable
        if len(reply["Responses"].get(self._table_name, [])) != len(wanted):
            raise BusinessNotFound

    def register_business(
        self, business_id: UUID, *, name: str, allow_negative_stock: bool, now: datetime, token: str
    ) -> None:
        """Write a business's settings, but not its default location."""
        values: Item = {"name": {"S": name}, "allow_negative_stock": {"BOOL": allow_negative_stock}}
        settings = self._registration(keys.settings_key(business_id), values, now)
        # A transaction of one part, because a single write takes no token.
        self._commit([{"Update": settings}], token, absent=(BusinessNotFound,))

    def register_location(
        self, business_id: UUID, location_id: UUID, *, name: str, default: bool, now: datetime, token: str
    ) -> None:
        """Write a location and, with ``default``, make it the business's default one in the same transaction.

        Without ``default``, the business's default location stays the same.

        Raises:
            BusinessNotFound: there is no such business.
        """
        values: Item = {"name": {"S": name}, "active": {"BOOL": True}}
        location = self._registration(keys.location_key(business_id, location_id), values, now)
        business = self._with_default(business_id, location_id, now) if default else self._business_exists(business_id)
        self._commit([business, {"Update": location}], token, absent=(BusinessNotFound, LocationNotFound))

    def register_variant(
        self, business_id: UUID, variant_id: UUID, *, sku: str, name: str | None, now: datetime, token: str
    ) -> None:
        """Write a variant. Without a ``name``, an earlier name is removed.

        Raises:
            BusinessNotFound: there is no such business.
        """
        values: dict[str, AttributeValueTypeDef] = {"sku": {"S": sku}, "active": {"BOOL": True}}
        if name is not None:
            values["name"] = {"S": name}
        variant = self._registration(keys.variant_key(business_id, variant_id), values, now)
        if name is None:
            variant["UpdateExpression"] += " REMOVE #name"
            variant["ExpressionAttributeNames"] = {**variant["ExpressionAttributeNames"], "#name": "name"}
        business = self._business_exists(business_id)
        self._commit([business, {"Update": variant}], token, absent=(BusinessNotFound, VariantNotFound))

    def deactivate_location(self, business_id: UUID, location_id: UUID, *, now: datetime, token: str) -> None:
        """Take a location out of use until it is registered again. It may be the default one.

        Raises:
            BusinessNotFound: there is no such business.
            LocationNotFound: the business never had such a location.
        """
        key = keys.location_key(business_id, location_id)
        self._deactivate(business_id, key, LocationNotFound, now, token)

    def deactivate_variant(self, business_id: UUID, variant_id: UUID, *, now: datetime, token: str) -> None:
        """Take a variant out of use until it is registered again.

        Raises:
            BusinessNotFound: there is no such business.
            VariantNotFound: the business never had such a variant.
        """
        key = keys.variant_key(business_id, variant_id)
        self._deactivate(business_id, key, VariantNotFound, now, token)

    def _deactivate(self, business_id: UUID, key: ItemKey, absent: type[Refusal], now: datetime, token: str) -> None:
        item = self._update(key, {"active": {"BOOL": False}}, now)
        item["ConditionExpression"] = keys.ITEM_EXISTS
        self._commit([self._business_exists(business_id), {"Update": item}], token, absent=(BusinessNotFound, absent))

    def _commit(
        self, parts: Sequence[TransactWriteItemTypeDef], token: str, *, absent: Sequence[type[Refusal]]
    ) -> None:
        """Apply all parts or none.

        ``absent`` holds for each part the refusal that a missing item means. If several are missing, the first counts.
        """
        try:
            with translated_failures():
                reply = self._client.transact_write_items(
                    TransactItems=parts, ClientRequestToken=token, ReturnConsumedCapacity="TOTAL"
                )
        except self._client.exceptions.TransactionCanceledException as error:
            # The reasons are in the order of the transaction's parts.
            codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
            for code, refusal in zip(codes, absent, strict=True):
                if code == CONDITION_FAILED:
                    raise refusal from error
            if not TRANSIENT_REASONS.isdisjoint(codes):
                raise StoreUnavailable from error
            raise
        require_complete(reply)

    def _business_exists(self, business_id: UUID) -> TransactWriteItemTypeDef:
        key = key_attributes(keys.settings_key(business_id))
        return {"ConditionCheck": {"TableName": self._table_name, "Key": key, "ConditionExpression": keys.ITEM_EXISTS}}

    def _with_default(self, business_id: UUID, location_id: UUID, now: datetime) -> TransactWriteItemTypeDef:
        values: Item = {"default_location_id": {"S": str(location_id)}}
        settings = self._update(keys.settings_key(business_id), values, now)
        settings["ConditionExpression"] = keys.ITEM_EXISTS
        return {"Update": settings}

    def _registration(self, key: ItemKey, values: Item, now: datetime) -> UpdateTypeDef:
        """Make an update that keeps the time of the first registration."""
        update = self._update(key, values, now)
        update["UpdateExpression"] += ", created_at = if_not_exists(created_at, :updated_at)"
        return update

    def _update(self, key: ItemKey, values: Item, now: datetime) -> UpdateTypeDef:
        values = {**values, "updated_at": {"S": instant_text(now)}}
        return {
            "TableName": self._table_name,
            "Key": key_attributes(key),
            "UpdateExpression": "SET " + ", ".join(f"#{each} = :{each}" for each in values),
            "ExpressionAttributeNames": {f"#{each}": each for each in values},
            "ExpressionAttributeValues": {f":{each}": value for each, value in values.items()},
        }
