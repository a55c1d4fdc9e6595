"""Which characters labels and reasons may have, and what is said of those that they may not."""

from __future__ import annotations

import base64
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from inventory.domain.errors import InvalidRequest
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.base import validated
from inventory.schemas.fields import Label, Reason, is_label
from inventory.schemas.json_parser import parse_json
from tests.support.harness.loading import ROOT

LABEL, REASON = TypeAdapter(Label), TypeAdapter(Reason)
both = pytest.mark.parametrize("texts", [LABEL, REASON], ids=["label", "reason"])
CASES: list[dict[str, Any]] = json.loads((ROOT / "tests/data/text_cases.json").read_text(encoding="utf-8"))["cases"]

ORDINARY = [
    "株式会社\u3000山田商店",
    "می\u200cخواهم",
    "ක්\u200dෂ",
    "👩\u200d🔧",
    "❤\ufe0f",
    "100\u00a0g",
    "Cafe\u0301",
    "\U0001fae9",
    "\u0378",
    "\ue000",
    "\uffff",
    "\u200b\u200ba",
    "5\u200e%",
    "ab",
]
SHOW_NOTHING = [
    "\u200b",
    "\ufeff",
    "\u2060",
    "\u00ad",
    "\u2800",
    "\u3164",
    "\u180e",
    "\ufe0f",
    "\u115f\u1160",
    "\uffa0",
]
SHOW_NOTHING += ["\u0301", "\U000e0041", "\u200b \u200d"]


def error_of(texts: TypeAdapter[str], text: str) -> tuple[str, str]:
    """The type of the error, and what it says."""
    with pytest.raises(ValidationError) as raised:
        texts.validate_python(text)
    (error,) = raised.value.errors()
    return error["type"], str(error["ctx"]["error"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_shared_cases_are_judged_as_they_say(case: dict[str, Any]) -> None:
    body = parse_json(base64.b64decode(case["body_b64"]))
    if case["valid"]:
        request = validated(AdjustmentRequest, body)
        assert (request.reason, request.reference) == (case["parsed"]["reason"], case["parsed"]["reference"])
        return
    with pytest.raises(InvalidRequest) as raised:
        validated(AdjustmentRequest, body)
    assert [[each["loc"], each["type"]] for each in raised.value.entries] == case["errors"]


@both
@pytest.mark.parametrize("text", ORDINARY, ids=ascii)
def test_ordinary_texts_of_any_script_are_kept_as_they_are(texts: TypeAdapter[str], text: str) -> None:
    assert texts.validate_python(text) == text
    assert texts.validate_python(f" {text}\u3000") == text


@both
@pytest.mark.parametrize("text", SHOW_NOTHING, ids=ascii)
def test_a_text_that_shows_nothing_is_refused_with_its_first_character(texts: TypeAdapter[str], text: str) -> None:
    message = f"must have at least one visible character: U+{ord(text[0]):04X} at 0"
    assert error_of(texts, f" {text}\n") == ("value_error", message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PO-1\u202ex", "must not contain bidirectional overrides or isolates: U+202E at 4"),
        ("  PO-1\u2066x", "must not contain bidirectional overrides or isolates: U+2066 at 4"),
        ("\u2069", "must not contain bidirectional overrides or isolates: U+2069 at 0"),
        ("a\u2028b", "must not contain line or paragraph separators: U+2028 at 1"),
        ("a\u2029b\x07", "must not contain line or paragraph separators: U+2029 at 1"),
        ("a\tb", "must not contain control characters: U+0009 at 1"),
        ("a\nb\u202e", "must not contain control characters: U+000A at 1"),
        ("💡\x85b", "must not contain control characters: U+0085 at 1"),
    ],
)
def test_what_a_label_may_not_contain_is_named_with_its_place(text: str, message: str) -> None:
    assert error_of(LABEL, text) == ("value_error", message)
    assert not is_label(text.strip())


def test_a_reason_may_have_lines_and_any_direction_but_no_controls() -> None:
    for text in ("a\tb\r\nc", "a\u2028b", "a\u202eb"):
        assert REASON.validate_python(text) == text
    assert error_of(REASON, "ab\x07\x00") == ("value_error", "must not contain control characters: U+0007 at 2")


def test_half_a_surrogate_pair_is_named_with_its_place() -> None:
    body = {"variant_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "quantity_change": 1, "reason": " ab\udc00"}
    with pytest.raises(InvalidRequest) as raised:
        validated(AdjustmentRequest, body)
    (entry,) = raised.value.entries
    assert (entry["loc"], entry["type"]) == (["body", "reason"], "string_unicode")
    assert entry["ctx"] == {"error": "must not contain lone surrogates: U+DC00 at 2"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_label_is_what_the_contract_says(text: str) -> None:
    """Written out once more, character by character."""
    trimmed = text.strip(
        "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
    )
    forbidden = {"Cc", "Zl", "Zp"}
    taken = (
        1 <= len(trimmed) <= 255
        and not any(
            unicodedata.category(each) in forbidden or each in "\u202a\u202b\u202c\u202d\u202e" for each in trimmed
        )
        and not any("\u2066" <= each <= "\u2069" for each in trimmed)
        and any(
            unicodedata.category(each)[0] not in "MZ"
            and unicodedata.category(each) not in {"Cc", "Cf", "Cs"}
            and each not in "\u115f\u1160\u2800\u3164\uffa0"
            for each in trimmed
        )
    )
    try:
        assert LABEL.validate_python(text) == trimmed
        assert taken
    except ValidationError:
        assert not taken
    assert is_label(trimmed) == taken


def test_half_a_surrogate_pair_makes_no_label() -> None:
    assert not is_label("a\ud800")
    assert not is_label(" a")
    assert not is_label("")
    assert not is_label("a" * 256)
    assert is_label("a" * 255)
