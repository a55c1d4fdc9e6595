"""The requests queue: each message ends in a ledger row, in a published rejection, or is delivered again."""

from __future__ import annotations

import json
import sys
from copy import replace
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, override
from uuid import UUID

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from inventory.adjusting.merging import RUN_TIME_MAX_S
from inventory.aws.clients import events_client
from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, detail_text
from inventory.domain.retry_budget import ATTEMPTS_MAX, CALL_BUDGET_S, CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from inventory.domain.rules import keyed_id
from inventory.entrypoints import queue
from inventory.entrypoints.messages import ORIGINAL_ID, read_message
from inventory.entrypoints.queue import PUBLISHING_TIME_S, RESPONSE_TIME_S
from inventory.entrypoints.rejections import rejection
from inventory.schemas.json_parser import parse_json
from inventory.storage import keys
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_VARIANT, VARIANT
from tests.support.builders.requests import a_payload
from tests.support.fakes.event_bus import MemoryBus
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE, Tables
from tests.support.faults.wire import broken, cancelled, fault, reply
from tests.support.harness.loading import Context, load_event, load_handler
from tests.support.sam_template import load_template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inventory.domain.errors import ServiceError
    from inventory.entrypoints.messages import MessageRequest
    from inventory.entrypoints.shapes import QueueRecord
    from tests.support.faults.wire import Reply

BUS = "the-bus"
FUNCTION = load_template()["Resources"]["IngestAdjustmentsFunction"]["Properties"]
TIMEOUT_MS = FUNCTION["Timeout"] * 1000
SOURCE = FUNCTION["Events"]["Requests"]["Properties"]
BATCH_SIZE = SOURCE["BatchSize"]
CALL_MAX_MS = (CONNECT_TIMEOUT_S + READ_TIMEOUT_S) * 1000


@dataclass
class Clock(Context):
    """A context whose time passes only by pauses and calls."""

    remaining_ms: int = TIMEOUT_MS
    call_ms: int = 0

    def __post_init__(self) -> None:
        self.left_at_calls_ms: list[int] = []

    def pause(self, seconds: float) -> None:
        self.remaining_ms -= int(seconds * 1000)

    def call_begins(self, **_: object) -> None:
        self.left_at_calls_ms.append(self.remaining_ms)
        self.remaining_ms -= self.call_ms

    @override
    def get_remaining_time_in_millis(self) -> int:
        assert self.remaining_ms >= 0, "cut off"
        return self.remaining_ms


class Ingest:
    """One environment of the function, cold until its first batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        settings = {"INVENTORY_TABLE": INVENTORY_TABLE, "LEDGER_TABLE": LEDGER_TABLE, "EVENT_BUS": BUS}
        namespace = {"POWERTOOLS_METRICS_NAMESPACE": "InventoryAdjustments"}
        self._module = load_handler("ingest_adjustments", monkeypatch, **settings, **namespace)
        self._capsys = capsys
        self.clock = Clock()
        # One group after the other: the tables behind the wire are for one thread, and the clock is everybody's.
        self._module.at_once = map
        self._module.adjuster = replace(self._module.adjuster, sleep=self.clock.pause, fraction=lambda: 1.0)
        tables_client, bus_client = self._module.client, self._module.events
        for client, event in ((tables_client, "before-send.dynamodb"), (bus_client, "before-send.events")):
            client.meta.events.register(event, self.clock.call_begins)
        self.tables = Tables(tables_client)
        self.bus = MemoryBus(bus_client)

    def receive(self, *bodies: object, ids: Iterable[str] | None = None) -> list[str]:
        """Deliver a batch; return the ids of the messages that return to the queue.

        Text is sent unchanged, anything else as JSON. The messages are m-0, m-1 … unless ``ids`` says.
        """
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        named = ids or [f"m-{number}" for number in range(len(texts))]
        return self.invoke({"Records": [a_record(*each) for each in zip(named, texts, strict=True)]})

    def invoke(self, event: object) -> list[str]:
        # pytest changes stdout between a fixture and its test; the logger would write to the one it was made with.
        self._module.logger.registered_handler.stream = sys.stdout
        answer = self._module.handler(event, self.clock)
        assert set(answer) == {"batchItemFailures"}
        assert all(set(each) == {"itemIdentifier"} for each in answer["batchItemFailures"])
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def read(self) -> list[str]:
        """The lines that were written since the last call."""
        return self._capsys.readouterr().out.splitlines()

    def printed(self) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """Log lines and how often each metric was counted, since the last call."""
        printed = [json.loads(line) for line in self.read()]
        counted: dict[str, int] = {}
        for line in printed:
            for each in line["_aws"]["CloudWatchMetrics"][0]["Metrics"] if "_aws" in line else []:
                counted[each["Name"]] = counted.get(each["Name"], 0) + int(sum(line[each["Name"]]))
        return [line for line in printed if "_aws" not in line], counted

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Id and delta of each ledger row, oldest first."""
        return [(row["id"]["S"], row["delta"]["N"]) for row in self.tables.rows]

    @property
    def errors(self) -> list[str]:
        """The types of the published errors."""
        return [detail["error"]["type"] for detail in self.bus.details]


