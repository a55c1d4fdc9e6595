"""Ledger rows as lines of a file: newline-delimited JSON, which is exact, or CSV for spreadsheets."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.hash_chain import FIRST_FORM, members_of_form_1, members_since_form_2
from inventory.domain.model import Adjustment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inventory.domain.model import ExportFormat

COLUMNS: Final = ("form", *(name for name in Adjustment._fields if name != "form"))
"""The members of a line: those of the canonical form and, before those that form 2 added, the row's hash.

A line of NDJSON of a row of form 1 has no others than that form and the hash.
"""

_FREE_TEXT: Final = frozenset({"reason", "reference", "created_by", "sku"})
"""Columns that callers write into. All others hold ids, numbers, codes and instants, which need no quotes."""

_FORMULA_SIGN: Final = re.compile("[-=+@\uff0d\uff1d\uff0b\uff20]")
_CELL_ENDS: Final = frozenset(";\t\r\n\x0b\x0c\x85\u2028\u2029")
"""Where a spreadsheet may begin a new cell or row: if ``;`` alone separates cells, quotes keep none whole."""

_INVISIBLE_CATEGORIES: Final = frozenset({"Mn", "Mc", "Me", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs"})
_QUOTE_AND_BLANKS: Final = frozenset('"\u115f\u1160\u2800\u3164\uffa0')

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

    Free text is always in quotes, and gets an apostrophe in front of what a spreadsheet would calculate as a formula.
    """
    members = _members(row) | members_since_form_2(row)
    members["location_defaulted"] = json.dumps(row.location_defaulted)
    return _record([_cell(name, members[name]) for name in COLUMNS])


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name not in _FREE_TEXT:
        return str(value)
    return '"' + _without_formulas(str(value)).replace('"', '""') + '"'


def _without_formulas(text: str) -> str:
    """Put an apostrophe in front of each part of a text that a spreadsheet would calculate, were it a cell."""
    signs = [found.start() for found in _FORMULA_SIGN.finditer(text)]
    begins = {begin for sign in signs if (begin := _begin_of_cell(text, sign)) is not None}
    if text.startswith(("\t", "\r")) or (signs and all(map(_shows_nothing, text[: signs[0]]))):
        begins.add(0)
    for begin in sorted(begins, reverse=True):
        text = f"{text[:begin]}'{text[begin:]}"
    return text


def _begin_of_cell(text: str, sign: int) -> int | None:
    """Give the begin of the cell whose content the sign at ``sign`` begins; None where something stands before it."""
    begin = sign
    while begin > 0 and text[begin - 1] not in _CELL_ENDS:
        begin -= 1
        if not _shows_nothing(text[begin]):
            return None
    return begin


def _shows_nothing(character: str) -> bool:
    """Whether a formula may still begin after this character. Quotes count: they are doubled, and may be taken off."""
    return character in _QUOTE_AND_BLANKS or unicodedata.category(character) in _INVISIBLE_CATEGORIES


def _members(row: Adjustment) -> dict[str, object]:
    since = {} if row.form == FIRST_FORM else members_since_form_2(row)
    return members_of_form_1(row) | {"hash": row.hash} | since


def _record(cells: Sequence[str]) -> str:
    return ",".join(cells) + "\r\n"


FORMATS: Final[Mapping[ExportFormat, LineFormat]] = {
    "ndjson": LineFormat("", ndjson_line),
    "csv": LineFormat(_record(COLUMNS), csv_line),
}
