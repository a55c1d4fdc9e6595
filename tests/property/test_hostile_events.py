"""Events and payloads of any shape, for every entry point: an answer or an error of the contract, and nothing else.

Each test starts from a real event and alters some parts. The tables answer: nothing may be a fault.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inventory.api.routes import (
    CREATE_BATCH,
    GET_GROUP,
    PROVE_LEVEL,
    RECORD_COUNT,
    REVERSE_ADJUSTMENT,
    REVERSE_GROUP,
    TRANSFER,
)
from tests.support.builders.hostile_events import api_events, bodies, mutated, odd_values
from tests.support.builders.ids import ADJUSTMENT, BUSINESS, LOCATION, OTHER_LOCATION, VARIANT
from tests.support.builders.requests import a_body, a_payload
from tests.support.harness.entry_points import (
    WIRED,
    EntryPoint,
    assert_is_an_answer_of_http,
    assert_is_documented,
    assert_nothing_sent_is_logged,
)
from tests.support.harness.examples import examples
from tests.support.harness.loading import load_event
from tests.support.harness.read_service import LEVELS, LIST, ONE, a_get_event

if TYPE_CHECKING:
    from collections.abc import Iterator

PROOF, REVERSAL = PROVE_LEVEL.path, REVERSE_ADJUSTMENT.path
GROUP, GROUP_REVERSAL = GET_GROUP.path, REVERSE_GROUP.path
READS = {LIST, ONE, LEVELS, PROOF, GROUP}
ROW = load_event("publish-adjustments")["Records"][0]
COMMANDS = [
    load_event(f"provision-{name}")
    for name in (
        "register-business",
        "register-location",
        "register-variant",
        "deactivate-location",
        "deactivate-variant",
        "issue-token",
        "revoke-token",
    )
]


@pytest.fixture(scope="module")
def entry_points() -> Iterator[dict[str, EntryPoint]]:
    """Every function, loaded once: what one event leaves behind the next one finds."""
    with pytest.MonkeyPatch.context() as patch:
        yield {name: EntryPoint(name, patch) for name in [*WIRED, "describe_api"]}


reads = st.sampled_from(
    [
        a_get_event(LIST, [("variant_id", str(VARIANT)), ("limit", "5"), ("created_from", "2026-01-01T00:00:00Z")]),
        a_get_event(ONE, path={"id": str(ADJUSTMENT)}),
        a_get_event(LEVELS, [("variant_id", str(VARIANT)), ("as_of", "2026-12-01T00:00:00Z")]),
        a_get_event(PROOF, path={"variant_id": str(VARIANT), "location_id": str(LOCATION)}),
        a_get_event(GROUP, path={"group_id": str(ADJUSTMENT)}),
    ]
)
A_COUNT = {
    "variant_id": str(VARIANT),
    "counted_quantity": 7,
    "counted_at": "2026-11-23T14:05:09.123456Z",
    "occurred_at": "2026-11-23T14:00:00+01:00",
}
A_TRANSFER = {
    "from_location_id": str(LOCATION),
    "to_location_id": str(OTHER_LOCATION),
    "reason": "restock",
    "lines": [{"variant_id": str(VARIANT), "quantity": 2, "expected_quantity": 5}, {"sku": "BOOT-42", "quantity": 1}],
}
A_BATCH = {"mode": "atomic", "lines": [a_body(), A_COUNT, a_body(variant_id=..., sku="BOOT-42", reason_code="damage")]}
CALLER = {"business_id": str(BUSINESS), "idempotency_key": "key"}
creations = (
    api_events(a_body(reason_code="damage", reference="CC-17", location_id=str(LOCATION)))
    | api_events(A_BATCH, resource=CREATE_BATCH.path)
    | api_events(A_BATCH | {"mode": "each"}, resource=CREATE_BATCH.path)
    | api_events(A_COUNT, resource=RECORD_COUNT.path)
    | api_events(A_TRANSFER, resource=TRANSFER.path)
)
reversals = api_events(
    {"reason": "wrong shelf"}, resource=REVERSAL, pathParameters={"id": str(ADJUSTMENT)}
) | api_events({"reason": "wrong shelf"}, resource=GROUP_REVERSAL, pathParameters={"group_id": str(ADJUSTMENT)})
GOOD_PAYLOADS = (
    a_payload(idempotency_key="key", actor="import", expected_quantity=5),
    CALLER | A_BATCH,
    CALLER | A_COUNT,
    CALLER | A_TRANSFER,
)
payloads = st.sampled_from(GOOD_PAYLOADS)
exports = st.just({"command": "export", "business_id": str(BUSINESS), "format": "csv", "variant_id": str(VARIANT)})


def records_of(bodies_of_messages: list[bytes]) -> dict[str, Any]:
    batch = load_event("ingest-adjustments")
    texts = [body.decode("utf-8", "replace") for body in bodies_of_messages]
    records = [batch["Records"][0] | {"messageId": f"m-{place}", "body": body} for place, body in enumerate(texts)]
    return {"Records": records}


messages = st.one_of(*[bodies(payload) for payload in GOOD_PAYLOADS])
batches = st.lists(messages, min_size=1, max_size=3).map(records_of)


@examples(250)
@given(event=mutated(creations | payloads))
@example(event=None)
def test_a_creation_is_answered_or_raises_a_documented_error(entry_points: dict[str, EntryPoint], event: Any) -> None:
    called = entry_points["create_adjustment"].call(event)

    if called.raised is not None:
        assert_is_documented(called.raised)
    elif "statusCode" in called.answer:
        assert_is_an_answer_of_http(called)
        if called.answer["statusCode"] == 200:
            lines = json.loads(called.answer["body"])["data"]
            assert {each["status"] for each in lines} <= {201, 404, 409, 422}, "the tables answer: no line is at fault"
    else:
        rows = called.answer.get("data", [called.answer])
        assert {each["business_id"] for each in rows} == {str(BUSINESS)}
    assert_nothing_sent_is_logged(called)


@examples(250)
@given(event=mutated(reversals) | odd_values)
def test_a_reversal_is_answered(entry_points: dict[str, EntryPoint], event: Any) -> None:
    called = entry_points["reverse_adjustment"].call(event)

    assert_is_an_answer_of_http(called)
    assert_nothing_sent_is_logged(called)


@examples(250)
@given(event=mutated(reads | exports) | odd_values)
def test_a_read_is_answered_or_raises_a_documented_error(entry_points: dict[str, EntryPoint], event: Any) -> None:
    called = entry_points["read_inventory"].call(event)

    if called.raised is not None:
        assert_is_documented(called.raised)
    elif "statusCode" not in called.answer:
        assert called.answer.keys() >= {"rows", "text", "next_cursor"}
    elif event["resource"] not in READS:
        assert called.answer["statusCode"] in {401, 403, 500}, "only the gateway names a route: that is our own fault"
        return
    else:
        assert_is_an_answer_of_http(called)
    assert_nothing_sent_is_logged(called)


@examples(250)
@given(event=mutated(st.just(load_event("authorizer"))) | odd_values)
def test_the_authorizer_denies_or_raises_one_of_its_two_errors(entry_points: dict[str, EntryPoint], event: Any) -> None:
    """The table behind it knows no token at all: nothing may be allowed."""
    called = entry_points["authorizer"].call(event)

    if called.raised is None:
        assert [each["Effect"] for each in called.answer["policyDocument"]["Statement"]] == ["Deny"]
    else:
        assert type(called.raised).__name__ == "AuthorizerError"
        assert str(called.raised) == "Unauthorized"
    assert_nothing_sent_is_logged(called)


@examples(250)
@given(event=mutated(batches) | mutated(st.just(load_event("ingest-adjustments"))) | odd_values)
def test_a_batch_is_answered_with_ids_of_its_messages(entry_points: dict[str, EntryPoint], event: Any) -> None:
    called = entry_points["ingest_adjustments"].call(event)

    if called.raised is not None:
        assert_is_documented(called.raised)
    else:
        again = [each["itemIdentifier"] for each in called.answer["batchItemFailures"]]
        assert set(again) <= {record["messageId"] for record in event["Records"]}
    assert_nothing_sent_is_logged(called)


@examples(250)
@given(images=st.lists(mutated(st.just(ROW["dynamodb"]["NewImage"])) | odd_values, min_size=1, max_size=3))
@example(images=[ROW["dynamodb"]["NewImage"] | {"created_at": {"S": "0001-01-01T00:00:00+23:59"}}])
def test_no_item_written_by_hand_holds_up_the_stream(entry_points: dict[str, EntryPoint], images: list[Any]) -> None:
    records = [ROW | {"dynamodb": ROW["dynamodb"] | {"NewImage": image}} for image in images]

    called = entry_points["publish_adjustments"].call({"Records": records})

    assert called.answer == {"batchItemFailures": []}


@examples(250)
@given(event=mutated(st.just(load_event("publish-adjustments"))) | odd_values)
def test_an_event_that_the_stream_never_sends_raises_a_documented_error(
    entry_points: dict[str, EntryPoint], event: Any
) -> None:
    """The stream never sends these; the raised error lets Lambda split a batch and dead-letter the rest."""
    called = entry_points["publish_adjustments"].call(event)

    if called.raised is not None:
        assert type(called.raised).__name__ == "InternalError"
        assert json.loads(str(called.raised))["code"] == "internal_error"


@examples(250)
@given(event=mutated(st.sampled_from(COMMANDS)) | odd_values)
def test_a_command_is_carried_out_or_raises_a_documented_error(entry_points: dict[str, EntryPoint], event: Any) -> None:
    called = entry_points["provision"].call(event)

    if called.raised is not None:
        assert_is_documented(called.raised)
    else:
        assert all(type(value) is str for value in called.answer.values())
    assert_nothing_sent_is_logged(called)


@examples(250)
@given(event=mutated(st.just(load_event("audit-ledger"))) | odd_values)
def test_an_audit_is_answered_or_raises_a_documented_error(entry_points: dict[str, EntryPoint], event: Any) -> None:
    called = entry_points["audit_ledger"].call(event)

    if called.raised is not None:
        assert_is_documented(called.raised)
    else:
        assert called.answer["problem_count"] == 0
    assert_nothing_sent_is_logged(called)


@examples(250)
@given(event=mutated(st.just(load_event("describe-api"))) | odd_values)
def test_a_page_is_served_or_is_not_found(entry_points: dict[str, EntryPoint], event: Any) -> None:
    assert_is_an_answer_of_http(entry_points["describe_api"].call(event))
