"""The authorizer decides whose stock a request changes; nothing in the request can."""

from __future__ import annotations

from copy import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inventory.api.routes import LIST_LEVELS
from inventory.domain.timestamps import instant_text
from tests.support.builders.ids import BUSINESS, NOW, OTHER_BUSINESS, TICK, VARIANT
from tests.support.builders.requests import a_body, an_authorizer_context

if TYPE_CHECKING:
    from tests.support.harness.read_service import ReadService
    from tests.support.harness.write_service import Answer, Service


def unauthorized(answer: Answer) -> bool:
    return (answer.status, answer.code, answer.headers.get("WWW-Authenticate")) == (401, "unauthorized", "Bearer")


def forbidden(answer: Answer) -> bool:
    return (answer.status, answer.code, "WWW-Authenticate" in answer.headers) == (403, "forbidden", False)


@pytest.mark.parametrize(
    "request_context", [{}, {"authorizer": None}, {"authorizer": {}}], ids=["absent", "null", "empty"]
)
def test_a_request_that_passed_no_authorizer_is_unauthorized(
    service: Service, request_context: dict[str, object]
) -> None:
    answer = service.post(requestContext=request_context)

    assert unauthorized(answer)
    assert service.tables.requests == {}


@pytest.mark.parametrize(
    ("left", "status"), [(TICK, 201), (timedelta(0), 401), (-TICK, 401), (-timedelta(days=3650), 401)], ids=str
)
def test_a_cached_authorization_is_valid_until_the_instant_of_its_expiry(
    service: Service, left: timedelta, status: int
) -> None:
    service.module.adjuster = replace(service.module.adjuster, clock=lambda: NOW)

    answer = service.post(authorizer=an_authorizer_context(expires_at=instant_text(NOW + left)))

    assert answer.status == status
    assert status == 201 or unauthorized(answer)
    assert status == 201 or service.tables.requests == {}


@pytest.mark.usefixtures("process_time_zone")
def test_a_cached_authorization_expires_at_its_instant_in_any_time_zone_of_the_process(
    service: Service, reading: ReadService
) -> None:
    for minutes, statuses in ((-1, (401, 401)), (1, (201, 200))):
        expires_at = instant_text(datetime.now(UTC) + timedelta(minutes=minutes))
        context = an_authorizer_context(expires_at=expires_at)

        answers = (
            service.post(authorizer=context),
            reading.get(LIST_LEVELS.path, [("variant_id", str(VARIANT))], authorizer=context),
        )

        assert tuple(each.status for each in answers) == statuses


@pytest.mark.parametrize("expires_at", ["", None, 5, ["2999-01-01T00:00:00.000000Z"]], ids=str)
def test_an_expiry_that_our_authorizer_never_sets_counts_as_expired(service: Service, expires_at: Any) -> None:
    assert unauthorized(service.post(authorizer=an_authorizer_context(expires_at=expires_at)))


def test_an_expired_token_is_unauthorized_whatever_else_is_wrong(service: Service) -> None:
    past = instant_text(datetime.now(UTC))

    answer = service.post(
        b"{", authorizer=an_authorizer_context(expires_at=past, business_id=str(OTHER_BUSINESS), scopes="")
    )

    assert unauthorized(answer)


@pytest.mark.parametrize("headers", [{}, None, {"Authorization": "Bearer dz_secret"}], ids=["none", "null", "another"])
def test_a_request_without_the_business_header_is_unauthorized(
    service: Service, headers: dict[str, str] | None
) -> None:
    assert unauthorized(service.post_event(headers=headers, multiValueHeaders=None))
    assert service.tables.requests == {}


@pytest.mark.parametrize("named", [str(OTHER_BUSINESS), "", "not-a-uuid", f"{BUSINESS}, {BUSINESS}", f"x{BUSINESS}"])
def test_a_header_with_another_business_or_no_business_id_is_forbidden(service: Service, named: str) -> None:
    assert forbidden(service.post_event(headers={"x-business-id": named}, multiValueHeaders=None))
    assert forbidden(service.post_event(headers={}, multiValueHeaders={"x-business-id": [named]}))
    assert service.tables.requests == {}


