"""Broken variants of the service, each as somebody might write it: the checker must catch every one of them.

A variant is made by putting a part in the place of one of the service's own, for as long as a history runs.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from copy import replace
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, override
from unittest.mock import patch

from inventory.adjusting import loop
from inventory.api import writes
from inventory.domain import rules
from inventory.domain.errors import (
    IdempotencyKeyReused,
    InvalidRequest,
    RetryBudgetSpent,
    StaleQuantity,
    StoreUnavailable,
    TryAgain,
)
from inventory.domain.hash_chain import row_hash
from inventory.domain.model import GroupOutcome, Outcome
from inventory.domain.store import Committed
from inventory.entrypoints import queue
from inventory.storage import catalog as catalog_items
from inventory.storage import items, rejections, stock_store, tokens
from inventory.storage.cache import Cache
from inventory.storage.catalog import Catalog
from inventory.storage.rejections import RejectionMarkers
from inventory.storage.stock_store import StockStore
from inventory.storage.tokens import TokenTable
from tests.simulation.clients import SimulatedClient
from tests.simulation.service import Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from inventory.aws.event_bus import EventBus
    from inventory.domain.model import Adjustment, Command, Rejection, ReversalLink, Snapshot
    from inventory.domain.retry_budget import RetryBudget
    from inventory.domain.store import CommitResult
    from inventory.entrypoints.queue import Message
    from inventory.storage.catalog import Change


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken variant: other parts of environments, or another function in the place of one of the service's."""

    says: str
    parts: Parts = field(default_factory=Parts)
    change: Callable[[], AbstractContextManager[object]] = nullcontext


class _ConflictIsFinal(StockStore):
    @override
    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        result = super().commit(rows, snapshot, link, message_digests)
        if not isinstance(result, Committed):
            stock = snapshot.stock.get(rows[0].stock_item_id)
            raise StaleQuantity(quantity_on_hand=stock.quantity if stock else 0)
        return result


class _NoAnswerIsSuccess(StockStore):
    @override
    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        try:
            return super().commit(rows, snapshot, link, message_digests)
        except StoreUnavailable:
            return Committed()


class _RowUnconditional(StockStore):
    @override
    def _row_put(self, row: Adjustment) -> Any:
        return _without_condition(super()._row_put(row))


class _StockUnconditional(StockStore):
    @override
    def _stock_update(self, *arguments: Any) -> Any:
        return _without_condition(super()._stock_update(*arguments))


class _LinkUnconditional(StockStore):
    @override
    def _link_put(self, *arguments: Any) -> Any:
        return _without_condition(super()._link_put(*arguments))


class _LooksPartByPart(StockStore):
    """Looks for rows by a batch of reads instead of a transaction."""

    @override
    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        wanted = [(self._ledger_table, key) for key in stock_store._row_keys(business_id, adjustment_ids)]
        return items.adjustments_by_id(self._batch_get(wanted).rows)


