"""The one use case: load, decide, commit, and again from the fresh state when someone was faster.

Requests for one stock item go together: one load, one decision after the other, each from the state that the one before
leaves, one commit. A request of its own, as the API's are, is a group of one.

``decide`` holds every rule of the business and nothing else: no AWS, no clock, no randomness. ``Adjuster`` is the loop
around it; it knows the store only by the protocol below.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inventory.domain.errors import (
    IdempotencyKeyReused,
    Refusal,
    RetryBudgetSpent,
    StoreUnavailable,
    TryAgain,
)
from inventory.domain.model import Adjustment, Command, Outcome, Snapshot
from inventory.domain.retry_budget import RetryBudget
from inventory.domain.rules import decide, keyed_id, same_request, stock_after
from inventory.domain.store import GROUP_MAX, CommitResult, Contended, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

type Result = Outcome | Refusal | TryAgain
"""What becomes of a request: a refusal is final, ``TryAgain`` may or may not stand in the ledger."""


@dataclass(frozen=True, slots=True)
class Adjuster:
    """The loop, with all that is not a pure function handed in.

    ``clock`` gives the present in UTC, ``new_id`` a fresh id, ``fraction`` a random number in [0, 1), ``sleep`` waits
    for seconds.
    """

    store: Store
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    fraction: Callable[[], float]
    sleep: Callable[[float], None]

    def carry_out(self, command: Command, budget: RetryBudget) -> Outcome:
        """Apply a command once, however often it has to be tried.

        ``budget`` counts the attempts, which the caller can read afterwards. Some may have been used before.

        Raises:
            Refusal: final; nothing stands in the ledger under the request's id.
            TryAgain: not settled in time; it may or may not stand in the ledger.
        """
        (result,) = _Group(self, [command], budget).run()
        if not isinstance(result, Outcome):
            raise result
        return result

    def adjust_all(self, commands: Sequence[Command], *, remaining_s: Callable[[], float]) -> list[Result]:
        """Apply commands for one stock item as if they had come one after the other, in their order.

        One transaction carries them, unless somebody is faster: up to ``GROUP_MAX`` ledger rows and one update of the
        stock item. A command that is refused is refused alone.

        Args:
            commands: 1 to ``GROUP_MAX``, for one variant of one business at one location; a command that names none is
                for the business's default location, which should be that one. None of them a reversal.
            remaining_s: the time left in seconds.

        Returns:
            What became of each, in their order. A command that was for the default location, where that is not the
            others' location any more, is to be tried again.

        Raises:
            ValueError: the commands are too many or none, or not for one stock item.
            Exception: what should not be, as a bug or a permission that is missing. Nothing of theirs is settled or
                under way then.
        """
        if not 1 <= len(commands) <= GROUP_MAX:
            raise ValueError("the commands do not make one transaction")
        if not _for_one_stock_item(commands):
            raise ValueError("the commands are not for one stock item")
        return _Group(self, commands, RetryBudget(remaining_s, self.sleep, self.fraction)).run()


@dataclass(frozen=True, slots=True, eq=False)
class _PendingRequest:
    """One command on its way, and the id of its ledger row."""

    command: Command
    id: UUID


@dataclass(frozen=True, slots=True)
class _Decided:
    """What one state makes of the requests: rows to commit, those refused, and those that repeat a row's request."""

    rows: dict[_PendingRequest, Adjustment] = field(default_factory=dict)
    refused: dict[_PendingRequest, Refusal] = field(default_factory=dict)
    repeated: dict[_PendingRequest, Adjustment] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Unsettled:
    """A transaction of which nobody knows what became, or will; ``seen_sequence`` is its condition."""

    rows: dict[_PendingRequest, Adjustment]
    location_id: UUID | None
    seen_sequence: int


