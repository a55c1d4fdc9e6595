"""The write use case: load, decide, commit; and again from the present state if another writer was faster.

Requests for one stock item go together: one load, one decision after the other, each from the state that the one before
leaves, and one commit. A single request, as the API has it, is a group of one.

``rules.decide`` holds the business rules. This module holds the loop around it: what to read, when to try again, and
when an answer is final. It knows the tables only as a ``Store``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
"""What became of a request. A refusal is final; after ``TryAgain`` the adjustment may or may not be in the ledger."""


class Adjuster(NamedTuple):
    """The loop with its dependencies.

    ``clock`` gives the present in UTC, ``new_id`` a new random id, ``fraction`` a random number in [0, 1). ``sleep``
    waits for seconds.
    """

    store: Store
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    fraction: Callable[[], float]
    sleep: Callable[[float], None]

    def carry_out(self, command: Command, budget: RetryBudget) -> Outcome:
        """Apply a command once, in as many attempts as it needs.

        ``budget`` counts the attempts, and the caller can read it afterwards. Some may be used before.

        Raises:
            Refusal: final; no ledger row has the request's id.
            TryAgain: the outcome is unknown, or the time was too short.
        """
        (result,) = _Group(self, [command], budget).run()
        if not isinstance(result, Outcome):
            raise result
        return result

    def adjust_all(self, commands: Sequence[Command], *, remaining_s: Callable[[], float]) -> list[Result]:
        """Apply commands for one stock item with the same results as one after the other, in their order.

        Unless another writer is faster, one transaction appends all rows and updates the stock item once. The refusal
        of one command does not affect the others.

        Args:
            commands: 1 to ``GROUP_MAX``, for one variant of one business at one location. A command without a location
                is for the business's default one, which should be that location. None is a reversal.
            remaining_s: the time left in seconds.

        Returns:
            The result of each, in their order. It is ``TryAgain`` for a command without a location, if the default one
            is no longer the location of the others.

        Raises:
            ValueError: there are too many commands or none, or they are not for one stock item.
            Exception: a bug or a missing permission. Then no command was applied, and none will be.
        """
        if not 1 <= len(commands) <= GROUP_MAX:
            raise ValueError("the commands do not make one transaction")
        if not _are_for_one_stock_item(commands):
            raise ValueError("the commands are not for one stock item")
        return _Group(self, commands, RetryBudget(remaining_s, self.sleep, self.fraction)).run()


class _Request:
    """One command, and the id of its ledger row. Two requests are never equal, even with the same command."""

    __slots__ = ("command", "id")

    def __init__(self, command: Command, request_id: UUID) -> None:
        self.command = command
        self.id = request_id


class _Decisions(NamedTuple):
    """The decisions from one snapshot: rows to commit, refusals, and requests that repeat one of those rows."""

    rows: dict[_Request, Adjustment]
    refused: dict[_Request, Refusal]
    repeated: dict[_Request, Adjustment]


class _UnansweredCommit(NamedTuple):
    """A transaction of unknown outcome, which may still be applied later.

    Its condition is a stock item at ``location_id`` with the sequence ``seen_sequence``.
    """

    rows: dict[_Request, Adjustment]
    location_id: UUID | None
    seen_sequence: int


class _Group:
    """Commands for one stock item that are carried out together. A request is pending until it has a result."""

    def __init__(self, adjuster: Adjuster, commands: Sequence[Command], budget: RetryBudget) -> None:
        self._adjuster = adjuster
        self._store = adjuster.store
        self._budget = budget
        self._requests = [_Request(command, _row_id(command, adjuster.new_id)) for command in commands]
        self._results: dict[_Request, Result] = {}
        self._unanswered: list[_UnansweredCommit] = []

    def run(self) -> list[Result]:
        try:
            self._attempt_until_done()
        except RetryBudgetSpent:
            return self._results_or(TryAgain())
        except Exception as error:
            if not (self._unanswered or self._results):
                raise
            # An unanswered transaction may still be applied, so no caller may learn that nothing was done. And the
            # results so far are final: if all were tried again, one could meet a fault and be reported as failed.
            unknown = TryAgain()
            unknown.__cause__ = error
            return self._results_or(unknown)
        return [self._results[request] for request in self._requests]

    def _results_or(self, error: TryAgain) -> list[Result]:
        return [self._results.get(request, error) for request in self._requests]

    def _attempt_until_done(self) -> None:
        snapshot = self._store.cached(self._request_to_load_for.command)
        while True:
            try:
                snapshot = self._attempt(snapshot or self._load())
            except RetryBudgetSpent:
                raise
            except StoreUnavailable:
                # After a commit the outcome is unknown: the next load looks for the rows before the next decision.
                snapshot = None
            if not self._pending:
                return
            if self._budget.attempts > 1:
                # Every wait but the first takes longer than a read, so on a contended item the state will be old.
                snapshot = None
            self._budget.next_attempt()

    @property
    def _pending(self) -> list[_Request]:
        return [request for request in self._requests if request not in self._results]

    @property
    def _request_to_load_for(self) -> _Request:
        """The pending request to load for; prefers one with an explicit location."""
        pending = self._pending
        return next((each for each in pending if each.command.location_id is not None), pending[0])

    def _load(self, *, refusal_expected: bool = False) -> Snapshot:
        """Read the present state. If a refusal is expected, read it in one transaction, which a refusal can rest on."""
        self._budget.require_time()
        recorded_ids = [each.id for each in self._pending if self._can_be_recorded(each)]
        return self._store.load(
            self._request_to_load_for.command,
            recorded_ids,
            transactional=refusal_expected and bool(recorded_ids),
            require_time=self._budget.require_time,
        )

    def _can_be_recorded(self, request: _Request) -> bool:
        """Whether the ledger can already have a row with the request's id."""
        return request.command.idempotency_key is not None or bool(self._unanswered)

    def _attempt(self, snapshot: Snapshot) -> Snapshot | None:
        """Decide and commit once. Return the state to continue from; None if it must be read, or nothing is pending."""
        self._settle_recorded(snapshot)
        if any(snapshot.reversed_by == request.id for request in self._pending):
            # The request itself made that reversal. Its row was committed after the load looked for it.
            return None
        decisions = self._decide(snapshot)
        if decisions.refused and snapshot.cached:
            return self._attempt(self._load(refusal_expected=True))
        if decisions.rows:
            result = self._commit(decisions.rows, snapshot)
            if isinstance(result, Contended):
                return None
            if isinstance(result, Snapshot):
                self._settle_recorded(result)
                return result
            self._settle_committed(decisions)
        self._settle_refused(decisions, snapshot)
        return None

    def _decide(self, snapshot: Snapshot) -> _Decisions:
        """Decide one request after the other, each from the stock that the one before leaves."""
        decisions = _Decisions({}, {}, {})
        row_of_id: dict[UUID, Adjustment] = {}
        stock = snapshot.stock
        for request in self._pending:
            if request.id in row_of_id:
                decisions.repeated[request] = row_of_id[request.id]
                continue
            if not _is_for_location_of(request.command, snapshot):
                self._results[request] = TryAgain()
                continue
            now = self._adjuster.clock()
            try:
                row = decide(request.command, snapshot._replace(stock=stock), adjustment_id=request.id, now=now)
            except Refusal as refusal:
                decisions.refused[request] = refusal
            else:
                decisions.rows[request] = row_of_id[request.id] = row
                stock = stock_after(row)
        return decisions

    def _commit(self, rows: dict[_Request, Adjustment], snapshot: Snapshot) -> CommitResult:
        self._budget.require_time()
        try:
            return self._store.commit(list(rows.values()), snapshot)
        except StoreUnavailable:
            self._unanswered.append(_UnansweredCommit(rows, snapshot.location_id, _sequence_of(snapshot)))
            raise

    def _settle_committed(self, decisions: _Decisions) -> None:
        for request, row in decisions.rows.items():
            self._results[request] = Outcome(row, replayed=False, attempts=self._budget.attempts)
        for request, row in decisions.repeated.items():
            self._results[request] = self._result_from_row(request, row)

    def _settle_refused(self, decisions: _Decisions, snapshot: Snapshot) -> None:
        """Make refusals final, unless the request's own row explains them.

        An earlier attempt with the same key may have been applied, and have emptied the stock, after this load looked
        for its row and before it read the stock. So the ledger is read once more, unless rows and stock were read in
        one transaction.

        If an unanswered commit of this request can still be applied, the refusal becomes ``TryAgain``.

        Where other requests were just committed, they keep their results. If this read fails, the next attempt decides
        the refused requests again, from the stock that the commit left.
        """
        # No other row can have an id that was just committed for another request of this group.
        committed_ids = {row.id for row in decisions.rows.values()}
        uncertain = [each for each in decisions.refused if each.id not in committed_ids and self._can_be_recorded(each)]
        recorded: Mapping[UUID, Adjustment] = {}
        if uncertain and not snapshot.transactional:
            self._budget.require_time()
            recorded = self._store.find(uncertain[0].command.business_id, [each.id for each in uncertain])
        for request, refusal in decisions.refused.items():
            if request.id in recorded:
                self._results[request] = self._result_from_row(request, recorded[request.id])
            elif request in uncertain and self._can_still_be_applied(
                request, snapshot, rows_committed=len(committed_ids)
            ):
                self._results[request] = TryAgain()
            else:
                self._results[request] = refusal

    def _can_still_be_applied(self, request: _Request, snapshot: Snapshot, *, rows_committed: int) -> bool:
        """Whether an unanswered commit can still append a row with the request's id.

        It can while the stock item has the sequence that the commit saw. It also can if the commit was for another
        location, because the default one has changed: that stock item was not read. It cannot if the adjustment that it
        reverses was reversed by another request. ``rows_committed`` is the number of rows since the snapshot.
        """
        sequence = _sequence_of(snapshot) + rows_committed
        return snapshot.reversed_by is None and any(
            each.location_id != snapshot.location_id or each.seen_sequence >= sequence
            for each in self._unanswered
            if any(row.id == request.id for row in each.rows.values())
        )

    def _settle_recorded(self, snapshot: Snapshot) -> None:
        for request in self._pending:
            row = snapshot.recorded.get(request.id)
            if row is not None:
                self._results[request] = self._result_from_row(request, row)

    def _result_from_row(self, request: _Request, row: Adjustment) -> Result:
        """Answer with the ledger row that has the request's id: its own, that of the same request, or another one's.

        A row is this request's own if it equals one of its attempts, to the microsecond. Two requests that decided the
        same at the same microsecond are indistinguishable; then neither of them is called a replay.
        """
        if any(each.rows.get(request) == row for each in self._unanswered):
            return Outcome(row, replayed=False, attempts=self._budget.attempts)
        key = request.command.idempotency_key
        if key is None:
            raise AssertionError("a row has an id that this request drew at random")
        if not same_request(request.command, row):
            return IdempotencyKeyReused(key=key)
        return Outcome(row, replayed=True, attempts=self._budget.attempts)


def _row_id(command: Command, new_id: Callable[[], UUID]) -> UUID:
    key = command.idempotency_key
    return new_id() if key is None else keyed_id(command.business_id, key)


def _sequence_of(snapshot: Snapshot) -> int:
    return snapshot.stock.sequence if snapshot.stock else 0


def _is_for_location_of(command: Command, snapshot: Snapshot) -> bool:
    """Whether the command is for the snapshot's location. The default location may have changed meanwhile."""
    if command.location_id is not None or snapshot.business is None:
        return True
    return snapshot.business.default_location_id == snapshot.location_id


def _are_for_one_stock_item(commands: Sequence[Command]) -> bool:
    """Whether the commands can be for one stock item, as far as they name it."""
    variants = {(each.business_id, each.variant_id) for each in commands}
    locations = {each.location_id for each in commands if each.location_id is not None}
    return len(variants) <= 1 and len(locations) <= 1 and all(each.reverses is None for each in commands)
