"""A real spreadsheet opens an export in CSV: nothing in it is calculated, whatever separates its cells."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import product
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import pytest

from inventory.queries.export_formats import COLUMNS, FORMATS
from tests.support.builders.domain import an_adjustment

if TYPE_CHECKING:
    from pathlib import Path

SPREADSHEET: Final = shutil.which("soffice")
SEPARATORS: Final = {"comma": "44", "semicolon": "59", "tab": "9", "preset": "9/44/59"}
"""What LibreOffice takes as separators of cells, by their code points; the last is what its dialog begins with."""

TABLE: Final = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
CELL_ENDS: Final = ("", "x;", "x,", "x\t", "x\n", "x\r\n", "x\r", "x\u2028", 'x";', 'x","', "broken; two boxes;")
BEHIND: Final = ("", " ", '"', "\ufeff", "\u200b", "\u00ad", "\u2060", "\u3164", "\u2800", "\ufe0f", "\U000e0100")
FORMULAS: Final = ("=1+1", "+1+1", "-1+1", "@SUM(1;1)", '=HYPERLINK("http://x.test")', "＝1+1")
TEXTS: Final = ["".join(parts) for parts in product(CELL_ENDS, BEHIND, FORMULAS)]

pytestmark = pytest.mark.skipif(SPREADSHEET is None, reason="needs LibreOffice: apt-get install libreoffice-calc")


def opened(csv: Path, separators: str) -> str:
    """The spreadsheet as LibreOffice has it, in its XML."""
    profile = csv.parent / "profile"
    done = subprocess.run(  # noqa: S603
        [
            *(str(SPREADSHEET), "--headless", f"-env:UserInstallation={profile.as_uri()}"),
            *("--convert-to", "fods", f"--infilter=CSV:{separators},34,76,1", "--outdir", str(csv.parent), str(csv)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    sheet = csv.with_suffix(".fods")
    assert sheet.exists(), done.stdout + done.stderr
    return sheet.read_text(encoding="utf-8")


def sizes(sheet: str) -> list[int]:
    """The number of cells of each row."""
    return [
        sum(int(cell.get(f"{{{TABLE}}}number-columns-repeated", "1")) for cell in row.iter(f"{{{TABLE}}}table-cell"))
        for row in ET.fromstring(sheet).iter(f"{{{TABLE}}}table-row")  # noqa: S314  our own file
    ]


def formulas(sheet: str) -> list[str]:
    return re.findall(r'table:formula="([^"]*)"', sheet)


@pytest.mark.parametrize("separators", SEPARATORS)
def test_no_text_of_a_caller_is_calculated(separators: str, tmp_path: Path) -> None:
    rows = [an_adjustment(reason=text, reference=f"PO{text}", created_by=text) for text in TEXTS]
    csv = tmp_path / "export.csv"
    csv.write_bytes(FORMATS["csv"].header.encode() + "".join(map(FORMATS["csv"].line, rows)).encode())
    sheet = opened(csv, SEPARATORS[separators])
    assert formulas(sheet) == []
    if separators in {"comma", "preset"}:
        assert sizes(sheet) == [len(COLUMNS)] * (1 + len(rows)), "a text began a new row or cell"


def test_the_spreadsheet_would_calculate_them(tmp_path: Path) -> None:
    """So that the test above looks at something."""
    csv = tmp_path / "unguarded.csv"
    csv.write_text("a,x;=1+1\r\n", encoding="utf-8")
    assert formulas(opened(csv, SEPARATORS["preset"])) == ["of:=1+1"]
