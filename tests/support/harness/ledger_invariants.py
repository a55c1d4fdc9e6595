"""What must hold of a stock item and its ledger rows, whatever has happened to the requests that made them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from inventory.domain.hash_chain import row_hash
from inventory.domain.model import GENESIS_HASH
from inventory.domain.rules import stock_after

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inventory.domain.model import Adjustment, StockItem


def assert_adds_up(rows: Iterable[Adjustment], stock: StockItem | None) -> list[Adjustment]:
    """Prove one stock item from its rows, and return these in order of sequence."""
    chain = sorted(rows, key=lambda row: row.sequence)
    assert len({(row.business_id, row.variant_id, row.location_id) for row in chain}) <= 1, "rows of one stock item"
    assert [row.sequence for row in chain] == list(range(1, len(chain) + 1)), "sequences without a gap"
    quantity, previous_hash = 0, GENESIS_HASH
    last: StockItem | None = None
    for row in chain:
        quantity += row.delta
        assert row.quantity_after == quantity, "the running balance"
        assert row.previous_hash == previous_hash, "chained to the row before it"
        assert row.hash == row_hash(row), "unaltered since it was written"
        previous_hash = row.hash
        last = stock_after(row, last)
    assert all(earlier.created_at < later.created_at for earlier, later in pairwise(chain)), "one order of time"
    assert stock == last, "the stock item is its last row"
    return chain
