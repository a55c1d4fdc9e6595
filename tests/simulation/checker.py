"""Judges a history by the tables, the answers to callers and the events on the bus.

It shares nothing with the code that it judges but the documented form of items, hashes and events: no rule, no
function.
"""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.environment import BEGINNING
from tests.simulation.faults import LATE_MAX_S
from tests.simulation.record import DIRECTIONS, Answered, Created, Failed, Kind, Record, Refused, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.simulation.bus import Taken
    from tests.simulation.database import Database, Place, Written

    type Item = Mapping[str, Any]

CATALOG_TRUST_S: Final = 60.0
TOKEN_TRUST_S: Final = 60.0
SLACK_S: Final = 45.0
"""How much longer a change may take to be seen: an invocation's time, a late request's, and a clock's jump."""

INSTANT_AHEAD_MAX_S: Final = 60.0
UNDER_WAY_MAX_S: Final = 1.0
"""How long a transaction may be under way, from its arrival on."""

_MEMBERS: Final = (
    *("business_id", "created_at", "created_by", "delta", "expected_quantity", "id", "location_defaulted"),
    *("location_id", "previous_hash", "quantity_after", "reason", "reason_code", "reference", "reverses"),
    *("sequence", "variant_id"),
    *("counted_at", "counted_quantity", "form", "group_id", "group_line", "group_size", "kind", "occurred_at", "sku"),
)


def problems_of(database: Database, record: Record, events: Sequence[Taken], *, cut_off: int) -> list[str]:
    """Every problem of a history, in words; none when it is correct."""
    judge = _Judge(database, record, events)
    problems = [problem for check in judge.checks() for problem in check]
    if cut_off:
        problems.append(f"{cut_off} invocations were still at work when their time was up")
    return problems


@dataclass(slots=True)
class _Row:
    """A ledger row with its time of writing and its writer."""

    members: dict[str, Any]
    hash: str
    at_s: float
    sender: str
    family: str


@dataclass(frozen=True, slots=True)
class _Holding:
    """A span in which an active variant had a SKU."""

    variant_id: str
    from_s: float
    to_s: float


