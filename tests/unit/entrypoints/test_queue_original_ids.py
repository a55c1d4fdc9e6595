"""A redriven message has a new message id, but stays the same request."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain.model import Command
from inventory.entrypoints.messages import ORIGINAL_ID, MessageRequest, read_message
from inventory.schemas.fields import idempotency_key_entries
from ops import redrive
from tests.support.builders.requests import a_payload
from tests.support.harness.loading import load_event

if TYPE_CHECKING:
    from inventory.entrypoints.shapes import QueueRecord


def a_record(body: object, **attributes: Any) -> QueueRecord:
    record: QueueRecord = load_event("ingest-adjustments")["Records"][0]
    return record | {"messageId": "m-2", "body": json.dumps(body), "messageAttributes": attributes}


def text(value: str) -> dict[str, object]:
    """A message attribute as Lambda hands it over."""
    return {"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String"}


def an_event(**members: object) -> dict[str, object]:
    return {"detail-type": "InventoryAdjustmentRequested", "detail": a_payload()} | members


def key_of(request: MessageRequest) -> str | None:
    """The key under which the request of a message is carried out."""
    command = request.requested()
    assert isinstance(command, Command)
    return command.idempotency_key


def test_a_redriven_message_keeps_its_first_id_for_its_key() -> None:
    request = read_message(a_record(a_payload(), **{ORIGINAL_ID: text("m-1")}))

    assert key_of(request) == "m-1"


def test_a_message_that_was_never_redriven_has_its_own_id() -> None:
    assert key_of(read_message(a_record(a_payload()))) == "m-2"
    assert read_message({"messageId": "m-2", "body": "{}"}).message_id == "m-2"
    assert key_of(read_message(a_record(a_payload(), trace=text("m-1")))) == "m-2"


def test_a_key_in_the_payload_and_an_events_own_id_come_first() -> None:
    moved = {ORIGINAL_ID: text("m-1")}

    assert key_of(read_message(a_record(a_payload(idempotency_key="k"), **moved))) == "k"
    assert key_of(read_message(a_record(an_event(id="e-1"), **moved))) == "e-1"
    assert key_of(read_message(a_record(an_event(), **moved))) == "m-1"


UNUSABLE = ["", " ", "a b", "é", "x" * 256, "a\n", "\x7f"]


@pytest.mark.parametrize("value", UNUSABLE)
def test_text_that_cannot_be_a_key_is_not_used_as_an_id(value: str) -> None:
    assert key_of(read_message(a_record(a_payload(), **{ORIGINAL_ID: text(value)}))) == "m-2"


def test_an_attribute_that_is_not_text_is_not_used_as_an_id() -> None:
    attribute = {"binaryValue": "bS0x", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"}

    assert key_of(read_message(a_record(a_payload(), **{ORIGINAL_ID: attribute}))) == "m-2"


def test_the_redrive_and_the_service_use_the_same_attribute() -> None:
    assert redrive.ORIGINAL_ID == ORIGINAL_ID
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", ORIGINAL_ID), "what SQS takes for a name"
    for value in [*UNUSABLE, "!", "~", "m-1", "x" * 255]:
        assert (redrive.KEY.fullmatch(value) is None) == bool(idempotency_key_entries(value)), value
