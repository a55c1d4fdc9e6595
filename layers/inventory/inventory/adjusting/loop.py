"""The write use case: load, decide, commit; and again from the present state if another writer was faster.

A request has one line or, if it is a group, several that are applied together or not at all. Several requests can be
carried out together: one load, one decision after the other, each from the state that the one before leaves, and one
commit. A single request of one line, the usual case, takes the same way.

``rules.decide`` holds the business rules. This module holds the loop around it: what to read, when to try again, and
when an answer is final. It knows the tables only as a ``Store``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inventory.domain.errors import (
    IdempotencyKeyReused,
    Refusal,
    RejectedBefore,
    RetryBudgetSpent,
    RowMissing,
    StoreUnavailable,
    TryAgain,
)
from inventory.domain.model import (
    Adjustment,
    Command,
    Group,
    GroupOutcome,
    Outcome,
    ReversalLink,
    Snapshot,
    StockItem,
    StockItemId,
)
from inventory.domain.retry_budget import RetryBudget
from inventory.domain.rules import (
    RowIdentity,
    Trail,
    decide,
    group_row_id,
    group_row_ids,
    keyed_id,
    require_active,
    require_instants,
    same_request,
    stock_after,
    stock_item_id,
)
from inventory.domain.store import GROUP_MAX, OPERATIONS_MAX, CommitResult, Contended, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

type Result = Outcome | GroupOutcome | Refusal | TryAgain
"""What became of a request: an ``Outcome`` of a command, a ``GroupOutcome`` of a group.

A refusal is final; after ``TryAgain`` the request may or may not be in the ledger.
"""

type LevelAsOf = Callable[[StockItemId, StockItem, datetime, Callable[[], None]], int]
"""Gives the quantity on hand of a stock item at an instant before its last row, and with the change of that instant.

