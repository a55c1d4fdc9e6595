"""`make mutation` is too long for every run: here is looked whether it would get as far as running tests at all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.campaigns.mutation import workspace
from tests.campaigns.mutation.by_hand import CHANGES
from tests.campaigns.mutation.survivors import known_survivors
from tests.unit.test_architecture import LAYER

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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


def test_each_change_by_hand_is_in_its_module_once() -> None:
    sources = {name: (LAYER / workspace.file_of(name)).read_text(encoding="utf-8") for name in workspace.TESTS}
    module_of = {each: max(name for name in sources if each.where.startswith(f"{name}.")) for each in CHANGES}

    assert [each for each in CHANGES if sources[module_of[each]].count(each.instead_of) != 1] == []


def test_each_known_survivor_is_in_a_module_that_is_changed() -> None:
    named = {fault.where for fault in known_survivors()}

    assert {each for each in named if not each.startswith(tuple(f"{name}." for name in workspace.TESTS))} == set()
