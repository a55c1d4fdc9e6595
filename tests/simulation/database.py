"""A simulated DynamoDB: what its documentation says of single items, of transactions, and of the two together.

A transaction has two phases. First each of its items is prepared, one by one: its condition must hold, and no other
transaction may have it prepared. Then each is written, one by one. While an item is prepared

- another transaction that writes it is cancelled, with the reason ``TransactionConflict`` for that item;
- a transaction that reads it is cancelled in the same way, also where it was written while that one was reading;
- a write of its own is refused with ``TransactionConflictException``;
- a read of its own sees it as it was. So readers of several items may see the parts of a transaction one after another.

Sources: the Developer Guide, "Amazon DynamoDB Transactions: How it works"; the API's reference of TransactWriteItems;
Idziorek et al., "Distributed Transactions at Scale in Amazon DynamoDB" (USENIX ATC '23).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.expressions import condition, updated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from tests.simulation.scheduler import Scheduler

    type Item = Mapping[str, Any]

type Place = tuple[str, str, str]
"""Table, partition key, sort key (empty, where the table has none)."""

PARTS_MAX: Final = 100
TOKEN_LIFETIME_S: Final = 600.0
INDEX_DELAY_MAX_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Paces:
    """How long things take at the database, in seconds; each varies by up to ``spread`` of itself, either way.

    ``write_s`` is a transaction's whole time, of which the first half is for preparing. Its items are written one by
    one from ``first_write`` of that time on, which is what readers can look into. ``straggling`` is the share of
    transactions in which that takes up to ``straggling_s`` longer, as where a coordinator was lost in its midst.
    """

    read_s: float = 0.0025
    single_write_s: float = 0.004
    write_s: float = 0.020
    first_write: float = 0.8
    straggling: float = 0.0
    straggling_s: float = 0.3
    spread: float = 0.25
    partition_units_per_s: float = 1_000.0
    """Write units that one partition key takes in a second: of a transaction each item takes one to be prepared, and
    another one to be written."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An error as the API answers it; ``members`` stand beside it in the reply."""

    code: str
    status: int = 400
    members: Mapping[str, Any] = field(default_factory=dict)


type Answer = Mapping[str, Any] | Refused
type Respond = Callable[[Answer], None]


