"""A queue for what nobody can carry out: it lies there, watched by an alarm, and holds nothing up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.aws.failures import translated_failures
from inventory.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class DeadLetterQueue:
    """One queue, by its address."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, message: str) -> None:
        """Put one message.

        Raises:
            StoreUnavailable: it may or may not lie there.
        """
        with translated_failures():
            reply = self._client.send_message(QueueUrl=self._queue_url, MessageBody=message)
        # A reply that was damaged on its way can lack every member.
        if "MessageId" not in reply:
            raise StoreUnavailable
