"""The ledger's stream: each new row becomes one event, at least once.

The stream says ``INSERT`` for a new row. The service never changes or removes a row: any other change was made by
somebody else, and is reported instead of published.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, Event, EventRefused, detail_text
from inventory.domain.errors import StoreUnavailable
from inventory.domain.hash_chain import row_hash
from inventory.entrypoints.responses import adjustment_members, batch_response
from inventory.storage import keys
from inventory.storage.items import MALFORMED, adjustment_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inventory.aws.dead_letter_queue import DeadLetterQueue
    from inventory.aws.event_bus import EventBus
    from inventory.domain.retry_budget import RetryBudget
    from inventory.entrypoints.shapes import BatchResponse, StreamRecord

ADJUSTED: Final = "InventoryAdjusted"
"""Detail-type of the event of an adjustment."""

_INSERT: Final = "INSERT"


@dataclass(frozen=True, slots=True)
class UnpublishableRow:
    """An item that no event can be made of; ``problem`` says why, without anything of the item."""

    key: str
    problem: str


@dataclass(frozen=True, slots=True)
class AlteredRow:
    """A row that was changed or removed; ``event_name`` is the stream's word for the change."""

    key: str
    event_name: str


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The outcome of a batch.

    ``events`` counts the published events; ``dead_lettered`` are the rows in the dead-letter queue. ``resume_at`` is
    the sequence number of the first record that is not done, None where all are done. Records behind it are not counted
    here, although some of their events may be published.
    """

    events: int
    dead_lettered: Sequence[UnpublishableRow]
    altered: Sequence[AlteredRow]
    resume_at: str | None

    def response(self) -> BatchResponse:
        """Make Lambda's response: it delivers the batch again from the first failure on."""
        return batch_response([] if self.resume_at is None else [self.resume_at])


@dataclass(frozen=True, slots=True)
class Publisher:
    """The event bus, and the dead-letter queue for rows that can't be published."""

    bus: EventBus
    dead_letter_queue: DeadLetterQueue

    def publish(self, records: Sequence[StreamRecord], budget: RetryBudget) -> PublishResult:
        """Publish the events of a batch in its order, as far as time allows.

        A row that can't be published goes to the dead-letter queue and holds up no other. The batch ends early only
        where the bus or the queue is unavailable. Events behind that place may be published all the same; the next
        delivery publishes them again.
        """
        changes = [read_record(record) for record in records]
        results = iter(self.bus.put_all([change for change in changes if isinstance(change, Event)], budget))
        published = 0
        dead_lettered: list[UnpublishableRow] = []
        altered: list[AlteredRow] = []
        for record, change in zip(records, changes, strict=True):
            try:
                if isinstance(change, AlteredRow):
                    altered.append(change)
                elif isinstance(change, UnpublishableRow):
                    dead_lettered.append(self._dead_letter(record, change.problem, budget))
                elif (result := next(results)) is None:
                    published += 1
                elif isinstance(result, EventRefused):
                    dead_lettered.append(self._dead_letter(record, f"EventBridge: {result.code}", budget))
                else:
                    raise result
            except StoreUnavailable:
                return PublishResult(published, dead_lettered, altered, record["dynamodb"]["SequenceNumber"])
        return PublishResult(published, dead_lettered, altered, resume_at=None)

    def _dead_letter(self, record: StreamRecord, problem: str, budget: RetryBudget) -> UnpublishableRow:
        view = record["dynamodb"]
        message = {"problem": problem, "keys": view["Keys"], "sequence_number": view["SequenceNumber"]}
        budget.retry(lambda: self.dead_letter_queue.put(json.dumps(message)))
        return UnpublishableRow(_key_of(record), problem)


def read_record(record: StreamRecord) -> Event | UnpublishableRow | AlteredRow:
    """Translate a record to its event, or to the reason why it has none.

    Somebody can have put an item into the table by hand, and it can look like anything. It is a ledger row only where
    its hash and its key match its members.
    """
    if record["eventName"] != _INSERT:
        return AlteredRow(_key_of(record), record["eventName"])
    try:
        row = adjustment_of(record["dynamodb"]["NewImage"])
        expected_hash = row_hash(row)
    except MALFORMED:
        return UnpublishableRow(_key_of(record), "no ledger row")
    if row.hash != expected_hash or _key_of(record) != keys.ledger(row.business_id, row.id):
        return UnpublishableRow(_key_of(record), "hash or key of another row")
    detail = detail_text(adjustment_members(row))
    if len(detail) > DETAIL_SIZE_MAX_BYTES:
        return UnpublishableRow(_key_of(record), "too large for an event")
    return Event(ADJUSTED, detail)


def _key_of(record: StreamRecord) -> str:
    return record["dynamodb"]["Keys"]["pk"]["S"]
