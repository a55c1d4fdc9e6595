"""JSON text to values: exact numbers, bounded depth, and one kind of error with a position."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal
from typing import Any

import pytest

from inventory.schemas.json_parser import DEPTH_MAX, DIGITS_MAX, InvalidJSON, parse_json


@pytest.mark.parametrize("text", ["5", "-0", "9" * DIGITS_MAX, "-" + "9" * DIGITS_MAX], ids=len)
def test_digits_alone_are_an_integer(text: str) -> None:
    parsed = parse_json(text.encode())

    assert parsed == int(text)
    assert type(parsed) is int


@pytest.mark.parametrize(
    "text",
    [
        *("5.0", "1e3", "1E+3", "-1.50e1", "1200e-2", "-0.0", "0e10", "0e5000", "9007199254740993.0", "1e4299"),
        *("0.5", "5.0000000000000001", "0.1", "1e-4301", "-1.5e-3", "9007199254740993.5", "1e-999999999"),
    ],
)
def test_a_point_or_an_exponent_makes_an_exact_decimal(text: str) -> None:
    parsed = parse_json(text.encode())

    assert isinstance(parsed, Decimal)
    assert parsed == Decimal(text)


@pytest.mark.parametrize(
    "text",
    ["9" * (DIGITS_MAX + 1), "1e4300", "-1e4300", "1e99999999999999999999", "-0.1E+99999999999999999999"],
    ids=len,
)
def test_a_number_too_long_to_convert_is_refused(text: str) -> None:
    with pytest.raises(InvalidJSON, match="Number too long"):
        parse_json(text.encode())


@pytest.mark.parametrize(
    "text",
    ["0e99999999999999999999", "-0E99999999999999999999", "0.000e-99999999999999999999", "0e+1000000000000000000"],
)
def test_zero_is_zero_whatever_its_exponent(text: str) -> None:
    assert parse_json(text.encode()) == 0


@pytest.mark.parametrize("text", ["1e-99999999999999999999", "-1.5E-99999999999999999999", "9.99e-2000000000000000000"])
def test_a_number_nearer_to_zero_than_a_decimal_can_be_is_none_yet_and_stays_as_it_is_written(text: str) -> None:
    parsed = parse_json(text.encode())

    assert isinstance(parsed, Decimal)
    assert parsed != parsed.to_integral_value()
    assert parsed.is_signed() == text.startswith("-")
    assert abs(parsed) < Decimal("1e-999999999")
    assert str(parsed) == text


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]"])
def test_numbers_that_only_python_accepts_are_rejected(text: str) -> None:
    with pytest.raises(InvalidJSON, match="is not JSON"):
        parse_json(text.encode())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
def test_a_hundred_levels_are_taken_and_one_more_is_not(opening: str, closing: str) -> None:
    def nested(levels: int) -> bytes:
        return (opening * levels + "1" + closing * levels).encode()

    assert DEPTH_MAX == 100
    assert parse_json(nested(DEPTH_MAX))
    with pytest.raises(InvalidJSON, match="Nested too deep") as refusal:
        parse_json(nested(DEPTH_MAX + 1))
    assert refusal.value.position == DEPTH_MAX * len(opening)


def test_it_is_levels_that_count_and_not_brackets() -> None:
    assert parse_json(b"[" + b"[],{}," * 200 + b"1]")
    assert parse_json(b'["' + b"[{" * 200 + b'"]')
    assert parse_json(b'["\\"' + b"[{" * 200 + b'","\\\\",1]')


def test_a_quote_that_is_escaped_does_not_hide_nesting() -> None:
    with pytest.raises(InvalidJSON, match="Nested too deep"):
        parse_json(b'["\\\\",' + b"[" * 100 + b"]" * 100 + b"]")


@pytest.mark.parametrize(
    ("body", "message", "position"),
    [
        (b"", "Expecting value", 0),
        (b'{"a" 1}', "Expecting ':' delimiter", 5),
        ('{"é": x}'.encode(), "Expecting value", 6),
        (b'\xef\xbb\xbf{"a": x}', "Expecting value", 6),
        (b'{"a": "\xc3(', "Invalid UTF-8", 7),
        (b'["NaN", "\\"NaN", NaN]', "NaN is not JSON", 17),
        (b'["1e9999", 1e9999]', "Number too long", 11),
        (b'["-Infinity", -Infinity]', "-Infinity is not JSON", 14),
    ],
)
def test_a_parse_error_has_its_cause_and_position(body: bytes, message: str, position: int) -> None:
    with pytest.raises(InvalidJSON) as refusal:
        parse_json(body)

    assert (refusal.value.message, refusal.value.position) == (message, position)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'\xef\xbb\xbf{"a":null}', {"a": None}),
        (b' [true, false, "\\ud83d\\udce6"] ', [True, False, "📦"]),
        (b'"\\ud83d"', "\ud83d"),
    ],
)
def test_the_rest_is_as_the_standard_library_has_it(body: bytes, value: Any) -> None:
    assert parse_json(body) == value


HEAVY = {
    "exponents": b"1e4299,",
    "digits": b"9" * 4300 + b",",
    "small exponents": b"1e9,",
    "exponents far below": b"1e-99999999999999999999,",
    "zeros with exponents": b"0e99999999999999999999,",
    "arrays": b"[],",
    "strings": b'"a",',
}


@pytest.mark.parametrize("member", HEAVY.values(), ids=HEAVY)
def test_no_number_is_computed_that_is_longer_than_it_is_written(member: bytes) -> None:
    """Ten thousand of "1e4299" would be 40 million digits: a body may hold them, and no code may compute them."""
    size_bytes = 100_000
    body = b"[" + member * (size_bytes // len(member)) + b"0]"

    tracemalloc.start()
    parse_json(body)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 60 * len(body)