def a_record(message_id: str, body: str) -> dict[str, object]:
    record: dict[str, object] = load_event("ingest-adjustments")["Records"][0]
    return record | {"messageId": message_id, "body": body}


def an_event(detail: object, **members: object) -> dict[str, object]:
    """What EventBridge makes of an event that a rule sends to the queue."""
    event: dict[str, object] = json.loads(load_event("ingest-adjustments")["Records"][1]["body"])
    return event | {"id": "e-1", "detail": detail} | members


def row_id(key: str) -> str:
    return str(keyed_id(BUSINESS, key))


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ingest:
    made = Ingest(monkeypatch, capsys)
    made.tables.with_catalog()
    return made


# --- a message that is applied ---------------------------------------------------------------------------------------


def test_a_message_becomes_a_ledger_row_under_its_id_and_no_event(ingest: Ingest) -> None:
    assert ingest.receive(a_payload()) == []

    assert ingest.rows == [(row_id("m-0"), "5")]
    assert ingest.bus.calls == 0


def test_an_event_becomes_a_ledger_row_under_its_own_id(ingest: Ingest) -> None:
    assert ingest.receive(an_event(a_payload())) == []

    assert ingest.rows == [(row_id("e-1"), "5")]


def test_a_key_in_the_payload_takes_precedence_over_both_ids(ingest: Ingest) -> None:
    payload = a_payload(idempotency_key="k")

    assert ingest.receive(payload, an_event(payload)) == []

    assert ingest.rows == [(row_id("k"), "5")]


@pytest.mark.parametrize("event_id", [None, 5, "", "ä", "two words", "x" * 256])
def test_an_event_without_a_usable_id_is_recorded_under_the_messages_id(ingest: Ingest, event_id: object) -> None:
    assert ingest.receive(an_event(a_payload(), id=event_id)) == []

    assert ingest.rows == [(row_id("m-0"), "5")]


def test_an_event_that_arrives_in_two_messages_changes_stock_once(ingest: Ingest) -> None:
    assert ingest.receive(an_event(a_payload()), an_event(a_payload())) == []

    assert ingest.rows == [(row_id("e-1"), "5")]


def test_a_message_twice_in_a_batch_is_never_both_rejected_and_applied(ingest: Ingest) -> None:
    """Stock comes in between its copies: the second copy would be applied although the first was rejected."""
    taken, brought = a_payload(quantity_change=-5), a_payload(quantity_change=5)

    assert ingest.receive(taken, brought, taken, ids=["m-0", "m-1", "m-0"]) == []

    assert ingest.errors == ["InsufficientStock"]
    assert [delta for _, delta in ingest.rows] == ["5"]


def test_a_redelivered_message_changes_nothing_and_publishes_nothing(ingest: Ingest) -> None:
    ingest.receive(a_payload())

    assert ingest.receive(a_payload()) == []

    assert len(ingest.rows) == 1
    assert ingest.bus.calls == 0
    assert ingest.printed()[1] == {"AdjustmentCreated": 1, "AdjustmentReplayed": 1}


def test_a_lost_answer_for_a_message_is_found_in_the_ledger(ingest: Ingest) -> None:
    ingest.tables.answers_are_lost = True

    assert ingest.receive(a_payload()) == []

    assert len(ingest.rows) == 1


def test_two_messages_without_a_key_are_two_adjustments(ingest: Ingest) -> None:
    assert ingest.receive(a_payload(), a_payload()) == []

    assert ingest.rows == [(row_id("m-0"), "5"), (row_id("m-1"), "5")]


@pytest.mark.parametrize(("actor", "created_by"), [(..., "queue"), ("importer", "importer")])
def test_the_ledger_row_names_the_actor(ingest: Ingest, actor: object, created_by: str) -> None:
    ingest.receive(a_payload(actor=actor))

    assert [row["created_by"]["S"] for row in ingest.tables.rows] == [created_by]


@pytest.mark.parametrize("literal", ["5.0", "5e0", "0.5e1", "50e-1"])
def test_an_integer_is_accepted_in_any_notation(ingest: Ingest, literal: str) -> None:
    assert ingest.receive(json.dumps(a_payload()).replace(": 5,", f": {literal},")) == []

    assert ingest.rows == [(row_id("m-0"), "5")]


def test_the_sample_event_holds_a_valid_message_and_a_valid_event(ingest: Ingest) -> None:
    assert ingest.invoke(load_event("ingest-adjustments")) == []

    assert ingest.errors == ["VariantNotFound", "VariantNotFound"], "valid, but of the demo data"


