"""`make mutation` is too long for every run: here is looked whether it would get as far as running tests at all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.campaigns.mutation import workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_tests_that_judge_a_fault_run_in_its_copy_and_without_xdist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "WORK", tmp_path)
    folder = workspace.prepare("chain")

    # The environment of `make mutation` has no xdist.
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-q", "tests/unit"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  our own

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_file_that_judges_a_module_exists() -> None:
    named = {name for names in workspace.TESTS.values() for name in names}

    assert {name for name in named if not (workspace.ROOT / f"tests/unit/{name}.py").exists()} == set()
