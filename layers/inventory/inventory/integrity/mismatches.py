"""What an audit reports of an item that is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from inventory.integrity.item_checks import AuditKind
from inventory.storage import keys
from inventory.storage.items import claimed_integer, key_of

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment, StockItemId
    from inventory.integrity.chain_check import Problem, ProblemKind
    from inventory.integrity.item_checks import LinkId
    from inventory.storage.items import Item

_TEXT_LENGTH_MAX: Final = 200
"""A tampered item can contain texts of any length."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One item that is not as it should be. ``key`` is its key; the other members are None where they are unknown."""

    kind: ProblemKind | AuditKind
    key: str
    business_id: str | None = None
    variant_id: str | None = None
    location_id: str | None = None
    sequence: int | None = None
    adjustment_id: str | None = None


def unknown_item(item: Item) -> Mismatch:
    """Report an item of the inventory table that is of no known type."""
    return Mismatch(AuditKind.ITEM_UNKNOWN, _key_text(item))


def stock_item_mismatch(problem: Problem, item: Item, stock_item_id: StockItemId) -> Mismatch:
    """Report a stock item whose history has a problem."""
    return Mismatch(
        problem.kind,
        _key_text(item),
        business_id=str(stock_item_id.business_id),
        variant_id=str(stock_item_id.variant_id),
        location_id=str(stock_item_id.location_id),
        sequence=problem.sequence,
    )


def link_mismatch(item: Item, link_id: LinkId) -> Mismatch:
    """Report a reversal link that names no reversal of its adjustment."""
    return Mismatch(
        AuditKind.REVERSAL_LINK_WRONG,
        _key_text(item),
        business_id=str(link_id.business_id),
        adjustment_id=str(link_id.adjustment_id),
    )


def row_mismatch(kind: ProblemKind | AuditKind, row: Adjustment) -> Mismatch:
    """Report a ledger row that does not fit another item."""
    return Mismatch(
        kind,
        keys.ledger(row.business_id, row.id),
        business_id=str(row.business_id),
        variant_id=str(row.variant_id),
        location_id=str(row.location_id),
        sequence=row.sequence,
        adjustment_id=str(row.id),
    )


def ledger_item_mismatch(kind: ProblemKind, item: Item) -> Mismatch:
    """Report an item of the ledger table that is no valid row, with the readable ones of its attributes."""

    def text(name: str) -> str | None:
        found = item.get(name, {}).get("S")
        return None if found is None else found[:_TEXT_LENGTH_MAX]

    return Mismatch(
        kind,
        _key_text(item),
        business_id=text("business_id"),
        variant_id=text("variant_id"),
        location_id=text("location_id"),
        sequence=claimed_integer(item, "sequence"),
        adjustment_id=text("id"),
    )


def _key_text(item: Item) -> str:
    return " ".join(key_of(item))[:_TEXT_LENGTH_MAX]
