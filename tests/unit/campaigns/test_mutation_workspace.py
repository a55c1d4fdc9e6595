"""`make mutation` takes too long for every run: these tests show that it starts, and that its faults fit."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.campaigns.mutation import workspace
from tests.campaigns.mutation.by_hand import CHANGES, Change
from tests.campaigns.mutation.survivors import known_survivors

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = workspace.ROOT / "layers" / "inventory"


def test_the_tests_that_judge_a_fault_run_in_its_copy_and_without_xdist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "WORK", tmp_path)
    folder = workspace.prepare("domain.hash_chain")

    # The environment of `make mutation` has no xdist.
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-q", "tests/unit"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  our own

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_file_that_judges_a_module_exists() -> None:
    named = {name for names in workspace.TESTS.values() for name in names}

    assert {name for name in named if not (workspace.ROOT / f"tests/unit/{name}.py").exists()} == set()


def test_each_module_that_is_changed_exists_and_has_tests() -> None:
    named = {*workspace.TESTS, *(change.module for change in CHANGES)}
    named |= {".".join(fault.where.split(".")[:2]) for fault in known_survivors()}

    assert named == workspace.TESTS.keys()
    assert {name for name in named if not (PACKAGES / workspace.source_of(name)).exists()} == set()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.where)
def test_each_change_by_hand_finds_its_text_once_in_its_module(change: Change) -> None:
    source = (PACKAGES / workspace.source_of(change.module)).read_text(encoding="utf-8")

    assert source.count(change.instead_of) == 1
    assert change.where.split(".")[-1] in source
