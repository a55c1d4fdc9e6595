"""What `make run` shows while it works."""

from __future__ import annotations

import re

import pytest

from local.progress import step
from tests.support.harness.terminal import ERASED, become_terminal, drawn


def test_a_log_has_one_line_before_and_one_after(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Building"):
        assert capsys.readouterr().out == "Building ...\n"
    assert re.fullmatch(r"Building +\d+\.\d s\n", capsys.readouterr().out)


def test_a_terminal_keeps_one_line_that_says_how_it_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    become_terminal(monkeypatch, "stdout")
    with step("Building"):
        pass
    with pytest.raises(KeyboardInterrupt), step("Deploying"):
        raise KeyboardInterrupt

    *_, built, deploying = capsys.readouterr().out.split(ERASED)
    assert re.fullmatch(r"✓ Building +\d+\.\d s", drawn(built)[0])
    assert re.fullmatch(r"✗ Deploying +\d+\.\d s", drawn(deploying)[0])
