"""A proof's edges: what is late, what it costs in reads and pauses, what the time that is left allows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain.errors import InvalidCursor, StoreUnavailable, TryAgain
from inventory.domain.model import GENESIS_HASH, StockItemId
from inventory.integrity.chain_check import PENDING_ROWS_MAX, ChainCheck, Problem, ProblemKind
from inventory.integrity.proof import PROOF_PAUSES_S, Proof, Prover
from inventory.storage import cursors
from inventory.storage.items import adjustment_of
from tests.support.builders.ids import ADJUSTMENT, BUSINESS, LOCATION, OTHER_BUSINESS, OTHER_LOCATION, VARIANT
from tests.support.builders.tampered_tables import TAMPERINGS, ReadTables, StoredHistory, stock_item, stored_history

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


class Desk:
    """A prover on stored in memory, with a time that only pauses and reads take."""

    def __init__(self, found: StoredHistory, *, read_s: float = 0.0, **settings: Any) -> None:
        self.read = ReadTables(found, before_read=self._read_begins)
        self.pauses_s: list[float] = []
        self.on_pause: Callable[[], None] = lambda: None
        self.left_s = 10.0
        self._read_s = read_s
        self.prover = Prover(self.read, self.read, self._pause, **settings)

    def prove(self, cursor: str | None = None, *, location_id: UUID = LOCATION) -> Proof:
        return self.prover.prove(StockItemId(BUSINESS, VARIANT, location_id), cursor, remaining_s=lambda: self.left_s)

    def _read_begins(self) -> None:
        self.left_s -= self._read_s

    def _pause(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.left_s -= seconds
        self.on_pause()


def tampered(name: str, deltas: list[int], n: int) -> StoredHistory:
    found = TAMPERINGS[name](stored_history(deltas), n)
    assert found is not None
    return found


def test_without_any_history_everything_is_zero_and_verified() -> None:
    proof = Desk(StoredHistory([], None)).prove()
    assert (proof.verified, proof.rows, proof.sum, proof.quantity, proof.sequence) == (True, 0, 0, 0, 0)
    assert proof.head_hash == GENESIS_HASH


def test_a_history_that_adds_up_takes_one_read_of_the_stock_item_and_one_a_page() -> None:
    desk = Desk(stored_history([1] * 25), page_rows=10)
    assert desk.prove().verified is True
    assert desk.read.reads == ["stock item", "page", "page", "page"]
    assert desk.pauses_s == []


@pytest.mark.parametrize("late", [0, 3, 9])
@pytest.mark.parametrize("looks", [1, 4])
def test_a_proof_waits_for_a_late_row(late: int, looks: int) -> None:
    desk = Desk(stored_history([1] * 10))
    desk.read.late.add(desk.read.stored.rows[late]["pk"]["S"])

    def arrives() -> None:
        if len(desk.pauses_s) == looks:
            desk.read.late.clear()

    desk.on_pause = arrives
    assert desk.prove().verified is True
    assert desk.pauses_s == list(PROOF_PAUSES_S[:looks])


def test_a_row_that_does_not_come_within_a_second_and_a_half_is_missing() -> None:
    desk = Desk(tampered("a row was removed", [1] * 10, 4))
    assert desk.prove().first_problem == Problem(5, ProblemKind.ROW_MISSING)
    assert sum(desk.pauses_s) == pytest.approx(1.5)


def test_a_proof_does_not_wait_for_a_row_that_is_wrong() -> None:
    desk = Desk(tampered("a row's reason was changed", [1] * 10, 4))
    assert desk.prove().first_problem == Problem(5, ProblemKind.ROW_CHANGED)
    assert desk.pauses_s == []


def test_with_a_problem_the_figures_show_what_ledger_and_stock_item_hold() -> None:
    found = tampered("a row was removed", [10, -3, 5], 1)
    proof = Desk(found).prove()
    assert (proof.rows, proof.sum, proof.quantity, proof.sequence) == (2, 15, 12, 3)
    assert proof.head_hash == adjustment_of(found.rows[-1]).hash
    proof = Desk(tampered("the stock item was removed", [10, -3], 0)).prove()
    assert (proof.rows, proof.sum, proof.quantity, proof.sequence, proof.head_hash) == (2, 7, 0, 0, GENESIS_HASH)


def test_rows_that_are_younger_than_the_stock_item_as_read_are_no_part_of_the_proof() -> None:
    """The last row is visible, the one before it is late, and the proof does not wait: it covers the requested rows."""
    rows = stored_history([1] * 10).rows
    desk = Desk(StoredHistory(rows[:8], stock_item(adjustment_of(rows[7]))))

    def write(reads: int = 2) -> None:
        if len(desk.read.reads) == reads:
            desk.read.stored = StoredHistory(rows, stock_item(adjustment_of(rows[9])))
            desk.read.late.add(rows[8]["pk"]["S"])

    desk.read.before_read = write
    proof = desk.prove()
    assert (proof.verified, proof.rows, proof.sum, proof.sequence) == (True, 8, 8, 8)
    assert desk.read.reads == ["stock item", "page", "stock item"]
    assert desk.pauses_s == []


@pytest.mark.parametrize("n", [0, 100, 299])
@pytest.mark.parametrize(
    "tamper", ["a row was removed", "a row's reason was changed", "a row was inserted at the end of time"]
)
def test_a_problem_before_more_rows_than_may_wait_is_found(tamper: str, n: int) -> None:
    assert PENDING_ROWS_MAX < 200
    found = tampered(tamper, [1] * 300, n)
    for page_rows in (None, 7, 150):
        assert Desk(found, page_rows=page_rows).prove().first_problem == found.problem


def test_a_row_at_the_end_of_time_that_was_missed_long_before_is_at_a_wrong_time() -> None:
    rows = stored_history([1] * 300).rows
    moved = TAMPERINGS["a row's time was changed to a later one"](stored_history([1] * 300), 4)
    assert moved is not None
    late = {**moved.rows[4], "created_at": {"S": "2027-01-01T00:00:00.000000Z"}}
    found = StoredHistory([*rows[:4], *rows[5:], late], stored_history([1] * 300).stock)
    assert Desk(found, page_rows=20).prove().first_problem == Problem(5, ProblemKind.ROW_CHANGED)


@pytest.mark.parametrize("n", [0, 4, 9])
def test_a_row_without_a_readable_sequence_is_taken_for_the_next_one(n: int) -> None:
    found = stored_history([1] * 10)
    found.rows[n] = {**found.rows[n], "sequence": {"S": "garbage"}}
    assert Desk(found).prove().first_problem == Problem(n + 1, ProblemKind.ROW_UNREADABLE)


def test_the_first_of_two_problems_in_the_chain_is_reported() -> None:
    changed = tampered("a row's reason was changed", [1] * 10, 1)
    for n, first in ((0, Problem(1, ProblemKind.ROW_INSERTED)), (7, Problem(2, ProblemKind.ROW_CHANGED))):
        both = TAMPERINGS["a row was inserted at the end of time"](changed, n)
        assert both is not None
        assert Desk(both).prove().first_problem == first


def test_a_stock_item_that_catches_up_is_verified() -> None:
    rows = stored_history([1] * 5).rows
    desk = Desk(
        StoredHistory(rows, {**stock_item(adjustment_of(rows[2])), "updated_at": {"S": "2026-01-01T00:00:00.000000Z"}})
    )

    def mend() -> None:
        if len(desk.read.reads) == 3:
            desk.read.stored.stock = stock_item(adjustment_of(rows[4]))

    desk.read.before_read = mend
    assert desk.prove().verified is True
    assert desk.pauses_s == [], "the rows end where it ends now"


def test_a_stock_item_that_is_made_after_it_was_looked_for_is_verified() -> None:
    rows = stored_history([1]).rows
    desk = Desk(StoredHistory(rows, None))

    def make() -> None:
        if len(desk.read.reads) == 2:
            desk.read.stored.stock = stock_item(adjustment_of(rows[0]))

    desk.read.before_read = make
    proof = desk.prove()
    assert (proof.verified, proof.rows, proof.first_problem) == (True, 1, None)


def test_a_missing_row_is_reported_though_the_stock_item_is_unreadable() -> None:
    found = tampered("a row was removed", [1] * 5, 2)
    assert found.stock is not None
    found.stock = {**found.stock, "quantity": {"S": "x"}}
    desk = Desk(found)
    assert desk.prove().first_problem == Problem(3, ProblemKind.ROW_MISSING)
    assert desk.pauses_s == []


def test_a_stock_item_corrupted_during_the_proof_is_reported() -> None:
    rows = stored_history([1] * 5).rows
    desk = Desk(StoredHistory(rows, stock_item(adjustment_of(rows[2]))))

    def tamper() -> None:
        if len(desk.read.reads) == 3:
            assert desk.read.stored.stock is not None
            desk.read.stored.stock = {**desk.read.stored.stock, "quantity": {"S": "x"}}

    desk.read.before_read = tamper
    proof = desk.prove()
    assert (proof.verified, proof.first_problem) == (False, Problem(5, ProblemKind.STOCK_ITEM_UNREADABLE))
    assert (proof.quantity, proof.sequence) == (0, 0)
    assert desk.pauses_s == [], "nothing is late"


def test_no_more_rows_wait_than_may_and_one_page() -> None:
    check = ChainCheck()
    rows = stored_history([1] * 1_000).rows
    for n in range(1, 1_000, 10):
        check.add(rows[n : n + 10])
        if check.has_too_many_pending_rows:
            check.append_pending(1_000)
        assert check.highest_sequence - check.sequence <= PENDING_ROWS_MAX + 10
    assert check.problem == Problem(1, ProblemKind.ROW_MISSING)


# ------------------------------------------------------------------------------------------------- several requests


def test_a_long_history_is_proved_over_several_requests_with_running_figures() -> None:
    desk = Desk(stored_history([2] * 25), page_rows=5, rows_max=10)
    first = desk.prove()
    assert (first.verified, first.rows, first.sum, first.quantity, first.sequence) == (None, 10, 20, 20, 10)
    assert first.head_hash == desk.read.stored.rows[9]["hash"]["S"]
    second = desk.prove(first.next_cursor)
    third = desk.prove(second.next_cursor)
    assert (third.verified, third.rows, third.sum, third.next_cursor) == (True, 25, 50, None)


def test_a_request_that_has_passed_the_stock_items_sequence_reads_on_to_the_end() -> None:
    """The next request could not compare the row that the stock item should match, as it was read at first."""
    rows = stored_history([1] * 20).rows
    desk = Desk(StoredHistory(rows[:8], stock_item(adjustment_of(rows[7]))), page_rows=5, rows_max=10)

    def write() -> None:
        if len(desk.read.reads) == 2:
            desk.read.stored = StoredHistory(rows, stock_item(adjustment_of(rows[19])))

    desk.read.before_read = write
    proof = desk.prove()
    assert (proof.verified, proof.rows, proof.next_cursor) == (True, 20, None)


def test_one_request_proves_ten_thousand_rows_and_the_next_one_goes_on() -> None:
    """More could outlast the function; fewer would take more requests than are documented."""
    desk = Desk(stored_history([1] * 10_001), page_rows=2_500)

    first = desk.prove()
    assert (first.verified, first.rows, desk.read.reads) == (None, 10_000, ["stock item"] + ["page"] * 4)
    second = desk.prove(first.next_cursor)
    assert (second.verified, second.rows, second.next_cursor) == (True, 10_001, None)


def test_a_proof_that_runs_out_of_time_is_continued_from_there() -> None:
    desk = Desk(stored_history([2] * 25), page_rows=5, read_s=2.0)
    first = desk.prove()
    assert (first.verified, first.rows) == (None, 15)
    desk.left_s = 20.0
    assert desk.prove(first.next_cursor).verified is True


def test_without_time_to_read_again_there_is_no_verdict() -> None:
    desk = Desk(tampered("a row was removed", [2] * 25, 12), page_rows=5, read_s=1.5)
    proof = desk.prove()
    assert (proof.verified, proof.rows, proof.first_problem) == (None, 10, None)


def test_a_proof_without_time_is_try_again() -> None:
    desk = Desk(tampered("a row was removed", [2] * 3, 0), read_s=4.0)
    with pytest.raises(TryAgain):
        desk.prove()


def test_a_continued_proof_reads_the_row_of_its_cursor() -> None:
    desk = Desk(stored_history([2] * 25), page_rows=5, rows_max=20)
    cursor = desk.prove().next_cursor
    desk.read.reads.clear()
    assert desk.prove(cursor).verified is True
    assert desk.read.reads == ["row", "stock item", "page", "page"]


def test_a_proof_continues_after_the_very_first_row() -> None:
    desk = Desk(stored_history([2, 3]), page_rows=1, rows_max=1)
    first = desk.prove()
    assert (first.verified, first.rows) == (None, 1)
    assert desk.prove(first.next_cursor).rows == 2


def test_a_cursor_keeps_the_found_problem() -> None:
    desk = Desk(tampered("a row's reason was changed", [2] * 25, 2), page_rows=5, rows_max=5)
    proof = desk.prove()
    assert (proof.verified, proof.first_problem) == (False, Problem(3, ProblemKind.ROW_CHANGED))
    assert (proof.rows, proof.sum, proof.sequence) == (5, 10, 25), "rows and sum so far, of a stock item that has more"
    while proof.next_cursor is not None:
        proof = desk.prove(proof.next_cursor)
    assert (proof.verified, proof.rows, proof.first_problem) == (False, 25, Problem(3, ProblemKind.ROW_CHANGED))


@pytest.mark.parametrize("pk", ["x" * 2_000, f"{OTHER_BUSINESS}#{ADJUSTMENT}"], ids=["long", "another business"])
def test_a_proof_cannot_continue_from_a_row_under_a_wrong_key(pk: str) -> None:
    found = tampered("a row was put under another key", [2] * 5, 1)
    found.rows[1]["pk"] = {"S": pk}
    desk = Desk(found, page_rows=2, rows_max=1)
    proof = desk.prove()
    assert (proof.verified, proof.first_problem, proof.next_cursor) == (
        False,
        Problem(2, ProblemKind.ROW_MISPLACED),
        None,
    )


# ----------------------------------------------------------------------------------------------------------- cursors


def a_cursor() -> str:
    cursor = Desk(stored_history([2] * 25), page_rows=5, rows_max=5).prove().next_cursor
    assert cursor is not None
    assert len(cursor) <= 1024
    return cursor


def refused(cursor: str, **place: UUID) -> None:
    with pytest.raises(InvalidCursor) as caught:
        Desk(stored_history([2] * 25)).prove(cursor, **place)
    assert caught.value.cursor == cursor


@pytest.mark.parametrize("cursor", ["", "x", "é", a_cursor()[:-1], a_cursor() + "A", a_cursor().swapcase()])
def test_a_malformed_cursor_is_rejected(cursor: str) -> None:
    refused(cursor)


def test_a_cursor_is_valid_for_its_own_stock_item_only() -> None:
    refused(a_cursor(), location_id=OTHER_LOCATION)
    prover = Desk(stored_history([2])).prover
    with pytest.raises(InvalidCursor):
        prover.prove(StockItemId(OTHER_BUSINESS, VARIANT, LOCATION), a_cursor(), remaining_s=lambda: 10.0)


QUESTION: dict[str, str] = {
    "question": "proof",
    "business_id": str(BUSINESS),
    "variant_id": str(VARIANT),
    "location_id": str(LOCATION),
}
ROW = stored_history([2] * 25).rows[4]
AT, ID = f'"{ROW["created_at"]["S"]}"', f'"{ROW["id"]["S"]}"'
HASH = f'"{GENESIS_HASH}"'
MADE_UP = [
    "",
    "[]",
    "{}",
    "[" * 500,
    f'[true,0,0,0,{HASH},"",null,{ID},{AT}]',
    f'[1.5,0,0,0,{HASH},"",null,{ID},{AT}]',
    f'[1,0,0,0,"x","",null,{ID},{AT}]',
    f'[1,0,0,0,{HASH},"2026",null,{ID},{AT}]',
    f'[1,0,0,0,{HASH},"",[1,"no_kind"],{ID},{AT}]',
    f'[1,0,0,0,{HASH},"",[1,"reversal_not_linked"],{ID},{AT}]',
    f'[1,0,0,0,{HASH},"",["1","row_missing"],{ID},{AT}]',
    f'[1,0,0,0,{HASH},"",[{10**40},"row_missing"],{ID},{AT}]',
    f'[0,0,0,0,{HASH},"",[1,"row_missing"],{ID},{AT}]',
    f'[{2**53},0,0,0,{HASH},"",[1,"row_missing"],{ID},{AT}]',
    f'[1,{10**200},0,0,{HASH},"",[1,"row_missing"],{ID},{AT}]',
    f'[1,0,-1,0,{HASH},"",[1,"row_missing"],{ID},{AT}]',
    f'[1,0,{10**38},0,{HASH},"",[1,"row_missing"],{ID},{AT}]',
    f'[1,0,0,{-(10**38)},{HASH},"",[1,"row_missing"],{ID},{AT}]',
    f'[1,0,0,0,{HASH},"",null,"no id",{AT}]',
    f'[1,0,0,0,{HASH},"",null,1,{AT}]',
    f'[1,0,0,0,{HASH},"",null,{ID},"0001-01-01T00:00:00+14:00"]',
    f'[1,0,0,0,{HASH},"",null,{ID},null]',
]


@pytest.mark.parametrize("position", MADE_UP)
def test_a_forged_cursor_with_a_valid_digest_is_rejected(position: str) -> None:
    refused(cursors.cursor(position, QUESTION))


def figures(found: StoredHistory, n: int) -> list[Any]:
    """What an honest cursor after the nth row, counted from 0, says."""
    row = adjustment_of(found.rows[n])
    at = found.rows[n]["created_at"]["S"]
    return [n + 1, row.quantity_after, n + 1, row.quantity_after, row.hash, at, None, str(row.id), at, "", ""]


def made_up(position: list[Any]) -> str:
    return cursors.cursor(json.dumps(position, separators=(",", ":")), QUESTION)


def test_a_cursor_with_the_figures_of_its_row_is_accepted() -> None:
    desk = Desk(stored_history([2] * 25), page_rows=5, rows_max=5)
    assert desk.prove().next_cursor == made_up(figures(desk.read.stored, 4))
    assert desk.prove(made_up(figures(desk.read.stored, 6))).verified is None


OTHERS: dict[str, tuple[int, Any]] = {
    "rows": (0, 6),
    "sum": (1, 11),
    "a huge sum": (1, 10**200),
    "sequence": (2, 6),
    "quantity": (3, 11),
    "hash": (4, "1" * 64),
    "time": (5, "2026-11-23T14:05:09.123456Z"),
    "no time": (5, ""),
    "row": (7, str(stored_history([2] * 25).rows[5]["id"]["S"])),
    "a row that is not there": (7, str(BUSINESS)),
    "place in the index": (8, "2026-11-23T14:05:09.123456Z"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_cursor_with_other_figures_than_those_of_its_row_is_refused(other: str) -> None:
    position = figures(stored_history([2] * 25), 4)
    place, value = OTHERS[other]
    position[place] = value
    refused(made_up(position))


@pytest.mark.parametrize("name", ["rows and sum", "sequence and quantity"])
def test_a_cursors_row_count_and_sum_must_match_its_row(name: str) -> None:
    """These figures match a tampered stock item; they do not match the row."""
    position = figures(stored_history([2] * 25), 4)
    first = 0 if name == "rows and sum" else 2
    position[first], position[first + 1] = 25, 50
    refused(made_up(position))


def test_a_cursor_that_matches_only_a_tampered_stock_item_is_rejected() -> None:
    """The figures of the stock item, as if all had been read, at a place behind which nothing comes."""
    found = tampered("the stock item's quantity was changed", [2] * 25, 0)
    assert found.stock is not None
    position = figures(found, 24)
    position[0] = position[2] = int(found.stock["sequence"]["N"])
    position[1] = position[3] = int(found.stock["quantity"]["N"])
    with pytest.raises(InvalidCursor):
        Desk(found).prove(made_up(position))


TAMPERED_MEANWHILE = [
    "a row's reason was changed",
    "a row's reason was changed and hashed anew",
    "a row's hash was changed",
    "a row's reason was taken away",
    "a row was given an attribute",
    "a row was removed",
    "a row was put under another key",
    "a row was put under another stock item",
]


@pytest.mark.parametrize("tamper", TAMPERED_MEANWHILE)
def test_a_cursor_whose_row_has_changed_is_rejected_and_a_new_proof_finds_the_problem(tamper: str) -> None:
    desk = Desk(stored_history([2] * 25), page_rows=5, rows_max=5)
    cursor = desk.prove().next_cursor
    desk.read.stored = tampered(tamper, [2] * 25, 4)
    with pytest.raises(InvalidCursor):
        desk.prove(cursor)
    assert Desk(desk.read.stored).prove().first_problem == desk.read.stored.problem


def test_the_row_of_a_cursor_with_a_problem_must_only_exist() -> None:
    found = tampered("a row's reason was changed", [2] * 25, 4)
    desk = Desk(found, page_rows=5, rows_max=5)
    cursor = desk.prove().next_cursor
    assert desk.prove(cursor).first_problem == Problem(5, ProblemKind.ROW_CHANGED)
    del desk.read.stored.rows[4]
    with pytest.raises(InvalidCursor):
        desk.prove(cursor)


def test_a_transient_read_fault_does_not_reject_a_cursor() -> None:
    desk = Desk(stored_history([2] * 25), page_rows=5, rows_max=5)
    cursor = desk.prove().next_cursor

    def fail() -> None:
        raise StoreUnavailable

    desk.read.before_read = fail
    with pytest.raises(TryAgain):
        desk.prove(cursor)


# ------------------------------------------------------------------------------------------------------------ faults


def test_a_failed_read_is_repeated() -> None:
    desk = Desk(stored_history([2] * 5))
    failing = iter([True, False, True, False])

    def fail() -> None:
        if next(failing):
            raise StoreUnavailable

    desk.read.before_read = fail
    assert desk.prove().verified is True
    assert desk.read.reads == ["stock item"] * 2 + ["page"] * 2


def test_reads_that_keep_failing_give_no_verdict() -> None:
    desk = Desk(stored_history([2] * 5))

    def fail() -> None:
        raise StoreUnavailable

    desk.read.before_read = fail
    with pytest.raises(TryAgain):
        desk.prove()


def test_an_unreadable_page_keeps_the_result_of_those_before_it() -> None:
    desk = Desk(stored_history([2] * 25), page_rows=5)

    def fail_from_the_third_page_on() -> None:
        if desk.read.reads.count("page") >= 3:
            raise StoreUnavailable

    desk.read.before_read = fail_from_the_third_page_on
    first = desk.prove()
    assert (first.verified, first.rows, first.first_problem) == (None, 10, None)

    desk.read.before_read = lambda: None
    assert desk.prove(first.next_cursor).verified is True
