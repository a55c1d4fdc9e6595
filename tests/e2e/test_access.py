"""Who may do what: tokens, businesses, scopes, and the gateway's own answers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inventory.domain.api_tokens import mint
from tests.e2e.service import ADJUSTMENTS

if TYPE_CHECKING:
    import httpx

    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business, Service


def refused(response: httpx.Response) -> tuple[int, str]:
    detail = response.json()["detail"]
    assert set(detail) == {"code", "message"}
    return response.status_code, detail["code"]


def assert_unauthorized(response: httpx.Response) -> None:
    assert refused(response) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("missing", ["Authorization", "x-business-id"])
def test_both_headers_are_required(missing: str, service: Service, business: Business) -> None:
    headers = business.headers()
    del headers[missing]
    assert_unauthorized(service.post(business.body(1), headers))


@pytest.mark.parametrize(
    "credentials", ["Bearer nonsense", "Bearer", "Basic dXNlcjpwYXNz", "dz_", "Bearer dz_' OR 1=1"]
)
def test_a_malformed_token_is_unauthorized(credentials: str, service: Service, business: Business) -> None:
    assert_unauthorized(service.post(business.body(1), business.headers() | {"Authorization": credentials}))


def test_a_well_formed_token_that_was_never_issued_is_unauthorized(service: Service, business: Business) -> None:
    assert_unauthorized(service.post(business.body(1), business.headers() | {"Authorization": f"Bearer {mint()}"}))


def test_an_expired_token_is_unauthorized(service: Service, business: Business) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    token = service.issue_token([business.id], expires_at=past)["token"]
    assert_unauthorized(service.post(business.body(1), business.headers() | {"Authorization": f"Bearer {token}"}))


def test_a_token_is_unauthorized_as_soon_as_it_expires(service: Service, business: Business) -> None:
    """The gateway still remembers that it was good, for all routes."""
    expiry = datetime.now(UTC) + timedelta(seconds=4)
    token = service.issue_token([business.id], expires_at=expiry.isoformat())["token"]
    headers = business.headers() | {"Authorization": f"Bearer {token}"}
    row = service.post(business.body(1), headers)
    assert row.status_code == 201
    time.sleep(max(0.0, (expiry - datetime.now(UTC)).total_seconds()) + 0.1)
    assert_unauthorized(service.post(business.body(1), headers))
    assert_unauthorized(service.post({"reason": "x"}, headers, path=f"{ADJUSTMENTS}/{row.json()['id']}/reversal"))
    assert_unauthorized(service.http.get(f"{service.base_url}{ADJUSTMENTS}", headers=headers))
    assert len(business.ledger()) == 1


def test_a_revoked_token_is_unauthorized(service: Service, business: Business) -> None:
    issued = service.issue_token([business.id])
    service.operate("revoke_token", token_id=issued["token_id"])
    headers = business.headers() | {"Authorization": f"Bearer {issued['token']}"}
    assert_unauthorized(service.post(business.body(1), headers))


def test_a_token_of_one_business_is_forbidden_in_another_even_when_it_is_cached(
    service: Service, business: Business
) -> None:
    other = service.new_business()
    business.opened_with(1)
    headers = business.headers() | {"x-business-id": other.id}
    assert refused(service.post(other.body(1), headers)) == (403, "forbidden")
    assert business.adjust(1).status_code == 201


def test_a_token_of_two_businesses_is_valid_in_both(service: Service, business: Business) -> None:
    other = service.new_business()
    token = service.issue_token([business.id, other.id])["token"]
    for each in (business, other):
        headers = each.headers() | {"Authorization": f"Bearer {token}"}
        answer = service.post(each.body(1), headers)
        assert (answer.status_code, answer.json()["business_id"]) == (201, each.id)


@pytest.mark.parametrize("named", ["not-a-uuid", "0" * 35, "*"])
def test_a_malformed_business_is_forbidden(named: str, service: Service, business: Business) -> None:
    headers = business.headers() | {"x-business-id": named}
    assert refused(service.post(business.body(1), headers)) == (403, "forbidden")


def test_a_business_is_the_same_in_upper_case(service: Service, business: Business) -> None:
    headers = business.headers() | {"x-business-id": business.id.upper()}
    assert service.post(business.body(1), headers).json()["business_id"] == business.id


def test_a_token_that_may_only_read_is_forbidden_to_write(service: Service, business: Business) -> None:
    token = service.issue_token([business.id], scopes=("adjustments:read",))["token"]
    headers = business.headers() | {"Authorization": f"Bearer {token}"}
    assert refused(service.post(business.body(1), headers)) == (403, "forbidden")


def test_authentication_comes_before_validity(service: Service, business: Business) -> None:
    assert_unauthorized(service.post(b"{", business.headers() | {"Authorization": "Bearer nonsense"}))


def test_a_context_forged_in_the_body_is_rejected_and_changes_no_stock(service: Service, business: Business) -> None:
    other = service.new_business()
    forged = {"requestContext": {"authorizer": {"business_id": other.id}}, "business_id": other.id}
    response = service.post(business.body(1) | forged, business.headers())
    assert response.status_code == 422
    assert {each["type"] for each in response.json()["detail"]} == {"extra_forbidden"}
    assert business.ledger() == []
    assert other.ledger() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("GET", ADJUSTMENTS + "/x/y"), ("DELETE", ADJUSTMENTS), ("POST", ADJUSTMENTS + "/x")],
)
def test_an_unknown_path_or_method_is_not_found(method: str, path: str, service: Service, business: Business) -> None:
    for headers in ({}, business.headers()):
        response = service.http.request(method, service.base_url + path, headers=headers)
        assert refused(response) == (404, "not_found")


def test_a_trailing_slash_makes_no_difference(service: Service, business: Business) -> None:
    headers = business.headers()
    created = service.post(business.body(7), headers, path=f"{ADJUSTMENTS}/")
    assert created.status_code == 201
    path = f"{ADJUSTMENTS}/{created.json()['id']}"
    for each in (
        path,
        ADJUSTMENTS,
        f"/api/v1/inventory/levels?variant_id={business.variant_id}",
        f"/api/v1/inventory/levels/{business.variant_id}/{business.location_id}/proof",
    ):
        plain, slashed = (
            service.http.get(service.base_url + asked, headers=headers)
            for asked in (each, f"{each}/" if "?" not in each else each.replace("?", "/?"))
        )
        assert (slashed.status_code, slashed.json()) == (200, plain.json())
    reversed_ = service.post({"reason": "x"}, headers, path=f"{path}/reversal/")
    assert (reversed_.status_code, reversed_.json()["reverses"]) == (201, created.json()["id"])


@pytest.mark.parametrize("path", ["/api//v1/inventory/adjustments", f"/{ADJUSTMENTS}", f"{ADJUSTMENTS}//"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_with_an_empty_segment_is_not_found(
    method: str, path: str, local_stack: LocalStack, service: Service, business: Business
) -> None:
    assert local_stack.port  # a deployed one is not known to answer so
    response = service.http.request(method, service.base_url + path, headers=business.headers())
    assert refused(response) == (404, "not_found")


def test_no_token_is_in_any_log_line_or_table(local_stack: LocalStack, service: Service, business: Business) -> None:
    reader = service.issue_token([business.id], scopes=("adjustments:read",))["token"]
    business.adjust(1, key="secret-key-of-the-client")
    service.post(business.body(1), business.headers() | {"Authorization": f"Bearer {reader}"})
    service.post(b"{", business.headers())
    secrets = [business.token, reader]
    logs = b"".join(path.read_bytes() for path in local_stack.places.local_dir.glob("*.log")).decode(errors="replace")
    assert business.id in logs, "the functions' log lines are not where they are looked for"
    tables = [
        item
        for output in ("InventoryTableName", "LedgerTableName", "AccessTableName")
        for page in service.dynamodb.get_paginator("scan").paginate(TableName=service.outputs[output])
        for item in page["Items"]
    ]
    assert tables
    for secret in secrets:
        assert secret not in logs
        assert secret not in str(tables)
