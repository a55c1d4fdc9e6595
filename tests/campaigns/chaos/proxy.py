"""A proxy in front of the tables that breaks every so-many-th exchange, each kind of fault in turn."""

from __future__ import annotations

import random
import threading
from collections import Counter
from contextlib import suppress
from enum import StrEnum
from http.client import HTTPException
from typing import TYPE_CHECKING, Final, override

from tests.support.faults.proxy import Ending, Fault, FaultsProxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.faults.proxy import Reply, Request

WRITE: Final = "TransactWriteItems"
LATE_MIN_S: Final = 0.005
LATE_MAX_S: Final = 4.0
"""Longer than a function waits for an answer. Most arrive within the time that a function takes to try again: those
find the stock item as it was, or meet the second try."""


class Kind(StrEnum):
    """What befalls an exchange."""

    LOST = "write applied, answer lost"
    STALLED = "write applied, answer stalled"
    CUT = "write applied, answer cut off"
    RESET = "write applied, connection reset"
    FAILED = "write applied, 500 answered"
    KILLED = "write applied, functions killed"
    NEVER = "write lost"
    LATE = "write lost, delivered late"
    THROTTLED = "write throttled"
    READ_LOST = "answer to a read lost"
    READ_STALLED = "answer to a read stalled"


_FAULTS: Final = {
    Kind.LOST: Fault(Ending.CLOSED, delivered=True),
    Kind.STALLED: Fault(Ending.STALLED, delivered=True),
    Kind.CUT: Fault(Ending.TRUNCATED, delivered=True),
    Kind.RESET: Fault(Ending.RESET, delivered=True),
    Kind.FAILED: Fault(Ending.INTERNAL_ERROR, delivered=True),
    Kind.KILLED: Fault(Ending.CLOSED, delivered=True),
    Kind.NEVER: Fault(Ending.CLOSED, delivered=False),
    Kind.LATE: Fault(Ending.CLOSED, delivered=False),
    Kind.THROTTLED: Fault(Ending.THROTTLED, delivered=False),
    Kind.READ_LOST: Fault(Ending.CLOSED, delivered=True),
    Kind.READ_STALLED: Fault(Ending.STALLED, delivered=True),
}
_OF_WRITES: Final = [kind for kind in Kind if kind not in {Kind.READ_LOST, Kind.READ_STALLED}]
_OF_READS: Final = [Kind.READ_LOST, Kind.READ_STALLED]
_READS_FOR_A_WRITE: Final = 4
"""A read is broken so many times less often: what is at stake is what a write leaves behind."""
_OK: Final = 200


class BreakingProxy(FaultsProxy):
    """Breaks one of ``one_in`` writes, and fewer reads, until it is calmed; ``kill`` ends the functions' processes.

    While the database is down each exchange ends as a connection that is closed.
    """

    def __init__(self, endpoint_url: str, *, seed: int, one_in: int, kill: Callable[[], int]) -> None:
        super().__init__(endpoint_url)
        self._chance = random.Random(f"proxy {seed}")
        self._one_in = one_in
        self._kill = kill
        self._calm = False
        self._turn = threading.Lock()
        self._passed: Counter[bool] = Counter()
        self._next: dict[bool, list[Kind]] = {True: [], False: []}
        self._late: list[threading.Timer] = []
        self.injected: Counter[Kind] = Counter()
        self.applied_unseen = 0
        self.applied_late = 0

    def broken(self) -> int:
        """How many exchanges were broken so far."""
        with self._turn:
            return self.injected.total()

    def calm(self) -> None:
        """Break nothing any more, and wait until the last late request is delivered."""
        with self._turn:
            self._calm = True
        for timer in self._late:
            timer.join()

    @override
    def exchange(self, request: Request) -> tuple[Reply | None, Ending | None]:
        kind = self._draw(writes=request.operation == WRITE)
        try:
            return self._broken(kind, request) if kind is not None else (self._forward(request), None)
        except (OSError, HTTPException):
            return None, Ending.CLOSED

    def _draw(self, *, writes: bool) -> Kind | None:
        with self._turn:
            self._passed[writes] += 1
            one_in = self._one_in if writes else self._one_in * _READS_FOR_A_WRITE
            if self._calm or self._passed[writes] % one_in:
                return None
            if not self._next[writes]:
                self._next[writes] = self._chance.sample(_OF_WRITES, k=len(_OF_WRITES)) if writes else _OF_READS * 1
            return self._next[writes].pop()

    def _broken(self, kind: Kind, request: Request) -> tuple[Reply | None, Ending]:
        fault = _FAULTS[kind]
        reply = self._forward(request) if fault.delivered else None
        if kind is Kind.KILLED:
            self._kill()
        if kind is Kind.LATE:
            self._deliver_later(request)
        with self._turn:
            self.injected[kind] += 1
            self.applied_unseen += reply is not None and reply.status == _OK and request.operation == WRITE
        return reply, fault.ending

    def _deliver_later(self, request: Request) -> None:
        def deliver() -> None:
            with suppress(OSError, HTTPException):
                reply = self._forward(request)
                with self._turn:
                    self.applied_late += reply.status == _OK

        with self._turn:
            late_s = LATE_MIN_S * (LATE_MAX_S / LATE_MIN_S) ** self._chance.random()
            timer = threading.Timer(late_s, deliver)
            self._late.append(timer)
        timer.start()
