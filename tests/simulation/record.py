"""Requests and answers: the part of a history that its callers know. Plain values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What a request asks for, and the way it takes."""

    CREATE = "create"
    REVERSE = "reverse"
    MESSAGE = "message"
    COUNT = "count"
    GROUP = "group"
    REVERSE_GROUP = "reverse group"


_CALLER: Final = ("business_id", "idempotency_key", "actor")
_GROUPS: Final = frozenset({Kind.GROUP, Kind.REVERSE_GROUP})

DIRECTIONS: Final = {"promotion": "any", "sale": "decrease"}
"""The reason codes that each business registers."""


MOVING_SKU: Final = "SKU of the best seller"
"""A SKU that each business moves from one of its variants to another."""


def sku_of(variant_id: str) -> str:
    """The SKU of a variant as long as it has no other."""
    return f"SKU of {variant_id}"


def _names(variant_id: str, sku: str | None) -> dict[str, str]:
    """What names the variant in a body: its id, or its SKU."""
    return {"variant_id": variant_id} if sku is None else {"sku": sku}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a group, or a count. Ids and instants as text; a count has no ``quantity_change``."""

    variant_id: str
    location_id: str
    quantity_change: int | None
    kind: str = "adjustment"
    counted_quantity: int | None = None
    counted_at: str | None = None
    reverses: str | None = None
    sku: str | None = None
    """What names the variant in place of its id, if anything does; then ``variant_id`` is one that may have it."""

    @property
    def names(self) -> dict[str, str]:
        """What names the variant in a body."""
        return _names(self.variant_id, self.sku)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Requests with one key share a ``family``; anything else may differ, even only the ``version``.

    Ids as text. ``reason``, made of both, goes into the row, so that a row names its family.
    """

    family: str
    version: int
    kind: Kind
    business_id: str
    variant_id: str
    location_id: str | None
    quantity_change: int
    actor: str
    reason_code: str | None = None
    reference: str | None = None
    expected_quantity: int | None = None
    key: str | None = None
    reverses: str | None = None
    lines: tuple[Line, ...] = ()
    """Of a group or a count; then variant, location and quantity above do not count."""
    sku: str | None = None
    """As of a line."""
    is_batch: bool = False
    """Of a message with ``lines``: whether it is a group, and no count."""

    @property
    def reason(self) -> str:
        return f"{self.family}.{self.version}"

    @property
    def is_group(self) -> bool:
        """Whether it makes a group of rows."""
        return self.kind in _GROUPS or self.is_batch

    @property
    def rows_per_line(self) -> int:
        """How many rows a line makes, as its refusals count lines."""
        return 2 if self.lines and self.lines[0].kind == "transfer" else 1

    @property
    def payload(self) -> dict[str, Any]:
        """The body of a message that asks for it."""
        caller = dict(zip(_CALLER, (self.business_id, self.key, self.actor), strict=True))
        named = {"reason": self.reason, "reason_code": self.reason_code, "reference": self.reference}
        if not self.lines:
            variant = _names(self.variant_id, self.sku)
            change = {"quantity_change": self.quantity_change, "expected_quantity": self.expected_quantity}
            return caller | named | variant | change | {"location_id": self.location_id}
        if self.rows_per_line == 2:
            taken, added = (each.location_id for each in self.lines[:2])
            moves = [each.names | {"quantity": -(each.quantity_change or 0)} for each in self.lines[::2]]
            return caller | named | {"from_location_id": taken, "to_location_id": added, "lines": moves}
        lines = [named | _body(each) for each in self.lines]
        return caller | ({"lines": lines} if self.is_batch else lines[0])


@dataclass(frozen=True, slots=True)
class EachLine:
    """A batch of mode ``each``: every line is a request of its own, of a family of its own.

    All have the batch's key, the line's number is part of it.
    """

    lines: tuple[Request, ...]

    @property
    def key(self) -> str | None:
        return self.lines[0].key

    @property
    def business_id(self) -> str:
        return self.lines[0].business_id

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The lines as the body of the batch has them."""
        return [{name: value for name, value in each.payload.items() if name not in _CALLER} for each in self.lines]


def _body(line: Line) -> dict[str, Any]:
    what = (
        {"quantity_change": line.quantity_change}
        if line.kind == "adjustment"
        else {"counted_quantity": line.counted_quantity, "counted_at": line.counted_at}
    )
    return line.names | {"location_id": line.location_id} | what


@dataclass(frozen=True, slots=True)
class Created:
    """201: the rows as they were answered; one, but for a group."""

    rows: tuple[Mapping[str, Any], ...]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """4xx: the error's name and facts."""

    name: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """``TryAgain``, or no answer at all."""


@dataclass(frozen=True, slots=True)
class Failed:
    """500: an error that is none of the service's outcomes. ``is_denial``: its cause was a permanent error."""

    error: str
    is_denial: bool = False


type Answer = Created | Refused | Unknown | Failed


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer to one invocation, ``sender``, that began and ended then."""

    request: Request
    sender: str
    begun_s: float
    answered_s: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the authorizer said of a token."""

    token_id: str
    asked_s: float
    answered_s: float
    granted: bool


@dataclass(frozen=True, slots=True)
class Commanded:
    """An operator's command that was acknowledged, and what it has to leave: attributes of items, by their places.

    None stands for any value.
    """

    command: str
    sender: str
    begun_s: float
    answered_s: float
    leaves: Mapping[tuple[str, str, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Invocation:
    """When an invocation began, and how long it could go on."""

    begun_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class SkuRefused:
    """An operator's command that was answered with ``SkuTaken``, as ``variant_id`` had the SKU."""

    sender: str
    business_id: str
    sku: str
    variant_id: str
    begun_s: float
    answered_s: float


@dataclass(slots=True)
class Record:
    """All of a history. ``asked`` are the requests of each family, ``invocations`` those by their senders.

    ``clock_errors_s`` are the least and the greatest by which any clock was wrong.
    """

    asked: dict[str, list[Request]] = field(default_factory=dict)
    answered: list[Answered] = field(default_factory=list)
    admitted: list[Admitted] = field(default_factory=list)
    commanded: list[Commanded] = field(default_factory=list)
    skus_refused: list[SkuRefused] = field(default_factory=list)
    messages: list[Request] = field(default_factory=list)
    """All messages that were sent and can be read."""
    batches: dict[str, dict[str, Request]] = field(default_factory=dict)
    """The messages that each invocation of the queue's function got, by their ids."""
    invocations: dict[str, Invocation] = field(default_factory=dict)
    clock_errors_s: tuple[float, float] = (-1.0, 1.0)
    deliveries: int = 0

    def ask(self, request: Request) -> None:
        """Note a request that somebody is about to make."""
        of_family = self.asked.setdefault(request.family, [])
        if request not in of_family:
            of_family.append(request)
