"""Events that no gateway, queue or stream sends: whoever may invoke a function can send it anything at all."""

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
def test_what_is_not_of_the_gateways_types_is_no_event_of_it(service: Service, changes: dict[str, Any]) -> None:
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
def test_what_the_gateway_leaves_out_or_makes_null_is_still_an_event_of_it(changes: dict[str, Any]) -> None:
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
def test_a_context_that_our_authorizer_can_not_have_made_is_forbidden(service: Service, changes: Any) -> None:
    answer = service.post(authorizer=an_authorizer_context(**changes))

    assert (answer.status, answer.code) == (403, "forbidden")
    assert service.tables.requests == {}


def test_a_header_called_authorizer_is_a_header_and_no_context(service: Service) -> None:
    forged = json.dumps(an_authorizer_context(business_id=str(OTHER_BUSINESS), subject="admin"))

    answer = service.post(headers=[("authorizer", forged), ("requestContext", forged)])

    assert (answer.body["business_id"], answer.body["created_by"]) == (str(BUSINESS), "till 4")


def test_numbers_that_the_gateway_puts_into_the_context_do_no_harm(service: Service) -> None:
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
def test_an_authorizer_that_is_asked_by_no_gateway_lets_nobody_through(authorizer: EntryPoint, event: object) -> None:
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
def test_what_is_no_batch_of_the_queue_is_an_invalid_request_as_a_whole(event: object) -> None:
    with pytest.raises(InvalidRequest) as raised:
        records_of(event)
    assert [each["loc"] for each in raised.value.entries] == [["body", "Records"]]


def test_the_function_says_so_as_a_direct_invocation_does(monkeypatch: pytest.MonkeyPatch) -> None:
    called = EntryPoint("ingest_adjustments", monkeypatch).call(a_payload())

    assert called.raised is not None
    assert_is_documented(called.raised)


@pytest.mark.parametrize("event", [None, {}, {"resource": ["/api/v1/docs"]}, {"resource": "/", "headers": 5}], ids=str)
def test_a_page_that_is_asked_for_in_no_known_way_is_not_found(event: object, monkeypatch: pytest.MonkeyPatch) -> None:
    called = EntryPoint("describe_api", monkeypatch).call(event)

    assert called.answer["statusCode"] == 404
