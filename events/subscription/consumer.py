"""What a subscriber has to do: a mirror of the stock levels, exact whatever comes twice or out of order.

Each event holds the balance after its adjustment, so the one with the highest `sequence` of a stock item is all that
a mirror needs; who adds up the deltas instead keeps the `id` of each adjustment, and takes none twice.
"""

import json
from dataclasses import dataclass, field


@dataclass
class StockMirror:
    """Quantity on hand by (business, variant, location)."""

    _newest: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)

    def receive(self, message_body: str) -> None:
        """Take one message of the queue; delete it from there when this returns."""
        adjustment = json.loads(message_body)["detail"]
        stock_item = (adjustment["business_id"], adjustment["variant_id"], adjustment["location_id"])
        reported = (adjustment["sequence"], adjustment["quantity_after"])
        self._newest[stock_item] = max(reported, self._newest.get(stock_item, reported))

    def quantity(self, business_id: str, variant_id: str, location_id: str) -> int:
        """Return the quantity on hand as far as it was reported; 0 where nothing was."""
        _, quantity = self._newest.get((business_id, variant_id, location_id), (0, 0))
        return quantity
