"""The least that any handler in Python could do: boto3's own client as it comes, and one call with its parts ready.

No event, no validation, no decision, no answer. Nothing that uses boto3 as it comes can be faster than this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

client = boto3.client("dynamodb")


def handler(parts: Sequence[TransactWriteItemTypeDef], _context: object) -> None:
    client.transact_write_items(TransactItems=parts, ReturnConsumedCapacity="TOTAL")
