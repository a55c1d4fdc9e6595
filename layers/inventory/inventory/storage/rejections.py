"""The markers of rejected messages in the inventory table: what was rejected once is never applied.

A marker is put before its rejection is published, in a transaction that fails where a row of the message's key exists.
A commit for a message that was delivered before fails where its marker exists. So of the two only one can happen.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from inventory.aws.failures import CONDITION_FAILED, TRANSIENT_REASONS, require_complete, translated_failures
from inventory.domain.errors import StoreUnavailable
from inventory.domain.store import Applied
from inventory.storage import keys
from inventory.storage.items import key_of, rejection_item, rejection_of
from inventory.storage.lookups import read_by_key
from inventory.storage.transactions import (
    NOT_AT_FAULT,
    absent,
    are_among,
    cancellation_reasons,
    put_if_absent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from inventory.domain.model import Rejection
    from inventory.storage.items import Item

MARKER_LIFETIME: Final = timedelta(days=60)
"""How long a marker is kept. A message lives for 14 days in the queues, and for 14 more after each redrive, so this is
enough for three redrives."""


class RejectionMarkers:
    """``Rejections`` on the inventory table. ``clock`` gives the present in UTC."""

    def __init__(
        self, client: DynamoDBClient, *, inventory_table: str, ledger_table: str, clock: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._inventory_table = inventory_table
        self._ledger_table = ledger_table
        self._clock = clock

    def find(self, message_digests: Sequence[str]) -> dict[str, Rejection]:
        """Read the markers of messages in one call, strongly consistent."""
        digests = {keys.rejection_key(each): each for each in message_digests}
        found = read_by_key(self._client, {self._inventory_table: list(digests)})
        return {digests[key_of(item)]: rejection_of(item) for item in found[self._inventory_table]}

    def put(
        self, message_digest: str, rejection: Rejection, row_id: tuple[UUID, UUID] | None
    ) -> Rejection | Applied | None:
        """Put the marker of a message if there is none, and no row of its key."""
        parts: list[TransactWriteItemTypeDef] = [
            {"Put": put_if_absent(self._inventory_table, self._marker(message_digest, rejection))}
        ]
        if row_id is not None:
            parts.append({"ConditionCheck": absent(self._ledger_table, keys.ledger_row_key(*row_id))})
        try:
            with translated_failures():
                reply = self._client.transact_write_items(TransactItems=parts, ReturnConsumedCapacity="TOTAL")
        except self._client.exceptions.TransactionCanceledException as error:
            return _found_instead(error, parts=len(parts))
        require_complete(reply)
        return None

    def _marker(self, message_digest: str, rejection: Rejection) -> Item:
        now = self._clock()
        return rejection_item(message_digest, rejection, rejected_at=now, expires_at=now + MARKER_LIFETIME)


def _found_instead(error: ClientError, *, parts: int) -> Rejection | Applied:
    """Translate the reasons why no marker was put.

    Raises:
        StoreUnavailable: another transaction was using the same items, or the table was throttled.
        ClientError: the reasons are not those of this transaction.
    """
    reasons = cancellation_reasons(error)
    if len(reasons) != parts:
        raise error
    of_marker, *of_row = reasons
    if of_marker.get("Code") == CONDITION_FAILED and "Item" in of_marker:
        return rejection_of(of_marker["Item"])
    if of_marker.get("Code") == NOT_AT_FAULT and any(each.get("Code") == CONDITION_FAILED for each in of_row):
        return Applied()
    # A marker that was there, but is not in the reply, has just expired.
    if are_among(reasons, TRANSIENT_REASONS | {CONDITION_FAILED}):
        raise StoreUnavailable from error
    raise error