class _Group:
    """Commands for one stock item on their way together: which of them wait still, and what became of the others."""

    def __init__(self, parts: Adjuster, commands: Sequence[Command], budget: RetryBudget) -> None:
        self._parts = parts
        self._budget = budget
        self._requests = [_PendingRequest(command, _row_id(command, parts.new_id)) for command in commands]
        self._results: dict[_PendingRequest, Result] = {}
        self._unsettled: list[_Unsettled] = []

    def run(self) -> list[Result]:
        try:
            self._settle_all()
        except RetryBudgetSpent:
            return self._results_or(TryAgain())
        except Exception as error:
            if not (self._unsettled or self._results):
                raise
            # Whatever this is, a transaction may be applied yet: nobody may be told that there is nothing of it. And
            # what was settled by now stays so: tried anew it could meet a fault of its own, and be told as a failure.
            unknown = TryAgain()
            unknown.__cause__ = error
            return self._results_or(unknown)
        return [self._results[request] for request in self._requests]

    def _results_or(self, error: TryAgain) -> list[Result]:
        return [self._results.get(request, error) for request in self._requests]

    def _settle_all(self) -> None:
        snapshot = self._parts.store.cached(self._located.command)
        while True:
            try:
                snapshot = self._try(snapshot or self._load())
            except RetryBudgetSpent:
                raise
            except StoreUnavailable:
                # After a commit the outcome is unknown: the next load looks for the rows before anything is decided.
                snapshot = None
            if not self._waiting:
                return
            if self._budget.attempts > 1:
                # All waits but the first are longer than a read: a state from before one has moved on a busy item.
                snapshot = None
            self._budget.next_attempt()

    @property
    def _waiting(self) -> list[_PendingRequest]:
        return [request for request in self._requests if request not in self._results]

    @property
    def _located(self) -> _PendingRequest:
        """One that waits: best one that names its location."""
        waiting = self._waiting
        return next((each for each in waiting if each.command.location_id is not None), waiting[0])

    def _load(self, *, before_refusal: bool = False) -> Snapshot:
        """Read; of one moment where a refusal is to be expected, as that needs no other look then."""
        self._budget.require_time()
        may_be_recorded = [each.id for each in self._waiting if self._may_be_recorded(each)]
        return self._parts.store.load(
            self._located.command,
            may_be_recorded,
            transactional=before_refusal and bool(may_be_recorded),
            require_time=self._budget.require_time,
        )

    def _may_be_recorded(self, request: _PendingRequest) -> bool:
        return request.command.idempotency_key is not None or bool(self._unsettled)

    def _try(self, snapshot: Snapshot) -> Snapshot | None:
        """Decide and commit once; while requests wait, the state to go on from, or None where it must be read again."""
        self._settle_recorded(snapshot)
        if any(snapshot.reversed_by == request.id for request in self._waiting):
            # The reversal is this request's own: its row was looked for a moment too early.
            return None
        decided = self._decide(snapshot)
        if decided.refused and snapshot.cached:
            return self._try(self._load(before_refusal=True))
        if decided.rows:
            result = self._commit(decided.rows, snapshot)
            if isinstance(result, Contended):
                return None
            if isinstance(result, Snapshot):
                self._settle_recorded(result)
                return result
            for request, row in decided.rows.items():
                self._results[request] = Outcome(row, replayed=False, attempts=self._budget.attempts)
            for request, row in decided.repeated.items():
                self._results[request] = self._recorded(request, row)
        self._refuse(decided, snapshot)
        return None

    def _decide(self, snapshot: Snapshot) -> _Decided:
        """Decide one request after the other, each from the stock that the one before leaves."""
        decided = _Decided()
        row_of_id: dict[UUID, Adjustment] = {}
        stock = snapshot.stock
        for request in self._waiting:
            if request.id in row_of_id:
                decided.repeated[request] = row_of_id[request.id]
                continue
            if not _belongs(request.command, snapshot):
                self._results[request] = TryAgain()
                continue
            now = self._parts.clock()
            try:
                row = decide(request.command, replace(snapshot, stock=stock), adjustment_id=request.id, now=now)
            except Refusal as refusal:
                decided.refused[request] = refusal
            else:
                decided.rows[request] = row_of_id[request.id] = row
                stock = stock_after(row)
        return decided

    def _commit(self, rows: dict[_PendingRequest, Adjustment], snapshot: Snapshot) -> CommitResult:
        self._budget.require_time()
        try:
            return self._parts.store.commit(list(rows.values()), snapshot)
        except StoreUnavailable:
            self._unsettled.append(_Unsettled(rows, snapshot.location_id, _sequence(snapshot)))
            raise

    def _refuse(self, decided: _Decided, snapshot: Snapshot) -> None:
        """Make refusals final, after one more look for the requests' rows, unless those were read with the stock.

        The first try of the same key may have been applied, and have emptied the stock, after this request looked for
        its row and before it read the stock. A try of this request's own that is still on its way could even be
        applied after the refusal: as long as the stock item stands where that try saw it, nothing is final. Nor is it
        where the default location changed in between: the stock item of that try is another one, and was not read.
        What another one has reversed, though, no try of this request's own can reverse any more.

        Where other requests were just committed, those stand, and a look that is not answered is repeated without
        them: what was refused is then decided once more, from the stock that they left.
        """
        # Of an id that was just given to another request of this group there was no row before, and can be no other.
        committed = {row.id for row in decided.rows.values()}
        open_to_doubt = [each for each in decided.refused if each.id not in committed and self._may_be_recorded(each)]
        recorded: Mapping[UUID, Adjustment] = {}
        if open_to_doubt and not snapshot.transactional:
            self._budget.require_time()
            recorded = self._parts.store.find(open_to_doubt[0].command.business_id, [each.id for each in open_to_doubt])
        for request, refusal in decided.refused.items():
            if request.id in recorded:
                self._results[request] = self._recorded(request, recorded[request.id])
            elif request in open_to_doubt and self._may_land(request, snapshot, commits=len(committed)):
                self._results[request] = TryAgain()
            else:
                self._results[request] = refusal

    def _may_land(self, request: _PendingRequest, snapshot: Snapshot, *, commits: int) -> bool:
        """Whether a try that is still on its way could yet append a row of this request's id.

        ``commits`` is how many rows were committed since the snapshot.
        """
        sequence = _sequence(snapshot) + commits
        return snapshot.reversed_by is None and any(
            each.location_id != snapshot.location_id or each.seen_sequence >= sequence
            for each in self._unsettled
            if any(row.id == request.id for row in each.rows.values())
        )

    def _settle_recorded(self, snapshot: Snapshot) -> None:
        for request in self._waiting:
            row = snapshot.recorded.get(request.id)
            if row is not None:
                self._results[request] = self._recorded(request, row)

    def _recorded(self, request: _PendingRequest, row: Adjustment) -> Result:
        """Answer from the ledger: this request's own row, an earlier one of the same request, or another's.

        A row counts as this request's own where it is equal to what was tried, to the microsecond. Two requests that
        decided the same at the same microsecond can't be told apart: then neither says that it is a replay.
        """
        if any(each.rows.get(request) == row for each in self._unsettled):
            return Outcome(row, replayed=False, attempts=self._budget.attempts)
        key = request.command.idempotency_key
        if key is None:
            raise AssertionError("a row bears an id that this request drew at random")
        if not same_request(request.command, row):
            return IdempotencyKeyReused(key=key)
        return Outcome(row, replayed=True, attempts=self._budget.attempts)


def _row_id(command: Command, new_id: Callable[[], UUID]) -> UUID:
    key = command.idempotency_key
    return new_id() if key is None else keyed_id(command.business_id, key)


def _sequence(snapshot: Snapshot) -> int:
    return snapshot.stock.sequence if snapshot.stock else 0


def _belongs(command: Command, snapshot: Snapshot) -> bool:
    """Whether a command is for the snapshot's stock item still: the default location may have changed meanwhile."""
    if command.location_id is not None or snapshot.business is None:
        return True
    return snapshot.business.default_location_id == snapshot.location_id


def _for_one_stock_item(commands: Sequence[Command]) -> bool:
    """Whether they may go together, as far as they say themselves where they are for."""
    variants = {(each.business_id, each.variant_id) for each in commands}
    named = {each.location_id for each in commands if each.location_id is not None}
    return len(variants) <= 1 and len(named) <= 1 and all(each.reverses is None for each in commands)