# --- a rejection -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "detail"),
    [
        ({"variant_id": str(OTHER_VARIANT)}, "VariantNotFound", {"code": "variant_not_found"}),
        ({"location_id": str(OTHER_VARIANT)}, "LocationNotFound", {"code": "location_not_found"}),
        (
            {"quantity_change": -1},
            "InsufficientStock",
            {"code": "insufficient_stock", "quantity_on_hand": 0, "quantity_change": -1},
        ),
        ({"expected_quantity": 9}, "StaleQuantity", {"code": "stale_quantity", "quantity_on_hand": 0}),
    ],
)
def test_a_rejection_is_published_and_the_message_is_done(
    ingest: Ingest, changes: dict[str, object], kind: str, detail: dict[str, object]
) -> None:
    payload = a_payload(**changes)

    assert ingest.receive(payload) == []

    (entry,) = ingest.bus.entries
    rejection = json.loads(entry.pop("Detail"))
    assert entry == {
        "EventBusName": BUS,
        "Source": "inventory.adjustments",
        "DetailType": "InventoryAdjustmentRejected",
    }
    assert rejection["error"]["detail"].pop("message")
    assert rejection == {"request": payload, "error": {"type": kind, "detail": detail}, "message_id": "m-0"}
    assert ingest.rows == []


def test_without_a_default_location_one_must_be_named(ingest: Ingest) -> None:
    ingest.tables.with_business(default=None)

    assert ingest.receive(a_payload()) == []

    assert ingest.errors == ["NoDefaultLocation"]


def test_an_invalid_request_is_published_with_each_wrong_field(ingest: Ingest) -> None:
    payload = a_payload(quantity_change=0, reason=..., colour="red")

    assert ingest.receive(an_event(payload)) == []

    (rejection,) = ingest.bus.details
    assert rejection["request"] == payload
    assert rejection["error"]["type"] == "InvalidRequest"
    assert [(entry["loc"], entry["type"]) for entry in rejection["error"]["detail"]] == [
        (["body", "quantity_change"], "value_error"),
        (["body", "reason"], "missing"),
        (["body", "colour"], "extra_forbidden"),
    ]


def test_a_key_of_another_request_is_an_invalid_request(ingest: Ingest) -> None:
    assert ingest.receive(a_payload(idempotency_key="k"), a_payload(idempotency_key="k", quantity_change=6)) == []

    (rejection,) = ingest.bus.details
    assert rejection["error"]["type"] == "InvalidRequest"
    assert rejection["error"]["detail"][0]["type"] == "idempotency_key_reused"
    assert len(ingest.rows) == 1


@pytest.mark.parametrize("detail", [None, [], "text", 5])
def test_an_event_whose_detail_is_not_an_object_is_rejected(ingest: Ingest, detail: object) -> None:
    assert ingest.receive(an_event(detail)) == []

    (rejection,) = ingest.bus.details
    assert rejection["request"] == detail
    assert rejection["error"]["detail"][0]["type"] == "model_attributes_type"


def test_an_object_with_some_members_of_an_event_is_a_payload_with_unknown_fields(ingest: Ingest) -> None:
    assert ingest.receive(a_payload(detail={}), a_payload(**{"detail-type": "x"})) == []

    assert ingest.errors == ["InvalidRequest", "InvalidRequest"]


@pytest.mark.parametrize(
    "literal", ["5.0000000000000001", "0.1", "-1.5e-7", "9007199254740993", "-9223372036854775807", "1e-400"]
)
def test_numbers_of_a_rejected_request_are_published_with_every_digit(ingest: Ingest, literal: str) -> None:
    body = json.dumps(a_payload(reason="")).replace(": 5,", f": {literal},")

    assert ingest.receive(body, json.dumps(an_event({})).replace('"detail": {}', f'"detail": {body}')) == []

    for entry in ingest.bus.entries:
        rejection = parse_json(entry["Detail"].encode())
        assert isinstance(rejection, dict)
        assert isinstance(rejection["request"], dict)
        assert rejection["request"]["quantity_change"] == Decimal(literal)


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("9223372036854775808", "9223372036854775808"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("1e30", "1E+30"),
        ("1e4299", "1E+4299"),
        ("1e-10001", "1E-10001"),
        ("0e10001", "0E+10001"),
        ("1e-99999999999999999999999", "1e-99999999999999999999999"),
    ],
    ids=["just beyond", "just below", "1e30", "1e4299", "1e-10001", "0e10001", "far below"],
)
def test_a_number_that_the_bus_could_refuse_is_published_as_text(ingest: Ingest, literal: str, text: str) -> None:
    assert ingest.receive(json.dumps(a_payload()).replace(": 5,", f": {literal},")) == []

    assert ingest.bus.details[0]["request"]["quantity_change"] == text


