"""The verdict on a campaign of faults: it finds every way in which a ledger can differ from the answers."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.campaigns.chaos.record import Request, Way
from tests.campaigns.chaos.verdict import Ledger, differences

if TYPE_CHECKING:
    from collections.abc import Callable

BUSINESS, LOCATION, MANY = "business", "location", -1_000_000


def a_row(sequence: int, delta: int, after: int, mark: str, **members: Any) -> dict[str, Any]:
    return {
        "id": f"row {sequence}",
        "business_id": BUSINESS,
        "location_id": LOCATION,
        "delta": delta,
        "quantity_after": after,
        "sequence": sequence,
        "created_at": f"2026-11-23T00:00:0{sequence}Z",
        "correction_reason": mark,
        "reverses": None,
        **members,
    }


def a_request(mark: str, change: int, way: Way = Way.ADJUSTMENT, **members: Any) -> Request:
    return Request(mark, way, BUSINESS, LOCATION, change, **members)


@pytest.fixture
def requests() -> list[Request]:
    """One of each fate: acknowledged, reversed, refused, never answered but there, message taken, message refused."""
    the_reversal = a_row(2, -5, 0, "taken back", reverses="row 1")
    return [
        a_request("made", 5, key="1", answers=[a_row(1, 5, 5, "made"), a_row(1, 5, 5, "made")]),
        a_request("taken back", -5, Way.REVERSAL, reverses="row 1", answers=[the_reversal]),
        a_request("refused", MANY, key="3", refusals=["insufficient_stock"]),
        a_request("unanswered", 3),
        a_request("unanswered too", 3),
        a_request("message", 4, Way.MESSAGE, accepted=True),
        a_request("message refused", MANY, Way.MESSAGE, accepted=True, must_be_refused=True),
    ]


@pytest.fixture
def ledger() -> Ledger:
    rows = [
        a_row(1, 5, 5, "made", reversed_by="row 2"),
        a_row(2, -5, 0, "taken back", reverses="row 1"),
        a_row(3, 3, 3, "unanswered"),
        a_row(4, 4, 7, "message"),
    ]
    stock = {(BUSINESS, LOCATION): (7, 4)}
    return Ledger(rows, [row["id"] for row in rows], stock, frozenset({"message refused"}))


def test_a_ledger_that_agrees_with_the_answers_has_no_difference(requests: list[Request], ledger: Ledger) -> None:
    assert differences(requests, ledger) == []


def changed(ledger: Ledger, number: int, **members: Any) -> Ledger:
    rows = [*ledger.rows]
    rows[number - 1] = {**rows[number - 1], **members}
    return replace(ledger, rows=rows, ids=[row["id"] for row in rows])


def without(ledger: Ledger, number: int) -> Ledger:
    rows = [row for row in ledger.rows if row["sequence"] != number]
    return replace(ledger, rows=rows, ids=[row["id"] for row in rows])


def doubled(ledger: Ledger, number: int) -> Ledger:
    """The row stands twice, in ledger that add up otherwise."""
    again = {**ledger.rows[number - 1], "id": "row 5", "sequence": 5, "created_at": "2026-11-23T00:00:09Z"}
    total = 7 + again["delta"]
    rows = [*ledger.rows, {**again, "quantity_after": total}]
    return replace(ledger, rows=rows, ids=[row["id"] for row in rows], stock={(BUSINESS, LOCATION): (total, 5)})


TAMPERED: dict[str, tuple[Callable[[Ledger], Ledger], str]] = {
    "acknowledged row missing": (lambda ledger: without(ledger, 1), "made: acknowledged, and missing"),
    "message missing": (lambda ledger: without(ledger, 4), "message: the queue has taken it, and it is missing"),
    "acknowledged otherwise": (lambda ledger: changed(ledger, 1, created_at="2026-11-22"), "made: acknowledged as"),
    "row twice": (lambda ledger: doubled(ledger, 4), "message: 2 times in the ledger"),
    "reversed twice": (lambda ledger: doubled(ledger, 2), "row row 1: reversed 2 times"),
    "row without a request": (
        lambda ledger: changed(ledger, 3, correction_reason="whose?"),
        "whose?: no request for it",
    ),
    "refused and there": (lambda ledger: changed(ledger, 3, correction_reason="refused"), "refused: refused (insuff"),
    "not as asked": (lambda ledger: changed(ledger, 3, delta=4), "unanswered: not as it was asked for"),
    "wrong balance": (lambda ledger: changed(ledger, 3, quantity_after=9), "the balance is wrong at sequence 3"),
    "gap": (lambda ledger: changed(ledger, 4, sequence=6), "sequences with a gap"),
    "time goes back": (lambda ledger: changed(ledger, 4, created_at="2026-11-22"), "time goes back"),
    "other stock": (
        lambda ledger: replace(ledger, stock={(BUSINESS, LOCATION): (8, 4)}),
        "stock (8, 4), ledger (7, 4)",
    ),
    "no stock item": (lambda ledger: replace(ledger, stock={}), "stock None, ledger (7, 4)"),
    "unlisted row": (lambda ledger: replace(ledger, ids=[*ledger.ids, "row 9"]), "row row 9: listed, but"),
    "link to no reversal": (lambda ledger: changed(ledger, 3, reversed_by="row 4"), "row row 3: reversed by None"),
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
