"""The access table: API tokens by their id, on DynamoDB.

Whatever goes wrong is raised. A fault must not read as "no such token": the gateway would remember that denial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from inventory import keys
from inventory.client import faults_as_unavailable, require_whole
from inventory.errors import TokenNotFound
from inventory.instants import instant_text, parse_instant
from inventory.tokens import Scope, Token

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from inventory.dynamodb import Item

_ABSENT: Final = "attribute_not_exists(pk)"
_PRESENT: Final = "attribute_exists(pk)"


class Access:
    """The access table. Every method raises ``StoreUnavailable`` where the same call may succeed later."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def find(self, token_id: str) -> Token | None:
        """Read a token, consistently; None where there is none of this id."""
        with faults_as_unavailable():
            reply = self._client.get_item(
                TableName=self._table_name,
                Key={"pk": {"S": keys.token(token_id)}},
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
            )
        require_whole(reply)
        return _token_of(reply["Item"]) if "Item" in reply else None

    def put(self, token: Token) -> None:
        """Add a token. Adding the same one again, after an attempt of unknown outcome, changes nothing."""
        try:
            with faults_as_unavailable():
                reply = self._client.put_item(
                    TableName=self._table_name,
                    Item=_item_of(token),
                    ConditionExpression=_ABSENT,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    ReturnConsumedCapacity="TOTAL",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item = cast("Item", error.response.get("Item", {}))
            if item.get("digest") != {"B": token.digest}:
                raise
        else:
            require_whole(reply)

    def revoke(self, token_id: str, now: datetime) -> datetime:
        """Revoke a token and return since when it is: a later call does not move the first one's time.

        Raises:
            TokenNotFound: where there is no token of this id.
        """
        try:
            with faults_as_unavailable():
                reply = self._client.update_item(
                    TableName=self._table_name,
                    Key={"pk": {"S": keys.token(token_id)}},
                    UpdateExpression="SET revoked_at = if_not_exists(revoked_at, :now)",
                    ConditionExpression=_PRESENT,
                    ExpressionAttributeValues={":now": {"S": instant_text(now)}},
                    ReturnValues="ALL_NEW",
                    ReturnConsumedCapacity="TOTAL",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise TokenNotFound from error
        require_whole(reply)
        return parse_instant(reply["Attributes"]["revoked_at"]["S"])


def _item_of(token: Token) -> Item:
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


def _token_of(item: Item) -> Token:
    return Token(
        id=item["pk"]["S"].removeprefix(keys.token("")),
        digest=bytes(item["digest"]["B"]),
        subject=item["subject"]["S"],
        business_ids=frozenset(UUID(each["S"]) for each in item["business_ids"]["L"]),
        scopes=frozenset(cast("Scope", each["S"]) for each in item["scopes"]["L"]),
        issued_at=parse_instant(item["issued_at"]["S"]),
        expires_at=_instant_of(item, "expires_at"),
        revoked_at=_instant_of(item, "revoked_at"),
    )


def _instant_of(item: Item, name: str) -> datetime | None:
    return parse_instant(item[name]["S"]) if name in item else None