def test_half_a_surrogate_pair_is_published_as_it_was_sent(ingest: Ingest) -> None:
    assert ingest.receive('{"\\ud800": "\\udfff"}') == []

    assert ingest.bus.details[0]["request"] == {"\ud800": "\udfff"}


# --- rejections over the size limit ----------------------------------------------------------------------------------


def test_a_rejected_request_that_is_too_large_is_published_with_its_short_known_fields(ingest: Ingest) -> None:
    payload = a_payload(reason="x" * 2000, idempotency_key="k", padding="y" * 300_000)

    assert ingest.receive(payload) == []

    (rejection,) = ingest.bus.details
    assert rejection["request"] == {
        name: payload[name] for name in ("variant_id", "quantity_change", "business_id", "idempotency_key")
    }
    assert [entry["loc"] for entry in rejection["error"]["detail"]] == [["body", "reason"], ["body", "padding"]]


def test_a_field_of_a_rejection_that_is_too_large_is_kept_up_to_a_kilobyte(ingest: Ingest) -> None:
    payloads = [a_payload(actor="x" * (1024 - len('""') + more), padding="y" * 300_000) for more in (0, 1)]

    assert ingest.receive(*payloads) == []

    assert ["actor" in rejection["request"] for rejection in ingest.bus.details] == [True, False]


def test_a_rejection_is_published_in_full_up_to_the_limit_and_trimmed_beyond(ingest: Ingest) -> None:
    ingest.receive(a_payload(padding=""))
    (entry,) = ingest.bus.entries
    room = DETAIL_SIZE_MAX_BYTES - len(entry["Detail"]) + len('"input":"",')
    ingest.bus.entries.clear()

    ingest.receive(a_payload(padding="y" * room), a_payload(padding="y" * (room + 1)))

    assert [len(entry["Detail"]) == DETAIL_SIZE_MAX_BYTES for entry in ingest.bus.entries] == [True, False]
    assert ["padding" in rejection["request"] for rejection in ingest.bus.details] == [True, False]


def test_a_rejection_that_is_too_large_lists_the_first_fifty_errors_without_their_input(ingest: Ingest) -> None:
    unknown = {f"{number:03}": "x" for number in range(200)}

    assert ingest.receive(a_payload(**unknown, padding="y" * 300_000)) == []

    (rejection,) = ingest.bus.details
    listed = rejection["error"]["detail"]
    assert [each["loc"] for each in listed] == [["body", name] for name in list(unknown)[:50]]
    assert [each for each in listed if "input" in each] == []


@pytest.mark.parametrize("padding", [244_000, 261_300, 1_000_000])
def test_no_rejection_becomes_an_event_of_more_than_256_kb(ingest: Ingest, padding: int) -> None:
    """EventBridge counts the whole event, with the members that it adds itself; a target may refuse a larger one."""
    assert ingest.receive(a_payload(padding="y" * padding)) == []

    (entry,) = ingest.bus.entries
    event = json.loads(load_event("ingest-adjustments")["Records"][1]["body"])
    event |= {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
    assert len(json.dumps(event)) <= 256 * 1024
    assert ("padding" in event["detail"]["request"]) == (padding == 244_000)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"\U0001f4e6" * 250 + str(number): "\U0001f4e6" * 80 for number in range(150)}),
        json.dumps({"\x01" * 300 + str(number): "x" for number in range(2_000)}),
        json.dumps(dict.fromkeys(a_payload(), "\x01" * 170) | {str(number): "x" * 1000 for number in range(300)}),
        json.dumps(an_event("x" * 300_000)),
        json.dumps(an_event(["x" * 1000] * 300)),
        json.dumps(a_payload(reason=" " * 300_000 + "r", variant_id=str(OTHER_VARIANT))),
    ],
    ids=["wide names", "escaped names", "many fields", "text", "list", "white space"],
)
def test_a_rejection_of_a_request_of_any_size_can_be_published(ingest: Ingest, body: str) -> None:
    assert ingest.receive(body) == []

    (entry,) = ingest.bus.entries
    assert len(entry["Detail"].encode()) <= DETAIL_SIZE_MAX_BYTES
    assert json.loads(entry["Detail"]).keys() - {"event_id"} == {"request", "error", "message_id"}


# --- a rejection that can't be published -----------------------------------------------------------------------------


def failed_entry(code: str) -> AWSResponse:
    return reply({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "no"}]})


def raw_reply(body: bytes) -> AWSResponse:
    made = reply({})
    return AWSResponse(made.url, 200, HTTPHeaders(), type(made.raw)(body))