@dataclass(slots=True)
class _Judge:
    database: Database
    record: Record
    events: Sequence[Taken]
    rows: list[_Row] = field(init=False)
    row_of_id: dict[str, _Row] = field(init=False)
    rows_of_family: dict[str, list[_Row]] = field(init=False)
    negative_allowed: dict[str, bool] = field(init=False)
    versions: dict[tuple[str, str, str], list[tuple[float, Item]]] = field(init=False)
    holdings: dict[tuple[str, str], list[_Holding]] = field(init=False)
    recorded: dict[str, Written] = field(init=False)
    """The records of rejected messages, by the messages' digests."""

    def __post_init__(self) -> None:
        self.versions = defaultdict(list)
        written: dict[Place, list[Written]] = defaultdict(list)
        for each in self.database.journal:
            written[each.place].append(each)
            self.versions[each.place].append((each.at_s, each.item))
        self.holdings = _holdings(self.versions)
        self.recorded = {
            pk.removeprefix("MESSAGE#"): writes[0]
            for (_, pk, sk), writes in written.items()
            if pk.startswith("MESSAGE#") and sk == "REJECTION"
        }
        self.rows = [_row(writes[0]) for place, writes in written.items() if place[0] == "ledger"]
        self.row_of_id = {row.members["id"]: row for row in self.rows}
        self.rows_of_family = defaultdict(list)
        for row in self.rows:
            self.rows_of_family[row.family].append(row)
        self.negative_allowed = {
            pk.removeprefix("BUSINESS#"): item["allow_negative_stock"]["BOOL"]
            for (_, pk, sk), item in self.database.items.items()
            if sk == "SETTINGS"
        }

    def checks(self) -> Iterator[Iterator[str]]:
        yield self._ledger_is_append_only()
        yield self._chains()
        yield self._rows_are_as_asked_for()
        yield self._groups()
        yield self._rows_land_in_time()
        yield self._reversals()
        yield self._answers()
        yield self._rejections()
        yield self._messages_are_settled()
        yield self._no_message_is_rejected_and_applied()
        yield self._commands_were_done()
        yield self._skus_were_taken()
        yield self._catalog_was_heeded()
        yield self._tokens_were_heeded()

    # ----------------------------------------------------------------------------------------------------- the tables

    def _ledger_is_append_only(self) -> Iterator[str]:
        for place, versions in self.versions.items():
            if place[0] == "ledger" and len(versions) > 1:
                yield f"ledger row {place[1]} was written {len(versions)} times"
            if place[1].startswith(("REVERSAL#", "MESSAGE#")) and len(versions) > 1:
                yield f"{place[1]} was written {len(versions)} times"

    def _chains(self) -> Iterator[str]:
        """Conservation, order and hashes of each stock item."""
        chains: dict[tuple[str, str, str], list[_Row]] = defaultdict(list)
        for row in self.rows:
            members = row.members
            chains[members["business_id"], members["variant_id"], members["location_id"]].append(row)
        stock = {
            (pk.split("#")[1], pk.split("#")[2], sk): item
            for (_, pk, sk), item in self.database.items.items()
            if pk.startswith("STOCK#")
        }
        for key in stock.keys() | chains.keys():
            item, rows = stock.get(key), sorted(chains.get(key, []), key=lambda row: row.members["sequence"])
            if item is None or not rows:
                yield f"{key}: stock item or rows are missing"
                continue
            yield from self._chain(f"{key[1][:8]} at {key[2][:8]}", item, rows)
            yield from _count_problems(f"{key[1][:8]} at {key[2][:8]}", item, rows)

    def _chain(self, name: str, item: Item, rows: list[_Row]) -> Iterator[str]:
        quantity, previous, last_at = 0, "0" * 64, ""
        for number, row in enumerate(rows, start=1):
            members = row.members
            where = f"{name}, row {members['sequence']} ({members['reason']})"
            if members["sequence"] != number:
                yield f"{where}: it should be {number}"
            quantity += members["delta"]
            if members["quantity_after"] != quantity:
                yield f"{where}: quantity_after is {members['quantity_after']}, not {quantity}"
            if quantity < 0 and members["delta"] < 0 and not self.negative_allowed[members["business_id"]]:
                yield f"{where}: negative stock"
            if members["expected_quantity"] not in (None, quantity - members["delta"]):
                yield f"{where}: expected another quantity"
            if members["created_at"] <= last_at:
                yield f"{where}: created_at goes back"
            if members["previous_hash"] != previous:
                yield f"{where}: does not follow the row before"
            canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
            if row.hash != hashlib.sha256(canonical.encode()).hexdigest():
                yield f"{where}: wrong hash"
            previous, last_at = row.hash, members["created_at"]
        if (
            int(item["quantity"]["N"]) != quantity
            or int(item["sequence"]["N"]) != len(rows)
            or item["head_hash"]["S"] != previous
            or item["updated_at"]["S"] != last_at
        ):
            yield f"{name}: the stock item is not as its last row left it"

    def _rows_are_as_asked_for(self) -> Iterator[str]:
        """Each row matches a request, and each key has at most one row."""
        for row in self.rows:
            reason, asked = row.members["reason"], self.record.asked.get(row.family, [])
            defaults = self._defaults(row.members["business_id"], row.at_s - CATALOG_TRUST_S - SLACK_S, row.at_s)
            location_id = row.members["location_id"]
            if not asked:
                yield f"{reason}: a row without a request"
            elif not any(_is_of(row, each) and row.members["created_by"] == each.actor for each in asked):
                yield f"{reason}: the row is not as it was asked for"
            elif _is_against_direction(row.members):
                yield f"{reason}: more, for a reason that only takes"
            elif row.members["location_defaulted"] and location_id not in defaults:
                yield f"{reason}: stands at what was not the default location"
            elif row.members["variant_id"] not in self._variants_of(row.members, row.at_s, row.at_s):
                yield f"{reason}: is of a variant that did not have the SKU"
        for family, rows in self.rows_of_family.items():
            if len({row.members["group_id"] or row.members["id"] for row in rows}) > 1:
                yield f"{family}: applied several times"

    def _groups(self) -> Iterator[str]:
        """Of each group all rows are there, and a transfer takes in one place what it adds in another."""
        groups: dict[str, list[_Row]] = defaultdict(list)
        for row in self.rows:
            if row.members["group_id"] is not None:
                groups[row.members["group_id"]].append(row)
        for group_id, rows in groups.items():
            lines = sorted((row.members["group_line"], row.members["group_size"]) for row in rows)
            if lines != [(number, len(rows)) for number in range(len(rows))]:
                yield f"{rows[0].members['reason']}: {len(rows)} rows of a group of {rows[0].members['group_size']}"
            if min(rows, key=lambda row: row.members["group_line"]).members["id"] != group_id:
                yield f"{rows[0].members['reason']}: the group's id is not that of its first row"
            balance: Counter[str] = Counter()
            for row in rows:
                if row.members["kind"] == "transfer":
                    balance[row.members["variant_id"]] += row.members["delta"]
            if any(balance.values()):
                yield f"{rows[0].members['reason']}: a transfer adds {dict(balance)}"

    def _rows_land_in_time(self) -> Iterator[str]:
        """Not later than the invocation's time-out and the latest arrival, and with the time of a clock of then.

        So after a refusal a row of its key can stand there for two reasons only: somebody has asked again since, or an
        invocation that had begun before was still at work or had sent it already, and then no later than this.
        """
        least_s, greatest_s = self.record.clock_errors_s
        last_of: dict[tuple[str, str, str], str] = defaultdict(str)
        for row in sorted(self.rows, key=lambda row: row.members["sequence"]):
            members, invocation = row.members, self.record.invocations[row.sender]
            at_the_latest_s = invocation.begun_s + invocation.timeout_s + LATE_MAX_S + UNDER_WAY_MAX_S
            if not invocation.begun_s < row.at_s < at_the_latest_s:
                yield f"{members['reason']}: landed at {row.at_s:.3f}, of what had begun at {invocation.begun_s:.3f}"
            stock_item = (members["business_id"], members["variant_id"], members["location_id"])
            created_s = _seconds(members["created_at"])
            earliest_s = row.at_s - LATE_MAX_S - UNDER_WAY_MAX_S + least_s
            # A row follows the one before by a microsecond at least, even where no clock is as far yet.
            is_of_then = created_s <= row.at_s + greatest_s or _is_next_tick(last_of[stock_item], members["created_at"])
            if created_s < earliest_s or not is_of_then:
                yield f"{members['reason']}: created_at is {members['created_at']}, and it landed at {row.at_s:.3f}"
            last_of[stock_item] = members["created_at"]

    def _reversals(self) -> Iterator[str]:
        taken_back = Counter(row.members["reverses"] for row in self.rows if row.members["reverses"] is not None)
        for row_id, times in taken_back.items():
            if times > 1:
                yield f"{row_id}: reversed {times} times"
        links = {
            pk.rpartition("#")[2]: item["reversal_id"]["S"]
            for (_, pk, _), item in self.database.items.items()
            if pk.startswith("REVERSAL#")
        }
        reversals = {row.members["reverses"]: row for row in self.rows if row.members["reverses"] is not None}
        wanted = {
            self._reversed_as(row_id, row): row.members["group_id"] or row.members["id"]
            for row_id, row in reversals.items()
        }
        if wanted != links:
            yield "the links are not those of the reversals"
        for row_id, row in reversals.items():
            original = self.row_of_id.get(row_id)
            if original is None or original.members["delta"] != -row.members["delta"]:
                yield f"{row.members['reason']}: reverses what is not there, or not by its opposite"

    def _reversed_as(self, row_id: str, reversal: _Row) -> str:
        """The id under which a reversal is linked: what a group reverses is a group."""
        original = self.row_of_id.get(row_id)
        if reversal.members["group_id"] is None or original is None:
            return row_id
        return str(original.members["group_id"] or row_id)

    # ---------------------------------------------------------------------------------------------------- the answers

    def _answers(self) -> Iterator[str]:
        for answered in self.record.answered:
            match answered.answer:
                case Created(rows, replayed):
                    for row in rows:
                        yield from self._created(answered, row, replayed=replayed)
                    if len(rows) != (len(answered.request.lines) or 1):
                        yield f"{answered.request.reason}: answered with {len(rows)} rows"
                case Refused(name, facts):
                    yield from self._refused(
                        answered.request, answered.sender, answered.begun_s, answered.answered_s, name, facts
                    )
                case Failed(error, is_denial):
                    if not is_denial:
                        yield f"{answered.request.reason}: failed by {error}"
                    # This answer gives the caller no reason to retry with the same key.
                    elif self._is_applied_by(answered.sender, answered.request):
                        yield f"{answered.request.reason}: failed by {error} to {answered.sender}, which applied it"

    def _created(self, answered: Answered, body: Mapping[str, Any], *, replayed: bool) -> Iterator[str]:
        request, sender = answered.request, answered.sender
        row = self.row_of_id.get(body["id"])
        if row is None:
            yield f"{request.reason}: answered as created, but not in the ledger"
            return
        if any(row.members[name] != value for name, value in body.items()):
            yield f"{request.reason}: answered with other values than the ledger's"
        if not _is_of(row, request):
            yield f"{request.reason}: answered with the row of another request"
        if replayed and row.sender == sender:
            yield f"{request.reason}: its own row answered as a replay"
        # Two equal decisions in the same microsecond can't be distinguished: then each has attempted that row.
        if not replayed and (sender, row.hash) not in self.database.tried:
            yield f"{request.reason}: the row of {row.sender}, not answered as a replay"

    def _is_applied_by(self, sender: str, request: Request) -> bool:
        return any(row.sender == sender and _is_of(row, request) for row in self.rows_of_family.get(request.family, []))

    def _refused(
        self, request: Request, sender: str, begun_s: float, answered_s: float, name: str, facts: Mapping[str, Any]
    ) -> Iterator[str]:
        """A rejection must have been correct at some time between the request and the answer."""
        rows = self.rows_of_family.get(request.family, [])
        where = f"{request.reason}, refused by {name} to {sender}"
        if name == "IdempotencyKeyReused":
            if all(_is_of(row, request) for row in rows):
                yield f"{where}: the key stands for no other request"
            return
        if name == "InvalidRequest":
            # Whatever its key stands for: it is not looked at.
            if request.quantity_change or request.lines:
                yield f"{where}: it is valid"
            return
        # The second of two messages in sequence may repeat a request that was rejected in the first.
        messages = [each for each in self.record.batches.get(sender, {}).values() if each == request]
        if len(messages) < 2 and self._is_applied_by(sender, request):
            yield f"{where}: but applied by the same invocation"
        if request.key is not None and any(row.at_s < begun_s for row in rows):
            yield f"{where}: but it stood in the ledger before"
        # The reversal of a group names no line: each of its lines may be the one. A transfer's has two rows.
        first = facts.get("line", 0) * request.rows_per_line
        numbers = range(first, first + request.rows_per_line)
        if request.kind is Kind.REVERSE_GROUP:
            numbers = range(len(request.lines) or 1)
        if not any(
            self._is_justified(_request_of_line(reading, number), number, begun_s, answered_s, name, facts)
            for reading in self._readings(request, begun_s, answered_s)
            for number in numbers
        ):
            yield f"{where} with {dict(facts)}: that was right at no moment"

    def _is_justified(  # noqa: PLR0911  one for each refusal
        self, request: Request, number: int, begun_s: float, answered_s: float, name: str, facts: Mapping[str, Any]
    ) -> bool:
        """Whether a rejection's facts held at some time between the request and the answer."""
        match name:
            case "InsufficientStock":
                change, on_hand = facts["quantity_change"], facts["quantity_on_hand"]
                is_asked = change == request.quantity_change or request.lines
                is_too_little = on_hand + change < 0 and change < 0 and not self.negative_allowed[request.business_id]
                own = _changed_before(request, number)
                before = None if own is None else on_hand - own
                return bool(is_asked and is_too_little) and (
                    before is None or self._was_on_hand(before, request, begun_s, answered_s)
                )
            case "StaleQuantity":
                on_hand = facts["quantity_on_hand"]
                is_stale = request.expected_quantity not in (None, on_hand)
                return is_stale and self._was_on_hand(on_hand, request, begun_s, answered_s)
            case "VariantNotFound":
                if request.sku is not None:
                    return self._was_free(request.business_id, request.sku, begun_s, answered_s)
                return self._was_inactive(request.business_id, f"VARIANT#{request.variant_id}", begun_s, answered_s)
            case "LocationNotFound":
                of = self._locations(request, begun_s, answered_s)
                return any(self._was_inactive(request.business_id, sk, begun_s, answered_s) for sk in of)
            case "AlreadyReversed":
                reversal = self.row_of_id.get(facts["reversed_by"])
                original = None if reversal is None else self.row_of_id.get(reversal.members["reverses"] or "")
                return original is not None and request.reverses in (
                    original.members["id"],
                    original.members["group_id"],
                )
            case "AdjustmentNotFound":
                row = self.row_of_id.get(request.reverses or "")
                return row is None or row.at_s >= begun_s
        return self._is_justified_for_groups(request, number, begun_s, answered_s, name, facts)

    def _is_justified_for_groups(  # noqa: PLR0911  one for each refusal
        self, request: Request, number: int, begun_s: float, answered_s: float, name: str, facts: Mapping[str, Any]
    ) -> bool:
        """The same for refusals that only groups, counts and registered reasons meet."""
        row = self.row_of_id.get(request.reverses or "")
        match name:
            case "PartOfGroup":
                return (
                    row is not None and row.members["group_size"] > 1 and row.members["group_id"] == facts["group_id"]
                )
            case "GroupNotFound":
                return row is None or row.at_s >= begun_s or row.members["group_id"] != request.reverses
            case "NothingToReverse":
                return row is not None and row.members["delta"] == 0
            case "InstantOutOfWindow":
                latest_s = begun_s + self.record.clock_errors_s[0] + INSTANT_AHEAD_MAX_S
                return any(_seconds(each.counted_at) >= latest_s for each in request.lines if each.counted_at)
            case "ReasonNotFound":
                return request.reason_code in DIRECTIONS and self._was_inactive(
                    request.business_id, f"REASON#{request.reason_code}", begun_s, answered_s
                )
            case "ReasonDirection":
                change = request.lines[number].quantity_change if request.lines else request.quantity_change
                return DIRECTIONS.get(request.reason_code or "") == "decrease" and (change is None or change > 0)
            case "CountSuperseded":
                earlier = request.lines[:number]
                place = (request.variant_id, request.location_id)
                is_of_group = any(
                    each.kind == "count" and (each.variant_id, each.location_id) == place for each in earlier
                )
                return is_of_group or any(
                    row.members["kind"] == "count"
                    and row.members["created_at"] == facts["counted_through"]
                    and (row.members["variant_id"], row.members["location_id"])
                    == (request.variant_id, request.location_id)
                    and (request.lines[number].counted_at or "") < facts["counted_through"]
                    for row in self.rows
                )
        return False

    def _was_on_hand(self, quantity: int, request: Request, from_s: float, to_s: float) -> bool:
        """Whether there was a state of the stock item with that quantity, and without a row of the request's key."""
        rows = self.rows_of_family.get(request.family, []) if request.key else []
        rows = [row for row in rows if row.members["variant_id"] == request.variant_id]
        return any(
            on_hand == quantity and not _is_applied(rows, location_id, sequence)
            for location_id, sequence, on_hand in self._states(request, from_s, to_s)
        )

    def _rejections(self) -> Iterator[str]:
        """A published rejection must be as true as any other answer."""
        for event in self.events:
            request = self._request_of(event)
            error = event.detail["error"]
            name, facts = error["type"], error["detail"]
            if name == "InvalidRequest" and any(each["type"] == "idempotency_key_reused" for each in facts):
                name = "IdempotencyKeyReused"
            elif name == "InvalidRequest" and any(each["loc"][-1] == "counted_at" for each in facts):
                name = "InstantOutOfWindow"
            # It may have been recorded by an earlier delivery, and be published by this one.
            recorded = self.recorded.get(_message_digest(event.detail["message_id"], request))
            sender, at_s = (event.sender, event.at_s) if recorded is None else (recorded.sender, recorded.at_s)
            # What is not valid has a list of entries.
            facts = facts if isinstance(facts, dict) else {}
            yield from self._refused(request, sender, self.record.invocations[sender].begun_s, at_s, name, facts)

    def _request_of(self, event: Taken) -> Request:
        payload = event.detail["request"]
        reason = payload["reason"] if "reason" in payload else payload["lines"][0]["reason"]
        of_family = self.record.asked[reason.partition(".")[0]]
        return next(each for each in of_family if each.kind is Kind.MESSAGE and each.payload == payload)

    def _messages_are_settled(self) -> Iterator[str]:
        rejected = {self._request_of(event) for event in self.events}
        for request in self.record.messages:
            rows = self.rows_of_family.get(request.family, [])
            if request not in rejected and not any(_is_of(row, request) for row in rows):
                yield f"{request.reason}: a message that is neither in the ledger nor published as rejected"

    def _no_message_is_rejected_and_applied(self) -> Iterator[str]:
        """Nothing that was recorded or published as rejected was applied by any delivery, before or after."""
        published = {event.detail["message_id"] for event in self.events}
        for sender, messages in self.record.batches.items():
            requests = list(messages.values())
            for message_id, request in messages.items():
                is_rejected = message_id in published or _message_digest(message_id, request) in self.recorded
                # The row may be of the other one, where two messages of a batch ask for the same.
                is_alone = requests.count(request) == 1
                if is_rejected and is_alone and self._is_applied_by(sender, request):
                    yield f"{request.reason}: message {message_id} was rejected, and applied by {sender}"

    # ------------------------------------------------------------------------------------------ what was known of old

    def _variants_of(
        self, named: Mapping[str, Any], from_s: float, to_s: float, *, trusted_s: float = CATALOG_TRUST_S + SLACK_S
    ) -> set[str]:
        """The variants that a name may have been taken for: the one of an id, or those that had a SKU.

        A claim may be seen a moment before its variant has the SKU: they are parts of one transaction.
        """
        if named["sku"] is None:
            return {named["variant_id"]}
        since_s = from_s - trusted_s - UNDER_WAY_MAX_S
        return {
            each.variant_id
            for each in self.holdings.get((named["business_id"], named["sku"]), [])
            if each.from_s <= to_s + UNDER_WAY_MAX_S and each.to_s >= since_s
        }

    def _readings(self, request: Request, begun_s: float, answered_s: float) -> Iterator[Request]:
        """The request in each way in which its SKUs may have been understood. One decision takes a SKU for one variant.

        A SKU that no variant had is left with the variant that the caller believed to have it.
        """
        skus = sorted({each.sku for each in (request.lines or (request,)) if each.sku is not None})
        of_skus = [self._readings_of(request.business_id, sku, begun_s, answered_s) for sku in skus]
        for variants in product(*of_skus):
            taken_for = {sku: variant for sku, variant in zip(skus, variants, strict=True) if variant is not None}
            yield replace(
                request,
                variant_id=taken_for.get(request.sku or "", request.variant_id),
                lines=tuple(
                    replace(line, variant_id=taken_for.get(line.sku or "", line.variant_id)) for line in request.lines
                ),
            )

    def _readings_of(self, business_id: str, sku: str, begun_s: float, answered_s: float) -> list[str | None]:
        named = {"business_id": business_id, "sku": sku}
        return [*sorted(self._variants_of(named, begun_s, answered_s))] or [None]

    def _was_free(self, business_id: str, sku: str, from_s: float, to_s: float) -> bool:
        """Whether no variant had the SKU at some moment of a span.

        Its claim may be seen to go, or to come, before or after the variant: a read that is not transactional sees the
        parts of a transaction one after another. So whenever it went or came it may have been free.
        """
        from_s, to_s = from_s - UNDER_WAY_MAX_S, to_s + UNDER_WAY_MAX_S
        holdings = self.holdings.get((business_id, sku), [])
        return not any(each.from_s < from_s and each.to_s > to_s for each in holdings)

    def _skus_were_taken(self) -> Iterator[str]:
        """Where a command was refused as a variant has the SKU, that one had it."""
        for each in self.record.skus_refused:
            named = {"business_id": each.business_id, "sku": each.sku}
            if each.variant_id not in self._variants_of(named, each.begun_s, each.answered_s, trusted_s=0.0):
                yield f"{each.sender}: refused, as {each.variant_id[:8]} had the SKU, which it had not"

    def _commands_were_done(self) -> Iterator[str]:
        """The effect of an acknowledged command was in the tables by then, and did not come again later.

        A command that found it there already writes nothing.
        """
        changed_s: dict[str, float] = {}
        last_of: dict[Place, Item] = {}
        for each in self.database.journal:
            if last_of.get(each.place) != each.item:
                changed_s[each.sender] = each.at_s
            last_of[each.place] = each.item
        for command in self.record.commanded:
            for place, attributes in command.leaves.items():
                if not any(
                    all(_holds(item, name, value) for name, value in attributes.items())
                    for item in self._in_force(place, command.begun_s, command.answered_s)
                ):
                    yield f"{command.command} of {command.sender}: done, but {place[2] or place[1]} is not changed"
            if changed_s.get(command.sender, 0.0) > command.answered_s:
                yield f"{command.command} of {command.sender}: done, and applied again later"

    def _catalog_was_heeded(self) -> Iterator[str]:
        """No row for what had been inactive for longer than a change may take to be seen."""
        for row in self.rows:
            members, since_s = row.members, row.at_s - CATALOG_TRUST_S - SLACK_S
            registered = [f"REASON#{members['reason_code']}"] if members["reason_code"] in DIRECTIONS else []
            for sk in (f"VARIANT#{members['variant_id']}", f"LOCATION#{members['location_id']}", *registered):
                place = ("inventory", f"BUSINESS#{members['business_id']}", sk)
                if not any(_is_active(item) for item in self._in_force(place, since_s, row.at_s)):
                    yield f"{members['reason']}: {sk} had been inactive for long"

    def _tokens_were_heeded(self) -> Iterator[str]:
        for admitted in self.record.admitted:
            place = ("access", f"TOKEN#{admitted.token_id}", "")
            since_s = admitted.asked_s - TOKEN_TRUST_S - SLACK_S if admitted.granted else admitted.asked_s
            wanted = not admitted.granted
            if not any(
                ("revoked_at" in item) is wanted for item in self._in_force(place, since_s, admitted.answered_s)
            ):
                yield f"token {admitted.token_id}: granted is {admitted.granted} at {admitted.answered_s:.3f}"

    def _in_force(self, place: Place, from_s: float, to_s: float) -> list[Item]:
        """What stood at a place at any moment of a span."""
        versions = self.versions.get(place, [])
        last = bisect_right(versions, to_s, key=lambda version: version[0])
        first = max(bisect_right(versions, from_s, key=lambda version: version[0]) - 1, 0)
        return [item for _, item in versions[first:last]]

    def _was_inactive(self, business_id: str, sk: str, from_s: float, to_s: float) -> bool:
        return any(
            not _is_active(item) for item in self._in_force(("inventory", f"BUSINESS#{business_id}", sk), from_s, to_s)
        )

    def _defaults(self, business_id: str, from_s: float, to_s: float) -> set[str]:
        """The business's default locations in a span."""
        settings = self._in_force(("inventory", f"BUSINESS#{business_id}", "SETTINGS"), from_s, to_s)
        return {item["default_location_id"]["S"] for item in settings if "default_location_id" in item}

    def _locations(self, request: Request, from_s: float, to_s: float) -> list[str]:
        """The location that was asked for, or those that may have been taken for the default one."""
        if request.location_id is not None:
            return [f"LOCATION#{request.location_id}"]
        defaults = self._defaults(request.business_id, from_s - CATALOG_TRUST_S - SLACK_S, to_s)
        return [f"LOCATION#{each}" for each in sorted(defaults)]

    def _states(self, request: Request, from_s: float, to_s: float) -> Iterator[tuple[str, int, int]]:
        """Location, sequence and quantity of its stock item at any moment of a span, between rows of a commit too."""
        for sk in self._locations(request, from_s, to_s):
            location_id = sk.removeprefix("LOCATION#")
            place = ("inventory", f"STOCK#{request.business_id}#{request.variant_id}", location_id)
            versions = self.versions.get(place, [])
            if not versions or versions[0][0] >= from_s:
                yield location_id, 0, 0
            for item in self._in_force(place, from_s, to_s):
                yield location_id, int(item["sequence"]["N"]), int(item["quantity"]["N"])
            for row in self.rows:
                members = row.members
                if (
                    from_s <= row.at_s <= to_s
                    and members["variant_id"] == request.variant_id
                    and members["location_id"] == location_id
                ):
                    yield location_id, members["sequence"], members["quantity_after"]


