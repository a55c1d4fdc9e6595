"""Cursors: good for the one question that they were made for, and refused in every other form."""

from __future__ import annotations

import base64
import string

import pytest

from inventory.schemas.reading import AdjustmentsQuery, LevelsQuery
from inventory.storage.cursors import cursor, position
from tests.support.builders.ids import VARIANT

QUESTION = {"list": "AdjustmentsQuery", "business_id": "b", "reference": "ü"}
POSITION = "2026-11-23T14:05:09.123456Z#aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
GOOD = cursor(POSITION, QUESTION)
URL_SAFE = string.ascii_letters + string.digits + "-_"


@pytest.mark.parametrize("place", [POSITION, "", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "ü"])
def test_a_cursor_holds_its_position(place: str) -> None:
    assert position(cursor(place, QUESTION), QUESTION) == place


def test_a_cursor_never_changes_as_callers_hold_it_over_a_deployment() -> None:
    assert GOOD == (
        "T3XPXV-q4q4Q08rGMjAyNi0xMS0yM1QxNDowNTowOS4xMjM0NTZaI2FhYWFhYWFhLWJiYmItNGNjYy04ZGRkLWVlZWVlZWVlZWVlZQ"
    )


def test_a_cursor_needs_no_encoding_in_a_query_string_and_is_taken_by_the_models() -> None:
    assert set(GOOD) <= set(URL_SAFE)
    assert AdjustmentsQuery(cursor=GOOD).cursor == GOOD
    assert LevelsQuery(variant_id=VARIANT, cursor=GOOD).cursor == GOOD


@pytest.mark.parametrize(
    "other",
    [
        QUESTION | {"business_id": "c"},
        QUESTION | {"reference": "u"},
        QUESTION | {"list": "LevelsQuery"},
        QUESTION | {"reason_code": "damage"},
        {name: value for name, value in QUESTION.items() if name != "reference"},
        {},
    ],
    ids=["business", "filter", "list", "one more filter", "one filter less", "nothing"],
)
def test_a_cursor_of_another_query_is_invalid(other: dict[str, str]) -> None:
    assert position(GOOD, other) is None


def test_the_order_of_a_querys_parts_does_not_count() -> None:
    assert position(GOOD, dict(reversed(QUESTION.items()))) == POSITION


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_not_one_character_of_a_cursor_may_be_altered(at: int) -> None:
    altered = {GOOD[:at] + other + GOOD[at + 1 :] for other in URL_SAFE + "+/=. ü" if other != GOOD[at]}

    assert [each for each in altered if position(each, QUESTION) is not None] == []


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "x",
        "abc",
        "=",
        "====",
        GOOD + "=",
        GOOD + "==",
        GOOD + "A",
        " " + GOOD,
        GOOD + "\n",
        GOOD[:-1],
        GOOD[1:],
        GOOD.lower(),
        GOOD * 2,
        "ü€📦",
        "\ud800",
        "A" * 1_000_000,
        base64.urlsafe_b64encode(POSITION.encode()).decode(),
        base64.urlsafe_b64encode(b"\xff" * 40).decode(),
    ],
)
def test_malformed_text_is_not_a_cursor(rubbish: str) -> None:
    assert position(rubbish, QUESTION) is None
