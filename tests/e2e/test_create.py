"""Creating adjustments through the API's own route, authorizer, handler and transaction."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from tests.e2e.service import assert_ledger_matches
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from tests.e2e.service import Business, Service

MEMBERS = [
    "id",
    "business_id",
    "variant_id",
    "delta",
    "correction_reason",
    "location_id",
    "created_at",
    "quantity_after",
    "sequence",
    "reason_code",
    "reference",
    "created_by",
    "reverses",
    "kind",
    "group_id",
    "group_line",
    "group_size",
    "counted_quantity",
    "counted_at",
    "sku",
    "occurred_at",
]
SUITE = json.loads((PROJECT_ROOT / "tests/data/validation_cases.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in SUITE["cases"]}


def code_of(response: Any) -> str:
    return str(response.json()["detail"]["code"])


# ------------------------------------------------------------------------------------------------------------ the body


@pytest.fixture(scope="module")
def business_of_the_cases(service: Service) -> Business:
    """A business whose variants and location bear the ids that the cases name."""
    business = service.new_business()
    ids = SUITE["ids"]
    for variant_id in (ids["variant"], str(UUID(int=0))):
        service.operate("register_variant", business_id=business.id, sku=f"CASE {variant_id}", variant_id=variant_id)
    service.operate("register_location", business_id=business.id, name="Cases", location_id=ids["location"])
    return business


@pytest.mark.parametrize("name", CASES)
def test_every_validation_case_is_answered_as_listed(
    name: str, service: Service, business_of_the_cases: Business
) -> None:
    case = CASES[name]
    headers = business_of_the_cases.headers(**dict(case["headers"]))
    response = service.post(base64.b64decode(case["body_b64"]), headers)
    if case.get("status", 422) == 404 or name in ("code_unknown", "sku_unknown"):
        assert response.status_code == 404
    elif not case["valid"]:
        assert response.status_code == 422
        found = {(tuple(each["loc"]), each["type"]) for each in response.json()["detail"]}
        wildcard = {(("body", "*"), kind) if kind == "json_invalid" else (loc, kind) for loc, kind in found}
        answers = [case, *(each for each in case.get("alternatives", []) if each.get("errors"))]
        assert wildcard in [{(tuple(loc), kind) for loc, kind in each["errors"]} for each in answers]
    elif case["parsed"]["expected_quantity"] is not None and response.status_code == 409:
        assert code_of(response) == "stale_quantity"
        assert response.json()["detail"]["quantity_on_hand"] != case["parsed"]["expected_quantity"]
    else:
        assert response.status_code == 201
        body = response.json()
        answered = {field: body[field] for field in ("variant_id", "reason_code", "reference")}
        assert answered == {field: case["parsed"][field] for field in answered}
        assert body["delta"] == case["parsed"]["quantity_change"]
        assert body["correction_reason"] == case["parsed"]["reason"]
        assert body["location_id"] == (case["parsed"]["location_id"] or business_of_the_cases.location_id)


def test_the_answer_has_the_contracts_members_and_headers(business: Business) -> None:
    response = business.adjust(20, reason_code="found", reference="CC-17")
    assert response.status_code == 201
    body = response.json()
    assert list(body) == MEMBERS
    assert body | {"id": None, "created_at": None} == {
        "id": None,
        "business_id": business.id,
        "variant_id": business.variant_id,
        "delta": 20,
        "correction_reason": "Counted",
        "location_id": business.location_id,
        "created_at": None,
        "quantity_after": 20,
        "sequence": 1,
        "reason_code": "found",
        "reference": "CC-17",
        "created_by": "test suite",
        "reverses": None,
        "kind": "adjustment",
        "group_id": None,
        "group_line": None,
        "group_size": None,
        "counted_quantity": None,
        "counted_at": None,
        "sku": None,
        "occurred_at": None,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["created_at"])
    assert response.headers["location"] == f"adjustments/{body['id']}"
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert "idempotent-replayed" not in response.headers


def test_sequence_and_quantity_continue_for_each_location(business: Business) -> None:
    created = [business.adjust(change).json() for change in (5, -2, 7)]
    assert [(each["sequence"], each["quantity_after"]) for each in created] == [(1, 5), (2, 3), (3, 10)]
    elsewhere = business.adjust(4, location_id=business.other_location_id).json()
    assert (elsewhere["sequence"], elsewhere["quantity_after"]) == (1, 4)
    assert_ledger_matches(business, created)


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain; charset=latin-1", "nonsense"])
def test_a_body_arrives_as_the_sent_bytes_under_any_content_type(
    content_type: str | None, service: Service, business: Business
) -> None:
    headers = business.headers() | ({} if content_type is None else {"Content-Type": content_type})
    body = json.dumps(business.body(1, reason="caf\ufffd \u00e9"), ensure_ascii=False).encode()
    created = service.post(body, headers)
    assert (created.status_code, created.json()["correction_reason"]) == (201, "caf\ufffd \u00e9")
    response = service.post(body.replace("\ufffd".encode(), b"\xff"), headers)
    assert [each["type"] for each in response.json()["detail"]] == ["json_invalid"]


# ------------------------------------------------------------------------------------------------------------ refusals


def test_stock_never_goes_below_zero_and_the_rejection_names_the_quantities(business: Business) -> None:
    business.opened_with(3)
    response = business.adjust(-4)
    assert response.status_code == 409
    detail = response.json()["detail"]
    assert (detail["code"], detail["quantity_on_hand"], detail["quantity_change"]) == ("insufficient_stock", 3, -4)
    assert business.stock() == (3, 1)


def test_a_business_that_allows_it_goes_below_zero(service: Service) -> None:
    business = service.new_business(allow_negative_stock=True)
    assert business.adjust(-4).json()["quantity_after"] == -4


def test_a_stale_expected_quantity_is_rejected_and_a_current_one_accepted(business: Business) -> None:
    business.opened_with(10)
    stale = business.adjust(1, expected_quantity=9)
    assert (stale.status_code, code_of(stale)) == (409, "stale_quantity")
    assert stale.json()["detail"]["quantity_on_hand"] == 10
    assert business.adjust(1, expected_quantity=10).status_code == 201


def test_unknown_inactive_and_foreign_variants_and_locations_get_the_same_answer(
    service: Service, business: Business
) -> None:
    foreign = service.new_business()
    retired = service.operate("register_variant", business_id=business.id, sku="OLD")["variant_id"]
    service.operate("deactivate_variant", business_id=business.id, variant_id=retired)
    closed = service.operate("register_location", business_id=business.id, name="Closed")["location_id"]
    service.operate("deactivate_location", business_id=business.id, location_id=closed)

    variants = [business.adjust(1, variant_id=each) for each in (str(uuid4()), foreign.variant_id, retired)]
    assert [(each.status_code, code_of(each)) for each in variants] == [(404, "variant_not_found")] * 3
    assert len({each.text for each in variants}) == 1
    locations = [business.adjust(1, location_id=each) for each in (str(uuid4()), foreign.location_id, closed)]
    assert [(each.status_code, code_of(each)) for each in locations] == [(404, "location_not_found")] * 3
    assert len({each.text for each in locations}) == 1


def test_without_a_default_location_one_must_be_named(service: Service) -> None:
    business_id = service.operate("register_business", name="Nowhere")["business_id"]
    variant_id = service.operate("register_variant", business_id=business_id, sku="SKU")["variant_id"]
    token = service.issue_token([business_id])["token"]
    response = service.post(
        {"variant_id": variant_id, "quantity_change": 1, "reason": "r"},
        {"Authorization": f"Bearer {token}", "x-business-id": business_id},
    )
    assert (response.status_code, code_of(response)) == (409, "no_default_location")


# --------------------------------------------------------------------------------------------------------- idempotency


def test_a_repeated_key_returns_the_original_answer_after_later_changes(service: Service, business: Business) -> None:
    business.opened_with(5)
    first = business.adjust(-5, key="sale-1")
    assert first.status_code == 201
    service.operate("deactivate_variant", business_id=business.id, variant_id=business.variant_id)
    again = business.adjust(-5, key="sale-1", variant_id=business.variant_id.upper(), reference=None)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert business.stock() == (0, 2)


def test_naming_the_default_location_and_omitting_it_are_different_requests(business: Business) -> None:
    assert business.adjust(1, key="k").status_code == 201
    response = business.adjust(1, key="k", location_id=business.location_id)
    assert [each["type"] for each in response.json()["detail"]] == ["idempotency_key_reused"]


def test_a_key_with_another_request_is_refused(business: Business) -> None:
    business.opened_with(5)
    assert business.adjust(-1, key="k").status_code == 201
    response = business.adjust(-2, key="k")
    assert response.status_code == 422
    (entry,) = response.json()["detail"]
    assert (entry["loc"], entry["type"]) == (["header", "idempotency-key"], "idempotency_key_reused")
    assert business.stock() == (4, 2)


def test_a_refused_request_leaves_its_key_free(business: Business) -> None:
    assert business.adjust(-1, key="k").status_code == 409
    assert business.adjust(5, key="k").status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
def test_a_bad_key_is_reported_at_its_header(key: str, business: Business) -> None:
    response = business.adjust(1, key=key)
    assert response.status_code == 422
    assert [each["loc"] for each in response.json()["detail"]] == [["header", "idempotency-key"]]


def test_twenty_concurrent_requests_with_one_key_are_one_adjustment(business: Business) -> None:
    business.opened_with(5)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: business.adjust(-5, key="once"), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert business.stock() == (0, 2)


# --------------------------------------------------------------------------------------------------------- concurrency


def test_200_concurrent_requests_on_a_stock_of_100_make_exactly_100_adjustments(business: Business) -> None:
    opening = business.adjust(100)
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda _: business.adjust(-1), range(200)))
    assert Counter(answer.status_code for answer in answers) == {201: 100, 409: 100}
    created = [answer.json() for answer in answers if answer.status_code == 201]
    assert sorted(each["sequence"] for each in created) == list(range(2, 102))
    assert {code_of(answer) for answer in answers if answer.status_code == 409} == {"insufficient_stock"}
    assert_ledger_matches(business, [opening.json(), *created])
