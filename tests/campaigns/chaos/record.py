"""The callers' requests and answers: one side of the comparison with the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Way(StrEnum):
    """How a request reaches the service."""

    ADJUSTMENT = "adjustment over HTTP"
    REVERSAL = "reversal over HTTP"
    MESSAGE = "message"


@dataclass(slots=True)
class Request:
    """One change that somebody asked for. Its ``mark`` is its reason, which no other request has.

    Only one thread at a time writes to it. ``sent`` counts how often it was sent. ``answers`` are bodies of a 201,
    ``refusals`` codes of a 409, ``odd`` what should never be answered. A message is ``accepted`` once the queue has
    said so; whether it ``must_be_refused`` does not depend on the order in which messages come.
    """

    mark: str
    way: Way
    business_id: str
    location_id: str
    quantity_change: int
    key: str | None = None
    reverses: str | None = None
    must_be_refused: bool = False
    sent: int = 0
    accepted: bool = False
    answers: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    @property
    def final(self) -> bool:
        """Whether the caller knows what became of it."""
        return bool(self.accepted or self.answers or self.refusals or self.odd)
