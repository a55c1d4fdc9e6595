"""Bodies that are sent on purpose only: each gets a 4xx with a JSON body of modest size, never a fault."""

from __future__ import annotations

import codecs
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inventory.schemas.json_parser import DEPTH_MAX
from inventory.schemas.problems import ENTRIES_SIZE_MAX_BYTES
from tests.support.builders.ids import VARIANT
from tests.support.builders.requests import a_body
from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from tests.support.harness.write_service import Answer, Service

RESPONSE_SIZE_MAX_BYTES = 6 * 1024 * 1024
"""Lambda's, of the function's answer as JSON."""
ECHO_SIZE_MAX_BYTES = 1024
FUNCTION_MEMORY_BYTES = 512 * 1024 * 1024
BODY_SIZE_MAX_BYTES = 6 * 1024 * 1024
JSON_INVALID = [(("body", "*"), "json_invalid")]


def with_quantity(literal: str) -> bytes:
    """A body with this literal as its quantity, valid otherwise."""
    return f'{{"variant_id":"{VARIANT}","quantity_change":{literal},"reason":"restock"}}'.encode()


def with_field(name: str, literal: str = "1") -> bytes:
    """A valid body with one more field, whose name is written unescaped."""
    return json.dumps(a_body()).encode()[:-1] + f',"{name}":{literal}}}'.encode()


