"""The README: state, picture, examples, and the words that people look for."""

from __future__ import annotations

import json
import re

import pytest

from inventory.entrypoints.responses import adjustment_members, proof_members
from tests.support.builders.domain import an_adjustment
from tests.support.builders.proofs import a_proof
from tests.support.pages import code, page, section
from tests.support.sam_template import PROJECT_ROOT, resources

README = page("README.md")
LINES_ABOVE_THE_FOLD = 20


def test_the_picture_shows_every_function_and_fits_a_narrow_window() -> None:
    picture = README.split("```")[1]
    folders = [path.name for path in (PROJECT_ROOT / "functions").iterdir() if (path / "handler.py").exists()]
    # Operators' commands are no part of the flow.
    assert [name for name in sorted(folders) if name not in picture] == ["provision"]
    assert max(map(len, picture.splitlines())) <= 120


def test_its_state_stands_near_its_top() -> None:
    top = " ".join(README.splitlines()[:LINES_ABOVE_THE_FOLD])
    assert "Nothing has been shown on real AWS yet" in top
    assert "No licence has been chosen" in top


@pytest.mark.parametrize(
    "word", ["pagination", "rate limits", "CORS", "rollback", "upgrade", "idempotency", "retries", "dead-letter queue"]
)
def test_a_word_that_people_look_for_is_in_the_map(word: str) -> None:
    assert word in section("README.md", "Pages")


def test_the_two_commands_are_those_to_run_and_to_test() -> None:
    (commands, _) = code(section("README.md", "Try it"), "console")
    assert re.findall(r"^\$ (\S+ \S+)", commands, re.MULTILINE) == ["make run", "make test"]


def test_the_addresses_of_the_docs_page_and_the_document_are_open_routes() -> None:
    open_routes = {
        event["Properties"]["Path"]
        for function in resources("AWS::Serverless::Function").values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Properties"].get("Method") == "get" and event["Properties"].get("Auth") == {"Authorizer": "NONE"}
    }
    named = set(re.findall(r"`\{ApiUrl\}([^`]*)`", README))
    assert named == {path for path in open_routes if not path.endswith("{asset}")}


def test_the_examples_of_a_201_and_of_a_proof_have_their_members() -> None:
    answers = [json.loads(each) for each in re.findall(r"^\{.*?\}$", README, re.MULTILINE | re.DOTALL)]
    assert [list(each) for each in answers] == [
        list(adjustment_members(an_adjustment())),
        list(proof_members(a_proof())),
    ]
