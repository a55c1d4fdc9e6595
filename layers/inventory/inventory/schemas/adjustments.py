"""The requests that most callers send: one adjustment, or one reversal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, override
from uuid import UUID

from pydantic import ConfigDict, Field

from inventory.domain.model import Command
from inventory.schemas.base import RequestModel
from inventory.schemas.fields import Label, Quantity, QuantityChange, Reason
from inventory.schemas.instants import UpToInstant
from inventory.schemas.problems import entry, rule_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.config import JsonDict

    from inventory.domain.errors import ValidationEntry
    from inventory.schemas.base import Place

_NULL: Final[JsonDict] = {"type": "null"}
_TEXT: Final[JsonDict] = {"type": "string"}

ONE_NAME: Final[JsonDict] = {
    "if": {"properties": {"sku": _NULL}},
    "then": {"properties": {"variant_id": _TEXT}, "required": ["variant_id"]},
    "else": {"properties": {"variant_id": _NULL}},
}
"""The rule of ``VariantFields`` in JSON Schema."""


class VariantFields(RequestModel):
    """The variant, named by exactly one of its id and its SKU. Null is as good as absent."""

    model_config = ConfigDict(json_schema_extra=ONE_NAME)

    variant_id: UUID | None = Field(
        default=None, description="Product variant UUID to adjust. Required, unless `sku` names the variant."
    )
    sku: Label | None = Field(default=None, description="The variant's SKU, in place of `variant_id`.")

    @override
    @classmethod
    def broken_rules(cls, members: Mapping[str, object], place: Place) -> list[ValidationEntry]:
        """Require one of the two names, at ``variant_id``; refuse both, at ``sku``."""
        if members.get("sku") is None:
            if members.get("variant_id") is None:
                return [entry([*place, "variant_id"], "missing", "Field required", given=members)]
        elif members.get("variant_id") is not None:
            return [rule_entry([*place, "sku"], "must not be given beside variant_id", given=members["sku"])]
        return []


class AdjustmentRequest(VariantFields):
    """The body of POST /api/v1/inventory/adjustments. Quantities are in units of the variant."""

    model_config = ConfigDict(defer_build=False)  # most environments that load it need it

    quantity_change: QuantityChange = Field(
        description="Quantity change: positive to add, negative to subtract. Cannot be zero."
    )
    reason: Reason = Field(description="Required reason for the adjustment.")
    location_id: UUID | None = Field(
        default=None, description="Location UUID where adjustment applies. Uses default location if not specified."
    )
    reason_code: str | None = Field(
        default=None,
        description="The category for reports: built in, or registered by the business. The reason is for people.",
    )
    reference: Label | None = Field(
        default=None, description="The caller's own document: a count sheet, a ticket, a URI. Printable characters."
    )
    occurred_at: UpToInstant | None = Field(
        default=None, description="When it happened: at most 366 days ago. It is recorded, and moves no balance."
    )
    expected_quantity: Quantity | None = Field(
        default=None, description="Refuse the change unless this is the quantity on hand before it."
    )

    def command(
        self, *, business_id: UUID, actor: str, idempotency_key: str | None = None, key_line: int = 0
    ) -> Command:
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
            sku=self.sku,
            occurred_at=self.occurred_at,
            key_line=key_line,
        )


class ReversalRequest(RequestModel):
    """The body of a reversal, of one adjustment or of a group. What is reversed gives everything else."""

    reason: Reason
