"""A late count is exact: it leaves what an ideal warehouse would have, whatever was booked since."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.model import Group
from tests.support.builders.domain import a_business, a_command
from tests.support.builders.ids import BUSINESS, OTHER_LOCATION
from tests.support.fakes.scripted_store import Desk, Met, a_desk

if TYPE_CHECKING:
    from datetime import datetime

CHANGES = st.lists(st.integers(-50, 50).filter(bool), max_size=12)


def an_open_desk() -> Desk:
    """Where stock may go below zero, so that each change is booked."""
    desk = a_desk()
    desk.store.businesses[BUSINESS] = a_business(allow_negative_stock=True)
    return desk


def booked_at(desk: Desk, instant: datetime) -> int:
    return sum(row.delta for row in desk.rows if row.created_at <= instant)


def instants_of(desk: Desk) -> list[datetime]:
    """Before, at and after each row."""
    offsets = [timedelta(microseconds=offset) for offset in (-1, 0, 1)]
    return [row.created_at + offset for row in desk.rows for offset in offsets] or [desk.store.time.clock()]


@given(
    changes=CHANGES,
    place=st.integers(0, 100),
    missing=st.integers(-30, 30),
    in_group=st.booleans(),
    faster=st.integers(0, 2),
)
def test_what_was_counted_then_and_is_applied_now_leaves_what_is_really_there(
    *,
    changes: list[int],
    place: int,
    missing: int,
    in_group: bool,
    faster: int,
) -> None:
    """In truth ``missing`` units are not there, since before the first row. Everything else is booked as it happens."""
    desk = an_open_desk()
    for change in changes:
        desk.adjust(a_command(quantity_change=change))
    instants = instants_of(desk)
    counted_at = instants[place % len(instants)]
    there = booked_at(desk, counted_at) - missing
    if there < 0:
        return
    desk.store.on_commit.extend([Met.CONTENDED] * faster)
    count = a_command(quantity_change=None, kind="count", counted_quantity=there, counted_at=counted_at)
    before = desk.quantity

    if in_group:
        elsewhere = a_command(quantity_change=2, location_id=OTHER_LOCATION)
        row = desk.adjust_group(Group((elsewhere, count, elsewhere))).adjustments[1]
    else:
        row = desk.adjust(count).adjustment

    assert row.delta == -missing
    assert desk.quantity == before - missing
    assert desk.store.stock[row.stock_item_id].counted_at == counted_at
