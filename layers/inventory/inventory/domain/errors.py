"""The outcomes that are not an adjustment: one class each, carrying its facts. Standard library only.

A class's name is what a direct invocation answers as ``errorType``; its ``message`` is for people. Which HTTP status
and code it becomes stands in one table, in ``answers``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NotRequired, TypedDict, override
from uuid import UUID

if TYPE_CHECKING:
    from uuid import UUID


class ServiceError(Exception):
    """An answer other than the one asked for; ``facts()`` are the members that it carries beside its message."""

    message: ClassVar[str]

    @override
    def __str__(self) -> str:
        return self.message

    def facts(self) -> dict[str, int | str]:
        """Quantities in units, and ids, that help the caller to see why."""
        return {}


class Refusal(ServiceError):
    """A final no to one request: nothing was written, and its idempotency key may be used again."""


class VariantNotFound(Refusal):
    """Unknown, inactive or another business's variant: alike, so that nobody can probe for ids."""

    message = "There is no such active variant in this business."


class LocationNotFound(Refusal):
    """Unknown, inactive or another business's location: alike, for the same reason."""

    message = "There is no such active location in this business."


class AdjustmentNotFound(Refusal):
    """Unknown or another business's adjustment: alike, for the same reason."""

    message = "There is no such adjustment in this business."


class BusinessNotFound(Refusal):
    """An operator's command for a business that does not exist."""

    message = "There is no such business."


class TokenNotFound(Refusal):
    """An operator's command for a token that does not exist."""

    message = "There is no such token."


class NoDefaultLocation(Refusal):
    """The request names no location and the business has no default one."""

    message = "No location was given and the business has no default location."


class InsufficientStock(Refusal):
    """The change would take the quantity on hand below zero, and the business does not allow that."""

    message = "There is not enough stock on hand for this change."

    def __init__(self, *, quantity_on_hand: int, quantity_change: int) -> None:
        super().__init__(quantity_on_hand, quantity_change)
        self.quantity_on_hand = quantity_on_hand
        self.quantity_change = quantity_change

    @override
    def facts(self) -> dict[str, int | str]:
        return {"quantity_on_hand": self.quantity_on_hand, "quantity_change": self.quantity_change}


class QuantityLimitExceeded(Refusal):
    """The change would take the quantity on hand out of the range that every JSON reader keeps exact."""

    message = "The change would take the quantity on hand beyond ±9,007,199,254,740,991."


class StaleQuantity(Refusal):
    """The caller expected another quantity on hand than there is."""

    message = "The quantity on hand is not the expected one."

    def __init__(self, *, quantity_on_hand: int) -> None:
        super().__init__(quantity_on_hand)
        self.quantity_on_hand = quantity_on_hand

    @override
    def facts(self) -> dict[str, int | str]:
        return {"quantity_on_hand": self.quantity_on_hand}


class AlreadyReversed(Refusal):
    """The adjustment was reversed before; that holds even where its reversal was reversed since."""

    message = "This adjustment was already reversed."

    def __init__(self, *, reversed_by: UUID) -> None:
        super().__init__(reversed_by)
        self.reversed_by = reversed_by

    @override
    def facts(self) -> dict[str, int | str]:
        return {"reversed_by": str(self.reversed_by)}


class IdempotencyKeyReused(Refusal):
    """The idempotency key already names another request of this business."""

    message = "This idempotency key was used for another request."

    def __init__(self, *, key: str) -> None:
        super().__init__(key)
        self.key = key


class TryAgain(ServiceError):
    """The outcome could not be settled in time: repeat the request with the same idempotency key."""

    message = "The service could not finish in time. Repeat the request, a change with the same Idempotency-Key."
    retry_after_s: ClassVar[int] = 1


class CorruptData(Exception):
    """What was read is not what the service writes, or lacks a part. Never reaches a caller.

    ``where`` names the place for the log; what exactly is wrong there, the audit says.
    """

    def __init__(self, where: dict[str, str]) -> None:
        super().__init__(where)
        self.where = where


class RowUnreadable(CorruptData):
    """An item of the ledger is no row, or does not stand where its row belongs; ``key`` is its partition key."""

    def __init__(self, key: str) -> None:
        super().__init__({"ledger_key": key})
        self.key = key


class RowMissing(CorruptData):
    """A row that must be there is not, and is too old to be late."""


class StockItemUnreadable(CorruptData):
    """A stock item holds no quantity that can be read; ``key`` is its partition key, ``location`` its sort key."""

    def __init__(self, key: str, location: str) -> None:
        super().__init__({"stock_item": key, "location_id": location})


class ExportStopped(ServiceError):
    """An export came to an item that it can neither write nor leave out. Repeating it does not help."""

    message = "The export can't go on: an item of the ledger can't be read. `make audit` tells what is wrong."

    def __init__(self, *, ledger_key: str) -> None:
        super().__init__(ledger_key)
        self.ledger_key = ledger_key

    @override
    def facts(self) -> dict[str, int | str]:
        return {"ledger_key": self.ledger_key}


class StoreUnavailable(Exception):
    """The store, or the event bus, gave no whole answer; of a write the outcome is unknown. Never reaches a caller."""


class Unauthorized(ServiceError):
    """A required header is missing, or the caller was not authenticated."""

    message = "A valid bearer token and an x-business-id header are required."


class Forbidden(ServiceError):
    """The caller is known, but not for this business or not for this action."""

    message = "The token is not good for this business or this action."


class InternalError(ServiceError):
    """Our fault, not to be repeated; what it was stands in the log only."""

    message = "The service failed. The fault was recorded."


class ValidationEntry(TypedDict):
    """One member of ``detail`` in FastAPI's ``HTTPValidationError``."""

    type: str
    loc: list[str | int]
    msg: str
    input: NotRequired[object]
    ctx: NotRequired[dict[str, object]]


class InvalidRequest(ServiceError):
    """The request breaks its model; ``entries`` says where and how, in field order."""

    message = "The request is not valid."

    def __init__(self, entries: list[ValidationEntry]) -> None:
        super().__init__(entries)
        self.entries = entries
