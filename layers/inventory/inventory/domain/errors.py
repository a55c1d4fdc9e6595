"""The outcomes that are not an adjustment: one class for each, with its facts as attributes. Standard library only.

::

    ServiceError                 a caller gets this answer; ``entrypoints.responses`` has its HTTP status and code
    ├── Refusal                  nothing was written
    │   ├── VariantNotFound
    │   ├── LocationNotFound
    │   ├── ReasonNotFound
    │   ├── AdjustmentNotFound
    │   ├── BusinessNotFound
    │   ├── TokenNotFound
    │   ├── SkuTaken
    │   ├── TooManyReasons
    │   ├── NoDefaultLocation
    │   ├── InsufficientStock
    │   ├── QuantityLimitExceeded
    │   ├── StaleQuantity
    │   ├── AlreadyReversed
    │   └── IdempotencyKeyReused
    ├── InvalidRequest
    ├── Unauthorized
    ├── Forbidden
    ├── ExportStopped
    ├── TryAgain
    └── InternalError
    InvalidCursor                an edge answers InvalidRequest
    StoreUnavailable             an edge answers TryAgain
    └── RetryBudgetSpent
    CorruptData                  an edge answers InternalError
    ├── RowUnreadable
    ├── RowMissing
    └── StockItemUnreadable

The name of a ``ServiceError`` is the ``errorType`` of a direct invocation; its ``message`` is for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NotRequired, TypedDict, override

if TYPE_CHECKING:
    from uuid import UUID


class ServiceError(Exception):
    """A request got another answer than the one it asked for.

    ``facts()`` are the members of the answer beside its message: ids, and quantities in units.
    """

    message: ClassVar[str]

    @override
    def __str__(self) -> str:
        return self.message

    def facts(self) -> dict[str, int | str]:
        """What helps the caller to see why."""
        return {}


class Refusal(ServiceError):
    """The request was refused for good. Nothing was written, and its idempotency key may be used again."""


class VariantNotFound(Refusal):
    """The variant is unknown, inactive or of another business.

    The three are answered alike, so that a caller can't find out which ids exist. So it is for every "not found".
    """

    message = "There is no such active variant in this business."


class LocationNotFound(Refusal):
    """The location is unknown, inactive or of another business."""

    message = "There is no such active location in this business."


class ReasonNotFound(Refusal):
    """The reason code is not built in, and unknown, inactive or of another business."""

    message = "There is no such active reason code in this business."


class AdjustmentNotFound(Refusal):
    """The adjustment is unknown or of another business."""

    message = "There is no such adjustment in this business."


class BusinessNotFound(Refusal):
    """An operator named a business that does not exist."""

    message = "There is no such business."


class TokenNotFound(Refusal):
    """An operator named a token that does not exist."""

    message = "There is no such token."


class SkuTaken(Refusal):
    """An operator wanted to give a variant the SKU of another active one."""

    message = "Another active variant of this business has this SKU."

    def __init__(self, *, variant_id: UUID) -> None:
        super().__init__(variant_id)
        self.variant_id = variant_id

    @override
    def facts(self) -> dict[str, int | str]:
        return {"variant_id": str(self.variant_id)}


class TooManyReasons(Refusal):
    """The business has as many reason codes of its own as it may have, inactive ones included."""

    message = "This business has registered 100 reason codes, and may not have more."


class NoDefaultLocation(Refusal):
    """The request names no location, and the business has no default one."""

    message = "No location was given and the business has no default location."


class InsufficientStock(Refusal):
    """The change would take the quantity on hand below zero, which the business does not allow."""

    message = "There is not enough stock on hand for this change."

    def __init__(self, *, quantity_on_hand: int, quantity_change: int) -> None:
        super().__init__(quantity_on_hand, quantity_change)
        self.quantity_on_hand = quantity_on_hand
        self.quantity_change = quantity_change

    @override
    def facts(self) -> dict[str, int | str]:
        return {"quantity_on_hand": self.quantity_on_hand, "quantity_change": self.quantity_change}


class QuantityLimitExceeded(Refusal):
    """The change would take the quantity on hand beyond what every JSON reader keeps exact."""

    message = "The change would take the quantity on hand beyond ±9,007,199,254,740,991."


class StaleQuantity(Refusal):
    """The quantity on hand is not the one that the caller expected."""

    message = "The quantity on hand is not the expected one."

    def __init__(self, *, quantity_on_hand: int) -> None:
        super().__init__(quantity_on_hand)
        self.quantity_on_hand = quantity_on_hand

    @override
    def facts(self) -> dict[str, int | str]:
        return {"quantity_on_hand": self.quantity_on_hand}


class AlreadyReversed(Refusal):
    """The adjustment was reversed before. This holds even if its reversal was reversed since."""

    message = "This adjustment was already reversed."

    def __init__(self, *, reversed_by: UUID) -> None:
        super().__init__(reversed_by)
        self.reversed_by = reversed_by

    @override
    def facts(self) -> dict[str, int | str]:
        return {"reversed_by": str(self.reversed_by)}


class IdempotencyKeyReused(Refusal):
    """The idempotency key belongs to another request of this business."""

    message = "This idempotency key was used for another request."

    def __init__(self, *, key: str) -> None:
        super().__init__(key)
        self.key = key


class ValidationEntry(TypedDict):
    """One member of ``detail`` in FastAPI's ``HTTPValidationError``."""

    type: str
    loc: list[str | int]
    msg: str
    input: NotRequired[object]
    ctx: NotRequired[dict[str, object]]


