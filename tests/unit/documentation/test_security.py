"""The page about security: each risk has its row, and each test that it names exists."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.pages import page, rows, section
from tests.support.sam_template import PROJECT_ROOT

PAGE = page("docs/security.md")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
RISKS = rows(section("docs/security.md", "OWASP API Security Top 10 (2023)"))[1:]


def test_each_of_the_ten_risks_has_its_row() -> None:
    assert [row[0].split()[0] for row in RISKS] == [f"API{number}" for number in range(1, 11)]


@pytest.mark.parametrize("row", RISKS, ids=lambda row: row[0].split()[0])
def test_each_row_says_what_is_done_names_a_test_and_says_what_is_left(row: list[str]) -> None:
    _, done, tests, left = row
    assert done
    assert re.search(r"tests/\S+::test_\w+", tests)
    assert left


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[f"{file}::{name}" for file, name in NAMED])
def test_each_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((PROJECT_ROOT / file).read_text(encoding="utf-8"))
    tests = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    assert name in tests if name else any(each.startswith("test_") for each in tests)
