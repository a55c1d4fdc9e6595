"""The verdict on a campaign of faults: it finds every way in which a ledger can differ from the answers."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.campaigns.chaos.record import Change, Request, Way
from tests.campaigns.chaos.verdict import Feed, Ledger, Place, differences

if TYPE_CHECKING:
    from collections.abc import Callable

BUSINESS, VARIANT, LOCATION, OTHER, MANY = "business", "variant", "location", "other location", -1_000_000
PLACE, OTHER_PLACE = Place(BUSINESS, VARIANT, LOCATION), Place(BUSINESS, VARIANT, OTHER)
END = "2026-11-24"


def a_row(sequence: int, delta: int, after: int, mark: str, **members: Any) -> dict[str, Any]:
    return {
        "id": f"row {sequence}",
        "business_id": BUSINESS,
        "variant_id": VARIANT,
        "location_id": LOCATION,
        "delta": delta,
        "quantity_after": after,
        "sequence": sequence,
        "created_at": f"2026-11-23T00:00:0{sequence}Z",
        "correction_reason": mark,
        "reverses": None,
        **dict.fromkeys(
            ("counted_at", "counted_quantity", "group_id", "group_line", "group_size", "reason_code", "sku")
        ),
        "kind": "adjustment",
        **members,
    }


def a_request(mark: str, change: int, way: Way = Way.ADJUSTMENT, **members: Any) -> Request:
    return Request(mark, way, BUSINESS, [Change(VARIANT, LOCATION, change)], **members)


MOVED = {"group_id": "row 5", "group_size": 2, "kind": "transfer"}
THE_ROWS = [
    a_row(1, 5, 5, "made", reversed_by="row 2", reason_code="found"),
    a_row(2, -5, 0, "taken back", reverses="row 1", kind="reversal"),
    a_row(3, 3, 3, "unanswered"),
    a_row(4, 4, 7, "message"),
    a_row(5, -2, 5, "moved", group_line=0, **MOVED),
    a_row(1, 2, 2, "moved", group_line=1, location_id=OTHER, **MOVED) | {"id": "row 6"},
    a_row(6, -4, 1, "counted", kind="count", counted_quantity=3, counted_at="2026-11-23T00:00:04Z") | {"id": "row 7"},
]


def answered(*numbers: int) -> list[dict[str, Any]]:
    rows = [THE_ROWS[number - 1] for number in numbers]
    return [{name: value for name, value in row.items() if name != "reversed_by"} for row in rows]


@pytest.fixture
def requests() -> list[Request]:
    """One of each fate: acknowledged, reversed, refused, never answered but there, message taken, message refused."""
    made = [Change(VARIANT, LOCATION, 5, reason_code="found")]
    back = [Change(VARIANT, LOCATION, -5, "reversal", reverses="row 1")]
    moved = [Change(VARIANT, LOCATION, -2, "transfer"), Change(VARIANT, OTHER, 2, "transfer")]
    counted = [Change(VARIANT, LOCATION, None, "count", counted_quantity=3, counted_at="2026-11-23T00:00:04Z")]
    each = Request("both", Way.EACH, BUSINESS, answers=[[]], key="each")
    each.parts = [
        Request("counted", Way.EACH, BUSINESS, counted, answers=[answered(7)]),
        a_request("refused line", MANY, Way.EACH, refusals=["insufficient_stock"]),
    ]
    return [
        Request("made", Way.ADJUSTMENT, BUSINESS, made, key="1", answers=[answered(1), answered(1)]),
        Request("taken back", Way.REVERSAL, BUSINESS, back, answers=[answered(2)]),
        a_request("refused", MANY, key="3", refusals=["insufficient_stock"]),
        a_request("unanswered", 3),
        a_request("unanswered too", 3),
        a_request("message", 4, Way.MESSAGE, accepted=True),
        a_request("message refused", MANY, Way.MESSAGE, accepted=True, must_be_refused=True),
        Request("moved", Way.TRANSFER, BUSINESS, moved, is_group=True, answers=[answered(5, 6)]),
        each,
    ]


@pytest.fixture
def ledger() -> Ledger:
    stock = {PLACE: (1, 6), OTHER_PLACE: (2, 1)}
    return Ledger(
        rows=THE_ROWS,
        ids=[row["id"] for row in THE_ROWS],
        stock=stock,
        rejected=frozenset({"message refused"}),
        levels=stock,
        reports={BUSINESS: [a_report(code, *sums) for code, sums in THE_SUMS.items()]},
        feeds={BUSINESS: in_order(THE_ROWS)},
        exports={BUSINESS: in_order([each | {"reason": each["correction_reason"]} for each in THE_ROWS])},
        groups={"row 5": THE_ROWS[4:6]},
    )


THE_SUMS: dict[str | None, tuple[int, ...]] = {None: (5, 9, 6, 0, 0), "found": (1, 5, 0, 5, 0)}


def a_report(code: str | None, *sums: int) -> dict[str, Any]:
    names = ("adjustments", "units_in", "units_out", "reversed_in", "reversed_out")
    return {"reason_code": code, **dict(zip(names, sums, strict=True))}


def in_order(rows: list[dict[str, Any]]) -> Feed:
    return Feed(sorted(rows, key=lambda row: str(row["created_at"])), END)


def test_a_ledger_that_agrees_with_the_answers_has_no_difference(requests: list[Request], ledger: Ledger) -> None:
    assert differences(requests, ledger) == []


def changed(ledger: Ledger, number: int, **members: Any) -> Ledger:
    rows = [*ledger.rows]
    rows[number - 1] = {**rows[number - 1], **members}
    return replace(ledger, rows=rows, ids=[row["id"] for row in rows])


def without(ledger: Ledger, number: int) -> Ledger:
    rows = [row for place, row in enumerate(ledger.rows, start=1) if place != number]
    return replace(ledger, rows=rows, ids=[row["id"] for row in rows])


def doubled(ledger: Ledger, number: int) -> Ledger:
    """The row stands twice, in a ledger that adds up otherwise."""
    again = {**ledger.rows[number - 1], "id": "row 9", "sequence": 7, "created_at": "2026-11-23T00:00:09Z"}
    total = 1 + again["delta"]
    rows = [*ledger.rows, {**again, "quantity_after": total}]
    stock = {**ledger.stock, PLACE: (total, 7)}
    return replace(ledger, rows=rows, ids=[row["id"] for row in rows], stock=stock)


TAMPERED: dict[str, tuple[Callable[[Ledger], Ledger], str]] = {
    "acknowledged row missing": (lambda ledger: without(ledger, 1), "made: acknowledged, and missing"),
    "message missing": (lambda ledger: without(ledger, 4), "message: the queue has taken it, and it is missing"),
    "acknowledged otherwise": (lambda ledger: changed(ledger, 1, created_at="2026-11-22"), "made: acknowledged as"),
    "row twice": (lambda ledger: doubled(ledger, 4), "message: 2 rows in the ledger, and 1 were asked for"),
    "reversed twice": (lambda ledger: doubled(ledger, 2), "row row 1: reversed 2 times"),
    "row without a request": (
        lambda ledger: changed(ledger, 3, correction_reason="whose?"),
        "whose?: no request for it",
    ),
    "refused and there": (lambda ledger: changed(ledger, 3, correction_reason="refused"), "refused: refused (insuff"),
    "not as asked": (lambda ledger: changed(ledger, 3, delta=4), "unanswered: not as it was asked for"),
    "wrong balance": (lambda ledger: changed(ledger, 3, quantity_after=9), "the balance is wrong at sequence 3"),
    "gap": (lambda ledger: changed(ledger, 4, sequence=9), "sequences with a gap"),
    "time goes back": (lambda ledger: changed(ledger, 4, created_at="2026-11-22"), "time goes back"),
    "other stock": (
        lambda ledger: replace(ledger, stock={**ledger.stock, PLACE: (8, 4)}),
        "stock (8, 4), ledger (1, 6)",
    ),
    "no stock item": (lambda ledger: replace(ledger, stock={}), "stock None, ledger (1, 6)"),
    "unlisted row": (lambda ledger: replace(ledger, ids=[*ledger.ids, "row 9"]), "row row 9: listed, but"),
    "link to no reversal": (lambda ledger: changed(ledger, 3, reversed_by="row 4"), "row row 3: reversed by None"),
    "half a group": (lambda ledger: without(ledger, 6), "moved: 1 rows in the ledger, and 2 were asked for"),
    "group of another size": (lambda ledger: changed(ledger, 6, group_size=3), "group row 5: lines and sizes"),
    "group under another id": (
        lambda ledger: replace(changed(changed(ledger, 5, group_id="row 6"), 6, group_id="row 6"), groups={}),
        "group row 6: begins with row row 5",
    ),
    "group read in part": (lambda ledger: replace(ledger, groups={"row 5": THE_ROWS[4:5]}), "group row 5: read as"),
    "no group": (lambda ledger: changed(ledger, 5, group_id=None), "moved: a group or not"),
    "unbalanced transfer": (lambda ledger: changed(ledger, 6, delta=3), "group row 5: a transfer makes"),
    "units lost on the way": (
        lambda ledger: replace(ledger, stock={**ledger.stock, OTHER_PLACE: (1, 1)}),
        "2 at all locations, and without transfers 3",
    ),
    "count of another level": (
        lambda ledger: changed(ledger, 7, counted_at="2026-11-23T00:00:03Z"),
        "the count at sequence 6 is not exact: the level was 3",
    ),
    "refused line there": (
        lambda ledger: changed(ledger, 3, correction_reason="refused line"),
        "refused line: refused (insuff",
    ),
    "other level": (
        lambda ledger: replace(ledger, levels={**ledger.levels, PLACE: (2, 6)}),
        "level (2, 6), stock (1, 6)",
    ),
    "other report": (
        lambda ledger: replace(ledger, reports={BUSINESS: [a_report(None, 5, 9, 6, 0, 0)]}),
        "reported by reason",
    ),
    "row twice in the feed": (
        lambda ledger: replace(ledger, feeds={BUSINESS: in_order([*THE_ROWS, THE_ROWS[0]])}),
        "feed of business: row row 1 comes 2 times",
    ),
    "row missing in the feed": (
        lambda ledger: replace(ledger, feeds={BUSINESS: in_order(THE_ROWS[1:])}),
        "feed of business: row row 1 comes 0 times",
    ),
    "feed out of order": (
        lambda ledger: replace(ledger, feeds={BUSINESS: Feed(THE_ROWS, END)}),
        "feed of business: goes back in time",
    ),
    "other quantity in the export": (
        lambda ledger: replace(
            ledger,
            exports={BUSINESS: in_order([{**THE_ROWS[0], "reason": "made", "delta": 6}, *THE_ROWS[1:]])},
        ),
        "export of business: row row 1 reads",
    ),
    "rejection not published": (
        lambda ledger: replace(ledger, rejected=frozenset()),
        "message refused: must be published",
    ),
    "published, and applied": (
        lambda ledger: replace(ledger, rejected=ledger.rejected | {"message"}),
        "message: published as rejected, which it can't be",
    ),
    "must be refused, and there": (
        lambda ledger: changed(ledger, 3, correction_reason="message refused"),
        "message refused: must be refused, and yet in the ledger",
    ),
}


@pytest.mark.parametrize(("tamper", "line"), TAMPERED.values(), ids=TAMPERED)
def test_wrong_tables_are_named(
    requests: list[Request], ledger: Ledger, tamper: Callable[[Ledger], Ledger], line: str
) -> None:
    assert [each for each in differences(requests, tamper(ledger)) if line in each]


def test_a_key_that_was_never_answered_and_an_odd_answer_are_named(requests: list[Request], ledger: Ledger) -> None:
    lost = a_request("lost", 1, key="k", sent=3)
    odd = a_request("odd", 1, odd=["500: {}"])
    assert differences([*requests, lost, odd], ledger) == [
        "lost: never answered, though repeated 2 times",
        "odd: answered 500: {}",
    ]


def test_rows_that_are_not_settled_yet_need_not_be_in_the_feed(requests: list[Request], ledger: Ledger) -> None:
    rows = [row for row in THE_ROWS if row["created_at"] < "2026-11-23T00:00:05Z"]
    feed = replace(in_order(rows), settled_to="2026-11-23T00:00:05Z")
    assert differences(requests, replace(ledger, feeds={BUSINESS: feed})) == []
