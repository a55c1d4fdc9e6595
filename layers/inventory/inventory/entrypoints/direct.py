"""Direct invocation: the payload of one adjustment as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inventory.schemas.adjustments import DirectAdjustmentRequest
from inventory.schemas.base import validated

if TYPE_CHECKING:
    from inventory.domain.model import Command

DIRECT_ACTOR: Final = "direct-invocation"
"""``created_by`` of an adjustment whose payload names no actor: IAM says only that the invoker may invoke."""

DIRECT_ENTRIES_SIZE_MAX_BYTES: Final = 32 * 1024
"""Of the entries for one invalid payload, some 300 unknown fields. They must fit into a dead-letter message or an event
beside the payload, and a batch of the queue can hold a thousand payloads."""


def adjustment_command(payload: object, *, default_key: str, default_actor: str = DIRECT_ACTOR) -> Command:
    """Translate a payload; ``default_key`` and ``default_actor`` stand in where it names none.

    ``default_key`` must be the same each time that the same request is delivered.

    Raises:
        InvalidRequest: the payload breaks ``DirectAdjustmentRequest``.
    """
    request = validated(DirectAdjustmentRequest, payload, entries_size_max_bytes=DIRECT_ENTRIES_SIZE_MAX_BYTES)
    return request.command(
        business_id=request.business_id,
        actor=request.actor or default_actor,
        idempotency_key=request.idempotency_key or default_key,
    )
