"""The outcomes that are not an adjustment: one class for each, with its facts as attributes. Standard library only.

::

    ServiceError                 a caller gets this answer; ``entrypoints.responses`` has its HTTP status and code
    ├── Refusal                  nothing was written
    │   ├── VariantNotFound
    │   ├── LocationNotFound
    │   ├── ReasonNotFound
    │   ├── AdjustmentNotFound
    │   ├── GroupNotFound
    │   ├── BusinessNotFound
    │   ├── TokenNotFound
    │   ├── SkuTaken
    │   ├── TooManyReasons
    │   ├── NoDefaultLocation
    │   ├── InsufficientStock
    │   ├── QuantityLimitExceeded
    │   ├── StaleQuantity
    │   ├── CountSuperseded
    │   ├── ReasonDirection
    │   ├── AlreadyReversed
    │   ├── PartOfGroup
    │   ├── NothingToReverse
    │   ├── InstantOutOfWindow
    │   ├── RejectedBefore
    │   └── IdempotencyKeyReused
    ├── InvalidRequest
    ├── Unauthorized
    ├── Forbidden
    ├── UnsupportedEncoding
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

from typing import TYPE_CHECKING, ClassVar, NamedTuple, NotRequired, TypedDict, override

from inventory.domain.timestamps import instant_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.model import Direction, Rejection


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
    """The request was refused for good. Nothing was written, and its idempotency key may be used again.

    ``line`` is the index of the first line that is refused, None for a request without lines.
    """

    line: int | None = None


class VariantNotFound(Refusal):
    """The variant is unknown, inactive or of another business.

    The three are answered alike, so that a caller can't find out which ids exist. So it is for every "not found".
    """

    message = "There is no such active variant in this business."


class LocationNotFound(Refusal):
    """The location is unknown, inactive or of another business."""

    message = "There is no such active location in this business."

    def __init__(self, *, location_id: UUID | None = None) -> None:
        """``location_id`` says which one, where the request names two."""
        super().__init__(location_id)
        self.location_id = location_id

    @override
    def facts(self) -> dict[str, int | str]:
        return {} if self.location_id is None else {"location_id": str(self.location_id)}


class ReasonNotFound(Refusal):
    """The reason code is not built in, and unknown, inactive or of another business."""

    message = "There is no such active reason code in this business."


class AdjustmentNotFound(Refusal):
    """The adjustment is unknown or of another business."""

    message = "There is no such adjustment in this business."


class GroupNotFound(Refusal):
    """The group is unknown or of another business."""

    message = "There is no such group of adjustments in this business."


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


class CountSuperseded(Refusal):
    """The stock item was counted again since, and that count was written at ``counted_through``."""

    message = "A count of this stock item was recorded after the instant of this one."

    def __init__(self, *, counted_through: datetime) -> None:
        super().__init__(counted_through)
        self.counted_through = counted_through

    @override
    def facts(self) -> dict[str, int | str]:
        return {"counted_through": instant_text(self.counted_through)}


class ReasonDirection(Refusal):
    """The change has the wrong sign for its reason code."""

    message = "The reason code is not meant for a change in this direction."

    def __init__(self, *, direction: Direction) -> None:
        super().__init__(direction)
        self.direction = direction

    @override
    def facts(self) -> dict[str, int | str]:
        return {"direction": self.direction}


class AlreadyReversed(Refusal):
    """The adjustment was reversed before. This holds even if its reversal was reversed since."""

    message = "This adjustment was already reversed."

    def __init__(self, *, reversed_by: UUID) -> None:
        super().__init__(reversed_by)
        self.reversed_by = reversed_by

    @override
    def facts(self) -> dict[str, int | str]:
        return {"reversed_by": str(self.reversed_by)}


class PartOfGroup(Refusal):
    """The adjustment was made together with others, and can only be reversed with them."""

    message = "This adjustment is part of a group, which can only be reversed as a whole."

    def __init__(self, *, group_id: UUID) -> None:
        super().__init__(group_id)
        self.group_id = group_id

    @override
    def facts(self) -> dict[str, int | str]:
        return {"group_id": str(self.group_id)}


class NothingToReverse(Refusal):
    """What should be reversed changed nothing. ``parameter`` is the name of its id in the path."""

    message = "There is nothing to reverse: the delta is 0."

    def __init__(self, *, parameter: str) -> None:
        super().__init__(parameter)
        self.parameter = parameter


class BadInstant(NamedTuple):
    """An instant that is too early or too late: where it was in the request, and what it breaks.

    ``line`` is the line that has it, None where the request has it once for all.
    """

    line: int | None
    field: str
    given: datetime
    rule: str


class InstantOutOfWindow(Refusal):
    """Instants of the request are too early or too late. They are looked at once the request is known to be new."""

    message = "An instant of the request is too far in the past or in the future."

    def __init__(self, found: Sequence[BadInstant]) -> None:
        super().__init__(found)
        self.found = found


class IdempotencyKeyReused(Refusal):
    """The idempotency key belongs to another request of this business."""

    message = "This idempotency key was used for another request."

    def __init__(self, *, key: str) -> None:
        super().__init__(key)
        self.key = key


class RejectedBefore(Refusal):
    """The request came in a message of which an earlier delivery was rejected. ``rejection`` is the earlier reason."""

    message = "This message was rejected before, so it is not applied. Send a new one."

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection)
        self.rejection = rejection


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


class UnsupportedEncoding(ServiceError):
    """The body is compressed, or encoded in another way. Nothing of it was read."""

    message = "A body must be sent as it is: Content-Encoding may be identity only."

    def __init__(self, *, content_encoding: str) -> None:
        super().__init__(content_encoding)
        self.content_encoding = content_encoding

    @override
    def facts(self) -> dict[str, int | str]:
        return {"content_encoding": self.content_encoding}


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
