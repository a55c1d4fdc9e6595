"""Whether a local stack runs."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import pytest

from ops.errors import CommandError
from ops.local_stack import LocalFiles, Running, find_running
from ops.stacks import find_stack

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_runs_where_nothing_ever_ran(tmp_path: Path) -> None:
    assert find_running(LocalFiles(tmp_path)) is None


def test_a_number_that_a_crash_left_behind_is_no_process(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    files.pid_file.write_text("1 4566\n", encoding="ascii")

    assert find_running(files) is None


def test_a_stack_that_runs_is_found_once_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))
    files = LocalFiles.from_environment()
    files.pid_file.write_text("17 4566\n", encoding="ascii")
    with files.pid_file.open(encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        assert find_running(files) == Running(pid=17, port=4566)
        with pytest.raises(CommandError, match="no local stack is running"):
            find_stack(None)
        files.demo_json.touch()
        assert find_stack(None).aws.endpoint_url == "http://127.0.0.1:4566"


def test_a_command_for_a_stack_names_its_folder_unless_that_is_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LocalFiles(tmp_path / "a b").make("stop") == f"make stop LOCAL_DIR='{tmp_path}/a b'"
    monkeypatch.delenv("LOCAL_DIR", raising=False)
    assert LocalFiles.from_environment().make("stop") == "make stop"