def _holdings(versions: Mapping[Place, Sequence[tuple[float, Item]]]) -> dict[tuple[str, str], list[_Holding]]:
    """When each variant had a SKU, by business and SKU."""
    found: dict[tuple[str, str], list[_Holding]] = defaultdict(list)
    for (_, pk, sk), of_place in versions.items():
        if sk.startswith("VARIANT#"):
            for (from_s, item), (to_s, _) in pairwise([*of_place, (math.inf, {})]):
                if _is_active(item):
                    business_id, sku = pk.removeprefix("BUSINESS#"), item["sku"]["S"]
                    found[business_id, sku].append(_Holding(sk.removeprefix("VARIANT#"), from_s, to_s))
    return found


def _message_digest(message_id: str, request: Request) -> str:
    """The digest under which a message is known; no message is an event here."""
    return hashlib.sha256(f"{message_id}\n{json.dumps(request.payload)}".encode()).hexdigest()


def _is_applied(rows: Sequence[_Row], location_id: str, sequence: int) -> bool:
    """Whether one of a key's rows is a part of that state of a stock item: what is committed together is one."""
    return any(row.members["location_id"] == location_id and row.members["sequence"] <= sequence for row in rows)


def _row(written: Written) -> _Row:
    item = written.item
    members = {name: _plain(item.get(name)) for name in _MEMBERS}
    members["kind"] = members["kind"] or ("adjustment" if members["reverses"] is None else "reversal")
    family = members["reason"].partition(".")[0]
    return _Row(members, item["hash"]["S"], written.at_s, written.sender, family)