class InvalidRequest(ServiceError):
    """The request does not fit its model; ``entries`` say where and how, in the order of the fields."""

    message = "The request is not valid."

    def __init__(self, entries: list[ValidationEntry]) -> None:
        super().__init__(entries)
        self.entries = entries


class Unauthorized(ServiceError):
    """A required header is missing, or the caller is not authenticated."""

    message = "A valid bearer token and an x-business-id header are required."


class Forbidden(ServiceError):
    """The caller is authenticated, but may not use this business or this action."""

    message = "The token is not good for this business or this action."


class ExportStopped(ServiceError):
    """An export met an item that it can neither write nor leave out. Repeating it does not help."""

    message = "The export can't go on: an item of the ledger can't be read. `make audit` tells what is wrong."

    def __init__(self, *, ledger_key: str) -> None:
        super().__init__(ledger_key)
        self.ledger_key = ledger_key

    @override
    def facts(self) -> dict[str, int | str]:
        return {"ledger_key": self.ledger_key}


class TryAgain(ServiceError):
    """The outcome is unknown, or the time was too short. The caller should repeat with the same idempotency key."""

    message = "The service could not finish in time. Repeat the request, a change with the same Idempotency-Key."
    retry_after_s: ClassVar[int] = 1


class InternalError(ServiceError):
    """The service is at fault, and repeating does not help. Only the log says what happened."""

    message = "The service failed. The fault was recorded."


class InvalidCursor(Exception):
    """A cursor that no earlier answer to the same question contained."""

    def __init__(self, cursor: str) -> None:
        super().__init__(cursor)
        self.cursor = cursor


class StoreUnavailable(Exception):
    """The store, or the event bus, gave no complete answer. The outcome of a write is unknown."""


class RetryBudgetSpent(StoreUnavailable):
    """No time or no attempt is left for another call, so none was made."""


class CorruptData(Exception):
    """Stored data is not what the service writes, or a part is missing. It never reaches a caller.

    ``where`` names the place for the log. The audit says what exactly is wrong there.
    """

    def __init__(self, where: dict[str, str]) -> None:
        super().__init__(where)
        self.where = where


class RowUnreadable(CorruptData):
    """An item of the ledger is not a row, or has another row's key; ``key`` is its partition key."""

    def __init__(self, key: str) -> None:
        super().__init__({"ledger_key": key})
        self.key = key


class RowMissing(CorruptData):
    """A ledger row is missing that must exist, and it is too late for it to appear."""


class StockItemUnreadable(CorruptData):
    """A stock item has no readable quantity; ``key`` is its partition key, ``location`` its sort key."""

    def __init__(self, key: str, location: str) -> None:
        super().__init__({"stock_item": key, "location_id": location})