class _RemembersPastConflicts(StockStore):
    """Answers a load from what it saw last of the item, and keeps that when it turned out to be stale."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._seen: dict[object, Snapshot] = {}

    @override
    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        return None

    @override
    def load(self, commands: Sequence[Command], recorded_ids: Sequence[UUID] = (), **how: Any) -> Snapshot:
        key = tuple((each.business_id, each.variant_id, each.location_id, each.reverses) for each in commands)
        if key in self._seen:
            return replace(self._seen[key], recorded={})
        self._seen[key] = super().load(commands, recorded_ids, **how)
        return self._seen[key]


class _RefusesFromMemory(StockStore):
    """Takes what it remembers for what it has read."""

    @override
    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        snapshot = super().cached(commands)
        return snapshot and replace(snapshot, cached=False, transactional=True)


class _OneTokenForEachRow(SimulatedClient):
    """Derives the transaction's client token from the row's key: the same one for each attempt, with any content."""

    @override
    def transact_write_items(self, **request: Any) -> Any:
        row = next((part["Put"]["Item"] for part in request["TransactItems"] if "Put" in part), None)
        if row is not None:
            request["ClientRequestToken"] = row["pk"]["S"][-36:]
        return super().transact_write_items(**request)


class _TwoTransactions(StockStore):
    """Writes the first stock item of a group, and then the others."""

    @override
    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        first = [row for row in rows if row.stock_item_id == rows[0].stock_item_id]
        others = [row for row in rows if row not in first]
        result = super().commit(first, snapshot, link, message_digests)
        if others and isinstance(result, Committed):
            return super().commit(others, snapshot)
        return result


def _of_the_first_line(run: Any, request: Any, first: Adjustment) -> Any:
    """Take a group for a replay if its first line is."""
    if first.group_size is None or request.group is None:
        return _FROM_FIRST_ROW(run, request, first)
    ids = rules.group_row_ids(first)
    found = run._store.find(first.business_id, ids)
    rows = tuple(found[each] for each in ids if each in found)
    first_line = request.identities[0]._replace(group_size=first.group_size)
    if request.key is None or not rules.same_request(request.lines[0], first, first_line):
        return _FROM_FIRST_ROW(run, request, first)
    is_own = any(each.rows.get(request) == rows for each in run._unanswered)
    return request.outcome(rows, replayed=not is_own, attempts=run._budget.attempts)


_FROM_FIRST_ROW = loop._Run._result_from_first_row


@contextmanager
def _counts_decided_once() -> Iterator[None]:
    """A count keeps the change that it was first decided to be, whatever the stock is when it is written."""
    deltas: dict[Command, int] = {}

    def decided(command: Command, snapshot: Snapshot, trails: Any, **named: Any) -> Adjustment:
        row = _DECIDE(command, snapshot, trails, **named)
        if command.kind != "count":
            return row
        delta = deltas.setdefault(command, row.delta)
        row = replace(row, delta=delta, quantity_after=row.quantity_after - row.delta + delta)
        return replace(row, hash=row_hash(row))

    with patch.object(loop, "decide", decided):
        yield


def _without_condition(part: Any) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != "ConditionExpression"}


def _refuse_at_once(group: Any, decisions: Any, _: Snapshot) -> None:
    for request, refusal in decisions.refused.items():
        group._results[request] = refusal


@contextmanager
def _fresh_ids() -> Iterator[None]:
    """After each unknown outcome the request gets another id."""
    load = loop._Run._load

    def load_under_new_ids(group: Any, **named: Any) -> Snapshot:
        if group._unanswered:
            group._unanswered.clear()
            group._requests = [
                _under_fresh_ids(request, group) if request not in group._results else request
                for request in group._requests
            ]
        return load(group, **named)

    with patch.object(loop._Run, "_load", load_under_new_ids):
        yield


def _under_fresh_ids(request: Any, run: Any) -> Any:
    changes = {"idempotency_key": None}
    lines = tuple(replace(line, **changes) for line in request.lines)
    asked = lines[0] if request.group is None else replace(request.group, lines=lines)
    fresh = loop._Request(asked, run._adjuster.new_id)
    fresh.lines = request.lines
    return fresh


def _publish_nothing(messages: list[Message], _bus: EventBus, _budget: RetryBudget) -> None:
    for message in messages:
        message.is_done = message.is_done or queue._event_of(message) is not None


@contextmanager
def _rejections_recorded_once_published() -> Iterator[None]:
    waiting: list[tuple[Any, ...]] = []

    def publish(*arguments: Any) -> None:
        _PUBLISH_REJECTIONS(*arguments)
        (recording,) = (each for each in waiting if each[0] is arguments[0])
        waiting.remove(recording)
        _RECORD_REJECTIONS(*recording)

    with (
        patch.object(queue, "_record_rejections", lambda *arguments: waiting.append(arguments)),
        patch.object(queue, "_publish_rejections", publish),
    ):
        yield


_PUBLISH_REJECTIONS = queue._publish_rejections
_RECORD_REJECTIONS = queue._record_rejections


def _dawdle(client: Any) -> None:
    client._database._scheduler.sleep(0.5 * client._database._chance.random())


class _RecordsRejectionsUnseen(RejectionMarkers):
    """Takes its time, too, so that another delivery often is in between."""

    @override
    def put(self, message_digest: str, rejection: Rejection, row_id: tuple[UUID, UUID] | None) -> Any:
        _dawdle(self._client)
        return super().put(message_digest, rejection, None)


class _FindsNoRejections(RejectionMarkers):
    @override
    def find(self, message_digests: Sequence[str]) -> dict[str, Rejection]:
        return {}


class _ForgetsMessages(StockStore):
    """Takes its time, too."""

    @override
    def load(self, commands: Sequence[Command], recorded_ids: Sequence[UUID] = (), **how: Any) -> Snapshot:
        if commands[0].message_digest is not None:
            _dawdle(self._client)
        return super().load(commands, recorded_ids, **how)

    @override
    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        return None if commands[0].message_digest is not None else super().cached(commands)

    @override
    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        return super().commit(rows, snapshot, link)


@contextmanager
def _any_reply_is_whole() -> Iterator[None]:
    with ExitStack() as stack:
        for module in (stock_store, tokens, rejections):
            stack.enter_context(patch.object(module, "require_complete", lambda _: None))
        yield


class _SequenceIsAll(StockStore):
    """Takes a stock item of the same sequence for the one that was seen, whatever its history."""

    @override
    def _stock_update(self, *arguments: Any) -> Any:
        update = super()._stock_update(*arguments)
        condition = update["ConditionExpression"].replace(" AND head_hash = :seen_hash", "")
        return update | {"ConditionExpression": condition}


def _write_or_hope(catalog: Catalog, changes: Sequence[Change], now: datetime) -> bool:
    with suppress(StoreUnavailable):
        return _WRITE(catalog, changes, now)
    return True


def _write_no_deactivation(catalog: Catalog, changes: Sequence[Change], now: datetime) -> bool:
    ends = [each for each in changes if each.values and each.values.get("active") == {"BOOL": False}]
    return True if ends else _WRITE(catalog, changes, now)


def _revoke_or_hope(tokens: TokenTable, token_id: str, now: datetime) -> datetime:
    with suppress(StoreUnavailable):
        return _REVOKE(tokens, token_id, now)
    return now


_WRITE = Catalog.write
_REVOKE = TokenTable.revoke


@contextmanager
def _first_default_location() -> Iterator[None]:
    """Each business's default location is the one that was seen first."""
    seen: dict[str, UUID | None] = {}

    def first(settings: Any) -> UUID | None:
        location_id = _DEFAULT_LOCATION_ID(settings)
        return None if location_id is None else seen.setdefault(settings["pk"]["S"], location_id)

    with ExitStack() as stack:
        for module in (items, stock_store):
            stack.enter_context(patch.object(module, "default_location_id_of", first))
        yield


