"""Parts of a transaction on condition that there is no item under a key, and why a transaction was cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from inventory.storage import keys
from inventory.storage.items import key_attributes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from typing import TypedDict

    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, ConditionCheckTypeDef, PutTypeDef

    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey

    class CancellationReason(TypedDict, total=False):
        """Why a part cancelled its transaction: a code, and the item that was there, if the part asked for it."""

        Code: str
        Item: dict[str, AttributeValueTypeDef]


NOT_AT_FAULT: Final = "None"
"""Code of a part that did not cancel its transaction."""


def cancellation_reasons(error: ClientError) -> list[CancellationReason]:
    """Return why a transaction was cancelled: a reason for each of its parts, in their order."""
    return cast("list[CancellationReason]", error.response.get("CancellationReasons", []))


def are_among(reasons: Sequence[CancellationReason], codes: AbstractSet[str]) -> bool:
    """Whether at least one part was at fault, and each part at fault has one of the codes."""
    at_fault = {reason.get("Code") for reason in reasons} - {NOT_AT_FAULT}
    return bool(at_fault) and at_fault <= codes


def put_if_absent(table: str, item: Item) -> PutTypeDef:
    """Put an item."""
    return {
        "TableName": table,
        "Item": item,
        "ConditionExpression": keys.ITEM_ABSENT,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def absent(table: str, key: ItemKey) -> ConditionCheckTypeDef:
    """Check that there is no item under a key, and write nothing."""
    return {
        "TableName": table,
        "Key": key_attributes(key),
        "ConditionExpression": keys.ITEM_ABSENT,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
