"""The page of decisions: each has its date, context, decision and consequence, the newest of a part first."""

from __future__ import annotations

import re
from datetime import date

import pytest

from tests.support.pages import page

PARTS = re.split(r"^## ", page("docs/decisions.md"), flags=re.MULTILINE)[1:]
DECISIONS = re.findall(r"^### (.*)$", page("docs/decisions.md"), re.MULTILINE)


def test_there_are_decisions() -> None:
    assert len(DECISIONS) > 30


@pytest.mark.parametrize("title", DECISIONS)
def test_a_decision_has_its_date_context_decision_and_consequence(title: str) -> None:
    day, colon, _ = title.partition(": ")
    assert date.fromisoformat(day)
    assert colon
    body = page("docs/decisions.md").partition(f"### {title}\n")[2]
    body = re.split(r"^##", body, maxsplit=1, flags=re.MULTILINE)[0]
    assert re.findall(r"^- \*\*(\w+)\.\*\*", body, re.MULTILINE) == ["Context", "Decision", "Consequence"]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.partition("\n")[0])
def test_the_newest_decision_of_a_part_comes_first(part: str) -> None:
    days = re.findall(r"^### (\S+):", part, re.MULTILINE)
    assert days == sorted(days, reverse=True)