_DEFAULT_LOCATION_ID = items.default_location_id_of


@contextmanager
def _first_variant_of_a_sku() -> Iterator[None]:
    """Each SKU is taken for the variant that had it first."""
    seen: dict[tuple[str, str], UUID] = {}

    def first(claim: Any) -> UUID:
        return seen.setdefault((claim["pk"]["S"], claim["sk"]["S"]), _VARIANT_ID_OF_SKU(claim))

    with patch.object(stock_store, "variant_id_of_sku", first):
        yield


_VARIANT_ID_OF_SKU = items.variant_id_of_sku


def _settled_by_the_sku_of_now(run: Any, snapshot: Snapshot) -> None:
    """Take a replay for another request if its SKU has moved to another variant since."""
    for request in run._pending:
        row, sku = snapshot.recorded.get(request.id), request.lines[0].sku
        if row is not None and sku is not None and snapshot.variants.get(sku, row.variant_id) != row.variant_id:
            run._results[request] = IdempotencyKeyReused(key=request.key)
    _SETTLE_RECORDED(run, snapshot)


_SETTLE_RECORDED = loop._Run._settle_recorded


def _numbered_without_invalid_lines(lines: Any, *arguments: Any, **named: Any) -> list[Any]:
    valid = [each for each in lines if not isinstance(each, InvalidRequest)]
    results = iter(_SETTLE_EACH(valid, *arguments, **named))
    return [each if isinstance(each, InvalidRequest) else next(results) for each in lines]


def _all_or_none(lines: Any, *arguments: Any, **named: Any) -> list[Any]:
    """Refuse all lines where one is not valid."""
    refused = next((each for each in lines if isinstance(each, InvalidRequest)), None)
    return _SETTLE_EACH(lines, *arguments, **named) if refused is None else [refused] * len(lines)


_SETTLE_EACH = writes.settle_each


def _id_without_line(business_id: UUID, key: str, _: int = 0) -> UUID:
    return rules.keyed_id(business_id, key)


def _not_recorded(*arguments: Any) -> Any:
    result = _RECORDED(*arguments)
    return result._replace(replayed=False) if isinstance(result, Outcome | GroupOutcome) else result


_RECORDED = loop._Run._result_from_rows


def _deciding(**members: Any) -> Callable[[], AbstractContextManager[object]]:
    """Let rows be decided with other members than they should have, and be hashed so."""

    def decided(*arguments: Any, **named: Any) -> Adjustment:
        row = replace(_DECIDE(*arguments, **named), **members)
        return replace(row, hash=row_hash(row))

    return lambda: patch.object(loop, "decide", decided)


@contextmanager
def _clock_read_once() -> Iterator[None]:
    times: list[datetime] = []

    def decided(*arguments: Any, now: datetime, **named: Any) -> Adjustment:
        times.append(now)
        return _DECIDE(*arguments, now=times[0], **named)

    with patch.object(loop, "decide", decided):
        yield


_DECIDE = rules.decide


