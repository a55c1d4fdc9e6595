"""The steps of contributing.md: each test that is said to fail exists, and what must follow a reason code does."""

from __future__ import annotations

import re
from functools import cache
from typing import get_args

import pytest

from inventory.domain.model import ReasonCode
from inventory.schemas.adjustments import AdjustmentRequest
from tests.benchmarks.baselines.body import Body
from tests.benchmarks.baselines.work import REASON_CODES
from tests.support.builders.ids import BUSINESS
from tests.support.pages import page, rows, section
from tests.support.sam_template import PROJECT_ROOT

NAME = "docs/contributing.md"
CHANGES = ["Add a reason code", "Add a field to the answer", "Add a field to the request", "Add a route"]


@cache
def names_of_tests() -> set[str]:
    """The name of every test."""
    sources = [path.read_text(encoding="utf-8") for path in PROJECT_ROOT.glob("tests/**/test_*.py")]
    return {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", page(NAME)))))
def test_a_test_that_is_said_to_fail_exists(name: str) -> None:
    assert name in names_of_tests()


@pytest.mark.parametrize("change", CHANGES)
def test_each_place_names_the_test_that_fails_or_says_that_there_is_none(change: str) -> None:
    for place, what, test in rows(section(NAME, change))[1:]:
        assert what, place
        assert test.startswith(("test_", "mypy", "none")), place


def test_every_field_of_the_body_reaches_the_command() -> None:
    names = set(AdjustmentRequest.model_fields)
    request = AdjustmentRequest.model_construct(None, **{name: f"the {name}" for name in names})
    command = request.command(business_id=BUSINESS, actor="somebody", idempotency_key=None)
    assert {f"the {name}" for name in names} <= set(command._asdict().values())


def test_the_validating_baselines_take_the_same_fields() -> None:
    left_out = {"sku", "occurred_at"}  # in the baselines' favour
    assert Body.model_fields.keys() == AdjustmentRequest.model_fields.keys() - left_out


def test_the_plain_baseline_takes_the_same_reason_codes() -> None:
    assert get_args(ReasonCode.__value__) == REASON_CODES


def test_the_validating_baselines_take_the_same_reason_codes() -> None:
    codes, _ = get_args(Body.model_fields["reason_code"].annotation)
    assert get_args(codes.__value__) == get_args(ReasonCode.__value__)
