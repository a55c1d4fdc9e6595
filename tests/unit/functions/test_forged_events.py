"""Events that no gateway, queue or stream sends: a caller that may invoke a function can send it anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inventory.api.requests import is_api_event
from inventory.domain.errors import InvalidRequest
from inventory.entrypoints.messages import ORIGINAL_ID, records_of
from tests.support.builders.ids import ADJUSTMENT, BUSINESS, OTHER_BUSINESS
from tests.support.builders.requests import a_body, a_payload, an_api_event, an_authorizer_context
from tests.support.harness.entry_points import EntryPoint, assert_is_documented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.harness.write_service import Service

ODD: dict[str, dict[str, Any]] = {
    "a header that is no text": {"headers": {"x-business-id": 5}},
    "headers that are no object": {"headers": [["x-business-id", str(BUSINESS)]]},
    "a header that came null": {"multiValueHeaders": {"x-business-id": None}},
    "a header that came no time": {"multiValueHeaders": {"x-business-id": []}},
    "a resource that is no text": {"resource": None},
    "a path that is no text": {"pathParameters": {"id": {"S": str(ADJUSTMENT)}}},
    "a parameter that is no text": {"queryStringParameters": {"limit": 5}},
    "a parameter that came no time": {"multiValueQueryStringParameters": {"limit": []}},
    "a body that is an object": {"body": a_body()},
    "an encoding that is a text": {"isBase64Encoded": "false"},
    "a context that is a text": {"requestContext": "admin"},
}


@pytest.fixture
def authorizer() -> Iterator[EntryPoint]:
    """In front of a table without tokens."""
    with pytest.MonkeyPatch.context() as patch:
        yield EntryPoint("authorizer", patch)


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD)
def test_an_event_with_other_types_than_the_gateways_is_not_an_api_event(
    service: Service, changes: dict[str, Any]
) -> None:
    event = an_api_event() | changes

    assert not is_api_event(event)
    with pytest.raises(Exception, match="extra_forbidden") as raised:
        service.invoke(event)
    assert type(raised.value).__name__ == "InvalidRequest"
    assert service.tables.requests == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": None, "multiValueHeaders": None},
        {"queryStringParameters": None, "multiValueQueryStringParameters": None},
        {"pathParameters": {}},
        {"body": None},
    ],
    ids=" ".join,
)
def test_an_event_with_members_left_out_or_null_is_still_an_api_event(changes: dict[str, Any]) -> None:
    event = an_api_event()

    assert is_api_event(event | changes)
    assert is_api_event({name: value for name, value in event.items() if name not in changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"business_id": [str(BUSINESS)]},
        {"business_id": f"{BUSINESS}#"},
        {"scopes": ["adjustments:write"]},
        {"subject": None},
        {"subject": ""},
        {"subject": "till\n4"},
        {"subject": "till \ud800"},
        {"subject": "x" * 256},
    ],
    ids=str,
)
def test_a_context_that_our_authorizer_never_makes_is_forbidden(service: Service, changes: Any) -> None:
    answer = service.post(authorizer=an_authorizer_context(**changes))

    assert (answer.status, answer.code) == (403, "forbidden")
    assert service.tables.requests == {}


def test_a_header_named_authorizer_does_not_become_the_context(service: Service) -> None:
    forged = json.dumps(an_authorizer_context(business_id=str(OTHER_BUSINESS), subject="admin"))

    answer = service.post(headers=[("authorizer", forged), ("requestContext", forged)])

    assert (answer.body["business_id"], answer.body["created_by"]) == (str(BUSINESS), "till 4")


def test_numbers_in_the_authorizer_context_are_accepted(service: Service) -> None:
    context: Any = an_authorizer_context() | {"integrationLatency": 17}

    assert service.post(authorizer=context).status == 201


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"methodArn": 5},
        {"methodArn": "*"},
        {"methodArn": "a/b/c", "headers": {"Authorization": 5}},
        {"methodArn": "a/b/c", "multiValueHeaders": {"Authorization": "Bearer"}},
    ],
    ids=str,
)
def test_the_authorizer_allows_nothing_for_an_event_that_no_gateway_sends(
    authorizer: EntryPoint, event: object
) -> None:
    called = authorizer.call(event)

    assert (type(called.raised).__name__, str(called.raised)) == ("AuthorizerError", "Unauthorized")
    assert [line["why"] for line in called.lines] == ["not from the gateway"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"Records": []},
        {"Records": {"0": {}}},
        {"Records": ["m"]},
        {"Records": [{"body": "{}"}]},
        {"Records": [{"messageId": "two words", "body": "{}"}]},
        {"Records": [{"messageId": "", "body": "{}"}]},
        {"Records": [{"messageId": "é", "body": "{}"}]},
        {"Records": [{"messageId": "tab\t", "body": "{}"}]},
        {"Records": [{"messageId": "m" * 256, "body": "{}"}]},
        {"Records": [{"messageId": "m", "body": 5}]},
        {"Records": [{"messageId": "m", "body": "{}", "messageAttributes": None}]},
        {"Records": [{"messageId": "m", "body": "{}", "messageAttributes": {ORIGINAL_ID: "k"}}]},
        {"Records": [{"messageId": "m", "body": "{}"}, None]},
    ],
    ids=str,
)
def test_an_event_that_is_not_a_batch_of_the_queue_is_an_invalid_request(event: object) -> None:
    with pytest.raises(InvalidRequest) as raised:
        records_of(event)
    rule = "must be messages of the queue"
    assert raised.value.entries == [
        {"type": "value_error", "loc": ["body", "Records"], "msg": f"Value error, {rule}", "ctx": {"error": rule}}
        | {"input": None}
    ]


def test_the_queue_function_raises_an_invalid_batch_like_a_direct_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    called = EntryPoint("ingest_adjustments", monkeypatch).call(a_payload())

    assert called.raised is not None
    assert_is_documented(called.raised)


@pytest.mark.parametrize("event", [None, {}, {"resource": ["/api/v1/docs"]}, {"resource": "/", "headers": 5}], ids=str)
def test_an_unknown_event_for_the_page_is_answered_with_404(event: object, monkeypatch: pytest.MonkeyPatch) -> None:
    called = EntryPoint("describe_api", monkeypatch).call(event)

    assert called.answer["statusCode"] == 404