PASSING: dict[str, Reply] = {
    "throttled": fault("ThrottlingException"),
    "internal": fault("InternalException", 500),
    "unavailable": fault("ServiceUnavailable", 503),
    "time-out": ReadTimeoutError(endpoint_url="https://events.test"),
    "no connection": ConnectTimeoutError(endpoint_url="https://events.test"),
    "closed": broken(),
    "truncated": raw_reply(b'{"FailedEntryCount":0,"Entr'),
    "empty": raw_reply(b""),
    "empty object": raw_reply(b"{}"),
    "entry throttled": failed_entry("ThrottlingException"),
    "entry failed": failed_entry("InternalFailure"),
    "entry without a code": reply({"FailedEntryCount": 1, "Entries": [{}]}),
}
FINAL: dict[str, Reply] = {
    "denied": fault("AccessDeniedException"),
    "no such bus": fault("ResourceNotFoundException"),
    "entry malformed": failed_entry("MalformedDetail"),
    "entry denied": failed_entry("NotAuthorizedForSourceException"),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_message_whose_rejection_is_not_published_returns_to_the_queue(ingest: Ingest, name: str) -> None:
    ingest.bus.meets(PASSING[name])

    assert ingest.receive(a_payload(), a_payload(quantity_change=-9), a_payload()) == ["m-1"]

    assert len(ingest.rows) == 2
    assert ingest.bus.calls > 1, "retried before the message returns to the queue"
    assert ingest.printed()[1] == {"AdjustmentCreated": 2, "TryAgain": 1}


@pytest.mark.parametrize("name", PASSING)
def test_a_transient_fault_of_the_bus_is_retried(ingest: Ingest, name: str) -> None:
    ingest.bus.meets(PASSING[name], None)

    assert ingest.receive(a_payload(quantity_change=-9)) == []

    assert ingest.errors == ["InsufficientStock"]
    assert ingest.printed()[1] == {"InsufficientStock": 1}


@pytest.mark.parametrize("name", FINAL)
def test_a_permanent_error_of_the_bus_is_logged_as_a_fault(ingest: Ingest, name: str) -> None:
    ingest.bus.meets(FINAL[name])

    assert ingest.receive(a_payload(quantity_change=-9), a_payload()) == ["m-0"]

    assert ingest.bus.calls == 1
    lines, counted = ingest.printed()
    assert counted == {"AdjustmentCreated": 1, "InternalError": 1}
    assert (lines[0]["message"], lines[0]["level"]) == ("unexpected fault", "ERROR")
    assert lines[0]["exception_name"] in {"EventRefused", "ClientError"}


def test_a_message_whose_rejection_was_not_published_is_rejected_for_the_same_reason_later(ingest: Ingest) -> None:
    """PutEvents can fail although the event is published; so it may not be applied when stock has come in."""
    ingest.bus.meets(broken())
    assert ingest.receive(a_payload(quantity_change=-5)) == ["m-0"]
    ingest.bus.meets(None)
    ingest.tables.with_stock(a_stock_item(5))

    assert ingest.receive(a_payload(quantity_change=-5)) == []

    assert ingest.rows == []
    (rejection,) = ingest.bus.details
    assert rejection["error"]["detail"]["quantity_on_hand"] == 0


def test_a_rejection_whose_publishing_is_uncertain_is_published_at_least_once(ingest: Ingest) -> None:
    ingest.bus.answers_are_lost = True
    ingest.bus.meets(broken())
    assert ingest.receive(a_payload(quantity_change=-5)) == ["m-0"]
    ingest.bus.meets(None)

    assert ingest.receive(a_payload(quantity_change=-5)) == []

    assert set(ingest.errors) == {"InsufficientStock"}


# --- faults ---------------------------------------------------------------------------------------------------------


def test_a_fault_returns_only_the_messages_of_its_stock_item_to_the_queue(ingest: Ingest) -> None:
    ingest.tables.with_variant(OTHER_VARIANT)
    ingest.tables.meets("TransactWriteItems", None, fault("AccessDeniedException"))
    other = a_payload(variant_id=str(OTHER_VARIANT))

    assert ingest.receive(a_payload(), other, a_payload(), other) == ["m-1", "m-3"]

    assert [each for each, _ in ingest.rows] == [row_id("m-0"), row_id("m-2")]
    assert ingest.bus.calls == 0
    lines, counted = ingest.printed()
    assert counted == {"AdjustmentCreated": 2, "InternalError": 2}
    assert [line["message_id"] for line in lines if line["message"] == "unexpected fault"] == ["m-1", "m-3"]


def test_an_unreadable_row_fails_only_the_message_of_its_key(ingest: Ingest) -> None:
    """A row was tampered with, and a message names its key: that message always fails, and the others must not."""
    spoilt = {"pk": {"S": keys.ledger(BUSINESS, keyed_id(BUSINESS, "k"))}, "sequence": {"S": "spoilt"}}
    ingest.tables.items[LEDGER_TABLE, spoilt["pk"]["S"], ""] = spoilt

    batch = [a_payload() for _ in range(40)]
    assert ingest.receive(*batch[:27], a_payload(idempotency_key="k"), *batch[27:]) == ["m-27"]

    assert ingest.printed()[1] == {"AdjustmentCreated": 40, "InternalError": 1}


def test_a_message_that_meets_a_bug_returns_to_the_queue_alone(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:

    def failing(record: QueueRecord) -> MessageRequest:
        if "spoilt" in record["body"]:
            raise AssertionError("a bug")
        return read_message(record)

    monkeypatch.setattr(queue, "read_message", failing)

    assert ingest.receive(a_payload(), a_payload(reason="spoilt"), a_payload()) == ["m-1"]

    assert ingest.printed()[1] == {"AdjustmentCreated": 2, "InternalError": 1}


def test_a_rejection_that_cannot_be_serialized_returns_only_its_message_to_the_queue(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:

    def failing(message: MessageRequest, error: ServiceError) -> str:
        if "spoilt" in str(message.payload):
            raise AssertionError("a bug")
        return rejection(message, error)

    monkeypatch.setattr(queue, "rejection", failing)

    assert ingest.receive(a_payload(), a_payload(colour="spoilt"), a_payload(quantity_change=-9)) == ["m-1"]

    assert ingest.errors == ["InsufficientStock"]
    assert len(ingest.rows) == 1


def test_a_message_undecided_in_time_is_delivered_again(ingest: Ingest) -> None:
    ingest.tables.meets("TransactWriteItems", cancelled("TransactionConflict", "None"))

    assert ingest.receive(a_payload()) == ["m-0"]

    assert ingest.bus.calls == 0
    assert ingest.printed()[1] == {"TryAgain": 1}


@pytest.mark.parametrize("body", [json.dumps(a_payload()), json.dumps(a_payload(colour="red")), "{"])
def test_a_redriven_message_that_fails_again_returns_under_the_id_that_the_queue_knows(
    ingest: Ingest, body: str
) -> None:
    """Lambda delivers the whole batch again where the answer names an id that is not in it."""
    ingest.tables.meets("TransactWriteItems", broken())
    ingest.bus.meets(broken())
    attribute = {"stringValue": "m-of-long-ago", "dataType": "String"}
    record = a_record("m-9", body) | {"messageAttributes": {ORIGINAL_ID: attribute}}

    assert ingest.invoke({"Records": [record]}) == ["m-9"]


def test_a_record_without_a_body_does_not_hold_up_the_batch(ingest: Ingest) -> None:
    assert ingest.invoke({"Records": [{"messageId": "m-0"}, a_record("m-1", json.dumps(a_payload()))]}) == ["m-0"]

    assert len(ingest.rows) == 1


POISON = {
    "nothing": "",
    "half an object": '{"quantity_change": 5',
    "a list": "[]",
    "null": "null",
    "a number": "5",
    "a string": '"whispered"',
    "not a number": '{"quantity_change": NaN}',
    "too deep": '{"a":' * 101 + "1" + "}" * 101,
    "too long": '{"a":' + "9" * 5000 + "}",
    "half a surrogate pair": '{"a": "\ud800"}',
    "base64": "eyJhIjogMX0=",
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON)
def test_an_unreadable_message_is_delivered_again_until_it_is_dead_lettered(ingest: Ingest, body: str) -> None:
    assert ingest.receive(a_payload(), body, a_payload()) == ["m-1"]

    assert len(ingest.rows) == 2
    assert ingest.bus.calls == 0
    lines, counted = ingest.printed()
    assert counted == {"AdjustmentCreated": 2, "MessageUnreadable": 1}
    (line,) = [line for line in lines if line["message"] == "message unreadable"]
    assert (line["level"], line["message_id"]) == ("WARNING", "m-1")
    assert "whispered" not in json.dumps(line)
    assert (line["problem"] == "Not an object") == (body in {"[]", "null", "5", '"whispered"'})


# --- time -----------------------------------------------------------------------------------------------------------


def test_without_time_every_message_returns_to_the_queue_undecided(ingest: Ingest) -> None:
    ingest.clock.remaining_ms = int((CALL_BUDGET_S + PUBLISHING_TIME_S) * 1000) - 1

    assert ingest.receive(a_payload(), a_payload(quantity_change=-9), "{") == ["m-0", "m-1", "m-2"]

    assert ingest.clock.left_at_calls_ms == []
    assert ingest.printed()[1] == {"TryAgain": 2, "MessageUnreadable": 1}


def test_nothing_is_written_with_too_little_time_for_a_decision(ingest: Ingest) -> None:
    ingest.clock.remaining_ms = int((CALL_BUDGET_S + PUBLISHING_TIME_S) * 1000) - 1

    assert ingest.receive(a_payload(), a_payload(quantity_change=-9)) == ["m-0", "m-1"]

    assert ingest.tables.requests["TransactWriteItems"] == []
    assert ingest.bus.calls == 0


def test_a_batch_that_runs_out_of_time_is_done_in_part(ingest: Ingest) -> None:
    ingest.clock.call_ms = 1_000

    failed = ingest.receive(*[a_payload()] * BATCH_SIZE)

    assert len(ingest.rows) + len(failed) == BATCH_SIZE
    assert ingest.rows
    assert failed
    assert [each for each, _ in ingest.rows] == [row_id(f"m-{number}") for number in range(len(ingest.rows))]


def test_rejections_are_published_even_after_slow_decisions(ingest: Ingest) -> None:
    ingest.tables.with_variant(OTHER_VARIANT)
    conflict = cancelled("TransactionConflict", "None")
    ingest.tables.meets("TransactWriteItems", *[conflict] * ATTEMPTS_MAX, None)
    refused = [a_payload(quantity_change=-1, variant_id=str(OTHER_VARIANT))] * 25

    assert ingest.receive(*refused, a_payload()) == ["m-25"]

    assert ingest.errors == ["InsufficientStock"] * 25
    assert ingest.clock.remaining_ms >= (PUBLISHING_TIME_S - CALL_MAX_MS / 1000) * 1000


def test_a_slow_bus_leaves_time_for_the_answer(ingest: Ingest) -> None:
    ingest.receive(a_payload(quantity_change=-1))
    ingest.clock.remaining_ms, ingest.clock.call_ms = TIMEOUT_MS, 800

    failed = ingest.receive(*[a_payload(quantity_change=0)] * BATCH_SIZE)

    assert len(failed) + len(ingest.errors) - 1 == BATCH_SIZE
    assert failed
    assert ingest.clock.remaining_ms >= RESPONSE_TIME_S * 1000


def test_a_contended_stock_item_leaves_time_for_the_messages_behind_it(ingest: Ingest) -> None:
    for variant_id in (OTHER_VARIANT, UUID(int=3)):
        ingest.tables.with_variant(variant_id)
    ingest.tables.meets("TransactWriteItems", cancelled("TransactionConflict", "None"))
    variants = [str(each) for each in (VARIANT, OTHER_VARIANT)]

    failed = ingest.receive(*[a_payload(variant_id=each) for each in variants])

    assert failed == ["m-0", "m-1"]
    ids = [each["TransactItems"][1]["Put"]["Item"]["id"]["S"] for each in ingest.tables.requests["TransactWriteItems"]]
    assert min(ids.count(row_id(message_id)) for message_id in failed) > 5


@pytest.mark.parametrize("met", [None, ReadTimeoutError(endpoint_url="https://dynamodb.test")], ids=["slow", "silent"])
@pytest.mark.parametrize("quantity_change", [5, -5, 0])
@pytest.mark.parametrize("budget_ms", [3_400, 4_000, 6_500, 13_400, 20_000, TIMEOUT_MS])
def test_no_call_begins_that_could_outlast_the_invocation(
    ingest: Ingest, met: Reply, quantity_change: int, budget_ms: int
) -> None:
    for variant_id in (OTHER_VARIANT, UUID(int=3)):
        ingest.tables.with_variant(variant_id)
    ingest.clock.remaining_ms, ingest.clock.call_ms = budget_ms, CALL_MAX_MS
    ingest.tables.meets("BatchGetItem", met)
    ingest.bus.meets(None if met is None else ReadTimeoutError(endpoint_url="https://events.test"))
    variants = [str(each) for each in (VARIANT, OTHER_VARIANT, UUID(int=3))]

    ingest.receive(*[a_payload(quantity_change=quantity_change, variant_id=each) for each in variants * 40])

    assert all(left_ms >= CALL_BUDGET_S * 1000 for left_ms in ingest.clock.left_at_calls_ms)
    assert ingest.clock.remaining_ms >= 0


def test_the_time_out_fits_two_groups_and_the_visibility_time_out_is_six_times_as_long() -> None:
    attributes = load_template()["Resources"]["AdjustmentRequestsQueue"]["Properties"]

    assert FUNCTION["Timeout"] >= 2 * RUN_TIME_MAX_S + PUBLISHING_TIME_S
    assert RUN_TIME_MAX_S > 2 * CALL_BUDGET_S
    assert PUBLISHING_TIME_S > RESPONSE_TIME_S + 2 * CALL_MAX_MS / 1000
    assert attributes["VisibilityTimeout"] >= 6 * FUNCTION["Timeout"] + SOURCE["MaximumBatchingWindowInSeconds"]


# --- together -------------------------------------------------------------------------------------------------------


def test_a_full_batch_for_one_stock_item_takes_the_fewest_transactions(ingest: Ingest) -> None:
    named = [{}, {"location_id": str(LOCATION)}, {"location_id": str(LOCATION).upper()}]
    messages = [a_payload(quantity_change=number + 1, **named[number % 3]) for number in range(BATCH_SIZE)]

    assert ingest.receive(*messages) == []

    sent = ingest.tables.requests["TransactWriteItems"]
    assert [len(each["TransactItems"]) - 1 for each in sent] == [99] * 10 + [10]
    # The default location, and then for each transaction the rows that could be there already, with the stock item.
    assert len(ingest.tables.requests["BatchGetItem"]) <= 1 + 2 * len(sent)
    assert [delta for _, delta in ingest.rows] == [str(number + 1) for number in range(BATCH_SIZE)], "in their order"
    assert ingest.bus.calls == 0


def test_a_full_batch_logs_one_line_per_message_and_metrics_within_the_limits(ingest: Ingest) -> None:
    assert ingest.receive(*[a_payload()] * 700, *[a_payload(quantity_change=0)] * 300) == []

    raw = [json.loads(line) for line in ingest.read()]
    lines = [line for line in raw if "_aws" not in line]
    assert [line["message_id"] for line in lines] == [f"m-{number}" for number in range(1000)]
    written = [
        (metric["Name"], line[metric["Name"]])
        for line in raw
        if "_aws" in line
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    ]
    assert max(len(values) for _, values in written) <= 100, "the most that CloudWatch reads of one line"
    assert sum(sum(values) for name, values in written if name == "AdjustmentCreated") == 700
    assert sum(sum(values) for name, values in written if name == "InvalidRequest") == 300


@pytest.mark.parametrize("count", [99, 100, 101, 200])
def test_every_message_of_a_large_batch_is_counted(ingest: Ingest, count: int) -> None:
    assert ingest.receive(*[a_payload()] * count) == []

    assert ingest.printed()[1] == {"AdjustmentCreated": count}


def test_rejections_are_published_in_the_fewest_calls_and_in_the_order_of_the_batch(ingest: Ingest) -> None:
    assert ingest.receive(*[a_payload(quantity_change=-number - 1) for number in range(35)]) == []

    assert ingest.bus.call_sizes == [10, 10, 10, 5]
    assert [rejection["request"]["quantity_change"] for rejection in ingest.bus.details] == [
        -number - 1 for number in range(35)
    ]


# --- logs and metrics ------------------------------------------------------------------------------------------------


def test_each_message_has_one_line_and_one_metric_under_its_id_and_nothing_of_its_body(ingest: Ingest) -> None:
    secret = {"reason": "whispered", "reference": "confidential", "idempotency_key": "key-of-the-caller"}
    sent = [a_payload(**secret), a_payload(**secret), a_payload(quantity_change=0, **secret), '{"whispered"']

    ingest.receive(*sent)

    lines, counted = ingest.printed()
    assert [(line["message_id"], line["message"]) for line in lines] == [
        ("m-0", "adjustment created"),
        ("m-1", "adjustment replayed"),
        ("m-2", "request refused"),
        ("m-3", "message unreadable"),
    ]
    assert counted == {"AdjustmentCreated": 1, "AdjustmentReplayed": 1, "InvalidRequest": 1, "MessageUnreadable": 1}
    text = json.dumps(lines)
    assert [value for value in secret.values() if value in text] == []


def test_a_thousand_messages_of_unknown_fields_are_each_published_in_part(ingest: Ingest) -> None:
    """Listing all of their errors would exceed the function's time and memory."""
    unknown = {f"{number:03}": 0 for number in range(1000)}

    assert ingest.receive(a_payload(**unknown)) == []

    (rejection,) = ingest.bus.details
    listed = rejection["error"]["detail"]
    assert rejection["request"] == a_payload(**unknown)
    assert [each["loc"][1] for each in listed] == list(unknown)[: len(listed)]
    assert 200 < len(listed) < 1000


def test_no_member_of_one_messages_line_stays_for_the_next(ingest: Ingest) -> None:
    ingest.receive(a_payload(), a_payload(quantity_change=-9), "{")

    _, second, third = ingest.printed()[0]
    assert (second["message_id"], second["business_id"]) == ("m-1", str(BUSINESS))
    assert third["message_id"] == "m-2"
    assert not {"adjustment_id", "sequence"} & (set(second) | set(third))
    assert "business_id" not in third


@pytest.mark.usefixtures("powertools_logs_events")
def test_the_event_logging_setting_of_powertools_logs_no_body(ingest: Ingest) -> None:
    ingest.receive(a_payload(reason="whispered"))

    assert "whispered" not in json.dumps(ingest.printed()[0])


# --- the bus's client -----------------------------------------------------------------------------------------------


def test_the_bus_client_has_the_tables_time_outs_and_one_attempt_a_call() -> None:
    config: Any = events_client().meta.config

    assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}


def test_a_published_detail_parses_to_what_it_was_written_from() -> None:
    value: Any = {"a": [True, None, 5, Decimal("0.10"), "é\ud800", {"b": {}}], "": []}

    assert parse_json(detail_text(value).encode()) == value
