"""Values of the domain to begin a test from; each takes what the test is about and fills in the rest."""

from __future__ import annotations

from copy import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from inventory.domain.hash_chain import row_hash
from inventory.domain.model import (
    GENESIS_HASH,
    Adjustment,
    Business,
    Command,
    Group,
    Reversal,
    Snapshot,
    StockItem,
    StockItemId,
)
from inventory.domain.retry_budget import RetryBudget
from inventory.domain.rules import RowIdentity, decide
from tests.support.builders.ids import (
    ADJUSTMENT,
    BUSINESS,
    HEAD_HASH,
    LOCATION,
    NOW,
    OTHER_VARIANT,
    STOCK_ITEM,
    SUBJECT,
    VARIANT,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inventory.adjusting.loop import Adjuster
    from inventory.domain.rules import Trail


def a_command(**changes: Any) -> Command:
    """Five more of a variant at the default location, under no key."""
    return replace(
        Command(business_id=BUSINESS, variant_id=VARIANT, quantity_change=5, reason="restock", actor=SUBJECT), **changes
    )


def a_group(*lines: Command, **changes: Any) -> Group:
    """A group of two lines, of two variants, unless others are given; under no key."""
    return Group(lines or (a_command(), a_command(variant_id=OTHER_VARIANT)), **changes)


def a_reversal(**changes: Any) -> Reversal:
    """The reversal of ``ADJUSTMENT``, under no key."""
    return replace(
        Reversal(business_id=BUSINESS, adjustment_id=ADJUSTMENT, reason="counted the wrong shelf", actor=SUBJECT),
        **changes,
    )


def a_stock_item(quantity: int, **changes: Any) -> StockItem:
    """A stock item that was last adjusted a minute ago."""
    return replace(
        StockItem(quantity=quantity, sequence=41, updated_at=NOW - timedelta(minutes=1), head_hash=HEAD_HASH), **changes
    )


def a_business(**changes: Any) -> Business:
    return replace(Business(allow_negative_stock=False, default_location_id=LOCATION), **changes)


_SHOP: Final = a_business()
_TEN: Final = a_stock_item(10)


def a_snapshot(
    *,
    business: Business | None = _SHOP,
    location_id: UUID | None = LOCATION,
    location_active: bool = True,
    variant_active: bool = True,
    stock: StockItem | None = _TEN,
    **changes: Any,
) -> Snapshot:
    """All that a request needs exists, and ten are on hand of the variant at the default location, ``location_id``."""
    found = Snapshot(
        business=business and replace(business, default_location_id=location_id),
        variants={VARIANT: VARIANT} if variant_active else {},
        locations={location_id} if location_id is not None and location_active else set(),
        reasons={},
        stock={},
        recorded={},
    )
    if stock is not None and location_id is not None:
        found = replace(found, stock={StockItemId(BUSINESS, VARIANT, location_id): stock})
    return replace(found, **changes)


def with_stock(snapshot: Snapshot, stock: StockItem | None, stock_item: StockItemId = STOCK_ITEM) -> Snapshot:
    """The snapshot with another state of a stock item; None where it was never adjusted."""
    others = {each: state for each, state in snapshot.stock.items() if each != stock_item}
    return replace(snapshot, stock=others if stock is None else others | {stock_item: stock})


def trails_of(snapshot: Snapshot) -> dict[StockItemId, Trail]:
    """The states of its stock items, to decide the first command from."""
    return {each: (stock,) for each, stock in snapshot.stock.items()}


def decided(command: Command, snapshot: Snapshot, *, row_id: UUID = ADJUSTMENT, now: datetime = NOW) -> Adjustment:
    """The row of a command that is decided on its own."""
    return decide(command, snapshot, trails_of(snapshot), identity=RowIdentity(row_id), now=now)


def stock_in(snapshot: Snapshot) -> StockItem | None:
    """The one stock item of a snapshot; None where it has none."""
    return next(iter(snapshot.stock.values()), None)


def an_adjustment(**changes: Any) -> Adjustment:
    """The first row of a stock item, unless it is changed; its hash fits."""
    row = replace(
        Adjustment(
            id=ADJUSTMENT,
            business_id=BUSINESS,
            variant_id=VARIANT,
            location_id=LOCATION,
            delta=5,
            reason="restock",
            reason_code=None,
            reference=None,
            expected_quantity=None,
            location_defaulted=True,
            sequence=1,
            quantity_after=5,
            created_at=NOW,
            created_by=SUBJECT,
            reverses=None,
            previous_hash=GENESIS_HASH,
            hash="",
        ),
        **changes,
    )
    return replace(row, hash=row_hash(row))


def history(count: int, *, first: int = 1, **members: Any) -> list[Adjustment]:
    """Rows of one stock item, one each second, oldest first; a row's number is its id."""
    return [
        an_adjustment(
            id=UUID(int=number),
            sequence=sequence,
            quantity_after=5 * sequence,
            created_at=NOW + timedelta(seconds=number),
            **members,
        )
        for sequence, number in enumerate(range(first, first + count), 1)
    ]


def budget_of(adjuster: Adjuster, remaining_s: Callable[[], float]) -> RetryBudget:
    """What one request may do, as a handler hands it to the use case."""
    return RetryBudget(remaining_s, adjuster.sleep, adjuster.fraction)
