"""Exports: what a line says, how much a page holds, where an export ends, and which cursor goes on with it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain.errors import BusinessNotFound, InvalidRequest, StoreUnavailable
from inventory.domain.retry_budget import CALL_BUDGET_S, RetryBudget
from inventory.domain.timestamps import instant_text
from inventory.entrypoints.exporting import exported_page
from inventory.queries.export import CHUNK_ROWS, TEXT_SIZE_MAX_BYTES, Exporter
from inventory.queries.export_formats import COLUMNS, csv_line, ndjson_line
from inventory.queries.settled import SETTLED_AFTER
from inventory.schemas.base import validated
from inventory.schemas.reading import ExportRequest
from inventory.storage import cursors, keys
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import BUSINESS, LOCATION, NOW, OTHER_BUSINESS, VARIANT
from tests.support.builders.invocations import an_invocation
from tests.support.fakes.ledger_index import IndexedLedger, a_history

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment
    from inventory.queries.export import ExportPage

LAMBDA_ANSWER_MAX_BYTES = 6 * 1024 * 1024
AN_HOUR = timedelta(hours=1)
TOO_LATE_S = CALL_BUDGET_S + 0.9
"""Time for a query, but not for a query and the answer."""
# What trips formats up: ends of lines in all senses, quotes, what JSON escapes, what is not in the BMP, right to left.
HARD_TEXTS = [
    'say "no"\\',
    "one\ntwo\r\nthree\rfour",
    "a,b;c\td",
    "nul \x00 bell \x07 escape \x1b next line \x85 separators \u2028 \u2029 \x1c \x0b \x0c delete \x7f",
    "grüße 数量 📦 👩‍👩‍👧 \U0010ffff \ufffe\ufeff",
    "עברית \u202e abc",
    "'quoted'",
    "null",
    " ",
]


@dataclass
class Desk:
    """Where exports are asked for; ``now`` is the service's clock, at which the ledger is settled up to ``NOW``."""

    ledger: IndexedLedger = field(default_factory=IndexedLedger)
    now: datetime = NOW + SETTLED_AFTER
    remaining_s: float = 10.0
    text_size_max_bytes: int = TEXT_SIZE_MAX_BYTES
    pauses_s: list[float] = field(default_factory=list)

    def page(self, **fields: object) -> ExportPage:
        exporter = Exporter(self.ledger, self.ledger, lambda: self.now, self.text_size_max_bytes)
        budget = RetryBudget(lambda: self.remaining_s, self.pauses_s.append, lambda: 0.5)
        payload = {"command": "export", "business_id": str(BUSINESS)} | fields
        return exported_page(payload, exporter, budget, an_invocation())

    def pages(self, **fields: object) -> list[ExportPage]:
        pages = [self.page(**fields)]
        while pages[-1].next_cursor is not None:
            pages.append(self.page(**fields | {"cursor": pages[-1].next_cursor}))
        return pages


def objects(pages: list[ExportPage]) -> list[dict[str, Any]]:
    return [json.loads(line) for page in pages for line in page.text.split("\n")[:-1]]


def ids(pages: list[ExportPage]) -> list[str]:
    return [each["id"] for each in objects(pages)]


def in_order(rows: list[Adjustment]) -> list[str]:
    return [str(row.id) for row in sorted(rows, key=lambda row: (row.created_at, row.id))]


