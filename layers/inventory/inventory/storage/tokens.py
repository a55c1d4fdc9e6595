"""The access table: API tokens by their id, on DynamoDB.

Every fault is raised. If one looked like an unknown token, API Gateway would cache that denial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from inventory.aws.failures import require_complete, translated_failures
from inventory.domain.errors import TokenNotFound
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.storage import keys
from inventory.storage.items import key_attributes, token_item, token_of

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.domain.api_tokens import Token
    from inventory.storage.items import Item


class TokenTable:
    """The access table. Every method raises ``StoreUnavailable`` where the same call may succeed later."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def find(self, token_id: str) -> Token | None:
        """Read a token, strongly consistent; None where there is none with this id."""
        with translated_failures():
            reply = self._client.get_item(
                TableName=self._table_name,
                Key=key_attributes(keys.token_key(token_id)),
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
            )
        require_complete(reply)
        return token_of(reply["Item"]) if "Item" in reply else None

    def put(self, token: Token) -> None:
        """Add a token. To add it again, after an attempt of unknown outcome, changes nothing."""
        try:
            with translated_failures():
                reply = self._client.put_item(
                    TableName=self._table_name,
                    Item=token_item(token),
                    ConditionExpression=keys.ITEM_ABSENT,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    ReturnConsumedCapacity="TOTAL",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item = cast("Item", error.response.get("Item", {}))
            if item.get("digest") != {"B": token.digest}:
                raise
        else:
            require_complete(reply)

    def revoke(self, token_id: str, now: datetime) -> datetime:
        """Revoke a token, and return since when it is revoked. A second call does not change that time.

        Raises:
            TokenNotFound: there is no token with this id.
        """
        try:
            with translated_failures():
                reply = self._client.update_item(
                    TableName=self._table_name,
                    Key=key_attributes(keys.token_key(token_id)),
                    UpdateExpression="SET revoked_at = if_not_exists(revoked_at, :now)",
                    ConditionExpression=keys.ITEM_EXISTS,
                    ExpressionAttributeValues={":now": {"S": instant_text(now)}},
                    ReturnValues="ALL_NEW",
                    ReturnConsumedCapacity="TOTAL",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise TokenNotFound from error
        require_complete(reply)
        return parse_instant(reply["Attributes"]["revoked_at"]["S"])
