"""The sample consumer: exact whatever comes twice or out of order, and plain words for a rejection."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from inventory.entrypoints.ledger_stream import ADJUSTED
from inventory.entrypoints.rejections import REJECTED
from inventory.entrypoints.responses import adjustment_members
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT
from tests.support.harness.loading import ROOT, load_by_path

consumer: Any = load_by_path(ROOT / "events" / "subscription" / "consumer.py", "subscription_consumer")


def adjusted(sequence: int, quantity_after: int) -> str:
    row = an_adjustment(sequence=sequence, quantity_after=quantity_after)
    return json.dumps({"detail-type": ADJUSTED, "detail": adjustment_members(row)})


@pytest.mark.parametrize("order", [*itertools.permutations([(1, 5), (2, 8), (3, 1)]), [(1, 5), (3, 1), (1, 5), (3, 1)]])
def test_the_mirror_has_the_balance_of_the_last_adjustment_in_any_order(order: list[tuple[int, int]]) -> None:
    mirror = consumer.StockMirror()
    for sequence, quantity in order:
        mirror.receive(adjusted(sequence, quantity))
    assert mirror.quantity(str(BUSINESS), str(VARIANT), str(LOCATION)) == 1


def test_what_was_never_reported_is_0() -> None:
    assert consumer.StockMirror().quantity("b", "v", "l") == 0


@pytest.mark.parametrize(
    ("facts", "words"),
    [({"quantity_on_hand": 2, "quantity_change": -3}, "No. (quantity_on_hand: 2, quantity_change: -3)"), ({}, "No.")],
)
def test_a_rejection_names_its_request_and_the_reason_with_its_facts(facts: dict[str, int], words: str) -> None:
    error = {"type": "InsufficientStock", "detail": {"code": "insufficient_stock", "message": "No."} | facts}
    detail = {"request": {"idempotency_key": "k-1"}, "error": error, "message_id": "m-1"}
    mirror = consumer.StockMirror()
    said = mirror.receive(json.dumps({"detail-type": REJECTED, "detail": detail}))
    assert said == f"rejected k-1: InsufficientStock: {words}"
    assert mirror.rejections == [detail]


@pytest.mark.parametrize(
    ("detail", "which"),
    [
        ({"request": {}, "message_id": "m-1"}, "m-1"),
        ({"request": {}, "message_id": "m-1", "event_id": "e-1"}, "e-1"),
        ({"request": "no object", "message_id": "m-1"}, "m-1"),
    ],
)
def test_a_request_without_a_key_is_named_by_its_message_or_event(detail: dict[str, Any], which: str) -> None:
    entries = [{"loc": ["body", "reason"], "msg": "Field required"}, {"loc": ["body", "x"], "msg": "Extra"}]
    error = {"type": "InvalidRequest", "detail": entries}
    said = consumer.rejection_in_words(detail | {"error": error})
    assert said == f"rejected {which}: InvalidRequest: body.reason: Field required; body.x: Extra"


def test_a_kind_of_event_that_is_younger_than_the_program_is_ignored() -> None:
    assert consumer.StockMirror().receive('{"detail-type": "SomethingElse", "detail": {}}') == "ignored SomethingElse"


class Queue:
    """A queue with these messages, each received until it is deleted."""

    def __init__(self, bodies: list[str]) -> None:
        self.messages = {str(number): body for number, body in enumerate(bodies)}
        self.receives_left = 3

    def receive_message(self, **_: object) -> dict[str, object]:
        self.receives_left -= 1
        if not self.messages or not self.receives_left:
            return {}
        return {"Messages": [{"MessageId": i, "ReceiptHandle": i, "Body": b} for i, b in self.messages.items()]}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        assert QueueUrl == "q"
        del self.messages[ReceiptHandle]


def test_a_message_is_deleted_once_it_was_read_and_stays_where_it_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    queue = Queue([adjusted(1, 5), "{", "[]", '{"detail-type": "InventoryAdjusted", "detail": {}}'])
    consumer.follow(queue, "q", consumer.StockMirror(), until_empty=True)
    assert sorted(queue.messages) == ["1", "2", "3"]
    printed = capsys.readouterr().out
    assert printed.count("5 on hand at sequence 1") == 1
    assert all(f"can't read {message_id}: " in printed for message_id in queue.messages)