@dataclass(slots=True)
class _Known:
    """The first request of a client token, and its outcome."""

    request: Any
    until_s: float
    is_running: bool = True
    is_applied: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a writing transaction."""

    place: Place
    holds: Callable[[Item | None], bool]
    after: Callable[[Item | None], Item | None] | None
    tells_old: bool


@dataclass(frozen=True, slots=True)
class Written:
    """One item as it was written: when, by whose call, and what stands there since."""

    at_s: float
    place: Place
    sender: str
    item: Item


class Database:
    """Tables with what stands in them, and what is under way. ``commits`` counts the transactions that were applied.

    ``journal`` is every write in its order; it is for who judges a history, and no part of a database's answers.
    """

    def __init__(self, scheduler: Scheduler, chance: Random, paces: Paces) -> None:
        self.items: dict[Place, Item] = {}
        self.journal: list[Written] = []
        self.commits = 0
        self.conflicts = 0
        self.tried: set[tuple[str, str]] = set()
        """The senders of each row's hash, applied or not; the checker reads it too."""
        self._scheduler = scheduler
        self._chance = chance
        self._paces = paces
        self._prepared: set[Place] = set()
        self._tokens: dict[str | None, _Known] = {}
        self._spent: dict[tuple[str, str], tuple[float, float]] = {}

    def put(self, place: Place, item: Item, *, sender: str) -> None:
        """Let an item stand at a place, in this moment."""
        self.items[place] = item
        self.journal.append(Written(self._scheduler.now_s, place, sender, item))

    # --------------------------------------------------------------------------------------------------- single items

    def get_item(self, request: Mapping[str, Any], respond: Respond) -> None:
        """Read one item."""
        place = _place(request["TableName"], request["Key"])

        def read() -> None:
            item = self.items.get(place)
            respond(_with_capacity({} if item is None else {"Item": item}))

        self._after(self._paces.read_s, read)

    def put_item(self, request: Mapping[str, Any], respond: Respond, *, sender: str = "") -> None:
        """Write one item whole, on a condition."""
        self._write_single(_put(request), request, respond, sender)

    def update_item(self, request: Mapping[str, Any], respond: Respond, *, sender: str = "") -> None:
        """Change one item, on a condition."""
        self._write_single(_update(request), request, respond, sender)

    def _write_single(self, part: _Part, request: Mapping[str, Any], respond: Respond, sender: str) -> None:
        def write() -> None:
            item = self.items.get(part.place)
            if part.place in self._prepared:
                respond(Refused("TransactionConflictException"))
            elif not part.holds(item):
                respond(Refused("ConditionalCheckFailedException", members=_old(part, item)))
            else:
                after = part.after(item) if part.after is not None else None
                assert after is not None
                self.put(part.place, after, sender=sender)
                respond(_with_capacity({"Attributes": after} if request.get("ReturnValues") == "ALL_NEW" else {}))

        self._after(self._paces.single_write_s, write)

    def batch_get_item(self, request: Mapping[str, Any], respond: Respond) -> None:
        """Read items one after another, each as it is at its own moment."""
        wanted = [_place(table, key) for table, of_table in request["RequestItems"].items() for key in of_table["Keys"]]
        if not _is_valid(wanted):
            respond(Refused("ValidationException"))
            return
        found: dict[str, list[Item]] = {table: [] for table in request["RequestItems"]}

        def read(places: Sequence[Place]) -> None:
            for place in places:
                item = self.items.get(place)
                if item is not None:
                    found[place[0]].append(item)

        first = [place for place in wanted if self._chance.random() < 0.5]
        read(first)

        def read_others() -> None:
            read([place for place in wanted if place not in first])
            respond({"Responses": found, "UnprocessedKeys": {}})

        self._after(self._paces.read_s, read_others)

    def query(self, request: Mapping[str, Any], respond: Respond) -> None:
        """Read an index between two sort keys. It follows the table up to ``INDEX_DELAY_MAX_S`` later, row by row.

        Or read a table's items of one partition key whose sort keys begin with a prefix.
        """
        if "IndexName" not in request:
            self._query_table(request, respond)
            return
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        if request["KeyConditionExpression"] != "#key = :key AND #sort BETWEEN :first AND :last":
            raise NotImplementedError(request["KeyConditionExpression"])
        first, last = values[":first"]["S"], values[":last"]["S"]

        def read() -> None:
            found = [
                each.item
                for each in self.journal
                if each.place[0] == request["TableName"]
                and each.item[names["#key"]] == values[":key"]
                and first <= each.item[names["#sort"]]["S"] <= last
                and each.place in self.items
                and each.at_s + _index_delay_s(each.item) <= self._scheduler.now_s
            ]
            found.sort(key=lambda item: str(item[names["#sort"]]["S"]), reverse=not request["ScanIndexForward"])
            respond(_with_capacity({"Items": found[: request["Limit"]]}))

        self._after(self._paces.read_s, read)

    def _query_table(self, request: Mapping[str, Any], respond: Respond) -> None:
        if (
            request["KeyConditionExpression"] != "pk = :pk AND begins_with(sk, :prefix)"
            or not request["ConsistentRead"]
        ):
            raise NotImplementedError(request["KeyConditionExpression"])
        values = request["ExpressionAttributeValues"]

        def read() -> None:
            places = [
                place
                for place in self.items
                if place[:2] == (request["TableName"], values[":pk"]["S"])
                and place[2].startswith(values[":prefix"]["S"])
            ]
            respond(_with_capacity({"Items": [self.items[place] for place in sorted(places)[: request["Limit"]]]}))

        self._after(self._paces.read_s, read)

    # --------------------------------------------------------------------------------------------------- transactions

    def transact_get_items(self, request: Mapping[str, Any], respond: Respond) -> None:
        """Read items at one point in time; fail when one is being written meanwhile."""
        places = [_place(part["Get"]["TableName"], part["Get"]["Key"]) for part in request["TransactItems"]]
        if not _is_valid(places):
            respond(Refused("ValidationException"))
            return
        seen = [self.items.get(place) for place in places]
        busy = [place in self._prepared for place in places]

        def look_again() -> None:
            reasons = [
                _reason("TransactionConflict")
                if was_busy or place in self._prepared or self.items.get(place) is not item
                else _reason("None")
                for place, item, was_busy in zip(places, seen, busy, strict=True)
            ]
            if any(reason["Code"] != "None" for reason in reasons):
                respond(_cancelled(reasons))
            else:
                respond(_with_capacity({"Responses": [{} if item is None else {"Item": item} for item in seen]}))

        self._after(self._paces.read_s, look_again)

    def transact_write_items(
        self, request: Mapping[str, Any], respond: Respond, *, sender: str = "", throttled_part: int | None = None
    ) -> None:
        """Write items all or none; of ``throttled_part``, where it is given, there is no capacity left."""
        parts = [_part(each) for each in request["TransactItems"]]
        if not _is_valid([part.place for part in parts]):
            respond(Refused("ValidationException"))
            return
        token = request.get("ClientRequestToken")
        known = self._tokens.get(token)
        if known is not None and known.until_s > self._scheduler.now_s:
            if known.request != request:
                respond(Refused("IdempotentParameterMismatchException"))
                return
            if known.is_running:
                respond(Refused("TransactionInProgressException"))
                return
            if known.is_applied:
                respond(_with_capacity({}))
                return
        known = _Known(request, self._scheduler.now_s + TOKEN_LIFETIME_S)
        if token is not None:
            self._tokens[token] = known
        self._prepare(parts, known, respond, sender, throttled_part)

    def _prepare(
        self, parts: list[_Part], known: _Known, respond: Respond, sender: str, throttled_part: int | None
    ) -> None:
        reasons: list[dict[str, Any]] = []
        held: list[Place] = []
        for number, part in enumerate(parts):
            item = self.items.get(part.place)
            self._spend(part.place)
            if part.place in self._prepared:
                reasons.append(_reason("TransactionConflict"))
            elif number == throttled_part or self._is_exhausted(part.place):
                reasons.append(_reason(self._chance.choice(("ThrottlingError", "ProvisionedThroughputExceeded"))))
            elif not part.holds(item):
                reasons.append(_reason("ConditionalCheckFailed") | _old(part, item))
            else:
                self._prepared.add(part.place)
                held.append(part.place)
                reasons.append(_reason("None"))
        whole_s = self._varied(self._paces.write_s)
        if len(held) == len(parts):
            self._write(parts, known, respond, whole_s, sender)
            return
        self.conflicts += any(reason["Code"] == "TransactionConflict" for reason in reasons)

        def cancel() -> None:
            self._prepared.difference_update(held)
            known.is_running = False
            respond(_cancelled(reasons))

        self._scheduler.after(whole_s / 2, cancel)

    def _write(self, parts: list[_Part], known: _Known, respond: Respond, whole_s: float, sender: str) -> None:
        """Second phase: nothing can go wrong any more, but it takes its time with each item."""
        open_parts = [len(parts)]

        def write(part: _Part) -> None:
            after = part.after(self.items.get(part.place)) if part.after is not None else None
            if after is not None:
                self.put(part.place, after, sender=sender)
            elif part.after is not None:
                self.items.pop(part.place, None)
            self._prepared.discard(part.place)
            self._spend(part.place)
            open_parts[0] -= 1
            if not open_parts[0]:
                known.is_running, known.is_applied = False, True
                self.commits += 1
                respond(_with_capacity({}))

        first_s = whole_s * self._paces.first_write
        is_straggling = self._chance.random() < self._paces.straggling
        span_s = self._paces.straggling_s if is_straggling else whole_s - first_s
        for part in parts:
            self._scheduler.after(first_s + span_s * self._chance.random(), partial(write, part))

    # ------------------------------------------------------------------------------------------------------- capacity

    def _spend(self, place: Place) -> None:
        """Take a unit of a partition key's; ``_spent`` holds how many are owed, and since when they are paid back."""
        owed, since_s = self._spent.get(place[:2], (0.0, 0.0))
        now_s = self._scheduler.now_s
        owed = max(owed - (now_s - since_s) * self._paces.partition_units_per_s, 0.0)
        self._spent[place[:2]] = (owed + 1, now_s)

    def _is_exhausted(self, place: Place) -> bool:
        return self._spent[place[:2]][0] > self._paces.partition_units_per_s

    # ----------------------------------------------------------------------------------------------------------- time

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._scheduler.after(self._varied(seconds), act)

    def _varied(self, seconds: float) -> float:
        return seconds * (1 + self._paces.spread * (2 * self._chance.random() - 1))


