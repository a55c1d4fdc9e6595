"""Direct invocation of the create function: the same use case, refusals as function errors."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from ops.errors import FunctionError

if TYPE_CHECKING:
    from tests.e2e.service import Business, Service


def test_a_direct_invocation_returns_the_body_of_the_http_answer(service: Service, business: Business) -> None:
    directly = service.create_directly(business.payload(3, actor="importer"))
    over_http = business.adjust(4).json()
    assert list(directly) == list(over_http)
    assert (directly["created_by"], directly["quantity_after"]) == ("importer", 3)
    assert (over_http["quantity_after"], over_http["sequence"]) == (7, 2)


def test_a_key_is_the_same_directly_and_over_http(service: Service, business: Business) -> None:
    directly = service.create_directly(business.payload(3, idempotency_key="k", reason="Counted"))
    again = business.adjust(3, key="k")
    assert (again.status_code, again.json()) == (201, directly)


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"variant_id": str(uuid4())}, "VariantNotFound", "variant_not_found"),
        ({"business_id": str(uuid4())}, "VariantNotFound", "variant_not_found"),
        ({"location_id": str(uuid4())}, "LocationNotFound", "location_not_found"),
        ({"quantity_change": -1}, "InsufficientStock", "insufficient_stock"),
        ({"expected_quantity": 7}, "StaleQuantity", "stale_quantity"),
    ],
)
def test_a_rejection_is_a_function_error_with_its_own_type(
    fields: dict[str, object], kind: str, code: str, service: Service, business: Business
) -> None:
    with pytest.raises(FunctionError) as refused:
        service.create_directly(business.payload(1) | fields)
    assert refused.value.kind == kind
    assert refused.value.detail["code"] == code


@pytest.mark.parametrize("bad", [{"quantity_change": 0}, {"quantity_change": 1.5}, {"idempotency_key": ""}, {"foo": 1}])
def test_an_invalid_payload_is_reported_field_by_field(
    bad: dict[str, object], service: Service, business: Business
) -> None:
    with pytest.raises(FunctionError) as refused:
        service.create_directly(business.payload(1) | bad)
    assert refused.value.kind == "InvalidRequest"
    (entry,) = refused.value.detail
    assert entry["loc"] == ["body", *bad]


@pytest.mark.parametrize("nothing", [None, [], "text", 5])
def test_a_payload_that_is_not_an_object_is_invalid(nothing: object, service: Service) -> None:
    with pytest.raises(FunctionError) as refused:
        service.create_directly(nothing)
    assert refused.value.kind == "InvalidRequest"


def test_a_key_that_was_used_for_another_request_is_an_invalid_request(service: Service, business: Business) -> None:
    service.create_directly(business.payload(1, idempotency_key="k"))
    with pytest.raises(FunctionError) as refused:
        service.create_directly(business.payload(2, idempotency_key="k"))
    assert refused.value.kind == "InvalidRequest"
    assert refused.value.detail[0]["type"] == "idempotency_key_reused"


def test_without_a_key_two_invocations_are_two_adjustments(service: Service, business: Business) -> None:
    created = [service.create_directly(business.payload(1)) for _ in range(2)]
    assert [each["sequence"] for each in created] == [1, 2]
