"""What each function behind the API owes to HTTP itself: HEAD, encoded bodies, and pages of other origins."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from inventory.api.headers import cors_headers
from tests.support.builders.requests import a_body, an_api_event
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.harness.loading import Context, load_handler
from tests.support.harness.read_service import LEVELS, LIST, a_get_event
from tests.support.harness.write_service import NAMESPACE

if TYPE_CHECKING:
    from tests.support.harness.read_service import ReadService
    from tests.support.harness.write_service import Service

SETTINGS = {
    "INVENTORY_TABLE": INVENTORY_TABLE,
    "LEDGER_TABLE": LEDGER_TABLE,
    "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
}
ORIGIN = "https://shop.example"


# ------------------------------------------------------------------------------------------------------ encoded bodies


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", "deflate", "x" * 1000])
def test_an_encoded_body_is_unsupported_and_its_encoding_named(encoding: str, service: Service) -> None:
    answer = service.post(a_body(), headers=[("Content-Encoding", encoding)])
    assert (answer.status, answer.code) == (415, "unsupported_encoding")
    assert answer.body["detail"]["content_encoding"] == encoding[:255]
    assert not [key for key in service.tables.items if key[0] == LEDGER_TABLE]


def test_it_is_said_before_anything_that_is_wrong_with_key_or_body(service: Service) -> None:
    packed = gzip.compress(json.dumps(a_body()).encode())
    answer = service.post(packed, headers=[("Content-Encoding", "gzip"), ("Idempotency-Key", "")])
    assert answer.status == 415


def test_it_is_said_after_authentication(service: Service) -> None:
    answer = service.post(a_body(), authorizer={}, headers=[("Content-Encoding", "gzip")])
    assert answer.status == 401


@pytest.mark.parametrize("encoding", ["identity", "Identity", "", " identity , identity "])
def test_a_body_that_is_not_encoded_is_taken(encoding: str, service: Service) -> None:
    assert service.post(a_body(), headers=[("Content-Encoding", encoding)]).status == 201


def test_without_a_body_there_is_nothing_encoded(service: Service) -> None:
    answer = service.post_event(body=None, **encoded(an_api_event(), "gzip"))
    assert answer.problems == [(("body",), "missing")]


def encoded(event: Any, encoding: str) -> Any:
    """The headers of an event, with an encoding."""
    several = event["multiValueHeaders"] | {"Content-Encoding": [encoding]}
    return {"headers": event["headers"] | {"Content-Encoding": encoding}, "multiValueHeaders": several}


# ---------------------------------------------------------------------------------------------------------------- HEAD


@pytest.mark.parametrize(
    ("resource", "query"), [(LIST, []), (LIST, [("limit", "0")]), (LEVELS, []), ("/api/v1/unknown", [])]
)
def test_head_is_answered_like_get_without_a_body(
    resource: str, query: list[tuple[str, str]], reading: ReadService
) -> None:
    event = a_get_event(resource, query)
    get, head = (reading.module.handler(event | {"httpMethod": method}, Context()) for method in ("GET", "HEAD"))
    assert get["body"]
    assert head == get | {"body": ""}


# ------------------------------------------------------------------------------------------------------------ browsers


@pytest.mark.parametrize("function", ["create_adjustment", "reverse_adjustment", "read_inventory"])
@pytest.mark.parametrize("origin", ["", ORIGIN])
def test_pages_of_the_allowed_origin_may_read_every_answer_and_those_of_no_other(
    function: str, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load_handler(function, monkeypatch, ALLOWED_ORIGIN=origin, **SETTINGS)
    answer = module.handler(an_api_event(authorizer={}), Context())
    assert answer["statusCode"] == 401
    found = {name: value for name, value in answer["headers"].items() if "Access-Control" in name}
    assert found == (cors_headers(origin) if origin else {})


def test_a_page_may_read_every_header_that_an_answer_has(service: Service) -> None:
    readable = {each.lower() for each in cors_headers(ORIGIN)["Access-Control-Expose-Headers"].split(", ")}
    for _ in range(2):
        answer = service.post(headers=[("Idempotency-Key", "key")])
        assert {name.lower() for name in answer.headers} <= readable | {"content-type"}
