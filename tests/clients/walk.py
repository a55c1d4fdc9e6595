"""What a user of the generated Python client does, typed: run by its environment's own interpreter, outside of pytest.

The package ``generated`` is on the path; the environment names the service and a business of its own.
"""

import os
from datetime import datetime
from typing import Any
from uuid import UUID

from generated import AuthenticatedClient
from generated.api.inventoryadjustments import (
    create_inventory_adjustment_api_v1_inventory_adjustments_post as create,
)
from generated.api.inventoryadjustments import (
    list_inventory_adjustments_api_v1_inventory_adjustments_get as listing,
)
from generated.api.inventoryadjustments import (
    reverse_inventory_adjustment_api_v1_inventory_adjustments_id_reversal_post as reverse,
)
from generated.api.inventorylevels import list_inventory_levels_api_v1_inventory_levels_get as levels
from generated.models import (
    CreateInventoryAdjustmentConflictResponse,
    HTTPValidationError,
    InsufficientStock,
    InventoryAdjustmentRequest,
    InventoryAdjustmentResponse,
    InventoryAdjustmentReversalRequest,
    InventoryAdjustmentsPage,
    InventoryLevelsPage,
)
from generated.types import UNSET

BUSINESS = os.environ["BUSINESS"]
VARIANT = UUID(os.environ["VARIANT"])
client = AuthenticatedClient(base_url=os.environ["BASE_URL"], token=os.environ["TOKEN"])


def adjust(quantity_change: int, key: str) -> Any:
    body = InventoryAdjustmentRequest(variant_id=VARIANT, quantity_change=quantity_change, reason="Counted")
    return create.sync_detailed(client=client, body=body, x_business_id=BUSINESS, idempotency_key=key)


first = adjust(10, "first")
assert isinstance(first.parsed, InventoryAdjustmentResponse)
assert (first.status_code, first.parsed.quantity_after) == (201, 10)

again = adjust(10, "first")
assert again.parsed == first.parsed
assert again.headers["idempotent-replayed"] == "true"

second = adjust(-3, "second").parsed
assert isinstance(second, InventoryAdjustmentResponse)

refused = adjust(-8, "third").parsed
assert isinstance(refused, CreateInventoryAdjustmentConflictResponse)
assert isinstance(refused.detail, InsufficientStock)
assert (refused.detail.quantity_on_hand, refused.detail.quantity_change) == (7, -8)

invalid = adjust(0, "fourth").parsed
assert isinstance(invalid, HTTPValidationError)
assert [entry.loc for entry in invalid.detail] == [["body", "quantity_change"]]

reason = InventoryAdjustmentReversalRequest(reason="Counted wrong")
reversal = reverse.sync(id=second.id, client=client, body=reason, x_business_id=BUSINESS)
assert isinstance(reversal, InventoryAdjustmentResponse)
assert (reversal.delta, reversal.reverses) == (3, second.id)

found: list[UUID] = []
cursor: Any = UNSET
while cursor is not None:
    page = listing.sync(client=client, x_business_id=BUSINESS, variant_id=VARIANT, limit=1, cursor=cursor)
    assert isinstance(page, InventoryAdjustmentsPage)
    found += [row.id for row in page.data]
    cursor = page.next_cursor
assert found == [reversal.id, second.id, first.parsed.id]


def on_hand(as_of: Any) -> int:
    page = levels.sync(client=client, x_business_id=BUSINESS, variant_id=VARIANT, as_of=as_of)
    assert isinstance(page, InventoryLevelsPage)
    (level,) = page.data
    quantity: int = level.quantity
    return quantity


assert isinstance(second.created_at, datetime)
assert [on_hand(as_of) for as_of in (first.parsed.created_at, second.created_at, UNSET)] == [10, 7, 10]
print("walked")  # noqa: T201