def test_a_second_business_header_is_not_hidden_behind_the_first(service: Service) -> None:
    answer = service.post(headers=[("X-Business-Id", str(OTHER_BUSINESS))])

    assert forbidden(answer)


@pytest.mark.parametrize(
    "spelling", [str(BUSINESS).upper(), BUSINESS.hex, f"{{{BUSINESS}}}", f"urn:uuid:{BUSINESS}", f" {BUSINESS} "]
)
def test_the_business_may_be_spelt_as_any_uuid_may(service: Service, spelling: str) -> None:
    answer = service.post_event(headers={"X-BUSINESS-ID": spelling}, multiValueHeaders=None)

    assert (answer.status, answer.body["business_id"]) == (201, str(BUSINESS))


@pytest.mark.parametrize(
    "scopes",
    [
        "",
        "adjustments:read",
        "adjustments:read adjustments:reverse",
        "adjustments:write2",
        "adjustments:writes",
        "write",
    ],
)
def test_a_token_without_the_write_scope_is_forbidden(service: Service, scopes: str) -> None:
    assert forbidden(service.post(authorizer=an_authorizer_context(scopes=scopes)))
    assert service.tables.requests == {}


@pytest.mark.parametrize("context", [{"subject": "x"}, {"business_id": str(BUSINESS)}], ids=["business", "scopes"])
def test_a_context_that_lacks_its_business_or_its_scopes_is_forbidden(
    service: Service, context: dict[str, str]
) -> None:
    assert forbidden(service.post(authorizer=context))


def test_the_tenant_is_checked_before_the_body_is_looked_at(service: Service) -> None:
    assert forbidden(service.post(b"{", authorizer=an_authorizer_context(business_id=str(OTHER_BUSINESS))))
    assert unauthorized(service.post(b"{", requestContext={}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("business_id", str(OTHER_BUSINESS)),
        ("requestContext", {"authorizer": an_authorizer_context(business_id=str(OTHER_BUSINESS))}),
        ("actor", "admin"),
        ("created_by", "admin"),
        ("idempotency_key", "key"),
        ("headers", {"x-business-id": str(OTHER_BUSINESS)}),
        ("allow_negative_stock", True),
    ],
)
def test_no_field_of_a_body_changes_whose_stock_is_moved(service: Service, name: str, value: Any) -> None:
    answer = service.post(a_body(**{name: value}))

    assert (answer.status, answer.problems) == (422, [(("body", name), "extra_forbidden")])
    assert service.tables.requests == {}


def test_an_adjustment_belongs_to_the_authenticated_business_and_subject(service: Service) -> None:
    answer = service.post(authorizer=an_authorizer_context(subject="till 7"))

    assert answer.body["business_id"] == str(BUSINESS)
    assert answer.body["created_by"] == "till 7"
    assert [row["pk"]["S"].split("#")[0] for row in service.tables.rows] == [str(BUSINESS)]


def test_a_key_means_nothing_in_another_business(service: Service) -> None:
    service.tables.with_business(OTHER_BUSINESS)
    service.tables.with_variant(business_id=OTHER_BUSINESS)
    service.tables.with_location(business_id=OTHER_BUSINESS)
    key = {"Idempotency-Key": "key"}

    answers = [
        service.post_event(
            headers=key | {"x-business-id": str(each)},
            multiValueHeaders=None,
            requestContext={"authorizer": an_authorizer_context(business_id=str(each))},
        )
        for each in (BUSINESS, OTHER_BUSINESS)
    ]

    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].body["id"] != answers[1].body["id"]
    assert len(service.tables.rows) == 2


@pytest.mark.parametrize("of", ["variant", "location"])
def test_the_catalog_of_another_business_is_not_found(service: Service, of: str) -> None:
    authorizer = an_authorizer_context(business_id=str(OTHER_BUSINESS))
    service.tables.with_business(OTHER_BUSINESS)
    if of == "location":
        service.tables.with_variant(business_id=OTHER_BUSINESS)

    answer = service.post_event(
        headers={"x-business-id": str(OTHER_BUSINESS)},
        multiValueHeaders=None,
        requestContext={"authorizer": authorizer},
    )

    assert (answer.status, answer.code) == (404, f"{of}_not_found")
