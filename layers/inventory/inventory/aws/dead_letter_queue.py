"""A dead-letter queue: messages that cannot be processed wait there, an alarm reports them, and others go on."""

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
            StoreUnavailable: it is unknown whether the message is in the queue.
        """
        with translated_failures():
            reply = self._client.send_message(QueueUrl=self._queue_url, MessageBody=message)
        # A damaged reply can lack every member.
        if "MessageId" not in reply:
            raise StoreUnavailable
