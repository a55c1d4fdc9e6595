"""Any bytes and any JSON value: a command or a list of what is wrong, and nothing else."""

from __future__ import annotations

import base64
import contextlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from inventory.api.requests import Caller, adjustment_command
from inventory.api.responses import refused
from inventory.domain.errors import InvalidRequest
from inventory.domain.model import Group
from inventory.entrypoints import direct
from inventory.schemas.fields import is_label
from inventory.schemas.json_parser import InvalidJSON, parse_json
from tests.support.builders.ids import BUSINESS
from tests.support.builders.requests import a_payload, an_api_event
from tests.support.harness.examples import examples

if TYPE_CHECKING:
    from inventory.domain.model import Command

CALLER = Caller(business_id=BUSINESS, subject="till 4")
FIELDS = [
    "variant_id",
    "quantity_change",
    "reason",
    "location_id",
    "reason_code",
    "reference",
    "expected_quantity",
    "business_id",
    "idempotency_key",
    "actor",
]

any_text = st.text(st.characters(codec=None), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | any_text
    | st.sampled_from([str(BUSINESS), "damage", "5"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text | st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(FIELDS) | any_text, values, max_size=12)
mutated_payloads = st.dictionaries(st.sampled_from(FIELDS), values, max_size=3).map(
    lambda changes: a_payload(**changes)
)

JSON_BYTES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b",",
    b":",
    b"1",
    b"e",
    b"-",
    b".",
    b"0",
    b"9" * 50,
    b"null",
    b"\xff",
]
json_like_bytes = st.lists(st.sampled_from(JSON_BYTES), max_size=40).map(b"".join)


@examples(300)
@given(values)
def test_valid_json_is_parsed_as_the_standard_library_does(value: Any) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        text = "null"

    assert as_doubles(parse_json(text.encode())) == as_doubles(json.loads(text))


def as_doubles(value: Any) -> Any:
    """With every number as the double nearest to it, which is how the standard library has most of them."""
    match value:
        case bool():
            return value
        case int() | Decimal():
            with contextlib.suppress(OverflowError):
                return float(value)
            return value
        case list():
            return [as_doubles(each) for each in value]
        case dict():
            return {name: as_doubles(each) for name, each in value.items()}
        case _:
            return value


@given(st.integers(-(10**60), 10**60), st.integers(0, 30), st.integers(-60, 60))
def test_a_number_is_read_exactly(digits: int, zeros: int, exponent: int) -> None:
    text = f"{digits}.{'0' * zeros}1e{exponent}" if zeros else f"{digits}e{exponent}"

    parsed = parse_json(text.encode())

    assert isinstance(parsed, Decimal)
    assert parsed == Decimal(text)


@examples(300)
@given(st.binary() | json_like_bytes | values.map(repr).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_a_value_or_invalid_json(body: bytes) -> None:
    try:
        parse_json(body)
    except InvalidJSON as error:
        assert_tells_where(error, body)


@examples(300)
@given(objects | mutated_payloads | values)
def test_any_value_is_a_command_or_an_invalid_request_that_can_be_answered(value: object) -> None:
    try:
        command = direct.requested(value, default_key="invocation")
    except InvalidRequest as error:
        assert_answerable(error)
    else:
        for line in command.lines if isinstance(command, Group) else (command,):
            assert_within_the_contract(line)


@examples(300)
@given(
    st.binary() | json_like_bytes | objects.map(lambda value: json.dumps(value).encode()),
    st.none() | any_text | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=5),
)
def test_any_request_is_a_command_or_an_invalid_request_that_can_be_answered(raw: bytes, key: str | None) -> None:
    headers = [] if key is None else [("Idempotency-Key", key)]
    try:
        command = adjustment_command(an_api_event(raw, headers=headers), CALLER)
    except InvalidRequest as error:
        assert_answerable(error)
    else:
        assert_within_the_contract(command)


@given(any_text)
def test_any_text_that_claims_to_be_base64_is_answered_too(text: str) -> None:
    event = an_api_event(text=text, isBase64Encoded=True)
    with contextlib.suppress(InvalidRequest):
        adjustment_command(event, CALLER)
        raise AssertionError(base64.b64decode(text))


def assert_tells_where(error: InvalidJSON, body: bytes) -> None:
    assert 0 <= error.position <= len(body)
    assert error.message


def assert_answerable(error: InvalidRequest) -> None:
    assert error.entries
    response = refused(error, request_id="id")
    detail = json.loads(response["body"])["detail"]
    assert response["statusCode"] == 422
    response["body"].encode()
    for each in detail:
        assert set(each) <= {"type", "loc", "msg", "input", "ctx"}
        assert each["loc"][0] in {"body", "header"}
        assert each["msg"]
        assert each["type"]
        assert len(json.dumps(each.get("input"))) <= 1024


def assert_within_the_contract(command: Command) -> None:
    assert type(command.quantity_change) is int
    assert 0 < abs(command.quantity_change) <= 1_000_000_000
    assert 1 <= len(command.reason) <= 500
    assert command.reason == command.reason.strip()
    command.reason.encode()
    assert command.reference is None or is_label(command.reference)
    assert command.expected_quantity is None or abs(command.expected_quantity) < 2**53
    key = command.idempotency_key
    assert key is None or (1 <= len(key) <= 255 and key.isascii() and key.isprintable() and " " not in key)
