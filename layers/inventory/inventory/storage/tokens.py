"""The access table on DynamoDB: API tokens by their id. Only this module knows their attributes.

Every fault is raised. If one looked like an unknown token, API Gateway would cache that denial.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, cast
from uuid import UUID

from inventory.aws.failures import require_complete, translated_failures
from inventory.domain.api_tokens import Scope, Token
from inventory.domain.errors import TokenNotFound
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.storage import keys

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

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
                Key={"pk": {"S": keys.token(token_id)}},
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
                    Item=_item(token),
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
                    Key={"pk": {"S": keys.token(token_id)}},
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


def _item(token: Token) -> Item:
    """Convert a token to its item."""
    item: dict[str, AttributeValueTypeDef] = {
        "pk": {"S": keys.token(token.id)},
        "digest": {"B": token.digest},
        "subject": {"S": token.subject},
        "business_ids": {"L": [{"S": str(each)} for each in sorted(token.business_ids)]},
        "scopes": {"L": [{"S": each} for each in sorted(token.scopes)]},
        "issued_at": {"S": instant_text(token.issued_at)},
    }
    for name, instant in (("expires_at", token.expires_at), ("revoked_at", token.revoked_at)):
        if instant is not None:
            item[name] = {"S": instant_text(instant)}
    return item


def token_of(item: Item) -> Token:
    """Convert an item of the access table to its token.

    In a list of items a binary is its Base64 text: the cut-down description of the SDK takes lists as they are.
    """
    digest: object = item["digest"]["B"]
    return Token(
        id=item["pk"]["S"].removeprefix(keys.token("")),
        digest=b64decode(digest) if isinstance(digest, str) else cast("bytes", digest),
        subject=item["subject"]["S"],
        business_ids=frozenset(UUID(each["S"]) for each in item["business_ids"]["L"]),
        scopes=frozenset(cast("Scope", each["S"]) for each in item["scopes"]["L"]),
        issued_at=parse_instant(item["issued_at"]["S"]),
        expires_at=_instant_of(item, "expires_at"),
        revoked_at=_instant_of(item, "revoked_at"),
    )


def _instant_of(item: Item, name: str) -> datetime | None:
    return parse_instant(item[name]["S"]) if name in item else None