def _plain(value: Mapping[str, Any] | None) -> Any:
    if value is None:
        return None
    ((kind, content),) = value.items()
    return int(content) if kind == "N" else content


def _count_problems(name: str, item: Item, rows: list[_Row]) -> Iterator[str]:
    """Each count changed what it found by what was counted more or less, and the stock item knows the last one."""
    counted_at, counted_through = None, ""
    for number, row in enumerate(rows):
        members = row.members
        if members["kind"] != "count":
            continue
        where = f"{name}, row {members['sequence']} ({members['reason']})"
        if members["delta"] != members["counted_quantity"] - _level(rows[:number], members["counted_at"]):
            yield f"{where}: the count was of another level"
        if members["counted_at"] is not None and members["counted_at"] < counted_through:
            yield f"{where}: another count was written since"
        counted_at, counted_through = members["counted_at"] or members["created_at"], members["created_at"]
    last = item.get("counted_at", {}).get("S"), item.get("counted_through", {}).get("S", "")
    if last != (counted_at, counted_through):
        yield f"{name}: the stock item names another last count"


def _is_against_direction(members: Mapping[str, Any]) -> bool:
    is_looked_at = members["kind"] in ("adjustment", "count") and members["delta"] > 0
    return is_looked_at and DIRECTIONS.get(members["reason_code"] or "") == "decrease"


