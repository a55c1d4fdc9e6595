"""The requests that change stock: the bodies of POST and the payload of a direct invocation or a message."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from inventory.domain.model import Command, ReasonCode
from inventory.schemas.base import RequestModel
from inventory.schemas.fields import IdempotencyKey, Label, Quantity, QuantityChange, Reason


class AdjustmentRequest(RequestModel):
    """The body of POST /api/v1/inventory/adjustments. Quantities are in units of the variant."""

    variant_id: UUID = Field(description="Product variant UUID to adjust.")
    quantity_change: QuantityChange = Field(
        description="Quantity change: positive to add, negative to subtract. Cannot be zero."
    )
    reason: Reason = Field(description="Required reason for the adjustment.")
    location_id: UUID | None = Field(
        default=None, description="Location UUID where adjustment applies. Uses default location if not specified."
    )
    reason_code: ReasonCode | None = Field(
        default=None, description="The category for reports. The reason is for people."
    )
    reference: Label | None = Field(
        default=None, description="The caller's own document: a count sheet, a ticket, a URI. Printable characters."
    )
    expected_quantity: Quantity | None = Field(
        default=None, description="Refuse the change unless this is the quantity on hand before it."
    )

    def command(self, *, business_id: UUID, actor: str, idempotency_key: str | None) -> Command:
        """Make the domain's command from the request and from what the entry point knows."""
        return Command(
            business_id=business_id,
            variant_id=self.variant_id,
            quantity_change=self.quantity_change,
            reason=self.reason,
            actor=actor,
            location_id=self.location_id,
            reason_code=self.reason_code,
            reference=self.reference,
            expected_quantity=self.expected_quantity,
            idempotency_key=idempotency_key,
        )


class ReversalRequest(RequestModel):
    """The body of POST /api/v1/inventory/adjustments/{id}/reversal. The adjustment gives everything else."""

    reason: Reason


class _BusinessField(RequestModel):
    business_id: UUID


# pydantic puts the fields of the last base first, in the model and in its errors.
class DirectAdjustmentRequest(AdjustmentRequest, _BusinessField):
    """The payload of a direct invocation: it also has the business, the actor and the idempotency key."""

    idempotency_key: IdempotencyKey | None = None
    actor: Label | None = None
