"""The ledger's stream: each new row becomes one event, at least once.

A row is told when it was appended, which the stream says by ``INSERT``. Nothing of the service alters or removes rows:
where the stream says so somebody else did, and that is reported, not told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, Event, EventRefused, detail_text
from inventory.domain.errors import StoreUnavailable
from inventory.domain.hash_chain import row_hash
from inventory.entrypoints.responses import adjustment_members
from inventory.storage import keys
from inventory.storage.items import MALFORMED, adjustment_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inventory.aws.dead_letter_queue import DeadLetterQueue
    from inventory.aws.event_bus import EventBus
    from inventory.domain.retry_budget import RetryBudget
    from inventory.entrypoints.responses import BatchItemFailure
    from inventory.storage.items import Item

ADJUSTED: Final = "InventoryAdjusted"
"""Detail-type of the event that tells an adjustment."""

_APPENDED: Final = "INSERT"


class _View(TypedDict):
    Keys: Item
    NewImage: NotRequired[Item]
    SequenceNumber: str


class StreamRecord(TypedDict):
    """One change of the ledger as Lambda hands it over, as far as it is read here."""

    eventName: str
    dynamodb: _View


class StreamBatch(TypedDict):
    """What the function is invoked with: changes in the order of one shard of the stream."""

    Records: list[StreamRecord]


class StreamBatchAnswer(TypedDict):
    """From which record on, by its sequence number, the batch is to be handed over again; empty where all is done."""

    batchItemFailures: list[BatchItemFailure]


@dataclass(frozen=True, slots=True)
class Unusable:
    """An item that can't be told; ``problem`` says why, without anything of the item."""

    key: str
    problem: str


@dataclass(frozen=True, slots=True)
class Altered:
    """A row that was changed or removed; ``change`` is the stream's word for it."""

    key: str
    change: str


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a batch.

    ``events`` are on the bus, ``set_aside`` in the dead end. ``open_from`` is the sequence number of the first record
    that is not done, None where all are; nothing behind it is counted here, whatever became of it.
    """

    events: int
    set_aside: Sequence[Unusable]
    altered: Sequence[Altered]
    open_from: str | None

    def answer(self) -> StreamBatchAnswer:
        """Tell Lambda, which takes the first failure for the place to go on from."""
        return {"batchItemFailures": [] if self.open_from is None else [{"itemIdentifier": self.open_from}]}


@dataclass(frozen=True, slots=True)
class Publisher:
    """Where events go, and where goes what can't become one."""

    bus: EventBus
    dead_letter_queue: DeadLetterQueue

    def publish(self, records: Sequence[StreamRecord], budget: RetryBudget) -> Published:
        """Put the events of a batch on the bus in its order; go as far as the time lets it.

        No record holds up those behind it for its own sake: what can't be told is set aside. Only where bus or dead end
        can't be had does it end early. Events behind that place can be on the bus all the same; they are put again.
        """
        changes = [read(record) for record in records]
        fates = iter(self.bus.put_all([change for change in changes if isinstance(change, Event)], budget))
        told = 0
        set_aside: list[Unusable] = []
        altered: list[Altered] = []
        for record, change in zip(records, changes, strict=True):
            try:
                if isinstance(change, Altered):
                    altered.append(change)
                elif isinstance(change, Unusable):
                    set_aside.append(self._set_aside(record, change.problem, budget))
                elif (fate := next(fates)) is None:
                    told += 1
                elif isinstance(fate, EventRefused):
                    set_aside.append(self._set_aside(record, f"EventBridge: {fate.code}", budget))
                else:
                    raise fate
            except StoreUnavailable:
                return Published(told, set_aside, altered, open_from=record["dynamodb"]["SequenceNumber"])
        return Published(told, set_aside, altered, open_from=None)

    def _set_aside(self, record: StreamRecord, problem: str, budget: RetryBudget) -> Unusable:
        view = record["dynamodb"]
        message = {"problem": problem, "keys": view["Keys"], "sequence_number": view["SequenceNumber"]}
        budget.retry(lambda: self.dead_letter_queue.put(json.dumps(message)))
        return Unusable(_key_of(record), problem)


def read(record: StreamRecord) -> Event | Unusable | Altered:
    """Translate a record: the event that it becomes, or why it becomes none.

    An item that somebody has put by hand can look like anything. What makes it a ledger row is the hash over its
    members, and that its key is made of them.
    """
    if record["eventName"] != _APPENDED:
        return Altered(_key_of(record), record["eventName"])
    try:
        row = adjustment_of(record["dynamodb"]["NewImage"])
        own_hash = row_hash(row)
    except MALFORMED:
        return Unusable(_key_of(record), "no ledger row")
    if row.hash != own_hash or _key_of(record) != keys.ledger(row.business_id, row.id):
        return Unusable(_key_of(record), "hash or key of another row")
    detail = detail_text(adjustment_members(row))
    if len(detail) > DETAIL_SIZE_MAX_BYTES:
        return Unusable(_key_of(record), "too large for an event")
    return Event(ADJUSTED, detail)


def _key_of(record: StreamRecord) -> str:
    return record["dynamodb"]["Keys"]["pk"]["S"]