def records(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


# --------------------------------------------------------------------------------------------------------------- lines


def test_a_line_of_json_holds_every_member_of_the_canonical_form_and_the_hash() -> None:
    row = an_adjustment(
        reason_code="damage", reference="CC-17", expected_quantity=-3, reverses=UUID(int=7), created_by="Zoë", form=1
    )
    assert ndjson_line(row) == (
        '{"form":1,"id":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","business_id":"6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01",'
        '"variant_id":"3fa85f64-5717-4562-b3fc-2c963f66afa6","location_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7",'
        '"delta":5,"reason":"restock","reason_code":"damage","reference":"CC-17","expected_quantity":-3,'
        '"location_defaulted":true,"sequence":1,"quantity_after":5,"created_at":"2026-11-23T14:05:09.123456Z",'
        '"created_by":"Zoë","reverses":"00000000-0000-0000-0000-000000000007",'
        f'"previous_hash":"{"0" * 64}","hash":"{row.hash}"}}\n'
    )


def test_a_line_of_json_of_a_row_of_form_1_has_the_members_of_form_1() -> None:
    members = json.loads(ndjson_line(an_adjustment(form=1)))
    assert list(members) == [*COLUMNS[: COLUMNS.index("hash")], "hash"]
    assert members["form"] == 1


def test_a_line_of_json_of_form_2_has_its_members_after_the_hash() -> None:
    row = an_adjustment(kind="count", counted_quantity=5, counted_at=NOW, sku="SKU 7", occurred_at=NOW)
    assert ndjson_line(row).endswith(
        f'"hash":"{row.hash}","kind":"count","group_id":null,"group_line":null,"group_size":null,'
        '"counted_quantity":5,"counted_at":"2026-11-23T14:05:09.123456Z","sku":"SKU 7",'
        '"occurred_at":"2026-11-23T14:05:09.123456Z"}\n'
    )


def test_a_record_of_csv_of_form_1_has_empty_cells_for_what_form_2_added_and_the_kind() -> None:
    (cells,) = records(csv_line(an_adjustment(form=1)))
    assert dict(zip(COLUMNS, cells, strict=True))["kind"] == "adjustment"
    assert cells[-7:] == [""] * 7


def test_a_record_of_csv_has_the_same_cells_under_the_same_names() -> None:
    row = an_adjustment(reason="lost, or stolen", sku="MUG-RED")
    of_json = json.loads(ndjson_line(row))
    assert set(of_json) == set(COLUMNS)
    assert csv_line(row).endswith("\r\n")
    (cells,) = records(csv_line(row))
    as_text = {"None": "", "True": "true"}
    assert cells == [as_text.get(str(of_json[name]), str(of_json[name])) for name in COLUMNS]


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_a_line_of_json_is_exact_and_one_line_for_any_splitter(text: str) -> None:
    line = ndjson_line(an_adjustment(reason=text))
    assert line.splitlines(keepends=True) == [line]
    assert json.loads(line.encode())["reason"] == text


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_a_cell_of_csv_comes_back_as_it_was(text: str) -> None:
    (cells,) = records(csv_line(an_adjustment(reason=text)))
    assert cells[COLUMNS.index("reason")] == text


@pytest.mark.parametrize(
    "begin", [*"=+-@\t\r＝＋－＠", "\ufeff=", "\u200b+", " -", "\u00a0@", "\u200e\u2060=", "\u3000＝"]
)
@pytest.mark.parametrize("column", ["reason", "reference", "created_by", "sku"])
def test_free_text_that_a_spreadsheet_would_calculate_gets_an_apostrophe_in_csv_only(begin: str, column: str) -> None:
    text = f'{begin}HYPERLINK("http://x.test","y")'
    row = an_adjustment(**{column: text})
    (cells,) = records(csv_line(row))
    assert cells[COLUMNS.index(column)] == f"'{text}"
    assert json.loads(ndjson_line(row))[column] == text


@pytest.mark.parametrize(
    "end", ["a;", "a\t", "a\r", "a\n", "a\r\n", "a\x0b", "a\x0c", "a\x85", "a\u2028", "a\u2029", ";"]
)
@pytest.mark.parametrize(
    "between", ["", " ", '"', '" "', "\u00ad", "\u200b\u2060", "\u3164", "\u2800", "\U000e0100", "\ufe0f"]
)
def test_a_formula_behind_anything_that_may_begin_a_new_cell_gets_an_apostrophe_too(end: str, between: str) -> None:
    (cells,) = records(csv_line(an_adjustment(reference=f"{end}{between}=9+9, {end}1")))
    assert cells[COLUMNS.index("reference")] == f"{end}'{between}=9+9, {end}1"


@pytest.mark.parametrize(
    "invisible", [*"\u00ad\u034f\u061c\u115f\u1160\u180e\u2800\u3164\ufe0f\uffa0\u2066", "\U000e0001\u0301"]
)
def test_a_formula_behind_characters_that_show_nothing_is_one(invisible: str) -> None:
    (cells,) = records(csv_line(an_adjustment(reason=f"{invisible}=1+1")))
    assert cells[COLUMNS.index("reason")] == f"'{invisible}=1+1"


def test_every_part_of_a_text_is_looked_at() -> None:
    (cells,) = records(csv_line(an_adjustment(reason="=1;=2\n=3;a=4;-5", reference="\n\u200e=1")))
    assert cells[COLUMNS.index("reason")] == "'=1;'=2\n'=3;a=4;'-5"
    assert cells[COLUMNS.index("reference")] == "'\n'\u200e=1"


@pytest.mark.parametrize("text", ["2 - 1", "a, =b", "a-b; c-d", "x@y.test", "broken; two boxes", "'=1"])
def test_a_sign_within_a_text_is_no_formula(text: str) -> None:
    (cells,) = records(csv_line(an_adjustment(reason=text)))
    assert cells[COLUMNS.index("reason")] == text


def test_free_text_is_always_in_quotes_and_nothing_else_ever_is() -> None:
    written = csv_line(an_adjustment(reason="plain", reference=None, created_by="clerk", reason_code="damage"))
    assert ",plain," not in written
    assert [cell for cell in written.removesuffix("\r\n").split(",") if '"' in cell] == ['"plain"', '"clerk"']


def test_a_negative_number_is_no_formula() -> None:
    (cells,) = records(csv_line(an_adjustment(delta=-5, quantity_after=-5)))
    assert (cells[COLUMNS.index("delta")], cells[COLUMNS.index("quantity_after")]) == ("-5", "-5")


# --------------------------------------------------------------------------------------------------------------- pages


def test_an_export_holds_all_rows_of_the_business_oldest_first() -> None:
    rows = a_history([(number % 5, number % 2, 3) for number in range(40)])
    others = a_history([(0, 0, 1)] * 3, business_id=OTHER_BUSINESS)
    desk = Desk(IndexedLedger([*reversed(rows), *others]))
    (page,) = desk.pages()
    assert ids([page]) == in_order(rows)
    assert (page.rows, page.created_to) == (40, NOW)


@pytest.mark.parametrize(("form", "text"), [("ndjson", ""), ("csv", ",".join(COLUMNS) + "\r\n")])
def test_an_export_of_nothing_is_an_empty_file(form: str, text: str) -> None:
    (page,) = Desk().pages(format=form)
    assert (page.rows, page.text) == (0, text)


def test_only_the_first_page_has_a_header() -> None:
    desk = Desk(IndexedLedger(a_history([(0, 0, 1)] * 9)), text_size_max_bytes=1_000)
    pages = desk.pages(format="csv")
    assert len(pages) > 3
    table = records("".join(page.text for page in pages))
    assert table[0] == list(COLUMNS)
    assert [row[COLUMNS.index("sequence")] for row in table[1:]] == [str(number) for number in range(1, 10)]
    assert sum(page.rows for page in pages) == 9


def test_a_page_of_the_heaviest_rows_stays_well_below_what_lambda_can_answer() -> None:
    heavy = {"reason": "\U0001f4e6" * 500, "reference": "数" * 255, "created_by": '"' * 255}
    rows = [an_adjustment(id=UUID(int=n), created_at=NOW - n * AN_HOUR, **heavy) for n in range(1, 1_201)]
    desk = Desk(IndexedLedger(rows))
    pages = desk.pages()
    assert ids(pages) == in_order(rows)
    assert len(pages) > 1
    for page in pages:
        # The runtime may escape what is not ASCII, or not.
        for ascii_only in (True, False):
            assert len(json.dumps(page.answer(), ensure_ascii=ascii_only).encode()) < 0.9 * LAMBDA_ANSWER_MAX_BYTES


def test_a_row_that_is_larger_than_a_page_is_a_page() -> None:
    rows = a_history([(0, 0, 1)] * 3)
    desk = Desk(IndexedLedger(rows), text_size_max_bytes=1)
    assert [page.rows for page in desk.pages()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("fields", "partitions"),
    [
        ({}, [keys.ledger_shard(BUSINESS, shard) for shard in range(8)]),
        ({"location_id": str(LOCATION)}, [keys.ledger_shard(BUSINESS, shard) for shard in range(8)]),
        ({"variant_id": str(VARIANT)}, [keys.ledger_business(BUSINESS, VARIANT)]),
        (
            {"variant_id": str(VARIANT), "location_id": str(LOCATION)},
            [keys.ledger_stock_item(BUSINESS, VARIANT, LOCATION)],
        ),
    ],
)
def test_no_more_partitions_are_read_than_can_hold_the_wanted_rows(
    fields: dict[str, object], partitions: list[str]
) -> None:
    desk = Desk()
    desk.page(**fields)
    assert desk.ledger.read == partitions


@pytest.mark.parametrize("names", [["variant_id"], ["location_id"], ["variant_id", "location_id"]])
def test_a_filter_leaves_the_other_rows_out(names: list[str]) -> None:
    rows = a_history([(number % 3, number % 2, 3) for number in range(30)])
    asked = {name: getattr(rows[0], name) for name in names}
    expected = [row for row in rows if all(getattr(row, name) == value for name, value in asked.items())]
    desk = Desk(IndexedLedger(rows), text_size_max_bytes=1_500)
    pages = desk.pages(**{name: str(value) for name, value in asked.items()})
    assert ids(pages) == in_order(expected)
    assert len(pages) > 1


def test_created_from_is_inclusive_and_created_to_exclusive() -> None:
    rows = [an_adjustment(id=UUID(int=n), created_at=NOW - AN_HOUR * (10 - n)) for n in range(5)]
    desk = Desk(IndexedLedger(rows))
    limits = {"created_from": instant_text(rows[1].created_at), "created_to": instant_text(rows[3].created_at)}
    assert ids(desk.pages(**limits)) == in_order(rows[1:3])
    assert ids(desk.pages(**limits | {"variant_id": str(VARIANT), "location_id": str(LOCATION)})) == in_order(rows[1:3])


def test_a_span_that_ends_before_it_begins_holds_nothing() -> None:
    desk = Desk(IndexedLedger(a_history([(0, 0, 1)] * 3)))
    assert desk.page(created_from=instant_text(NOW + AN_HOUR)).rows == 0


# ----------------------------------------------------------------------------------------------------------- one moment


def test_an_export_ends_with_the_moment_of_its_first_page_however_many_rows_arrive_meanwhile() -> None:
    rows = a_history([(0, 0, 1)] * 6)
    desk = Desk(IndexedLedger(list(rows)), text_size_max_bytes=1)
    pages = [desk.page()]
    while (cursor := pages[-1].next_cursor) is not None:
        desk.now += AN_HOUR
        desk.ledger.rows.append(an_adjustment(id=UUID(int=desk.now.hour), created_at=desk.now - timedelta(minutes=1)))
        pages.append(desk.page(cursor=cursor))
    assert ids(pages) == in_order(rows)
    assert {page.created_to for page in pages} == {NOW}


def test_a_row_of_the_very_moment_belongs_to_the_next_export() -> None:
    at = [an_adjustment(id=UUID(int=n), created_at=NOW + timedelta(microseconds=n - 1)) for n in range(3)]
    desk = Desk(IndexedLedger(at))
    (page,) = desk.pages()
    desk.now += AN_HOUR
    (later,) = desk.pages(created_from=page.answer()["created_to"])
    assert ids([page]) + ids([later]) == in_order(at)
    assert page.rows == 1


@pytest.mark.parametrize(
    ("asked", "created_to"),
    [
        ({}, NOW),
        ({"created_to": instant_text(NOW + AN_HOUR)}, NOW),
        ({"created_to": instant_text(NOW - AN_HOUR)}, NOW - AN_HOUR),
    ],
)
def test_an_export_ends_where_the_ledger_is_settled_at_the_latest(
    asked: dict[str, object], created_to: datetime
) -> None:
    desk = Desk(IndexedLedger([an_adjustment(created_at=NOW)]))
    page = desk.page(**asked)
    assert (page.rows, page.created_to, page.text) == (0, created_to, "")
    assert desk.pauses_s == []


@pytest.mark.parametrize(
    "late", [timedelta(seconds=0.5), timedelta(seconds=3.5), SETTLED_AFTER - timedelta(microseconds=1)]
)
def test_a_row_that_appears_late_is_in_one_of_two_chained_exports(late: timedelta) -> None:
    """It got its time before its commit, and the index had it later still: so long later, at most."""
    desk = Desk()
    row = an_adjustment(created_at=desk.now)
    desk.now += late
    first = desk.page()
    desk.ledger.rows.append(row)
    desk.now += AN_HOUR
    second = desk.page(created_from=first.answer()["created_to"])
    assert ids([first, second]) == [str(row.id)]


# -------------------------------------------------------------------------------------------------------------- cursors


def a_cursor_of(**fields: object) -> tuple[Desk, str]:
    desk = Desk(IndexedLedger(a_history([(0, 0, 1)] * 3)), text_size_max_bytes=1)
    cursor = desk.page(**fields).next_cursor
    assert cursor is not None
    desk.ledger.businesses.add(OTHER_BUSINESS)
    return desk, cursor


@pytest.mark.parametrize(
    "other",
    [
        {"business_id": str(OTHER_BUSINESS)},
        {"format": "csv"},
        {"variant_id": str(VARIANT)},
        {"location_id": str(LOCATION)},
        {"created_from": "2026-01-01T00:00:00Z"},
        {"created_to": "2026-12-01T00:00:00Z"},
    ],
)
def test_a_cursor_is_valid_for_its_own_export_only(other: dict[str, object]) -> None:
    desk, cursor = a_cursor_of()
    with pytest.raises(InvalidRequest) as refused:
        desk.page(cursor=cursor, **other)
    (entry,) = refused.value.entries
    assert (entry["loc"], entry["type"]) == (["body", "cursor"], "value_error")


AFTER_FIRST_ROW = "afDIwMjYtMTAtMjRUMTQ6MDU6MDkuMTIzNDU2WiMwMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDA"
ISSUED_AT_NOW = f"MjAyNi0xMS0yM1QxNDowNTowOS4xMjM0NTZ{AFTER_FIRST_ROW}"
ISSUED_AT_END = f"MjAyNi0xMS0yM1QxNDowNTowOS4xMjAwMDB{AFTER_FIRST_ROW}"
"""What follows the digest in the cursors below: the end of the export, and its first row."""
FIRST_VARIANT = FIRST_LOCATION = str(UUID(int=1, version=4))


@pytest.mark.parametrize(
    ("fields", "cursor"),
    [
        ({}, f"rqiLKJVs_H407QyM{ISSUED_AT_NOW}"),
        ({"format": "csv"}, f"Vscs2viL6hjNHcnH{ISSUED_AT_NOW}"),
        ({"variant_id": FIRST_VARIANT}, f"hDtlDfgT-GnQAQqZ{ISSUED_AT_NOW}"),
        (
            {
                "format": "csv",
                "variant_id": FIRST_VARIANT,
                "location_id": FIRST_LOCATION,
                "created_from": "2026-01-01T01:00:00+01:00",
                "created_to": "2026-11-23T14:05:09.120000Z",
            },
            f"CaDD3RrylzeB2KtE{ISSUED_AT_END}",
        ),
        (
            {"location_id": FIRST_LOCATION, "created_from": "0999-01-01T00:00:00.000001Z"},
            f"4PjveMIdUQZc42-w{ISSUED_AT_NOW}",
        ),
        ({"created_to": "2027-01-01T00:00:00Z"}, f"v3msl8ibM_QkPygK{ISSUED_AT_NOW}"),
    ],
)
def test_a_cursor_keeps_its_text_from_version_to_version(fields: dict[str, object], cursor: str) -> None:
    """Literal cursors of an earlier version: an export that began before an upgrade goes on after it."""
    desk, issued = a_cursor_of(**fields)
    assert issued == cursor
    assert desk.page(cursor=cursor, **fields).rows == 1


def test_a_cursor_does_not_care_how_the_same_export_is_spelt() -> None:
    desk, cursor = a_cursor_of(created_from="2026-01-01T01:00:00+01:00")
    again = {"business_id": str(BUSINESS).upper(), "format": "ndjson", "created_from": "2026-01-01T00:00:00Z"}
    assert desk.page(cursor=cursor, variant_id=None, **again).rows == 1


@pytest.mark.parametrize("cursor", ["x", "A" * 80, "*"])
def test_a_forged_cursor_is_invalid(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        Desk().page(cursor=cursor)


@pytest.mark.parametrize(
    "position",
    [
        "",
        "x|y",
        "2026-11-23T14:05:09.123456Z|x",
        f"x|2026-11-23T14:05:09.123456Z#{UUID(int=1)}",
        f"2026-11-23T14:05:09|2026-11-23T14:05:09.123456Z#{UUID(int=1)}",
        f"2026-11-23T14:05:09.123456|2026-11-23T14:05:09.123456Z#{UUID(int=1)}",
        f"0001-01-01T00:00:00.000000+23:59|2026-11-23T14:05:09.123456Z#{UUID(int=1)}",
        f"|2026-11-23T14:05:09.123456Z#{UUID(int=1)}",
    ],
)
def test_a_forged_cursor_with_a_valid_digest_needs_a_valid_position(position: str) -> None:
    """The rule is no secret: a stranger can compute it."""
    question = {"command": "export", "business_id": str(BUSINESS), "format": "ndjson"}
    with pytest.raises(InvalidRequest) as refused:
        Desk().page(cursor=cursors.cursor(position, question))
    (entry,) = refused.value.entries
    assert (entry["loc"], entry["type"]) == (["body", "cursor"], "value_error")
    assert entry["msg"] == f"Value error, {entry['ctx']['error']}"


def test_the_same_cursor_gives_the_same_page_again() -> None:
    desk, cursor = a_cursor_of()
    assert desk.page(cursor=cursor) == desk.page(cursor=cursor)


# --------------------------------------------------------------------------------------------------------------- faults


def test_an_unknown_business_is_rejected_before_any_read() -> None:
    desk = Desk()
    with pytest.raises(BusinessNotFound):
        desk.page(business_id=str(OTHER_BUSINESS))
    assert (desk.ledger.read, desk.pauses_s) == ([], [])


def test_a_page_ends_where_the_time_does_and_the_next_one_goes_on() -> None:
    rows = a_history([(0, 0, 1)] * (2 * CHUNK_ROWS + 1))
    desk = Desk(IndexedLedger(rows))

    def too_late_from_the_second_chunk_on(query: int) -> None:
        desk.remaining_s = TOO_LATE_S if query >= 8 else 10.0

    desk.ledger.before_query = too_late_from_the_second_chunk_on
    first = desk.page()
    assert first.rows == CHUNK_ROWS
    desk.remaining_s, desk.ledger.before_query = 10.0, lambda _: None
    rest = desk.page(cursor=first.next_cursor)
    assert ids([first, rest]) == in_order(rows)


def test_a_page_ends_where_the_store_fails_and_the_next_one_goes_on() -> None:
    rows = a_history([(0, 0, 1)] * (CHUNK_ROWS + 1))
    desk = Desk(IndexedLedger(rows))

    def fail_after_the_first_chunks(query: int) -> None:
        if query > 8:
            raise StoreUnavailable

    desk.ledger.before_query = fail_after_the_first_chunks
    first = desk.page()
    assert first.rows == CHUNK_ROWS
    desk.ledger.before_query = lambda _: None
    assert ids([first, desk.page(cursor=first.next_cursor)]) == in_order(rows)


def test_a_query_that_fails_once_is_repeated() -> None:
    rows = a_history([(0, 0, 1)] * 3)
    desk = Desk(IndexedLedger(rows))

    def fail_once(query: int) -> None:
        if query == 1:
            raise StoreUnavailable

    desk.ledger.before_query = fail_once
    assert ids(desk.pages()) == in_order(rows)


def test_the_time_for_the_answer_is_kept_from_a_query_that_is_made_again_too() -> None:
    desk = Desk(IndexedLedger(a_history([(0, 0, 1)] * 3)))
    left_s: list[float] = []

    def fail_slowly(_: int) -> None:
        left_s.append(desk.remaining_s)
        desk.remaining_s -= 1.0
        raise StoreUnavailable

    desk.ledger.before_query = fail_slowly
    desk.remaining_s = TOO_LATE_S + 1.0 + 1e-3
    with pytest.raises(StoreUnavailable):
        desk.page()
    assert len(left_s) == 1, "less would be left for the second one than it and the answer may take"


@pytest.mark.parametrize("remaining_s", [10.0, TOO_LATE_S])
def test_a_page_without_a_single_row_read_in_time_is_no_page(remaining_s: float) -> None:
    desk = Desk(IndexedLedger(a_history([(0, 0, 1)])), remaining_s=remaining_s)

    def fail(_: int) -> None:
        raise StoreUnavailable

    desk.ledger.before_query = fail
    with pytest.raises(StoreUnavailable):
        desk.page()


# ------------------------------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"command": "import"}, (("body", "command"), "literal_error")),
        ({"business_id": "x"}, (("body", "business_id"), "uuid_parsing")),
        ({"format": "xml"}, (("body", "format"), "literal_error")),
        ({"variant_id": 5}, (("body", "variant_id"), "uuid_type")),
        ({"created_from": 0}, (("body", "created_from"), "datetime_from_date_parsing")),
        ({"created_to": "2026-01-01"}, (("body", "created_to"), "timezone_aware")),
        ({"created_to": "2026-01-01T00:00:00"}, (("body", "created_to"), "timezone_aware")),
        ({"cursor": ""}, (("body", "cursor"), "string_too_short")),
        ({"reason_code": "damage"}, (("body", "reason_code"), "extra_forbidden")),
    ],
)
def test_an_invalid_payload_is_reported_with_its_place(
    fields: dict[str, object], problem: tuple[tuple[str, ...], str]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Desk().page(**fields)
    assert [(tuple(entry["loc"]), entry["type"]) for entry in refused.value.entries] == [problem]


def test_instants_are_read_in_any_offset() -> None:
    request = validated(
        ExportRequest,
        {"command": "export", "business_id": str(BUSINESS), "created_to": "2026-11-23T15:05:09.123456+01:00"},
    )
    assert request.created_to == NOW.astimezone(UTC)
