"""The event that says that a request of the queue was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, detail_text
from inventory.domain.errors import InvalidRequest, RejectedBefore
from inventory.domain.model import Rejection
from inventory.entrypoints.responses import detail_of, error_type, without_input
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.direct import CallerFields
from inventory.schemas.problems import rule_entry

if TYPE_CHECKING:
    from inventory.domain.errors import ServiceError
    from inventory.entrypoints.messages import MessageRequest
    from inventory.schemas.json_parser import JSONValue

REJECTED: Final = "InventoryAdjustmentRejected"
"""Detail-type of the event."""

_KEPT_SIZE_MAX_BYTES: Final = 1024
_KEPT_ENTRIES_MAX: Final = 50


def rejection(message: MessageRequest, error: ServiceError) -> str:
    """Write the event's detail: ``{"request", "error": {"type", "detail"}, "message_id"}``, also ``event_id`` if any.

    A detail that is too large for an event is trimmed, and then always fits: ``request`` to those of its known fields
    that are up to 1 KB (null where it is no object), the list in ``error.detail`` to its first 50 entries without
    ``input``.
    """
    reason = _reason_of(error)
    whole = _rejection(message, reason, message.payload)
    if len(whole) <= DETAIL_SIZE_MAX_BYTES:
        return whole
    detail = reason.detail[:_KEPT_ENTRIES_MAX] if isinstance(reason.detail, list) else reason.detail
    return _rejection(message, Rejection(reason.error_type, without_input(detail)), _trimmed(message.payload))


def _reason_of(error: ServiceError) -> Rejection:
    """Return what is reported of an error; of a message that was rejected before, what was reported then."""
    if isinstance(error, RejectedBefore):
        return error.rejection
    return Rejection(error_type(error), detail_of(error))


def marker_of(error: ServiceError) -> Rejection:
    """Return what the marker of a rejected message keeps of its error, so that each delivery reports the same.

    Of an invalid request that is next to nothing: its entries can be large, and each delivery finds them again.
    """
    if isinstance(error, InvalidRequest):
        return Rejection(error_type(error), without_input([rule_entry(["body"], error.message, given=None)]))
    return _reason_of(error)


def _rejection(message: MessageRequest, reason: Rejection, payload: JSONValue) -> str:
    members = {
        "request": payload,
        "error": {"type": reason.error_type, "detail": reason.detail},
        "message_id": message.message_id,
        "event_id": message.event_id,
    }
    return detail_text({name: member for name, member in members.items() if name != "event_id" or member is not None})


def _trimmed(payload: JSONValue) -> JSONValue:
    if not isinstance(payload, dict):
        return None
    # Few rejections are too large, and most environments see no request of these models.
    from inventory.schemas.groups import BatchRequest, CountRequest, TransferRequest  # noqa: PLC0415

    return {
        name: payload[name]
        for model in (CallerFields, AdjustmentRequest, CountRequest, TransferRequest, BatchRequest)
        for name in model.model_fields
        if name in payload and len(detail_text(payload[name])) <= _KEPT_SIZE_MAX_BYTES
    }
