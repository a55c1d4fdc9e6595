"""The body of a 422: FastAPI's HTTPValidationError, bounded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.builders.requests import a_body

if TYPE_CHECKING:
    from tests.support.harness.write_service import Service

INPUT_SIZE_MAX_BYTES = 1024


def test_each_entry_has_what_fastapi_gives_it(service: Service) -> None:
    answer = service.post(a_body(variant_id=5, quantity_change=1_000_000_001))

    assert answer.body == {
        "detail": [
            {
                "type": "uuid_type",
                "loc": ["body", "variant_id"],
                "msg": "UUID input should be a string, bytes or UUID object",
                "input": 5,
            },
            {
                "type": "less_than_equal",
                "loc": ["body", "quantity_change"],
                "msg": "Input should be less than or equal to 1000000000",
                "input": 1_000_000_001,
                "ctx": {"le": 1_000_000_000},
            },
        ]
    }


def test_a_missing_field_gives_the_body_as_its_input(service: Service) -> None:
    body = a_body(reason=...)

    answer = service.post(body)

    assert answer.body["detail"] == [
        {"type": "missing", "loc": ["body", "reason"], "msg": "Field required", "input": body}
    ]


def test_a_decimal_in_place_of_an_integer_is_echoed(service: Service) -> None:
    body = a_body(quantity_change=5.1, reason=...)

    answer = service.post(body)

    assert [(each["type"], each["input"]) for each in answer.body["detail"]] == [("int_type", 5.1), ("missing", body)]


def test_invalid_json_is_reported_with_its_position_and_cause(service: Service) -> None:
    answer = service.post(b'{"a": nope}')

    assert answer.body["detail"] == [
        {
            "type": "json_invalid",
            "loc": ["body", 6],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": "Expecting value"},
        }
    ]


def test_invalid_utf8_is_reported_with_the_position_of_the_first_bad_byte(service: Service) -> None:
    assert service.post(b'{"a": "\xff"}').body["detail"][0]["loc"] == ["body", 7]


def test_a_value_error_explains_the_rule(service: Service) -> None:
    entry = service.post(a_body(quantity_change=0)).body["detail"][0]

    assert (entry["msg"], entry["ctx"]) == ("Value error, must not be zero", {"error": "must not be zero"})


def test_every_error_is_listed_in_the_order_of_the_fields(service: Service) -> None:
    body = {
        "other": 1,
        "expected_quantity": 0.5,
        "occurred_at": "yesterday",
        "reference": "",
        "reason_code": 5,
        "location_id": "y",
        "reason": " ",
        "quantity_change": 0,
    }

    assert service.post(body).problems == [
        (("body", "variant_id"), "missing"),
        (("body", "quantity_change"), "value_error"),
        (("body", "reason"), "string_too_short"),
        (("body", "location_id"), "uuid_parsing"),
        (("body", "reason_code"), "string_type"),
        (("body", "reference"), "string_too_short"),
        (("body", "occurred_at"), "datetime_from_date_parsing"),
        (("body", "expected_quantity"), "int_type"),
        (("body", "other"), "extra_forbidden"),
    ]


@pytest.mark.parametrize("character", ["x", "é", "漢", "📦", '"', "\u2028"])
def test_an_input_is_given_up_to_one_kilobyte_as_sent_and_left_out_beyond(service: Service, character: str) -> None:
    longest = (INPUT_SIZE_MAX_BYTES - 2) // (len(json.dumps(character)) - 2)

    fits, too_long = (
        service.post(a_body(extra=character * length)).body["detail"][0] for length in (longest, longest + 1)
    )

    assert fits["input"] == character * longest
    assert "input" not in too_long
    assert too_long | {"input": fits["input"]} == fits


@pytest.mark.parametrize(
    ("literal", "echoed"),
    [
        *(("5.5", 5.5), ("[5.5, 1e3]", [5.5, 1000.0]), ("1e22", 1e22), ("0.1", 0.1), ('{"a":[5.10]}', {"a": [5.1]})),
        *(("-1.5e-7", -1.5e-7), ("123456789.123456", 123456789.123456), ("1e300", 1e300), ("0e999999", 0.0)),
    ],
    ids=str,
)
def test_a_number_is_echoed_when_a_double_reads_the_same(service: Service, literal: str, echoed: object) -> None:
    body = json.dumps(a_body()).encode()[:-1] + f',"extra":{literal}}}'.encode()

    assert service.post(body).body["detail"][0]["input"] == echoed


@pytest.mark.parametrize(
    "literal",
    [
        *("5.0000000000000001", "[0.10000000000000001]", "1e4299", "1e-400", "1e-99999999999999999999999"),
        *('"\\udc00"', '{"\\udc00":1}'),
    ],
    ids=str,
)
def test_an_input_that_cannot_be_echoed_exactly_is_left_out(service: Service, literal: str) -> None:
    body = json.dumps(a_body()).encode()[:-1] + f',"extra":{literal}}}'.encode()

    entry = service.post(body).body["detail"][0]

    assert (entry["type"], "input" in entry) == ("extra_forbidden", False)


def test_no_entry_points_to_another_site(service: Service) -> None:
    assert "http" not in json.dumps(service.post({}).body)


@pytest.mark.parametrize("reason", ["a", "x" * 500, "  x" * 100 + "  ", "\u00a0x\u3000", "a\r\n\tb", "漢" * 500])
def test_a_reason_is_stored_without_the_white_space_around_it(service: Service, reason: str) -> None:
    answer = service.post(a_body(reason=reason))

    assert (answer.status, answer.body["correction_reason"]) == (201, reason.strip())


def test_a_control_character_other_than_tab_and_line_ends_is_refused_in_a_reason(service: Service) -> None:
    control_characters = [chr(code) for code in [*range(0x20), 0x7F, *range(0x80, 0xA0)]]

    answers = {character: service.post(a_body(reason=f"a{character}b")) for character in control_characters}

    assert [character for character, answer in answers.items() if answer.status == 201] == ["\t", "\n", "\r"]
    refused = [answer.problems for answer in answers.values() if answer.status != 201]
    assert refused == [[(("body", "reason"), "value_error")]] * 62


@pytest.mark.parametrize("character", ["\t", "\n", "\x00", "\x7f", "\x85", "\u2028", "\u202e"])
def test_a_character_that_no_label_may_have_is_refused_in_a_reference(service: Service, character: str) -> None:
    answer = service.post(a_body(reference=f"a{character}b"))

    assert answer.problems == [(("body", "reference"), "value_error")]


@pytest.mark.parametrize("quantity", [-(2**53 - 1), 2**53 - 1])
def test_an_expected_quantity_may_be_any_quantity_on_hand(service: Service, quantity: int) -> None:
    assert service.post(a_body(expected_quantity=quantity)).code == "stale_quantity"


@pytest.mark.parametrize(("quantity", "kind"), [(-(2**53), "greater_than_equal"), (2**53, "less_than_equal")])
def test_an_expected_quantity_that_no_stock_item_can_have_is_invalid(
    service: Service, quantity: int, kind: str
) -> None:
    assert service.post(a_body(expected_quantity=quantity)).problems == [(("body", "expected_quantity"), kind)]


def test_the_query_string_is_ignored_because_the_route_takes_no_parameter(service: Service) -> None:
    assert service.post(queryStringParameters={"quantity_change": "x"}).status == 201
