"""The event that says that a request of the queue was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, detail_text
from inventory.entrypoints.responses import detail_of, detail_without_input, error_type
from inventory.schemas.adjustments import DirectAdjustmentRequest

if TYPE_CHECKING:
    from inventory.domain.errors import ServiceError
    from inventory.schemas.json_parser import JSONValue

REJECTED: Final = "InventoryAdjustmentRejected"
"""Detail-type of the event."""

_KEPT_SIZE_MAX_BYTES: Final = 1024
_KEPT_ENTRIES_MAX: Final = 50


def rejection(payload: JSONValue, error: ServiceError) -> str:
    """Write the event's detail: ``{"request": …, "error": {"type", "detail"}}``.

    A detail that is too large for an event is trimmed, and then always fits: ``request`` to those of its known fields
    that are up to 1 KB (null where it is no object), the list in ``error.detail`` to its first 50 entries without
    ``input``.
    """
    whole = _rejection(payload, error, detail_of(error))
    if len(whole) <= DETAIL_SIZE_MAX_BYTES:
        return whole
    detail = detail_without_input(error)
    brief = detail[:_KEPT_ENTRIES_MAX] if isinstance(detail, list) else detail
    return _rejection(_trimmed(payload), error, brief)


def _rejection(payload: JSONValue, error: ServiceError, detail: object) -> str:
    return detail_text({"request": payload, "error": {"type": error_type(error), "detail": detail}})


def _trimmed(payload: JSONValue) -> JSONValue:
    if not isinstance(payload, dict):
        return None
    return {
        name: payload[name]
        for name in DirectAdjustmentRequest.model_fields
        if name in payload and len(detail_text(payload[name])) <= _KEPT_SIZE_MAX_BYTES
    }