def many_unknown_fields() -> bytes:
    fields = ",".join(f'"{number:07}":0' for number in range(BODY_SIZE_MAX_BYTES // 12))
    return f"{{{fields}}}".encode()


NOT_JSON = {
    "white space": b" \r\n\t ",
    "a byte order mark alone": codecs.BOM_UTF8,
    "two byte order marks": codecs.BOM_UTF8 * 2 + b"{}",
    "UTF-16": json.dumps(a_body()).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(a_body()).encode("utf-16-le"),
    "UTF-32": json.dumps(a_body()).encode("utf-32"),
    "Latin-1": json.dumps(a_body(reason="café"), ensure_ascii=False).encode("latin-1"),
    "overlong UTF-8": b'{"reason":"\xc0\x80"}',
    "a surrogate as UTF-8": b'{"reason":"\xed\xa0\x80"}',
    "NUL": b"\0",
    "NUL after the value": json.dumps(a_body()).encode() + b"\0",
    "NUL inside a string": b'{"reason":"a\0b"}',
    "two values": b"{}{}",
    "a comment": b"{} // done",
    "a trailing comma": b'{"a":1,}',
    "arrays 100,000 deep": b"[" * 100_000,
    "arrays 100,000 deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "objects 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "one level too deep": b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1),
    "deep inside a field": with_field("x", "[" * DEPTH_MAX + "]" * DEPTH_MAX),
    "NaN": with_quantity("NaN"),
    "Infinity": with_quantity("Infinity"),
    "-Infinity": with_quantity("-Infinity"),
    "1e1000000": with_quantity("1e1000000"),
    "1e999999999": with_quantity("1e999999999"),
    "-1e999999999999999999999999": with_quantity("-1e999999999999999999999999"),
    "an integer of 5,000 digits": with_quantity("9" * 5000),
    "an integer of 6 million digits": with_quantity("9" * 6_000_000),
    "6 MB in one unclosed string": b'"' + b"[" * BODY_SIZE_MAX_BYTES,
    "hexadecimal": with_quantity("0x10"),
    "a bare point": with_quantity("5."),
}

NO_OBJECT = {
    "null": b"null",
    "a string": b'"x"',
    "a number": b"5",
    "a number beyond doubles": b"1e400",
    "true": b"true",
    "an array": b"[]",
    "an array as deep as allowed": b"[" * DEPTH_MAX + b"]" * DEPTH_MAX,
    "an array of an object": f"[{json.dumps(a_body())}]".encode(),
    "6 MB of small arrays": b"[" + b"[]," * (BODY_SIZE_MAX_BYTES // 3) + b"0]",
}

QUANTITIES = {
    "1e400": "less_than_equal",
    "-1e400": "greater_than_equal",
    "1e4299": "less_than_equal",
    "1e-999999999": "int_type",
    "1e-99999999999999999999999": "int_type",
    "-1.5E-99999999999999999999999": "int_type",
    "0e99999999999999999999999": "value_error",
    "-0.00e99999999999999999999999": "value_error",
    "0e-99999999999999999999999": "value_error",
    "0e999999999": "value_error",
    "-0": "value_error",
    "-0.0": "value_error",
    "0e5": "value_error",
    "0.0000": "value_error",
    "5.0000000000000001": "int_type",
    "-5.0000000000000001": "int_type",
    "0.9999999999999999999999999999": "int_type",
    "1e-4000": "int_type",
    "9007199254740993": "less_than_equal",
    "1000000000.5": "int_type",
    "1" + "0" * 400 + ".5": "int_type",
    "5." + "0" * 1_000_000 + "1": "int_type",
    "false": "int_type",
    "{}": "int_type",
    '"5"': "int_type",
}


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_that_is_not_json_is_invalid(service: Service, raw: bytes) -> None:
    answer = service.post(raw)

    assert (answer.status, answer.problems) == (422, JSON_INVALID)
    assert answer.size_bytes < 1024


@pytest.mark.parametrize("raw", NO_OBJECT.values(), ids=NO_OBJECT)
def test_a_json_body_that_is_not_an_object_is_invalid(service: Service, raw: bytes) -> None:
    answer = service.post(raw)

    assert (answer.status, answer.problems) == (422, [(("body",), "model_attributes_type")])
    assert answer.size_bytes < 2048


@pytest.mark.parametrize(("literal", "kind"), QUANTITIES.items(), ids=[text[:24] for text in QUANTITIES])
def test_no_quantity_is_ever_rounded(service: Service, literal: str, kind: str) -> None:
    answer = service.post(with_quantity(literal))

    assert (answer.status, answer.problems) == (422, [(("body", "quantity_change"), kind)])
    assert answer.size_bytes < 2048


@pytest.mark.parametrize("encoded", [False, True], ids=["as text", "in base64"])
@pytest.mark.parametrize("body", ["", None], ids=["empty", "null"])
def test_an_absent_body_is_missing(service: Service, body: str | None, encoded: bool) -> None:  # noqa: FBT001
    answer = service.post(text=body, isBase64Encoded=encoded)

    problem = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
    assert (answer.status, answer.body) == (422, {"detail": [problem]})


@pytest.mark.parametrize("text", ["%%%", "e30", "e30=e30=", "é", "e3 0=", "_-_-"])
def test_bad_base64_is_not_json(service: Service, text: str) -> None:
    answer = service.post(text=text, isBase64Encoded=True)

    problem = {"type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error", "input": {}}
    assert (answer.status, answer.body) == (422, {"detail": [problem | {"ctx": {"error": "Invalid base64"}}]})


def test_a_replacement_character_made_by_the_gateway_is_rejected(service: Service) -> None:
    answer = service.post(text=json.dumps(a_body(reason="caf\ufffd"), ensure_ascii=False))

    assert (answer.status, answer.problems) == (422, JSON_INVALID)


def test_a_replacement_character_that_the_client_sent_is_kept(service: Service) -> None:
    answer = service.post(json.dumps(a_body(reason="caf\ufffd"), ensure_ascii=False).encode())

    assert (answer.status, answer.body["correction_reason"]) == (201, "caf\ufffd")


def test_a_text_body_with_half_a_surrogate_pair_is_not_json(service: Service) -> None:
    answer = service.post(text=json.dumps(a_body(reason="\ud800"), ensure_ascii=False))

    assert (answer.status, answer.problems) == (422, JSON_INVALID)


def test_a_byte_order_mark_is_ignored(service: Service) -> None:
    assert service.post(codecs.BOM_UTF8 + json.dumps(a_body()).encode()).status == 201


def test_the_last_of_duplicate_json_keys_counts(service: Service) -> None:
    answer = service.post(with_field("quantity_change", "7"))

    assert (answer.status, answer.body["delta"]) == (201, 7)


def test_the_last_of_duplicate_json_keys_is_validated(service: Service) -> None:
    answer = service.post(with_field("quantity_change", "0"))

    assert (answer.status, answer.problems) == (422, [(("body", "quantity_change"), "value_error")])


def test_brackets_inside_strings_do_not_count_as_nesting(service: Service) -> None:
    reason = '"[{\\' * 100

    answer = service.post(a_body(reason=reason))

    assert (answer.status, answer.body["correction_reason"]) == (201, reason)


@pytest.mark.parametrize(
    "name", ["\\ud800", "\\udfff\\ud800", "\\u0000", "", "x" * 5_000_000, "\\u00e9" * 2000, "__class__", "0"]
)
def test_an_unknown_field_is_listed_under_any_name(service: Service, name: str) -> None:
    answer = service.post(with_field(name))

    assert answer.status == 422
    assert [kind for _, kind in answer.problems] == ["extra_forbidden"]
    assert len(json.dumps(answer.problems[0][0][1])) <= ECHO_SIZE_MAX_BYTES
    assert answer.size_bytes < 4096


@pytest.mark.parametrize("character", ["x", "é", "📦", '"'])
def test_a_field_name_is_given_in_full_up_to_one_kilobyte(service: Service, character: str) -> None:
    longest = (ECHO_SIZE_MAX_BYTES - 2) // (len(json.dumps(character)) - 2)

    answers = [service.post(a_body(**{character * length: 1})) for length in (longest, longest + 1, longest * 2)]

    assert [answer.problems for answer in answers] == [[(("body", character * longest), "extra_forbidden")]] * 3


def test_two_long_names_with_the_same_beginning_are_two_errors(service: Service) -> None:
    answer = service.post(a_body(**{"x" * 2000 + end: end for end in "ab"}))

    assert [each["input"] for each in answer.body["detail"]] == ["a", "b"]


def test_a_missing_field_is_reported_with_the_body_as_it_was_sent(service: Service) -> None:
    """Not as it is after the names of unknown fields are cut: that could be short enough when the body is too long."""
    short, long = (service.post(a_body(reason=..., **{"x" * length: 1})) for length in (500, 1000))

    assert short.body["detail"][0]["input"] == a_body(reason=..., **{"x" * 500: 1})
    assert "input" not in long.body["detail"][0]


@pytest.mark.parametrize("count", [101, 150, 1_000, 5_000])
def test_every_unknown_field_is_listed(service: Service, count: int) -> None:
    names = [f"field {number}" for number in range(count)]

    answer = service.post(a_body(quantity_change=0, **dict.fromkeys(names)))

    assert answer.problems == [
        (("body", "quantity_change"), "value_error"),
        *((("body", name), "extra_forbidden") for name in names),
    ]


@pytest.mark.parametrize("field", ["variant_id", "sku", "reason", "location_id", "reference"])
def test_half_a_surrogate_pair_is_refused_in_every_text(service: Service, field: str) -> None:
    answer = service.post(a_body(**{"variant_id": ...} if field == "sku" else {}, **{field: "\ud83d"}))

    assert answer.status == 422
    assert [where for where, _ in answer.problems] == [("body", field)]
    assert "input" not in answer.body["detail"][0]


@pytest.mark.parametrize("code", ["\ud83d", "", " damage", "Damage", "SKU#", "x" * 100_000, "damage\x00"])
def test_a_text_that_no_reason_code_can_be_is_a_code_that_is_not_found(service: Service, code: str) -> None:
    answer = service.post(a_body(reason_code=code))

    assert (answer.status, answer.code) == (404, "reason_not_found")
    assert service.tables.rows == []


def sent_bytes(answer: Answer) -> int:
    """The size of the answer's body as Lambda counts it: as a text in JSON."""
    return len(json.dumps(json.dumps(answer.body, separators=(",", ":"))))


def test_six_megabytes_of_unknown_fields_are_listed_as_far_as_an_answer_can_hold(service: Service) -> None:
    answer = service.post(many_unknown_fields())

    assert answer.status == 422
    assert answer.problems[:3] == [
        ((("body", name)), "missing") for name in ("variant_id", "quantity_change", "reason")
    ]
    assert answer.problems[3:] == [
        (("body", f"{number:07}"), "extra_forbidden") for number in range(len(answer.problems) - 3)
    ]
    assert 0.9 * ENTRIES_SIZE_MAX_BYTES < answer.size_bytes < ENTRIES_SIZE_MAX_BYTES
    assert sent_bytes(answer) < RESPONSE_SIZE_MAX_BYTES


@pytest.mark.parametrize("character", ["é", '"', "\\"])
def test_the_longest_possible_list_of_errors_fits_into_an_answer(service: Service, character: str) -> None:
    body = {f"{number:04}" + character * 2000: character * 167 for number in range(3000)}

    answer = service.post(body)

    assert answer.status == 422
    assert all("input" in each for each in answer.body["detail"][3:])
    assert sent_bytes(answer) < RESPONSE_SIZE_MAX_BYTES


def test_known_fields_are_validated_after_any_number_of_unknown_ones(service: Service) -> None:
    body = {f"{number}": number for number in range(1000)} | a_body(quantity_change=0)

    assert service.post(body).problems[0] == (("body", "quantity_change"), "value_error")


def test_no_body_fills_the_memory_of_the_function() -> None:
    """In a process with as much memory as the function has."""
    program = f"""
import resource
from inventory.domain.errors import InvalidRequest
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.base import validated
from inventory.schemas.json_parser import InvalidJSON, parse_json
resource.setrlimit(resource.RLIMIT_AS, ({FUNCTION_MEMORY_BYTES}, {FUNCTION_MEMORY_BYTES}))
size = {BODY_SIZE_MAX_BYTES}
backslash, brackets = bytes([92]), b"[" * 101
for body in (
    b'"' + brackets + b"x" * size + b'"',
    b'"' + brackets + (backslash + b"n") * (size // 2) + b'"',
    b'"' + brackets + b"x" * size,
    b'"' * size,
    backslash * size,
    brackets + b'"' * size,
    b"{{" + b",".join(b'"%07d":0' % number for number in range(size // 12)) + b"}}",
):
    try:
        validated(AdjustmentRequest, parse_json(body))
    except (InvalidJSON, InvalidRequest):
        continue
    raise AssertionError(body[:200])
"""
    path = str(ROOT / "layers" / "inventory")
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": path}, timeout=60)  # noqa: S603
