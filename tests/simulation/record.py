"""What was asked and what was told: the part of a history that its callers know. Plain values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What a request asks for, and the way it takes."""

    CREATE = "create"
    REVERSE = "reverse"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. All that may mean the same share a ``family``; ``version`` tells different contents under one key.

    Ids as text. ``reason`` goes into the row, so that a row tells which request it stands for.
    """

    family: str
    version: int
    kind: Kind
    business_id: str
    variant_id: str
    location_id: str | None
    quantity_change: int
    expected_quantity: int | None = None
    key: str | None = None
    reverses: str | None = None

    @property
    def reason(self) -> str:
        return f"{self.family}.{self.version}"


@dataclass(frozen=True, slots=True)
class Created:
    """201: the row as it was told."""

    row: Mapping[str, Any]
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
    """What must never be: an error that is none of the service's outcomes."""

    error: str


type Answer = Created | Refused | Unknown | Failed


@dataclass(frozen=True, slots=True)
class Told:
    """One answer to one invocation, ``sender``, that began and ended then."""

    request: Request
    sender: str
    begun_s: float
    told_s: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the authorizer said of a token."""

    token_id: str
    asked_s: float
    told_s: float
    granted: bool


@dataclass(slots=True)
class Record:
    """All of a history. ``batches`` are the families that each invocation of the queue's function got, and when."""

    requests: dict[str, Request] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    admitted: list[Admitted] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    """Reasons of all messages that were sent and can be read."""
    batches: dict[str, tuple[float, list[str]]] = field(default_factory=dict)
    deliveries: int = 0
