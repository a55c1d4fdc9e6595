"""Ledger rows as lines of a file: newline-delimited JSON, which is exact, or CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.hash_chain import canonical_members, members_since_form_2
from inventory.domain.model import Adjustment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inventory.domain.model import ExportFormat

COLUMNS: Final = ("form", *(name for name in Adjustment._fields if name != "form"))
"""The members of a record of CSV: those of the canonical form and, before those that form 2 added, the row's hash."""

_FREE_TEXT: Final = ("reason", "reference", "created_by", "sku")

# A formula can begin with a full-width sign, and after white space or characters of zero width.
_FORMULA: Final = re.compile("[\t\r]|[\\s\ufeff\u200b-\u200f\u2060]*[-=+@\uff0d\uff1d\uff0b\uff20]")
_JSON_LINE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

# JSON does not escape these, but they end a line for readers that split text as Unicode says.
_UNICODE_LINE_ENDS: Final = str.maketrans({end: f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"})


class LineFormat(NamedTuple):
    """The header of a file, and the function that makes a line from a row, line end included."""

    header: str
    line: Callable[[Adjustment], str]


def ndjson_line(row: Adjustment) -> str:
    """Write a row as a JSON object with all members of its canonical form and its hash."""
    written = _JSON_LINE.encode(_members(row))
    # Most rows are ASCII only, and a translation takes as long as the rest.
    return f"{written if written.isascii() else written.translate(_UNICODE_LINE_ENDS)}\n"


def csv_line(row: Adjustment) -> str:
    """Write a row as a record of RFC 4180. A null is an empty cell; a row of form 1 has a kind too.

    Free text that a spreadsheet would calculate as a formula gets an apostrophe in front.
    """
    members = _members(row) | members_since_form_2(row)
    for name in _FREE_TEXT:
        text = members[name]
        if isinstance(text, str) and _FORMULA.match(text):
            members[name] = f"'{text}"
    members["location_defaulted"] = json.dumps(row.location_defaulted)
    return _record(members[name] for name in COLUMNS)


def _members(row: Adjustment) -> dict[str, object]:
    return canonical_members(row) | {"hash": row.hash}


def _record(cells: Iterable[object]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written).writerow(cells)
    return written.getvalue()


FORMATS: Final[Mapping[ExportFormat, LineFormat]] = {
    "ndjson": LineFormat("", ndjson_line),
    "csv": LineFormat(_record(COLUMNS), csv_line),
}
