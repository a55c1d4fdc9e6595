"""The shapes of the batches of queue and stream, as far as the service reads them, and of the response to both.

They are for the type checker. No module imports them at run time, as each would cost a cold start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inventory.storage.items import Item


class MessageAttribute(TypedDict):
    """An attribute of a message."""

    stringValue: NotRequired[str]


class QueueRecord(TypedDict):
    """An SQS record: one message."""

    messageId: str
    body: NotRequired[str]
    attributes: NotRequired[Mapping[str, str]]
    messageAttributes: NotRequired[Mapping[str, MessageAttribute]]


class StreamView(TypedDict):
    """The change in a stream record."""

    Keys: Item
    NewImage: NotRequired[Item]
    SequenceNumber: str


class StreamRecord(TypedDict):
    """A record of the ledger's stream: one change."""

    eventName: str
    dynamodb: StreamView


class StreamBatch(TypedDict):
    """An event of the stream: changes in the order of one of its shards."""

    Records: list[StreamRecord]


class BatchItemFailure(TypedDict):
    """One record that is not done, by its identifier."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """The response to a batch: the records that are not done."""

    batchItemFailures: list[BatchItemFailure]