def _place(table: str, key: Item) -> Place:
    return table, key["pk"]["S"], key["sk"]["S"] if "sk" in key else ""


def _index_delay_s(row: Item) -> float:
    """How much later an index shows a row: the same for each reader, and another for each row."""
    return int(row["hash"]["S"][:4], 16) / 0xFFFF * INDEX_DELAY_MAX_S


def _is_valid(places: Sequence[Place]) -> bool:
    return 1 <= len(places) <= PARTS_MAX and len(set(places)) == len(places)


def _part(part: Mapping[str, Any]) -> _Part:
    ((kind, request),) = part.items()
    match kind:
        case "Put":
            return _put(request)
        case "Update":
            return _update(request)
        case "Delete":
            place = _place(request["TableName"], request["Key"])
            return _Part(place, _condition(request), lambda _: None, _tells_old(request))
        case "ConditionCheck":
            return _Part(_place(request["TableName"], request["Key"]), _condition(request), None, _tells_old(request))
    raise NotImplementedError(kind)


def _put(request: Mapping[str, Any]) -> _Part:
    item = request["Item"]
    return _Part(_place(request["TableName"], item), _condition(request), lambda _: item, _tells_old(request))


def _update(request: Mapping[str, Any]) -> _Part:
    key, names = request["Key"], request.get("ExpressionAttributeNames", {})
    values, expression = request.get("ExpressionAttributeValues", {}), request["UpdateExpression"]
    return _Part(
        _place(request["TableName"], key),
        _condition(request),
        lambda item: updated(item, key, expression, names, values),
        _tells_old(request),
    )


def _condition(request: Mapping[str, Any]) -> Callable[[Item | None], bool]:
    holds = condition(request.get("ConditionExpression"))
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    return lambda item: holds(item, names, values)


def _tells_old(request: Mapping[str, Any]) -> bool:
    return request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"


def _old(part: _Part, item: Item | None) -> dict[str, Any]:
    return {"Item": item} if part.tells_old and item is not None else {}


def _reason(code: str) -> dict[str, Any]:
    return {"Code": code}


def _cancelled(reasons: Sequence[Mapping[str, Any]]) -> Refused:
    return Refused("TransactionCanceledException", members={"CancellationReasons": reasons})


def _with_capacity(members: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**members, "ConsumedCapacity": [{"CapacityUnits": 1.0}]}
