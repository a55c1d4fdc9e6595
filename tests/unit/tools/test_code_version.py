"""The one hash of everything that is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.code_version import code_version

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_change_of_what_a_stage_gives_to_a_parameter_makes_another_code_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in ("functions", "layers", "template.yaml", "monitoring.yaml", "samconfig.toml"):
        (tmp_path / source).touch()
    monkeypatch.setattr("tools.code_version.PROJECT_ROOT", tmp_path)
    before = code_version()

    (tmp_path / "samconfig.toml").write_text('SnapStart = "true"\n', encoding="utf-8")

    assert code_version() != before
