"""`make mutation` takes too long for every run: these tests show that it starts, and that its faults fit."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.campaigns.mutation import sampling, workspace
from tests.campaigns.mutation.by_hand import CHANGES, Change
from tests.campaigns.mutation.mutants import Sample
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
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-q", "tests"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  our own

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_file_that_judges_a_module_exists() -> None:
    named = {name for names in workspace.TESTS.values() for name in names}

    assert {name for name in named if not (workspace.ROOT / workspace.test_file(name)).exists()} == set()


def test_each_module_that_is_changed_exists_and_has_tests() -> None:
    named = {*workspace.TESTS, *(change.module for change in CHANGES)}
    named |= {".".join(fault.where.split(".")[:2]) for fault in known_survivors()}

    assert named == workspace.TESTS.keys()
    assert {name for name in named if not (PACKAGES / workspace.source_of(name)).exists()} == set()


def test_each_function_whose_fault_is_not_noticed_exists() -> None:
    missing = {fault.where for fault in known_survivors() if not _is_defined(fault.where)}

    assert missing == set()


def _is_defined(where: str) -> bool:
    """Whether a module defines ``package.module.Class.function``."""
    package, module, *names = where.split(".")
    found: ast.AST = ast.parse((PACKAGES / workspace.source_of(f"{package}.{module}")).read_text(encoding="utf-8"))
    for name in names:
        named = [each for each in ast.iter_child_nodes(found) if getattr(each, "name", None) == name]
        if not named:
            return False
        found = named[0]
    return True


def test_the_files_that_judge_a_module_import_no_others() -> None:
    for module, names in workspace.TESTS.items():
        for name in names:
            text = (workspace.ROOT / workspace.test_file(name)).read_text(encoding="utf-8")
            imported = {
                each.replace(".", "/") for each in re.findall(r"^from tests\.unit\.([\w.]+) import", text, re.MULTILINE)
            }
            assert imported <= set(names), f"{module}: {name}"


@pytest.mark.parametrize("name", sorted(sampling.IN_A_PROCESS_OF_THEIR_OWN))
def test_each_test_that_is_left_out_stands_in_a_file_that_judges(name: str) -> None:
    files = {workspace.ROOT / workspace.test_file(each) for names in workspace.TESTS.values() for each in names}

    assert [file for file in files if f"def {name}(" in file.read_text(encoding="utf-8")]


@pytest.mark.parametrize("size", [3, 100])
def test_a_seed_draws_the_same_faults_again(size: int) -> None:
    names = [f"fault {number}" for number in range(40)]

    drawn = [
        Sample(seed, size).of(module, each) for seed in (1, 1, 2) for module in "ab" for each in (names, names[::-1])
    ]

    assert drawn[0] == drawn[1] == drawn[4]
    assert all(len(set(each)) == min(size, 40) and set(each) <= set(names) for each in drawn)
    assert len({tuple(each) for each in drawn}) == 4


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.where)
def test_each_change_by_hand_finds_its_text_once_in_its_module(change: Change) -> None:
    source = (PACKAGES / workspace.source_of(change.module)).read_text(encoding="utf-8")

    assert source.count(change.instead_of) == 1
    assert change.where.split(".")[-1] in source