def _same_but_for(name: str) -> Callable[[], AbstractContextManager[object]]:
    """Compare requests but for one of their fields."""

    def same(command: Command, row: Any, identity: Any) -> bool:
        of_row = None if name == "location_id" and row.location_defaulted else getattr(row, name)
        changes: dict[str, Any] = {name: of_row}
        return _SAME_REQUEST(replace(command, **changes), row, identity)

    return lambda: patch.object(loop, "same_request", same)


_SAME_REQUEST = rules.same_request


def _trusted_again(cache: Any, key: Any) -> Any:
    entry = cache._entries.get(key)
    return entry[1] if entry and 0 <= cache._time_s() - entry[0] < cache._lifetime_s else None


def _run_or_raise(group: Any) -> list[Any]:
    try:
        group._attempt_until_done()
    except RetryBudgetSpent:
        return [group._results.get(request, TryAgain()) for request in group._requests]
    return [group._results[request] for request in group._requests]


def _can_be_applied_here_only(group: Any, request: Any, snapshot: Snapshot, sequences: Any) -> bool:
    here = [each for each in group._unanswered if set(each.seen) <= set(snapshot.stock)]
    with patch.object(group, "_unanswered", here):
        return _CAN_STILL_BE_APPLIED(group, request, snapshot, sequences)


_CAN_STILL_BE_APPLIED = loop._Run._can_still_be_applied


def _revocation_unread(item: Any, name: str) -> Any:
    return None if name == "revoked_at" else _INSTANT_OF(item, name)


_INSTANT_OF = tokens._instant_of

_LINK = loop._Request.link

