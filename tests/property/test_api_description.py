"""The description of a request and the model that validates it judge alike."""

from __future__ import annotations

from typing import Any, Final

import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from inventory.domain.errors import InvalidRequest
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.base import validated
from inventory.schemas.fields import IdempotencyKey, Label, Reason
from tests.support.builders.ids import LOCATION, VARIANT
from tests.support.builders.requests import a_body
from tools.openapi.document import document

# What lies at the edges of the rules: blanks of all kinds, controls that are blanks and that are not, what looks blank.
edges = st.sampled_from(
    "a😀\t\n\v\f\r \x00\x1c\x1f\x7f\x85\xa0\xad\u1680\u2007\u200b\u2028\u202f\u2060\u3000\ud7ff\ufeff"
)
texts = st.lists(edges | st.characters(codec="utf-8"), max_size=8).map("".join)

# Letters and marks of punctuation: nothing that is trimmed or refused, which no schema tells.
plain = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=8)


def judge(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def takes(adapter: TypeAdapter[str], value: object) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


RULES: Final[dict[str, TypeAdapter[str]]] = {
    "reason": TypeAdapter(Reason),
    "reference": TypeAdapter(Label),
    "key": TypeAdapter(IdempotencyKey),
}
DESCRIPTIONS: Final = {name: judge(rule.json_schema()) for name, rule in RULES.items()}


@pytest.mark.parametrize("rule", ["reason", "reference"])
@given(text=texts)
@example(text="\u0085 a \u2028")
def test_a_text_that_is_taken_fits_its_schema_once_it_is_trimmed(rule: str, text: str) -> None:
    if takes(RULES[rule], text):
        assert DESCRIPTIONS[rule].is_valid(RULES[rule].validate_python(text))


@pytest.mark.parametrize("rule", RULES)
@given(text=plain)
@example(text="")
@example(text="a")
def test_a_plain_text_is_taken_exactly_when_it_fits_its_schema(rule: str, text: str) -> None:
    assert takes(RULES[rule], text) == DESCRIPTIONS[rule].is_valid(text)


@given(text=texts | st.text("!~ \t\x00é", max_size=4))
def test_a_key_is_taken_exactly_when_it_fits_its_schema(text: str) -> None:
    assert takes(RULES["key"], text) == DESCRIPTIONS["key"].is_valid(text)


@pytest.mark.parametrize(("rule", "length_max"), [("reason", 500), ("reference", 255), ("key", 255)])
@pytest.mark.parametrize("character", ["a", "é", "😀"])
def test_a_schema_limits_a_texts_length_as_the_rule_does(rule: str, length_max: int, character: str) -> None:
    for length in (length_max - 1, length_max, length_max + 1):
        text = character * length
        assert takes(RULES[rule], text) == DESCRIPTIONS[rule].is_valid(text), length


COMPONENTS: Final = document()["components"]
REQUEST: Final = judge(COMPONENTS["schemas"]["InventoryAdjustmentRequest"] | {"components": COMPONENTS})

numbers = st.integers() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False)
bounds = st.sampled_from([10**9, 10**9 + 1, -(10**9), -(10**9) - 1, 2**53 - 1, 2**53, -(2**53), 0, 0.0, 5.0, 0.5])
anything: st.SearchStrategy[object] = st.none() | st.booleans() | numbers | bounds | plain | st.just([]) | st.just({})
ids = st.sampled_from([str(VARIANT), str(LOCATION), "", "nothing"])
fields = {
    "variant_id": ids,
    "quantity_change": anything,
    "reason": anything,
    "location_id": ids | anything,
    "reason_code": st.sampled_from(["damage", "Damage"]) | anything,
    "reference": anything,
    "expected_quantity": anything,
    "other": anything,
}


def is_taken(body: object) -> bool:
    try:
        validated(AdjustmentRequest, body)
    except InvalidRequest:
        return False
    return True


@given(changes=st.fixed_dictionaries({}, optional=fields), missing=st.none() | st.sampled_from([*a_body()]))
@example(changes={}, missing=None)
def test_a_body_is_valid_exactly_when_it_fits_its_schema(changes: dict[str, object], missing: str | None) -> None:
    body = a_body(**changes)
    body.pop(missing or "", None)
    assert is_taken(body) == REQUEST.is_valid(body)
