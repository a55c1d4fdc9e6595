"""The catalog on DynamoDB: businesses, locations and variants in the inventory table.

Every write says what shall hold afterwards, under a condition where one is needed: nothing is read first, so two
operators at once cannot undo each other. Every write is a transaction under a token that its command has drawn, so that
all attempts of one command are one write: an attempt that was given up on can arrive long after, when another command
has been acknowledged, and would undo that one:

    register    tries      tries again: done                       ... the first try arrives: active again, for good
    deactivate                               done
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.aws.failures import CONDITION_FAILED, TRANSIENT_REASONS, require_complete, translated_failures
from inventory.domain.errors import BusinessNotFound, LocationNotFound, StoreUnavailable, VariantNotFound
from inventory.domain.timestamps import instant_text
from inventory.storage import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef, UpdateTypeDef

    from inventory.domain.errors import Refusal
    from inventory.storage.items import Item


class Catalog:
    """The catalog's writes. Every method raises ``StoreUnavailable`` where the same call may succeed later.

    ``now`` is stored for people who look at the table; no rule reads it. ``token``, up to 36 characters, is the same
    for each attempt of a command and for no other one; DynamoDB knows it for ten minutes. Registering again replaces
    what the caller says of an item, makes it active and leaves the rest.
    """

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def require_businesses(self, business_ids: Iterable[UUID]) -> None:
        """Raise ``BusinessNotFound`` unless all of them, at most 100, exist; a business never ceases to."""
        wanted = [self._key(each, keys.SETTINGS) for each in business_ids]
        with translated_failures():
            reply = self._client.batch_get_item(
                RequestItems={self._table_name: {"Keys": wanted, "ConsistentRead": True, "ProjectionExpression": "pk"}},
            )
        # Throttled keys come back unread, and a reply that was damaged on its way can arrive as an empty one: neither
        # says anything about a business.
        if "Responses" not in reply or reply.get("UnprocessedKeys"):
            raise StoreUnavailable
        if len(reply["Responses"].get(self._table_name, [])) != len(wanted):
            raise BusinessNotFound

    def register_business(
        self, business_id: UUID, *, name: str, allow_negative_stock: bool, now: datetime, token: str
    ) -> None:
        """Write a business's settings; its default location stays."""
        values: Item = {"name": {"S": name}, "allow_negative_stock": {"BOOL": allow_negative_stock}}
        settings = self._registration(self._key(business_id, keys.SETTINGS), values, now)
        # One part: a single write takes no token.
        self._commit([{"Update": settings}], token, absent=(BusinessNotFound,))

    def register_location(
        self, business_id: UUID, location_id: UUID, *, name: str, default: bool, now: datetime, token: str
    ) -> None:
        """Write a location and, with ``default``, make it the business's default one in the same transaction.

        Without ``default`` it stays the default location if it is.

        Raises:
            BusinessNotFound: where there is no such business.
        """
        values: Item = {"name": {"S": name}, "active": {"BOOL": True}}
        location = self._registration(self._key(business_id, keys.location(location_id)), values, now)
        business = self._with_default(business_id, location_id, now) if default else self._business_exists(business_id)
        self._commit([business, {"Update": location}], token, absent=(BusinessNotFound, LocationNotFound))

    def register_variant(
        self, business_id: UUID, variant_id: UUID, *, sku: str, name: str | None, now: datetime, token: str
    ) -> None:
        """Write a variant; without a ``name`` it has none afterwards.

        Raises:
            BusinessNotFound: where there is no such business.
        """
        values: dict[str, AttributeValueTypeDef] = {"sku": {"S": sku}, "active": {"BOOL": True}}
        if name is not None:
            values["name"] = {"S": name}
        variant = self._registration(self._key(business_id, keys.variant(variant_id)), values, now)
        if name is None:
            variant["UpdateExpression"] += " REMOVE #name"
            variant["ExpressionAttributeNames"] = {**variant["ExpressionAttributeNames"], "#name": "name"}
        business = self._business_exists(business_id)
        self._commit([business, {"Update": variant}], token, absent=(BusinessNotFound, VariantNotFound))

    def deactivate_location(self, business_id: UUID, location_id: UUID, *, now: datetime, token: str) -> None:
        """Take a location out of use, for good or until it is registered again. It may be the default one.

        Raises:
            BusinessNotFound: where there is no such business.
            LocationNotFound: where the business never had such a location.
        """
        self._deactivate(business_id, keys.location(location_id), LocationNotFound, now, token)

    def deactivate_variant(self, business_id: UUID, variant_id: UUID, *, now: datetime, token: str) -> None:
        """Take a variant out of use, for good or until it is registered again.

        Raises:
            BusinessNotFound: where there is no such business.
            VariantNotFound: where the business never had such a variant.
        """
        self._deactivate(business_id, keys.variant(variant_id), VariantNotFound, now, token)

    def _deactivate(self, business_id: UUID, sk: str, absent: type[Refusal], now: datetime, token: str) -> None:
        item = self._update(self._key(business_id, sk), {"active": {"BOOL": False}}, now)
        item["ConditionExpression"] = keys.ITEM_EXISTS
        self._commit([self._business_exists(business_id), {"Update": item}], token, absent=(BusinessNotFound, absent))

    def _commit(
        self, parts: Sequence[TransactWriteItemTypeDef], token: str, *, absent: Sequence[type[Refusal]]
    ) -> None:
        """Apply all parts or none; ``absent`` is what the missing item of each means, the first one's before all."""
        try:
            with translated_failures():
                reply = self._client.transact_write_items(
                    TransactItems=parts, ClientRequestToken=token, ReturnConsumedCapacity="TOTAL"
                )
        except self._client.exceptions.TransactionCanceledException as error:
            # The reasons stand in the order of the transaction's items.
            codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
            for code, refusal in zip(codes, absent, strict=True):
                if code == CONDITION_FAILED:
                    raise refusal from error
            if not TRANSIENT_REASONS.isdisjoint(codes):
                raise StoreUnavailable from error
            raise
        require_complete(reply)

    def _business_exists(self, business_id: UUID) -> TransactWriteItemTypeDef:
        key = self._key(business_id, keys.SETTINGS)
        return {"ConditionCheck": {"TableName": self._table_name, "Key": key, "ConditionExpression": keys.ITEM_EXISTS}}

    def _with_default(self, business_id: UUID, location_id: UUID, now: datetime) -> TransactWriteItemTypeDef:
        values: Item = {"default_location_id": {"S": str(location_id)}}
        settings = self._update(self._key(business_id, keys.SETTINGS), values, now)
        settings["ConditionExpression"] = keys.ITEM_EXISTS
        return {"Update": settings}

    def _registration(self, key: Item, values: Item, now: datetime) -> UpdateTypeDef:
        """An update that keeps the time of the first registration."""
        update = self._update(key, values, now)
        update["UpdateExpression"] += ", created_at = if_not_exists(created_at, :updated_at)"
        return update

    def _update(self, key: Item, values: Item, now: datetime) -> UpdateTypeDef:
        values = {**values, "updated_at": {"S": instant_text(now)}}
        return {
            "TableName": self._table_name,
            "Key": key,
            "UpdateExpression": "SET " + ", ".join(f"#{each} = :{each}" for each in values),
            "ExpressionAttributeNames": {f"#{each}": each for each in values},
            "ExpressionAttributeValues": {f":{each}": value for each, value in values.items()},
        }

    def _key(self, business_id: UUID, sk: str) -> Item:
        return {"pk": {"S": keys.business(business_id)}, "sk": {"S": sk}}
