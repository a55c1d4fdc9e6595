"""Messages in any batches leave the same ledger and have the same outcomes as one by one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from inventory.adjusting.loop import Adjuster
from inventory.domain.errors import ServiceError
from inventory.domain.model import Business, Outcome, StockItemId
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.messages import UnreadableMessage
from inventory.entrypoints.queue import ingest
from inventory.entrypoints.responses import detail_of
from tests.support.builders.ids import BUSINESS, LOCATION, NOW, OTHER_BUSINESS, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.builders.requests import a_payload
from tests.support.fakes.batch_store import BatchStore
from tests.support.fakes.rejections import FakeRejections
from tests.support.harness.examples import examples
from tests.support.harness.ledger_invariants import assert_adds_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inventory.aws.event_bus import Event, EventBus, PutResult
    from inventory.domain.model import Adjustment
    from inventory.entrypoints.queue import Message
    from inventory.entrypoints.shapes import QueueRecord

PLACES = [
    (business, variant, location)
    for business in (BUSINESS, OTHER_BUSINESS)
    for variant in (VARIANT, OTHER_VARIANT)
    for location in (LOCATION, OTHER_LOCATION)
]
UNKNOWN = UUID(int=77)

requests = st.builds(
    a_payload,
    business_id=st.sampled_from([str(BUSINESS)] * 4 + [str(OTHER_BUSINESS), str(UNKNOWN)]),
    variant_id=st.sampled_from([str(VARIANT)] * 4 + [str(OTHER_VARIANT), str(UNKNOWN)]),
    location_id=st.sampled_from([..., ..., None, str(LOCATION), str(LOCATION).upper(), str(OTHER_LOCATION)]),
    quantity_change=st.sampled_from([-7, -3, -2, -1, 1, 2, 5, 0, "1"]),
    expected_quantity=st.sampled_from([..., ..., ..., ..., 0, 2]),
    reason=st.sampled_from(["sold", "sold", "found"]),
    idempotency_key=st.sampled_from([..., ..., "a", "b", "c", "d"]),
)
events = st.builds(
    lambda request, event_id: {"id": event_id, "detail-type": "InventoryAdjustmentRequested", "detail": request},
    requests,
    st.sampled_from(["e-1", "e-2", "e-3", None]),
)
bodies = (requests | requests | events).map(json.dumps) | st.sampled_from(["{", "[]", "null", '"text"'])
messages = st.lists(bodies, min_size=1, max_size=30).flatmap(
    # Some are delivered again: with the same id, at any later place.
    lambda sent: st.lists(st.integers(0, len(sent) - 1), max_size=8).map(
        lambda again: [(f"m-{place}", sent[place]) for place in [*range(len(sent)), *again]]
    )
)


@dataclass
class ToldBus:
    """A bus that takes everything."""

    events: list[Event] = field(default_factory=list)

    def put_all(self, events: Sequence[Event], budget: RetryBudget) -> list[PutResult]:
        self.events += events
        return [None] * len(events)


@dataclass
class Shop:
    """Two businesses, one of which may go below 0, and a clock that stands still."""

    store: BatchStore
    bus: ToldBus = field(default_factory=ToldBus)
    ends: list[object] = field(default_factory=list)

    def receive(self, batch: Sequence[QueueRecord]) -> None:
        adjuster = Adjuster(self.store, lambda: NOW, self._no_id, lambda: 0.0, lambda _: None, self.store.level_as_of)
        messages = ingest(
            batch,
            adjuster,
            FakeRejections(self.store),
            cast("EventBus", self.bus),
            budget=RetryBudget(lambda: 1_000.0),
            at_once=map,
        )
        self.ends += [end_of(message) for message in messages]

    def rows(self) -> list[Adjustment]:
        """The ledger, item by item, each of which must add up."""
        rows: list[Adjustment] = []
        for place in PLACES:
            of_place = [
                row for row in self.store.ledger.values() if (row.business_id, row.variant_id, row.location_id) == place
            ]
            rows += assert_adds_up(of_place, self.store.stock.get(StockItemId(*place)))
        assert len(rows) == len(self.store.ledger)
        return rows

    def published(self) -> list[str]:
        return sorted(event.detail for event in self.bus.events)

    @staticmethod
    def _no_id() -> UUID:
        raise AssertionError("a message without a key")


def a_shop() -> Shop:
    return Shop(
        BatchStore(
            businesses={
                BUSINESS: Business(allow_negative_stock=False, default_location_id=LOCATION),
                OTHER_BUSINESS: Business(allow_negative_stock=True, default_location_id=LOCATION),
            },
            active_variants={(business, variant) for business, variant, _ in PLACES},
            active_locations={(business, location) for business, _, location in PLACES},
        )
    )


def end_of(message: Message) -> object:
    """The outcome of a message."""
    match message.result:
        case Outcome() as outcome:
            return message.is_done, outcome.adjustment, outcome.replayed
        case ServiceError() as error:
            return message.is_done, json.dumps(detail_of(error), default=str)
        case result:
            assert isinstance(result, UnreadableMessage)
            return message.is_done, str(result)


def batches_of(sent: Sequence[QueueRecord], sizes: Sequence[int]) -> Iterator[list[QueueRecord]]:
    """Cut what was sent into batches of these sizes, and where one key would name two stock items in one batch.

    Which of the two is then first is open: the groups of a batch are independent. They are cut, too, where
    a message comes again, which within a batch counts once.
    """
    ends = iter(sizes)
    size = next(ends, len(sent))
    batch: list[QueueRecord] = []
    places: dict[object, object] = {}
    for record in sent:
        key, place = named_by(record)
        comes_again = any(is_copy(each, record) for each in batch)
        if len(batch) == size or comes_again or (key is not None and places.get(key, place) != place):
            yield batch
            batch, places, size = [], {}, next(ends, len(sent))
        batch.append(record)
        if key is not None:
            places[key] = place
    yield batch


def is_copy(one: QueueRecord, other: QueueRecord) -> bool:
    """Whether both are the same message, or have the same event."""
    is_same_event = '"detail-type"' in one["body"] and one["body"] == other["body"]
    return is_same_event or one["messageId"] == other["messageId"]


def named_by(record: QueueRecord) -> tuple[object, object]:
    """The key and the stock item that a message names, by its text alone; no key where it asks for nothing."""
    body: Any = json.loads(record["body"]) if record["body"] != "{" else None
    if not isinstance(body, dict):
        return None, None
    asked = body.get("detail", body)
    key = asked.get("idempotency_key") or body.get("id") or record["messageId"]
    location = (asked.get("location_id") or str(LOCATION)).lower()
    return (asked["business_id"], key), (asked["variant_id"], location)


@examples(400)
@given(sent=messages, sizes=st.lists(st.integers(1, 12), max_size=40))
def test_any_batching_of_messages_gives_the_same_ledger_and_outcomes(
    sent: list[tuple[str, str]], sizes: list[int]
) -> None:
    records: list[QueueRecord] = [{"messageId": message_id, "body": body} for message_id, body in sent]
    alone, together = a_shop(), a_shop()

    for record in records:
        alone.receive([record])
    for batch in batches_of(records, sizes):
        together.receive(batch)

    assert together.ends == alone.ends
    assert together.rows() == alone.rows()
    assert together.published() == alone.published()


@given(sent=messages, copies=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6))
def test_a_message_repeated_in_a_batch_counts_once(sent: list[tuple[str, str]], copies: list[tuple[int, int]]) -> None:
    first: dict[str, QueueRecord] = {}
    for message_id, body in sent:
        first.setdefault(message_id, {"messageId": message_id, "body": body})
    batch = list(first.values())
    with_copies = list(batch)
    for which, behind in copies:
        original = batch[which % len(batch)]
        with_copies.insert(with_copies.index(original) + 1 + behind, original)
    once, more_often = a_shop(), a_shop()

    once.receive(batch)
    more_often.receive(with_copies)

    assert more_often.ends == once.ends
    assert more_often.rows() == once.rows()
    assert more_often.published() == once.published()
