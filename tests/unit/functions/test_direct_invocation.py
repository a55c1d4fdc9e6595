"""The create function without HTTP: a payload in, the adjustment or an error with a type that the invoker can match."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain.api_tokens import mint
from inventory.domain.rules import keyed_id
from inventory.domain.timestamps import instant_text
from inventory.entrypoints.direct import DIRECT_ACTOR
from inventory.entrypoints.responses import MASKED
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.direct import CallerFields
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.builders.requests import a_body, a_payload
from tests.support.faults.wire import broken, fault
from tests.support.harness.loading import Context

if TYPE_CHECKING:
    from tests.support.harness.write_service import Service

NAME_LENGTH_MAX = 1022
"""Characters of a field's name in an error: a kilobyte with its quotes."""


def refusal(service: Service, payload: object, context: Context | None = None) -> tuple[str, Any]:
    """The errorType and errorMessage that the invoker sees; Lambda makes them from class and text."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        service.invoke(payload, context=context)
    return type(caught.value).__name__, json.loads(str(caught.value))


def problems(service: Service, payload: object) -> list[tuple[tuple[str, ...], str]]:
    kind, detail = refusal(service, payload)
    assert kind == "InvalidRequest"
    return [(tuple(each["loc"]), each["type"]) for each in detail]


def test_a_payload_is_answered_with_the_members_of_a_201(service: Service) -> None:
    service.tables.with_location(OTHER_LOCATION)
    occurred_at = instant_text(datetime.now(UTC) - timedelta(days=1))

    answer = service.invoke(
        a_payload(
            location_id=str(OTHER_LOCATION),
            reason_code="damage",
            reference="count 7",
            occurred_at=occurred_at,
            expected_quantity=0,
            idempotency_key="key",
            actor="night shift",
        )
    )

    created_at = answer.pop("created_at")
    assert created_at.endswith("Z")
    assert answer == {
        "id": str(keyed_id(BUSINESS, "key")),
        "business_id": str(BUSINESS),
        "variant_id": str(VARIANT),
        "delta": 5,
        "correction_reason": "restock",
        "location_id": str(OTHER_LOCATION),
        "quantity_after": 5,
        "sequence": 1,
        "reason_code": "damage",
        "reference": "count 7",
        "created_by": "night shift",
        "reverses": None,
        "kind": "adjustment",
        "group_id": None,
        "group_line": None,
        "group_size": None,
        "counted_quantity": None,
        "counted_at": None,
        "sku": None,
        "occurred_at": occurred_at,
    }


def test_without_an_actor_the_row_names_direct_invocation(service: Service) -> None:
    assert service.invoke(a_payload())["created_by"] == DIRECT_ACTOR == "direct-invocation"


def test_without_a_location_the_default_one_is_adjusted(service: Service) -> None:
    assert service.invoke(a_payload(location_id=None))["location_id"] == str(LOCATION)


def test_a_retry_of_one_invocation_is_one_adjustment(service: Service) -> None:
    """Lambda keeps the request id when it retries an asynchronous invocation."""
    first, retry = (service.invoke(a_payload(), context=Context(aws_request_id="one")) for _ in range(2))

    assert first == retry
    assert first["id"] == str(keyed_id(BUSINESS, "one"))
    assert len(service.tables.rows) == 1


def test_two_invocations_are_two_adjustments(service: Service) -> None:
    for name in ("one", "two"):
        service.invoke(a_payload(), context=Context(aws_request_id=name))

    assert len(service.tables.rows) == 2


def test_a_key_in_the_payload_takes_precedence_over_the_invocations_id(service: Service) -> None:
    for name in ("one", "two"):
        service.invoke(a_payload(idempotency_key="key"), context=Context(aws_request_id=name))

    assert len(service.tables.rows) == 1


def test_a_key_is_the_same_over_http_and_directly(service: Service) -> None:
    over_http = service.post(headers=[("Idempotency-Key", "key")])

    assert service.invoke(a_payload(idempotency_key="key")) == over_http.body


@pytest.mark.parametrize("quantity", [5.0, 1e9, -5.0])
def test_a_double_with_an_integer_value_is_accepted(service: Service, quantity: float) -> None:
    service.tables.with_stock(a_stock_item(10))

    delta = service.invoke(a_payload(quantity_change=quantity))["delta"]

    assert (delta, type(delta)) == (quantity, int)


@pytest.mark.parametrize(
    ("quantity", "kind"),
    [
        (5.5, "int_type"),
        (float("nan"), "int_type"),
        (float("inf"), "int_type"),
        (1e300, "less_than_equal"),
        (float(-(2**53) - 2), "greater_than_equal"),
        (float(2**53), "less_than_equal"),
        (-0.0, "value_error"),
        ("5", "int_type"),
        (True, "int_type"),
        (0, "value_error"),
        (1_000_000_001, "less_than_equal"),
    ],
)
def test_any_other_quantity_is_invalid(service: Service, quantity: object, kind: str) -> None:
    assert problems(service, a_payload(quantity_change=quantity)) == [(("body", "quantity_change"), kind)]


@pytest.mark.parametrize("payload", [None, [], "text", 5, 5.5, True, [a_payload()], "\ud800", float("nan")])
def test_a_payload_that_is_not_an_object_is_invalid(service: Service, payload: object) -> None:
    assert problems(service, payload) == [(("body",), "model_attributes_type")]


def test_an_empty_payload_lacks_every_required_field(service: Service) -> None:
    required = ("business_id", "variant_id", "quantity_change", "reason")

    assert problems(service, {}) == [(("body", name), "missing") for name in required]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"business_id": "x"}, (("body", "business_id"), "uuid_parsing")),
        ({"business_id": None}, (("body", "business_id"), "uuid_type")),
        ({"idempotency_key": ""}, (("body", "idempotency_key"), "string_too_short")),
        ({"idempotency_key": "k" * 256}, (("body", "idempotency_key"), "string_too_long")),
        ({"idempotency_key": "two words"}, (("body", "idempotency_key"), "value_error")),
        ({"idempotency_key": 5}, (("body", "idempotency_key"), "string_type")),
        ({"actor": " "}, (("body", "actor"), "string_too_short")),
        ({"actor": "a\nb"}, (("body", "actor"), "value_error")),
        ({"locationId": str(LOCATION)}, (("body", "locationId"), "extra_forbidden")),
    ],
    ids=str,
)
def test_each_field_of_a_payload_is_validated(
    service: Service, changes: dict[str, object], problem: tuple[tuple[str, ...], str]
) -> None:
    assert problems(service, a_payload(**changes)) == [problem]


@pytest.mark.parametrize(
    ("changes", "error", "detail"),
    [
        ({"variant_id": str(OTHER_VARIANT)}, "VariantNotFound", {"code": "variant_not_found"}),
        ({"location_id": str(OTHER_LOCATION)}, "LocationNotFound", {"code": "location_not_found"}),
        (
            {"quantity_change": -11},
            "InsufficientStock",
            {"code": "insufficient_stock", "quantity_on_hand": 10, "quantity_change": -11},
        ),
        ({"expected_quantity": 11}, "StaleQuantity", {"code": "stale_quantity", "quantity_on_hand": 10}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_is_raised_under_its_own_name_with_the_detail_of_http(
    service: Service, changes: dict[str, object], error: str, detail: dict[str, object]
) -> None:
    service.tables.with_stock(a_stock_item(10))

    kind, error_detail = refusal(service, a_payload(**changes))

    assert isinstance(error_detail.pop("message"), str)
    assert (kind, error_detail) == (error, detail)
    assert service.tables.rows == []


def test_a_full_stock_item_is_raised_as_quantity_limit_exceeded(service: Service) -> None:
    service.tables.with_stock(a_stock_item(2**53 - 1))

    kind, error_detail = refusal(service, a_payload())

    assert (kind, error_detail["code"]) == ("QuantityLimitExceeded", "quantity_limit_exceeded")


def test_a_business_without_a_default_location_is_raised_as_no_default_location(service: Service) -> None:
    service.tables.with_business(default=None)

    kind, error_detail = refusal(service, a_payload())

    assert (kind, error_detail["code"]) == ("NoDefaultLocation", "no_default_location")


def test_a_key_of_another_request_is_raised_as_an_invalid_request(service: Service) -> None:
    service.invoke(a_payload(idempotency_key="key"))

    kind, detail = refusal(service, a_payload(idempotency_key="key", reason="other"))

    assert (kind, [each["type"] for each in detail]) == ("InvalidRequest", ["idempotency_key_reused"])
    assert len(service.tables.rows) == 1


A_TRANSFER = {
    "from_location_id": str(LOCATION),
    "to_location_id": str(OTHER_LOCATION),
    "lines": [{"variant_id": str(VARIANT), "quantity": 5}],
    "variant_id": ...,
}
A_COUNT = {"counted_quantity": 5}
A_BATCH = {"lines": [a_body()], "variant_id": ..., "reason": ...}


@pytest.mark.parametrize(
    "changes",
    [{}, *(each | {"quantity_change": ...} for each in (A_TRANSFER, A_COUNT, A_BATCH))],
    ids=["an adjustment", "a transfer", "a count", "a batch"],
)
def test_unknown_fields_are_listed_as_far_as_the_dead_letter_queue_can_hold_them(
    service: Service, changes: dict[str, object]
) -> None:
    few, many = ({f"field {number}": number for number in range(count)} for count in (150, 10_000))

    assert problems(service, a_payload(**changes, **few)) == [(("body", name), "extra_forbidden") for name in few]
    listed = problems(service, a_payload(**changes, **many))
    assert 200 < len(listed) < 1000
    assert listed == [(("body", name), "extra_forbidden") for name in many][: len(listed)]


def test_an_undecided_request_is_raised_as_try_again(service: Service) -> None:
    service.tables.meets("BatchGetItem", broken())

    kind, error_detail = refusal(service, a_payload())

    assert (kind, error_detail["code"]) == ("TryAgain", "try_again")


def test_a_fault_is_raised_as_internal_error_without_details(service: Service) -> None:
    service.tables.meets("BatchGetItem", fault("AccessDeniedException"))

    kind, error_detail = refusal(service, a_payload())

    assert (kind, error_detail["code"]) == ("InternalError", "internal_error")
    assert "secret-table" not in json.dumps(error_detail)
    assert "arn" not in json.dumps(error_detail)


def test_a_raised_error_has_no_cause_that_the_runtime_could_print(service: Service) -> None:
    service.tables.meets("BatchGetItem", fault("AccessDeniedException"))

    with pytest.raises(Exception, match="internal_error") as caught:
        service.invoke(a_payload())

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_raised_error_names_unknown_fields_as_they_were_sent(service: Service) -> None:
    assert problems(service, a_payload(locationId=str(LOCATION), dz_ref=1, größe=2)) == [
        (("body", "locationId"), "extra_forbidden"),
        (("body", "dz_ref"), "extra_forbidden"),
        (("body", "größe"), "extra_forbidden"),
    ]


@pytest.mark.parametrize("before", ["", "Bearer ", "x" * 200, "x" * 230])
@pytest.mark.parametrize("after", ["", "_", "é", "}"])
def test_a_token_in_a_fields_name_is_masked_where_it_would_be_logged(service: Service, before: str, after: str) -> None:
    token = mint()

    kind, (problem,) = refusal(service, a_payload(**{f"{before}{token}{after}": token}))

    assert (kind, problem["type"]) == ("InvalidRequest", "extra_forbidden")
    assert problem["loc"][1].startswith(f"{before}{MASKED}")
    assert token[3:11] not in json.dumps(problem)


@pytest.mark.parametrize("left", [8, 20, 35])
def test_a_token_that_is_cut_short_with_a_fields_name_is_masked_too(service: Service, left: int) -> None:
    """The runtime logs what a direct invocation raises. A long name is cut, and the cut can go through a token."""
    token = mint()
    before = "x" * (NAME_LENGTH_MAX - len("dz_") - left)

    _, (problem,) = refusal(service, a_payload(**{f"{before}{token} and so on": 1}))

    assert problem["loc"][1] == f"{before}{MASKED}"


def test_a_token_in_a_fields_value_is_left_out_of_the_error(service: Service) -> None:
    token = mint()

    raised: list[str] = []
    for name in (*CallerFields.model_fields, *AdjustmentRequest.model_fields, "other"):
        try:
            service.invoke(a_payload(**{name: token}))
        except Exception as error:  # noqa: BLE001  the class is made for each error
            raised.append(str(error))

    assert len(raised) > 5
    assert [each for each in raised if "dz_" in each] == []


def test_a_payload_cannot_pretend_to_have_passed_the_gateway(service: Service) -> None:
    """Members of a gateway's event are unknown fields, unless the event has all that a gateway sets."""
    for context in ({}, {"authorizer": {"business_id": "x"}}, "x"):
        assert problems(service, a_payload(requestContext=context)) == [(("body", "requestContext"), "extra_forbidden")]
    whole = a_payload(requestContext={"authorizer": "x"}, httpMethod="POST", path="/", resource="/")
    assert service.invoke(whole)["statusCode"] == 401