MUTANTS = {
    "any cancellation is a 409": Mutant(
        "a conflict or a moved sequence is answered as a rejection", parts=Parts(store=_ConflictIsFinal)
    ),
    "no look before a refusal": Mutant(
        "the ledger is not read before a rejection is final",
        change=lambda: patch.object(loop._Run, "_settle_refused", _refuse_at_once),
    ),
    "one client token for each row": Mutant(
        "the next attempt has another content under the same token", parts=Parts(client=_OneTokenForEachRow)
    ),
    "state remembered past a conflict": Mutant(
        "a state that was found stale is used again", parts=Parts(store=_RemembersPastConflicts)
    ),
    "refusals from memory": Mutant("a state that was not read is refused upon", parts=Parts(store=_RefusesFromMemory)),
    "row unconditional": Mutant("a row may replace one of its id", parts=Parts(store=_RowUnconditional)),
    "stock unconditional": Mutant("the stock item may have moved", parts=Parts(store=_StockUnconditional)),
    "link unconditional": Mutant("what was reversed may be reversed again", parts=Parts(store=_LinkUnconditional)),
    "fresh id after an unknown outcome": Mutant(
        "the row of an earlier attempt is not recognized as the request's own", change=_fresh_ids
    ),
    "no answer is success": Mutant("a time-out is answered as created", parts=Parts(store=_NoAnswerIsSuccess)),
    "look part by part": Mutant(
        "the look before a refusal may see the parts of a transaction one after another",
        parts=Parts(store=_LooksPartByPart),
    ),
    "late requests forgotten": Mutant(
        "a refusal is final while an own earlier attempt may still land",
        change=lambda: patch.object(loop._Run, "_can_still_be_applied", lambda *_, **__: False),
    ),
    "refusals unpublished": Mutant(
        "messages are done without an event",
        change=lambda: patch.object(queue, "_publish_rejections", _publish_nothing),
    ),
    "rejections unrecorded": Mutant(
        "a message that was rejected is applied when it is delivered again, and stock has come in",
        change=lambda: patch.object(queue, "_record_rejections", lambda *_: None),
    ),
    "rejections recorded too late": Mutant(
        "a rejection is published before it is recorded", change=_rejections_recorded_once_published
    ),
    "rejections recorded unseen": Mutant(
        "a rejection is recorded although another delivery was applied",
        parts=Parts(rejections=_RecordsRejectionsUnseen),
    ),
    "rejections not looked for": Mutant(
        "a copy of a rejected message, which comes as a first delivery, is applied",
        parts=Parts(rejections=_FindsNoRejections),
    ),
    "rejections not heeded by the commit": Mutant(
        "of two deliveries at the same time one is rejected and the other applied",
        parts=Parts(store=_ForgetsMessages),
    ),
    "any reply is whole": Mutant("an empty reply is taken for an answer", change=_any_reply_is_whole),
    "time stands still": Mutant(
        "a row may bear the time of the one before it",
        change=lambda: patch.object(rules, "TICK", timedelta(0)),
    ),
    "catalog remembered for an hour": Mutant(
        "what was deactivated is adjusted on and on",
        change=lambda: patch.object(stock_store, "CATALOG_LIFETIME_S", 3600),
    ),
    "revocation unread": Mutant(
        "a revoked token is good for ever", change=lambda: patch.object(tokens, "_instant_of", _revocation_unread)
    ),
    "revocation unwritten": Mutant(
        "a token is acknowledged as revoked, and is not",
        change=lambda: patch.object(TokenTable, "revoke", lambda _self, _id, now: now),
    ),
    "revocation hoped for": Mutant(
        "the time-out of a revocation is acknowledged as done",
        change=lambda: patch.object(TokenTable, "revoke", _revoke_or_hope),
    ),
    "deactivation unwritten": Mutant(
        "an item is acknowledged as deactivated, and is not",
        change=lambda: patch.object(Catalog, "write", _write_no_deactivation),
    ),
    "command hoped for": Mutant(
        "the time-out of an operator's command is acknowledged as done",
        change=lambda: patch.object(Catalog, "write", _write_or_hope),
    ),
    "a command writes unseen": Mutant(
        "an attempt of an operator's command arrives when another command was acknowledged",
        change=lambda: patch.object(catalog_items, "_guard", lambda _: ("attribute_not_exists(nothing)", {})),
    ),
    "first default location": Mutant("another default location is never heeded", change=_first_default_location),
    "default location unmarked": Mutant(
        "no row says that it stands at the default location", change=_deciding(location_defaulted=False)
    ),
    "somebody else's name": Mutant("a row names another actor", change=_deciding(created_by="nobody")),
    "reason code lost": Mutant("a row lacks what was asked for", change=_deciding(reason_code=None)),
    "clock read once": Mutant("all rows bear the time of the first one, or near it", change=_clock_read_once),
    "replays not recognized": Mutant(
        "a row of another request is answered as this one's own",
        change=lambda: patch.object(loop._Run, "_result_from_rows", _not_recorded),
    ),
    "location not compared": Mutant(
        "a key stands for a request for another location", change=_same_but_for("location_id")
    ),
    "SKU not compared": Mutant("a key stands for a request by the SKU as by the id", change=_same_but_for("sku")),
    "reference not compared": Mutant(
        "a key stands for a request with another reference", change=_same_but_for("reference")
    ),
    "sequence is all": Mutant(
        "a state from before the tables were restored is committed upon", parts=Parts(store=_SequenceIsAll)
    ),
    "trusted again": Mutant(
        "what was remembered is trusted again when a clock that was set back has caught up",
        change=lambda: patch.object(Cache, "trusted", _trusted_again),
    ),
    "a fault ends all": Mutant(
        "behind an unknown outcome a permanent error is answered as a failure, or retried in halves",
        change=lambda: patch.object(loop._Run, "run", _run_or_raise),
    ),
    "two transactions": Mutant("a group is committed in two parts", parts=Parts(store=_TwoTransactions)),
    "the first line is all": Mutant(
        "a key stands for a group with other lines behind the first one",
        change=lambda: patch.object(loop._Run, "_result_from_first_row", _of_the_first_line),
    ),
    "one key for all lines": Mutant(
        "the lines of a batch of mode each have its key, and not one of their own",
        change=lambda: patch.object(loop, "keyed_id", _id_without_line),
    ),
    "lines numbered anew": Mutant(
        "a batch of mode each that is sent again, with a line that was mended, resumes under the keys of other lines",
        change=lambda: patch.object(writes, "settle_each", _numbered_without_invalid_lines),
    ),
    "one for all": Mutant(
        "a line that is not valid hinders the others of its batch of mode each",
        change=lambda: patch.object(writes, "settle_each", _all_or_none),
    ),
    "first variant of a SKU": Mutant("a SKU that has moved is never heeded", change=_first_variant_of_a_sku),
    "replays resolve the SKU": Mutant(
        "a request is another one as soon as its SKU is another variant's",
        change=lambda: patch.object(loop._Run, "_settle_recorded", _settled_by_the_sku_of_now),
    ),
    "counts decided once": Mutant("a count is decided from a state that has moved since", change=_counts_decided_once),
    "group unlinked": Mutant(
        "nothing records that a group was reversed",
        change=lambda: patch.object(
            loop._Request, "link", property(lambda it: _LINK.__get__(it) if it.group is None else None)
        ),
    ),
    "late requests elsewhere forgotten": Mutant(
        "a refusal is final while an own earlier attempt may still land at another location",
        change=lambda: patch.object(loop._Run, "_can_still_be_applied", _can_be_applied_here_only),
    ),
}
