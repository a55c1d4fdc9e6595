"""The callers' requests and answers: one side of the comparison with the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

type Row = dict[str, Any]
"""A ledger row as the API answers it: the body of a 201, and ``reversed_by`` where a later one has reversed it."""


class Way(StrEnum):
    """How a request reaches the service, and what it asks for."""

    ADJUSTMENT = "adjustment over HTTP"
    REVERSAL = "reversal over HTTP"
    COUNT = "count over HTTP"
    BATCH = "batch over HTTP"
    EACH = "batch of mode each over HTTP"
    TRANSFER = "transfer over HTTP"
    GROUP_REVERSAL = "reversal of a group over HTTP"
    MESSAGE = "message"


class Change(NamedTuple):
    """One row that a request asks for. Ids and instants as the API spells them; of a count ``delta`` is None."""

    variant_id: str
    location_id: str
    delta: int | None
    kind: str = "adjustment"
    counted_quantity: int | None = None
    counted_at: str | None = None
    reverses: str | None = None
    sku: str | None = None
    reason_code: str | None = None
    expected_quantity: int | None = None

    def matches(self, row: Row) -> bool:
        """Whether a row is what was asked for."""
        asked = self._asdict()
        if self.delta is None:
            del asked["delta"]
        # What is not in the row of an answer can't be compared: it decides whether there is a row.
        del asked["expected_quantity"]
        return all(row[name] == value for name, value in asked.items())


@dataclass(slots=True)
class Request:
    """What somebody asked for. Its ``mark`` is the reason of its rows, which no other request has.

    Only one thread at a time writes to it. ``changes`` are the rows that it asks for, all of them or none, as a group
    where ``is_group``; ``group_id`` is the group that it reverses. ``sent`` counts how often it was sent. ``answers``
    are the rows of a 201, ``refusals`` codes of a 409, ``odd`` what should never be answered. A message is ``accepted``
    once the queue has said so; whether it ``must_be_refused`` does not depend on the order in which messages come.

    One in mode ``each`` asks for nothing itself: its lines are the ``parts``, and its answers what came for all.
    """

    mark: str
    way: Way
    business_id: str
    changes: Sequence[Change] = ()
    key: str | None = None
    is_group: bool = False
    group_id: str | None = None
    must_be_refused: bool = False
    parts: Sequence[Request] = ()
    sent: int = 0
    accepted: bool = False
    answers: list[list[Row]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    @property
    def final(self) -> bool:
        """Whether the caller knows what became of it."""
        return bool(self.accepted or self.answers or self.refusals or self.odd)

    @property
    def answered(self) -> int:
        """How often it was answered."""
        return len(self.answers) + len(self.refusals) + len(self.odd)


def changing(requests: Iterable[Request]) -> Iterator[Request]:
    """Give the requests that ask for rows: of one in mode ``each`` its lines."""
    for request in requests:
        yield from request.parts or [request]
