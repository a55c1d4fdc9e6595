"""The fuzzer's targets over what is kept of their inputs: seeds, and whatever once crashed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inventory.api import headers
from inventory.schemas import json_parser
from inventory.storage import cursors
from tests.campaigns.fuzz import targets
from tests.campaigns.fuzz.targets import TARGETS
from tests.support.builders.domain import a_command
from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = ROOT / "tests" / "campaigns" / "fuzz" / "corpus"
KEPT = sorted(CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_kept_input_breaks_its_target(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_inputs_to_begin_with_and_every_input_a_target() -> None:
    assert {path.parent.name for path in KEPT} == TARGETS.keys()
    assert all(path.stat().st_size < 4096 for path in KEPT)


BREAKS: dict[str, tuple[object, str, Any]] = {
    "json": (json_parser, "_number", float),
    "creation": (targets, "adjustment_command", lambda *_: a_command()),
    "cursor": (cursors, "position", lambda given, _: given),
    "headers": (headers, "header", lambda *_: "Bearer x"),
}
"""A way to break what a target is about: it must notice."""


@pytest.mark.parametrize("name", BREAKS)
def test_a_target_notices_code_that_is_broken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, broken = BREAKS[name]
    monkeypatch.setattr(owner, attribute, broken)

    def found() -> bool:
        for path in (CORPUS / name).iterdir():
            try:
                TARGETS[name](path.read_bytes())
            except (AssertionError, AttributeError):
                return True
        return False

    assert found()
