"""Several requests at once, one step at a time: the test says whose turn it is, so every run can be repeated."""

from __future__ import annotations

import threading
from copy import replace
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from inventory.adjusting.loop import Adjuster
from inventory.adjusting.reversal import carry_out
from inventory.domain.errors import Refusal, StoreUnavailable, TryAgain
from inventory.domain.model import Command, Reversal
from inventory.domain.rules import variant_name
from inventory.domain.store import CommitResult, Contended
from tests.support.builders.domain import budget_of
from tests.support.builders.ids import NOW
from tests.support.fakes.scripted_store import Met, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from datetime import datetime
    from uuid import UUID

    from inventory.adjusting.loop import Result
    from inventory.domain.model import Adjustment, ReversalLink, Snapshot, StockItemId
    from tests.support.fakes.store import FakeStore

type Choose = Callable[[int], int]
"""Picks one of so many."""


@dataclass
class Run:
    """One request on its way, or several that go together; ``answers`` are theirs, once they have them."""

    asked: Command | Reversal | list[Command]
    new_id: Callable[[], UUID]
    answers: list[Result] = field(default_factory=list)
    bug: BaseException | None = None
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    rest: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def asked_and_answered(self) -> list[tuple[Command | Reversal, Result]]:
        """Each request with its answer."""
        asked = self.asked if isinstance(self.asked, list) else [self.asked]
        return list(zip(asked, self.answers, strict=True))


@dataclass
class Interleaving:
    """Requests on one store. Each waits before every step of its own; what is under way is delivered as a step too.

    ``choose`` decides whose step is next, what a commit meets, and in which order a load reads.
    """

    store: FakeStore
    choose: Choose
    happenings: list[Callable[[], None]]
    meets: list[Met]
    under_way: list[Write] = field(default_factory=list)
    seen: dict[Hashable, list[Snapshot]] = field(default_factory=dict)
    _time_s: float = 0.0

    def run(self, runs: list[Run]) -> None:
        """Let all requests end; what is still under way then is left so."""
        threads = [threading.Thread(target=self._perform, args=(run,), daemon=True) for run in runs]
        for thread in threads:
            thread.start()
        waiting = list(runs)
        while waiting:
            number = self.choose(len(waiting) + len(self.under_way) + len(self.happenings))
            if number < len(waiting):
                run = waiting[number]
                run.turn.release()
                run.rest.acquire()
                waiting = [each for each in waiting if not each.answers and each.bug is None]
            elif number < len(waiting) + len(self.under_way):
                self.store.commit(*self.under_way.pop(number - len(waiting)))
            else:
                self.happenings.pop(number - len(waiting) - len(self.under_way))()
        for thread in threads:
            thread.join()
        for run in runs:
            if run.bug is not None:
                raise run.bug

    def deliver_all(self) -> None:
        """Carry out what is still under way, as far as its conditions hold."""
        while self.under_way:
            self.store.commit(*self.under_way.pop())

    def _perform(self, run: Run) -> None:
        run.turn.acquire()
        turns = _Turns(self, run)
        adjuster = Adjuster(
            store=turns,
            clock=self._clock,
            new_id=run.new_id,
            fraction=lambda: 0.0,
            sleep=lambda _: None,
            level_as_of=turns.level_as_of,
        )
        try:
            run.answers = _carried_out(adjuster, run.asked)
        except (Refusal, TryAgain) as refusal:
            run.answers = [refusal]
        except BaseException as bug:  # noqa: BLE001  raised again in the test's own thread
            run.bug = bug
        run.rest.release()

    def _clock(self) -> datetime:
        # Clocks of several machines: forwards and backwards, never twice the same.
        self._time_s += 0.000_001
        return NOW + timedelta(seconds=self._time_s + self.choose(3) - 1)


def _carried_out(adjuster: Adjuster, asked: Command | Reversal | list[Command]) -> list[Result]:
    match asked:
        case Command():
            return [adjuster.carry_out(asked, budget_of(adjuster, lambda: 1_000.0))]
        case Reversal():
            return [carry_out(adjuster, asked, budget_of(adjuster, lambda: 1_000.0))]
        case _:
            return adjuster.adjust_all(asked, remaining_s=lambda: 1_000.0)


def _names(commands: Sequence[Command]) -> Hashable:
    """What commands name their stock items by."""
    return tuple((variant_name(each), each.location_id) for each in commands)


@dataclass
class _Turns:
    """The store as one request sees it: every step waits for its turn."""

    of: Interleaving
    run: Run

    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        """Nothing, or what any request has read so far of the same stock items: it may be long out of date."""
        seen = [None, *self.of.seen.get(_names(commands), [])]
        snapshot = seen[self.of.choose(len(seen))]
        return snapshot and replace(snapshot, recorded={}, reversed_by=None, cached=True, transactional=False)

    def load(
        self,
        commands: Sequence[Command],
        recorded_ids: Sequence[UUID] = (),
        *,
        reverses: UUID | None = None,
        transactional: bool = False,
        **_: object,
    ) -> Snapshot:
        """Read each row, each stock item and the link to a reversal at several moments: a batch of reads is not one."""
        store, business_id = self.of.store, commands[0].business_id
        if transactional:
            self._wait()
            return store.load(commands, recorded_ids, reverses=reverses, transactional=True)
        early = [each for each in recorded_ids if self.of.choose(2)]
        recorded = store.find(business_id, early)
        self._wait()
        snapshot = store.load(commands, reverses=reverses)
        stock = dict(snapshot.stock)
        if len(stock) > 1 and self.of.choose(2):
            self._wait()
            stock |= dict(list(store.load(commands).stock.items())[1:])
            snapshot = replace(snapshot, stock=stock)
        if stock and len(snapshot.variants) == len({variant_name(each) for each in commands}) and snapshot.locations:
            self.of.seen.setdefault(_names(commands), []).append(snapshot)
        self._wait()
        late = [each for each in recorded_ids if each not in early]
        recorded |= store.find(business_id, late)
        if reverses is not None and self.of.choose(2):
            self._wait()
            snapshot = replace(snapshot, reversed_by=store.load(commands, reverses=reverses).reversed_by)
        return replace(snapshot, recorded=recorded)

    def stock_item_ids(self, commands: Sequence[Command], **_: object) -> list[StockItemId | None]:
        self._wait()
        return self.of.store.stock_item_ids(commands)

    def level_as_of(self, *asked: Any) -> int:
        self._wait()
        return self.of.store.level_as_of(*asked)

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        self._wait()
        return self.of.store.find(business_id, adjustment_ids)

    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        self._wait()
        match self.of.meets[self.of.choose(len(self.of.meets))]:
            case Met.LOST:
                raise StoreUnavailable
            case Met.CONTENDED:
                return Contended()
            case Met.UNHEARD:
                self.of.store.commit(rows, snapshot, link, message_digests)
                self._wait()
                raise StoreUnavailable
            case Met.UNDER_WAY:
                self.of.under_way.append((rows, snapshot, link, message_digests))
                self._wait()
                raise StoreUnavailable
            case Met.OK:
                result = self.of.store.commit(rows, snapshot, link, message_digests)
                self._wait()
                return result

    def _wait(self) -> None:
        self.run.rest.release()
        self.run.turn.acquire()