It takes the stock item as it was read, and a function to call before each further call to the tables.
It raises ``StoreUnavailable`` while that can't be told for sure.
"""


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
    level_as_of: LevelAsOf

    def carry_out(self, command: Command, budget: RetryBudget) -> Outcome:
        """Apply a command once, in as many attempts as it needs.

        ``budget`` counts the attempts, and the caller can read it afterwards. Some may be used before.

        Raises:
            Refusal: final; no ledger row has the request's id.
            TryAgain: the outcome is unknown, or the time was too short.
        """
        (result,) = _Run(self, [command], budget).run()
        if isinstance(result, Outcome):
            return result
        raise _error_of(result)

    def carry_out_group(self, group: Group, budget: RetryBudget) -> GroupOutcome:
        """Apply a group once: all of its lines or none.

        Raises:
            Refusal: final; nothing was written. It has the first line that is refused.
            TryAgain: the outcome is unknown, or the time was too short.
            ValueError: the group does not fit into one transaction.
        """
        (result,) = _Run(self, [group], budget).run()
        if isinstance(result, GroupOutcome):
            return result
        raise _error_of(result)

    def adjust_all(self, requests: Sequence[Command | Group], *, remaining_s: Callable[[], float]) -> list[Result]:
        """Apply requests with the same results as one after the other, in their order.

        Unless another writer is faster, one transaction appends all rows and updates each stock item once. The refusal
        of one request does not affect the others.

        Args:
            requests: of one business; their lines make one transaction. None is a reversal.
            remaining_s: the time left in seconds.

        Returns:
            The result of each, in their order.

        Raises:
            ValueError: there are too many lines or none.
            Exception: a bug or a missing permission. Then no request was applied, and none will be.
        """
        return _Run(self, requests, RetryBudget(remaining_s, self.sleep, self.fraction)).run()


def _error_of(result: Result) -> Refusal | TryAgain:
    if isinstance(result, Refusal | TryAgain):
        return result
    raise AssertionError("a request has the result of another kind")


class _Request:
    """Lines that are applied together or not at all, and the identities of their rows.

    Two requests are never equal, even with the same lines.
    """

    __slots__ = ("group", "id", "identities", "lines")

    def __init__(self, request: Command | Group, new_id: Callable[[], UUID]) -> None:
        self.group = request if isinstance(request, Group) else None
        self.lines = request.lines if isinstance(request, Group) else (request,)
        first = self.lines[0]
        key = first.idempotency_key
        self.id = new_id() if key is None else keyed_id(first.business_id, key, first.key_line)
        self.identities: Sequence[RowIdentity] = (RowIdentity(self.id),)
        if self.group is not None:
            size = len(self.lines)
            self.identities = [RowIdentity(group_row_id(self.id, line), self.id, line, size) for line in range(size)]

    @property
    def key(self) -> str | None:
        return self.lines[0].idempotency_key

    @property
    def reverses(self) -> UUID | None:
        """The id of the row or group that the request takes back."""
        return self.lines[0].reverses if self.group is None else self.group.reverses

    @property
    def message_digest(self) -> str | None:
        return self.lines[0].message_digest

    @property
    def link(self) -> ReversalLink | None:
        reverses = self.reverses
        if reverses is None:
            return None
        return ReversalLink(reverses, self.id, () if self.group is None else self.group.left_out)

    def matches(self, rows: Sequence[Adjustment]) -> bool:
        """Whether an equal request made the rows."""
        pairs = zip(self.lines, rows, self.identities, strict=True)
        return all(same_request(line, row, identity) for line, row, identity in pairs)

    def outcome(self, rows: Sequence[Adjustment], *, replayed: bool, attempts: int) -> Outcome | GroupOutcome:
        if self.group is None:
            return Outcome(rows[0], replayed=replayed, attempts=attempts)
        return GroupOutcome(tuple(rows), replayed=replayed, attempts=attempts)


type _Rows = tuple[Adjustment, ...]


class _Decisions:
    """The decisions from one snapshot: rows to commit, refusals, and requests that repeat one of those with rows.

    ``trails`` has the states that the rows lead to.
    """

    __slots__ = ("refused", "repeated", "rows", "trails")

    def __init__(self, snapshot: Snapshot) -> None:
        self.rows: dict[_Request, _Rows] = {}
        self.refused: dict[_Request, Refusal] = {}
        self.repeated: dict[_Request, _Rows] = {}
        self.trails: dict[StockItemId, Trail] = {each: (stock,) for each, stock in snapshot.stock.items()}


class _UnansweredCommit:
    """A transaction of unknown outcome, which may still be applied later.

    Its condition is that each stock item still has the sequence in ``seen``.
    """

    __slots__ = ("rows", "seen")

    def __init__(self, rows: dict[_Request, _Rows], seen: Mapping[StockItemId, int]) -> None:
        self.rows = rows
        self.seen = seen


class _Run:
    """Requests that are carried out together. A request is pending until it has a result."""

    def __init__(self, adjuster: Adjuster, requests: Sequence[Command | Group], budget: RetryBudget) -> None:
        self._adjuster = adjuster
        self._store = adjuster.store
        self._budget = budget
        self._requests = [_Request(each, adjuster.new_id) for each in requests]
        self._results: dict[_Request, Result] = {}
        self._unanswered: list[_UnansweredCommit] = []
        self._past_levels: dict[tuple[StockItemId, datetime], int] = {}
        if not 1 <= sum(len(each.lines) for each in self._requests) <= GROUP_MAX:
            raise ValueError("the requests do not make one transaction")

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
        snapshot = self._store.cached(self._pending_lines)
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
    def _pending_lines(self) -> list[Command]:
        return [line for request in self._pending for line in request.lines]

    def _load(self, *, refusal_expected: bool = False) -> Snapshot:
        """Read the present state. If a refusal is expected, read it in one transaction, which a refusal can rest on."""
        self._budget.require_time()
        pending = self._pending
        recorded_ids = [each.id for each in pending if self._can_be_recorded(each)]
        must_be_of_one_moment = bool(recorded_ids) or any(len(each.lines) > 1 for each in pending)
        return self._store.load(
            self._pending_lines,
            recorded_ids,
            reverses=pending[0].reverses,
            transactional=refusal_expected and must_be_of_one_moment,
            require_time=self._budget.require_time,
        )

    def _can_be_recorded(self, request: _Request) -> bool:
        """Whether the ledger can already have a row with the request's id."""
        return request.key is not None or bool(self._unanswered)

    def _attempt(self, snapshot: Snapshot, *, refusal_expected: bool = False) -> Snapshot | None:
        """Decide and commit once. Return the state to continue from; None if it must be read, or nothing is pending."""
        self._settle_recorded(snapshot)
        if any(snapshot.reversed_by == request.id for request in self._pending):
            # The request itself made that reversal. Its row was committed after the load looked for it.
            return None
        snapshot = self._with_past_levels(snapshot)
        decisions = self._decide(snapshot)
        if not refusal_expected and self._needs_better_read(decisions, snapshot):
            return self._attempt(self._load(refusal_expected=True), refusal_expected=True)
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

    def _needs_better_read(self, decisions: _Decisions, snapshot: Snapshot) -> bool:
        """Whether no refusal may rest on the snapshot.

        Several stock items that were read one by one can show a state that never was.
        """
        if snapshot.cached:
            return bool(decisions.refused)
        is_split = any(len(request.lines) > 1 for request in decisions.refused)
        return is_split and not snapshot.transactional and not decisions.rows

    def _with_past_levels(self, snapshot: Snapshot) -> Snapshot:
        """Add the levels that counts need, of instants before the last rows of their stock items.

        Each is read once, as the past of a stock item never changes.
        """
        levels = self._past_levels
        for line in self._pending_lines:
            if line.counted_at is None:
                continue
            counted = stock_item_id(line, snapshot)
            stock = None if counted is None else snapshot.stock.get(counted)
            if counted is None or stock is None or stock.sequence == 1 or stock.updated_at <= line.counted_at:
                continue
            is_superseded = stock.counted_through is not None and stock.counted_through > line.counted_at
            if not is_superseded and (counted, line.counted_at) not in levels:
                self._budget.require_time()
                levels[counted, line.counted_at] = self._adjuster.level_as_of(
                    counted, stock, line.counted_at, self._budget.require_time
                )
        return snapshot._replace(past_levels=levels) if levels else snapshot

    def _decide(self, snapshot: Snapshot) -> _Decisions:
        """Decide one request after the other, each from the stock that the one before leaves.

        A request for which the transaction has no room any more stays pending, and so do those after it.
        """
        decisions = _Decisions(snapshot)
        rows_of_id: dict[UUID, _Rows] = {}
        changed: set[StockItemId] = set()
        operations = 0
        for request in self._pending:
            if request.id in rows_of_id:
                decisions.repeated[request] = rows_of_id[request.id]
                continue
            trails = dict(decisions.trails)
            try:
                rows = self._decide_lines(request, snapshot, trails)
            except Refusal as refusal:
                decisions.refused[request] = refusal
                continue
            changed |= {row.stock_item_id for row in rows}
            operations += len(rows) + (request.message_digest is not None)
            if operations + len(changed) > OPERATIONS_MAX:
                if not decisions.rows:
                    raise ValueError("the group does not make one transaction")
                break
            decisions.trails.update(trails)
            decisions.rows[request] = rows_of_id[request.id] = rows
        return decisions

    def _decide_lines(self, request: _Request, snapshot: Snapshot, trails: dict[StockItemId, Trail]) -> _Rows:
        """Decide all lines of a request, each from the state that the line before left. ``trails`` changes with them.

        Raises:
            Refusal: of the first line that is refused.
        """
        now = self._adjuster.clock()
        group = request.group
        require_instants(request.lines, now, rows_per_line=None if group is None else group.rows_per_line)
        rows: list[Adjustment] = []
        for line, identity in zip(request.lines, request.identities, strict=True):
            try:
                if group is not None and group.rows_per_line > 1 and len(rows) % group.rows_per_line == 0:
                    # Both places of a transfer have to exist before the stock of one is looked at.
                    for side in request.lines[len(rows) : len(rows) + group.rows_per_line]:
                        require_active(side, snapshot)
                row = decide(line, snapshot, trails, identity=identity, now=now)
            except Refusal as refusal:
                if group is not None and group.reverses is None:
                    refusal.line = len(rows) // group.rows_per_line
                raise
            trail = trails.get(row.stock_item_id, ())
            trails[row.stock_item_id] = (*trail, stock_after(row, trail[-1] if trail else None))
            rows.append(row)
        return tuple(rows)

    def _commit(self, rows: dict[_Request, _Rows], snapshot: Snapshot) -> CommitResult:
        self._budget.require_time()
        in_order = [row for rows_of_request in rows.values() for row in rows_of_request]
        message_digests = [each.message_digest for each in rows if each.message_digest is not None]
        try:
            return self._store.commit(in_order, snapshot, next(iter(rows)).link, message_digests)
        except StoreUnavailable:
            changed = {row.stock_item_id for row in in_order}
            seen = {each: _sequence_of(snapshot.stock.get(each)) for each in changed}
            self._unanswered.append(_UnansweredCommit(rows, seen))
            raise

    def _settle_committed(self, decisions: _Decisions) -> None:
        for request, rows in decisions.rows.items():
            self._results[request] = request.outcome(rows, replayed=False, attempts=self._budget.attempts)
        for request, rows in decisions.repeated.items():
            self._results[request] = self._result_from_rows(request, rows)

    def _settle_refused(self, decisions: _Decisions, snapshot: Snapshot) -> None:
        """Make refusals final, unless the request's own row explains them.

        An earlier attempt with the same key may have been applied, and have emptied the stock, after this load looked
        for its row and before it read the stock. So the ledger is read once more, unless rows and stock were read in
        one transaction.

        If an unanswered commit of this request can still be applied, the refusal becomes ``TryAgain``.

        Where other requests were just committed, they keep their results. If this read fails, the next attempt decides
        the refused requests again, from the stock that the commit left. So it does with a refused group, as some of its
        stock items may have changed after they were read.
        """
        refused = {each: why for each, why in decisions.refused.items() if len(each.lines) == 1 or not decisions.rows}
        # No other row can have an id that was just committed for another request of this run.
        committed_ids = {rows[0].id for rows in decisions.rows.values()}
        uncertain = [each for each in refused if each.id not in committed_ids and self._can_be_recorded(each)]
        recorded: Mapping[UUID, Adjustment] = {}
        if uncertain and not snapshot.transactional:
            self._budget.require_time()
            recorded = self._store.find(uncertain[0].lines[0].business_id, [each.id for each in uncertain])
        sequences = {each: trail[-1].sequence for each, trail in decisions.trails.items()}
        for request, refusal in refused.items():
            if request.id in recorded:
                self._results[request] = self._result_from_first_row(request, recorded[request.id])
            elif request in uncertain and self._can_still_be_applied(request, snapshot, sequences):
                self._results[request] = TryAgain()
            else:
                self._results[request] = refusal

    def _can_still_be_applied(
        self, request: _Request, snapshot: Snapshot, sequences: Mapping[StockItemId, int]
    ) -> bool:
        """Whether an unanswered commit can still append rows with the request's ids.

        It can while each of its stock items has the sequence that the commit saw. So it can for one that was not read,
        because the default location has changed. It cannot if what it reverses was reversed by another request.
        ``sequences`` are those of the stock items that were read, after the rows that were just committed.
        """
        return snapshot.reversed_by is None and any(
            all(seen >= sequences.get(each, 0) for each, seen in commit.seen.items())
            for commit in self._unanswered
            if any(rows[0].id == request.id for rows in commit.rows.values())
        )

    def _settle_recorded(self, snapshot: Snapshot) -> None:
        if not snapshot.recorded and not snapshot.rejected:
            return
        for request in self._pending:
            row = snapshot.recorded.get(request.id)
            rejection = snapshot.rejected.get(request.message_digest or "")
            if rejection is not None:
                self._results[request] = RejectedBefore(rejection)
            elif row is not None:
                self._results[request] = self._result_from_first_row(request, row)

    def _result_from_first_row(self, request: _Request, first: Adjustment) -> Result:
        """Answer with the rows of a request or of its key's earlier one, of which the first row is known."""
        if len(request.lines) == 1 or first.group_size != len(request.lines):
            return self._result_from_rows(request, (first,))
        self._budget.require_time()
        ids = group_row_ids(first)
        found = self._store.find(first.business_id, ids)
        if len(found) < len(ids):
            raise RowMissing({"group_id": str(first.id)})
        return self._result_from_rows(request, tuple(found[each] for each in ids))

    def _result_from_rows(self, request: _Request, rows: _Rows) -> Result:
        """Answer with the ledger rows that have the request's ids: its own, those of the same request, or another's.

        Rows are this request's own if they equal those of one of its attempts, to the microsecond. Two requests that
        decided the same at the same microsecond are indistinguishable; then neither of them is called a replay.
        """
        if any(each.rows.get(request) == rows for each in self._unanswered):
            return request.outcome(rows, replayed=False, attempts=self._budget.attempts)
        if request.key is None:
            raise AssertionError("a row has an id that this request drew at random")
        if len(rows) != len(request.lines) or not request.matches(rows):
            return IdempotencyKeyReused(key=request.key)
        return request.outcome(rows, replayed=True, attempts=self._budget.attempts)


def _sequence_of(stock: StockItem | None) -> int:
    return stock.sequence if stock else 0