def _seconds(instant: str) -> float:
    """An instant as virtual time."""
    return (datetime.fromisoformat(instant) - BEGINNING).total_seconds()


def _level(rows: Sequence[_Row], as_of: str | None) -> int:
    """The quantity after the last of these rows, or after the last one of an instant."""
    until = [row for row in rows if as_of is None or row.members["created_at"] <= as_of]
    return int(until[-1].members["quantity_after"]) if until else 0


def _request_of_line(request: Request, number: int) -> Request:
    """The request as if it were for one of its lines alone."""
    if not request.lines:
        return request
    line = request.lines[number]
    return replace(
        request,
        variant_id=line.variant_id,
        location_id=line.location_id,
        quantity_change=line.quantity_change or 0,
        sku=line.sku,
    )


def _changed_before(request: Request, number: int) -> int | None:
    """What the earlier lines of a group have changed of a line's stock item; None where a count among them decides."""
    if not request.lines:
        return 0
    place = (request.variant_id, request.location_id)
    earlier = [each for each in request.lines[:number] if (each.variant_id, each.location_id) == place]
    if any(each.quantity_change is None for each in earlier):
        return None
    return sum(each.quantity_change or 0 for each in earlier)


def _is_of_line(row: _Row, request: Request) -> bool:
    """Whether a row matches its line of a group, or of a count."""
    members = row.members
    number = members["group_line"] if request.is_group else 0
    size = len(request.lines) if request.is_group else None
    if number is None or number >= len(request.lines) or members["group_size"] != size:
        return False
    line = request.lines[number]
    return bool(
        members["sku"] == line.sku
        and (line.sku is not None or members["variant_id"] == line.variant_id)
        and members["location_id"] == line.location_id
        and not members["location_defaulted"]
        and members["kind"] == line.kind
        and members["counted_quantity"] == line.counted_quantity
        and members["counted_at"] == line.counted_at
        and line.quantity_change in (None, members["delta"])
        and members["reverses"] == line.reverses
        and members["expected_quantity"] is None
    )


def _is_of(row: _Row, request: Request) -> bool:
    """Whether a row matches its request."""
    members = row.members
    if request.lines:
        return _is_of_line(row, request) and all(
            members[name] == getattr(request, name) for name in ("business_id", "reason", "reason_code", "reference")
        )
    location_id = None if members["location_defaulted"] else members["location_id"]
    return bool(
        members["business_id"] == request.business_id
        and members["sku"] == request.sku
        and (members["sku"] is not None or members["variant_id"] == request.variant_id)
        and location_id == request.location_id
        and members["delta"] == request.quantity_change
        and members["reason"] == request.reason
        and members["reason_code"] == request.reason_code
        and members["reference"] == request.reference
        and members["expected_quantity"] == request.expected_quantity
        and members["reverses"] == request.reverses
        and members["group_id"] is None
        and members["counted_quantity"] is None
    )


def _holds(item: Item, name: str, value: Any) -> bool:
    return name in item and value in (None, item[name])


def _is_next_tick(last_at: str, created_at: str) -> bool:
    if not last_at:
        return False
    return datetime.fromisoformat(created_at) - datetime.fromisoformat(last_at) == timedelta(microseconds=1)


def _is_active(item: Item) -> bool:
    active: bool = item["active"]["BOOL"]
    return active
