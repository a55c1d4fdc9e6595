"""Whatever the history, and wherever its pages end: an export is all rows, once, in order, and proves itself."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from copy import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.hash_chain import row_hash
from inventory.domain.retry_budget import RetryBudget
from inventory.queries.export import Exporter, ExportQuery
from inventory.queries.export_formats import COLUMNS
from inventory.queries.settled import SETTLED_AFTER
from tests.support.builders.ids import BUSINESS, NOW
from tests.support.fakes.ledger_index import IndexedLedger, a_history
from tests.support.harness.examples import examples

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment, ExportFormat

deltas = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(-9, 9)), max_size=30)
# A surrogate alone can't be stored; of all else the ledger takes what a hand may have written into it.
texts = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("=+-@＝;\t\r\n\"'\u2028 \u00ad\u3164a")),
    min_size=1,
    max_size=20,
)
FREE_TEXT = ("reason", "reference", "created_by", "sku")
CELL_ENDS = re.compile("[;\t\r\n\x0b\x0c\x85\u2028\u2029]")
text_sizes = st.one_of(st.integers(1, 3_000), st.just(1_000_000))


def exported(rows: list[Adjustment], form: ExportFormat, text_size_max_bytes: int, chunk_rows_max: int) -> list[str]:
    """The texts of an export's pages."""
    ledger = IndexedLedger(rows, chunk_rows_max=chunk_rows_max)
    exporter = Exporter(ledger, ledger, lambda: NOW + SETTLED_AFTER, text_size_max_bytes)
    budget = RetryBudget(lambda: 10.0, lambda _: None)
    query = ExportQuery(BUSINESS, form)
    pages = []
    cursor: str | None = None
    while True:
        page = exporter.page(query, cursor, budget)
        pages.append(page.text)
        assert page.rows or page.next_cursor is None
        cursor = page.next_cursor
        if cursor is None:
            return pages


def with_texts(rows: list[Adjustment], found: list[str]) -> list[Adjustment]:
    """The rows with these texts in turn, with matching hashes (their chain does not match, and is not tested here)."""
    rows_with_texts = [
        replace(row, reason=found[n % len(found)], reference=found[-n % len(found)], sku=found[n % len(found)])
        for n, row in enumerate(rows)
    ]
    return [replace(row, hash=row_hash(row)) for row in rows_with_texts]


def in_order(rows: list[Adjustment]) -> list[Adjustment]:
    return sorted(rows, key=lambda row: (row.created_at, row.id))


@given(deltas, st.lists(texts, min_size=1, max_size=5), text_sizes, st.integers(1, 7))
def test_the_lines_of_all_pages_are_all_rows_in_order_and_their_hashes_recompute(
    history: list[tuple[int, int, int]], found: list[str], text_size_max_bytes: int, chunk_rows_max: int
) -> None:
    rows = with_texts(a_history(history), found)
    pages = exported(rows, "ndjson", text_size_max_bytes, chunk_rows_max)
    lines = "".join(pages).splitlines()
    objects = [json.loads(line) for line in lines]
    assert [each["hash"] for each in objects] == [row.hash for row in in_order(rows)]
    for each, row in zip(objects, in_order(rows), strict=True):
        assert (each["reason"], each["reference"]) == (row.reason, row.reference)
        canonical = {name: value for name, value in each.items() if name != "hash"}
        # As a client would, from the documented form alone.
        text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
        assert sha256(text.encode()).hexdigest() == each["hash"]


@given(deltas)
def test_a_stock_items_lines_are_its_chain(history: list[tuple[int, int, int]]) -> None:
    heads: dict[tuple[str, str], tuple[int, str]] = {}
    for line in "".join(exported(a_history(history), "ndjson", 2_000, 3)).splitlines():
        row = json.loads(line)
        item = (row["variant_id"], row["location_id"])
        assert (row["sequence"] - 1, row["previous_hash"]) == heads.get(item, (0, "0" * 64))
        heads[item] = (row["sequence"], row["hash"])


@examples(60)
@given(deltas, st.lists(texts, min_size=1, max_size=5), text_sizes, st.integers(1, 7))
def test_the_records_of_all_pages_are_all_rows_in_order(
    history: list[tuple[int, int, int]], found: list[str], text_size_max_bytes: int, chunk_rows_max: int
) -> None:
    rows = with_texts(a_history(history), found)
    text = "".join(exported(rows, "csv", text_size_max_bytes, chunk_rows_max))
    header, *records = csv.reader(io.StringIO(text, newline=""))
    assert tuple(header) == COLUMNS
    read = [dict(zip(header, record, strict=True)) for record in records]
    for record, row in zip(read, in_order(rows), strict=True):
        for name in FREE_TEXT:
            assert without_apostrophes(record[name]) == without_apostrophes(getattr(row, name) or "")
            assert not [part for part in (record[name], *CELL_ENDS.split(record[name])) if is_formula(part)]
    assert [others(record) for record in read] == [others(cells(row)) for row in in_order(rows)]


def without_apostrophes(text: str) -> str:
    return text.replace("'", "")


def is_formula(cell: str) -> bool:
    """Whether the first character that shows, behind quotes or not, begins a formula."""
    shown = [
        each
        for each in cell
        if unicodedata.category(each)[0] not in "MZ" and each not in '"\u115f\u1160\u2800\u3164\uffa0'
    ]
    first = next((each for each in shown if unicodedata.category(each) not in {"Cc", "Cf"}), "")
    return first != "" and first in "=+-@＝＋－＠"


def others(record: dict[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in record.items() if name not in FREE_TEXT}


def cells(row: Adjustment) -> dict[str, str]:
    """A row's cells, free text aside, written independently of the code under test."""
    members: dict[str, object] = {name: getattr(row, name) for name in COLUMNS}
    members |= {"created_at": row.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    return {name: cell_text(value) for name, value in members.items()}


def cell_text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
