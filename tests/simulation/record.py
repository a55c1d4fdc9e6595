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


GROUPS: Final = frozenset({Kind.GROUP, Kind.REVERSE_GROUP})
"""What has a group of rows."""


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

    @property
    def reason(self) -> str:
        return f"{self.family}.{self.version}"

    @property
    def payload(self) -> dict[str, Any]:
        """The body of a message that asks for it."""
        return {
            "business_id": self.business_id,
            "variant_id": self.variant_id,
            "quantity_change": self.quantity_change,
            "reason": self.reason,
            "location_id": self.location_id,
            "reason_code": self.reason_code,
            "reference": self.reference,
            "expected_quantity": self.expected_quantity,
            "idempotency_key": self.key,
            "actor": self.actor,
        }


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


@dataclass(slots=True)
class Record:
    """All of a history. ``asked`` are the requests of each family, ``invocations`` those by their senders.

    ``clock_errors_s`` are the least and the greatest by which any clock was wrong.
    """

    asked: dict[str, list[Request]] = field(default_factory=dict)
    answered: list[Answered] = field(default_factory=list)
    admitted: list[Admitted] = field(default_factory=list)
    commanded: list[Commanded] = field(default_factory=list)
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
