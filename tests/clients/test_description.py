"""Programs of others judge the API's description: two linters, and a strict compiler of schemas."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.sam_template import PROJECT_ROOT

DOCUMENT: Final = PROJECT_ROOT / "functions/describe_api/openapi.json"
SETTINGS: Final = PROJECT_ROOT / "tools/openapi"
LINTERS: Final = PROJECT_ROOT / ".openapi-linters"
PROGRAMS: Final = LINTERS / "node_modules/.bin"

pytestmark = pytest.mark.skipif(
    not (LINTERS / ".installed").exists(), reason="`make api-tools` installs the judges of the API's description"
)


def judged(*command: str | Path) -> str:
    done = subprocess.run(  # noqa: S603  our own programs
        [str(each) for each in command],
        env={"PATH": os.environ["PATH"], "HOME": str(LINTERS), "REDOCLY_TELEMETRY": "off", "NO_COLOR": "1"}
        | {"REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_redocly_finds_nothing() -> None:
    said = judged(PROGRAMS / "redocly", "lint", DOCUMENT, "--config", SETTINGS / "redocly.yaml")
    assert "warning" not in said


def test_spectral_finds_nothing() -> None:
    rules = SETTINGS / "spectral.yaml"
    judged(PROGRAMS / "spectral", "lint", DOCUMENT, "--ruleset", rules, "--fail-severity", "hint")


def test_ajv_compiles_every_schema_as_strictly_as_it_does_by_itself() -> None:
    said = judged("node", Path(__file__).with_name("compile_schemas.mjs"), DOCUMENT, LINTERS)
    count = int(said.split()[0])
    assert count > DOCUMENT.read_text(encoding="utf-8").count('"schema":') > 0
