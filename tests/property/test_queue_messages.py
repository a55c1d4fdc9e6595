"""A published event holds exactly the request of its message."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, detail_text
from inventory.domain.errors import InsufficientStock, InvalidRequest, ServiceError
from inventory.entrypoints.messages import MessageRequest
from inventory.entrypoints.rejections import rejection
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.direct import CallerFields
from inventory.schemas.json_parser import JSONValue, parse_json

INTEGERS = st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15)
FIELDS = [*CallerFields.model_fields, *AdjustmentRequest.model_fields, "lines", "from_location_id", "counted_quantity"]
SCALARS = st.none() | st.booleans() | INTEGERS | DECIMALS | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
PAYLOADS = VALUES | st.dictionaries(st.sampled_from(FIELDS) | st.text(), VALUES)


def refusal_of(payload: JSONValue) -> ServiceError:
    try:
        MessageRequest(payload, "m-1").requested()
    except InvalidRequest as error:
        return error
    return InsufficientStock(quantity_on_hand=0, quantity_change=-1)


@given(PAYLOADS)
def test_a_published_request_equals_the_one_that_was_sent(payload: JSONValue) -> None:
    published = parse_json(rejection(MessageRequest(payload, "m-1"), refusal_of(payload)).encode("ascii"))
    assert isinstance(published, dict)
    assert published["request"] == payload


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=20), st.integers(min_value=1, max_value=2_000))
def test_a_published_rejection_is_never_larger_than_an_event_can_be(few: dict[str, str], times: int) -> None:
    payload: JSONValue = {
        f"{number}{name * (times % 300)}": member * times
        for number in range(150 // (len(few) or 1))
        for name, member in few.items()
    }
    detail = rejection(MessageRequest(payload, "m-1"), refusal_of(payload))
    assert len(detail.encode("ascii")) <= DETAIL_SIZE_MAX_BYTES
    json.loads(detail)


@given(DECIMALS)
def test_a_decimal_is_written_with_every_digit(number: Decimal) -> None:
    assert Decimal(detail_text(number)) == number
