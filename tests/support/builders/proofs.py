"""A proof of a small history, as the prover makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.domain.model import StockItemId
from inventory.integrity.proof import Prover
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT
from tests.support.builders.tampered_tables import ReadTables, stored_history

if TYPE_CHECKING:
    from inventory.integrity.proof import Proof


def a_proof() -> Proof:
    """Prove two rows that add up."""
    read = ReadTables(stored_history([20, -3]))
    return Prover(read, read).prove(StockItemId(BUSINESS, VARIANT, LOCATION), None, remaining_s=lambda: 10.0)
