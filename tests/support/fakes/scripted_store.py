"""Stores and time as a test wants them: what a call meets, what happens before it, and how long it takes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from uuid import UUID

from inventory.adjusting.loop import Adjuster
from inventory.adjusting.reversal import carry_out, carry_out_group
from inventory.domain.errors import StoreUnavailable
from inventory.domain.model import StockItemId
from inventory.domain.store import CommitResult, Contended
from tests.support.builders.domain import a_business, a_command, budget_of
from tests.support.builders.ids import BUSINESS, LOCATION, NOW, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.fakes.store import FakeStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from inventory.adjusting.loop import Result
    from inventory.domain.model import (
        Adjustment,
        Command,
        Group,
        GroupOutcome,
        GroupReversal,
        Outcome,
        Reversal,
        ReversalLink,
        Snapshot,
    )
    from inventory.domain.retry_budget import RetryBudget


class Met(Enum):
    """What a call meets; ``OK`` is the store's own answer."""

    OK = auto()
    LOST = auto()
    """The request never arrived."""
    UNHEARD = auto()
    """It was carried out, its answer never arrived."""
    UNDER_WAY = auto()
    """No answer in time; it is carried out when the test says ``deliver()``."""
    CONTENDED = auto()


type Write = tuple[Sequence[Adjustment], Snapshot, ReversalLink | None, Sequence[str]]
"""What a commit was asked for."""

type Step = Met | Callable[[], object]
"""What the next call meets, or what happens right before it, which then goes well."""


@dataclass
class VirtualTime:
    """A clock that moves with pauses and calls only; ``left_at_calls_s`` is what was left when each call began."""

    deadline_s: float = 10.0
    call_s: float = 0.0
    now_s: float = 0.0
    pauses_s: list[float] = field(default_factory=list)
    left_at_calls_s: list[float] = field(default_factory=list)

    def clock(self) -> datetime:
        # No two readings are the same, so no two rows are.
        self.now_s += 0.000_001
        return NOW + timedelta(seconds=self.now_s)

    def remaining_s(self) -> float:
        return self.deadline_s - self.now_s

    def sleep(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.now_s += seconds

    def call_begins(self) -> None:
        self.left_at_calls_s.append(self.remaining_s())
        self.now_s += self.call_s


@dataclass
class ScriptedStore(FakeStore):
    """A store whose calls follow a script for each method; beyond its end all goes well. ``calls`` names each call.

    ``memory`` is what it remembers, of any request, true or not.
    """

    on_load: deque[Step] = field(default_factory=deque)
    on_find: deque[Step] = field(default_factory=deque)
    on_commit: deque[Step] = field(default_factory=deque)
    on_level: deque[Step] = field(default_factory=deque)
    calls: list[str] = field(default_factory=list)
    time: VirtualTime = field(default_factory=VirtualTime)
    memory: Snapshot | None = None
    _under_way: list[Write] = field(default_factory=list)

    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        return self.memory or super().cached(commands)

    def load(self, commands: Sequence[Command], recorded_ids: Sequence[UUID] = (), **how: Any) -> Snapshot:
        self._meet("load", self.on_load)
        return super().load(commands, recorded_ids, **how)

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        self._meet("find", self.on_find)
        return super().find(business_id, adjustment_ids)

    def level_as_of(self, *asked: Any) -> int:
        self._meet("level", self.on_level)
        return super().level_as_of(*asked)

    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        match self._meet("commit", self.on_commit):
            case Met.CONTENDED:
                return Contended()
            case Met.UNHEARD:
                super().commit(rows, snapshot, link, message_digests)
                raise StoreUnavailable
            case Met.UNDER_WAY:
                self._under_way.append((rows, snapshot, link, message_digests))
                raise StoreUnavailable
            case _:
                return super().commit(rows, snapshot, link, message_digests)

    def deliver(self) -> None:
        """Carry out what was under way, in order, as far as its conditions still hold."""
        while self._under_way:
            super().commit(*self._under_way.pop(0))

    def _meet(self, name: str, script: deque[Step]) -> Met:
        self.calls.append(name)
        self.time.call_begins()
        step = script.popleft() if script else Met.OK
        if step is Met.LOST:
            raise StoreUnavailable
        if isinstance(step, Met):
            return step
        step()
        return Met.OK


@dataclass
class Desk:
    """A shop with a scripted store, where adjustments are asked for. ``fraction`` is the whole randomness."""

    store: ScriptedStore
    fraction: float = 0.5
    _ids: int = 0

    def adjust(self, command: Command) -> Outcome:
        return self._adjuster.carry_out(command, self._budget)

    def adjust_group(self, group: Group) -> GroupOutcome:
        return self._adjuster.carry_out_group(group, self._budget)

    def adjust_all(self, requests: Sequence[Command | Group]) -> list[Result]:
        return self._adjuster.adjust_all(requests, remaining_s=self.store.time.remaining_s)

    def reverse(self, reversal: Reversal) -> Outcome:
        return carry_out(self._adjuster, reversal, self._budget)

    def reverse_group(self, reversal: GroupReversal) -> GroupOutcome:
        return carry_out_group(self._adjuster, reversal, self._budget)

    @property
    def _budget(self) -> RetryBudget:
        return budget_of(self._adjuster, self.store.time.remaining_s)

    @property
    def _adjuster(self) -> Adjuster:
        time = self.store.time
        return Adjuster(
            store=self.store,
            clock=time.clock,
            new_id=self._new_id,
            fraction=lambda: self.fraction,
            sleep=time.sleep,
            level_as_of=self.store.level_as_of,
        )

    @property
    def quantity(self) -> int:
        """On hand of the variant at the default location."""
        return self.quantity_of()

    def quantity_of(self, variant_id: UUID = VARIANT, location_id: UUID = LOCATION) -> int:
        stock = self.store.stock.get(StockItemId(BUSINESS, variant_id, location_id))
        return stock.quantity if stock else 0

    @property
    def rows(self) -> list[Adjustment]:
        return list(self.store.ledger.values())

    def _new_id(self) -> UUID:
        self._ids += 1
        return UUID(int=self._ids, version=4)


def a_desk(quantity: int = 0) -> Desk:
    """A shop of two variants and two locations; ``quantity`` is on hand of the first at the default location."""
    store = ScriptedStore(
        businesses={BUSINESS: a_business()},
        active_variants={(BUSINESS, VARIANT), (BUSINESS, OTHER_VARIANT)},
        active_locations={(BUSINESS, LOCATION), (BUSINESS, OTHER_LOCATION)},
    )
    desk = Desk(store)
    if quantity:
        desk.adjust(a_command(quantity_change=quantity, reason="opening"))
        store.calls.clear()
        store.time.left_at_calls_s.clear()
    return desk
