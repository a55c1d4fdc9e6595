"""A history: callers, senders and operators at work on the service, in one seed's weather, until all is settled."""

from __future__ import annotations

import json
from copy import replace
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from botocore.exceptions import ClientError

from inventory.adjusting.merging import Fault as Breakdown
from inventory.adjusting.reversal import carry_out, carry_out_group
from inventory.api import writes
from inventory.api.requests import Caller
from inventory.domain.api_tokens import Grant, Token, authorize, token_id_of
from inventory.domain.errors import Refusal, ServiceError, SkuTaken, StoreUnavailable, TryAgain
from inventory.domain.model import Command, Group, GroupOutcome, GroupReversal, Outcome, Reversal
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.entrypoints.queue import ingest
from inventory.schemas.groups import batch_request
from inventory.schemas.provisioning import provision_request
from tests.simulation.checker import problems_of
from tests.simulation.environment import ACCESS, BEGINNING, INVENTORY, LEDGER, drawn_id
from tests.simulation.faults import DENIALS, Fault
from tests.simulation.record import (
    DIRECTIONS,
    MOVING_SKU,
    Admitted,
    Answer,
    Answered,
    Commanded,
    Created,
    EachLine,
    Failed,
    Invocation,
    Kind,
    Line,
    Record,
    Refused,
    Request,
    SkuRefused,
    Unknown,
    sku_of,
)
from tests.simulation.scheduler import Scheduler
from tests.simulation.service import (
    API_TIMEOUT_S,
    CLOCK_ERROR_MAX_S,
    QUEUE_TIMEOUT_S,
    Environment,
    Function,
    NoAnswer,
    Parts,
    World,
)
from tests.support.builders.domain import budget_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inventory.domain.model import Adjustment
    from inventory.domain.model import Kind as RowKind
    from inventory.domain.retry_budget import RetryBudget
    from tests.simulation.database import Place

    type _Work = Callable[[Environment, RetryBudget], Outcome | GroupOutcome]
    type _Asked = Request | EachLine

AUTHORIZER_CACHE_S: Final = 60.0
_COPIED_AFTER_S: Final = (60.0, 300.0)
"""Long after a message is done a copy of it comes, of which SQS says that it is the first."""

_COPIED: Final = 0.1
"""The share of deliveries after which such a copy comes."""

_CUT_OFF: Final = 0.2
"""The share of messages whose first delivery was cut off before the function had done anything."""

_TWICE_AT_ONCE: Final = 0.3
"""The share of further deliveries that happen twice at the same time."""

_RESTOCKED: Final = 0.5
"""The share of further deliveries before which stock comes in, so that what was refused could now be applied."""

VISIBILITY_S: Final = 240.0
"""As the template sets it: a message that is not done is delivered again after that."""

ARRIVALS: Final = 60
_RESTORES: Final = 0.15
"""The share of histories in which the tables are restored from a backup once."""

_LOST_ARRIVALS: Final = 4
"""How many have come since the backup."""

_FAR_BACK_S: Final = (100.0, 110.0)
"""So far a clock may be set back: further than anything may be trusted, with all the slack that its judge allows."""

_TRIES_IN_A_STORM: Final = 4
_TRIES_MAX: Final = 60
_UNREADABLE_DELIVERIES: Final = 3
_DELIVERIES_MAX: Final = 50
"""So often no message is delivered that can be settled at all."""

_WEATHERS: Final[tuple[Mapping[Fault, float], ...]] = (
    {},
    dict.fromkeys(Fault, 0.004),
    dict.fromkeys(Fault, 0.015),
    dict.fromkeys(Fault, 0.03),
    {Fault.UNHEARD: 0.15, Fault.IN_THE_MIDST: 0.15},
    {Fault.IN_THE_MIDST: 0.3},
    {Fault.LATE: 0.2, Fault.NOT_SENT: 0.05},
    {Fault.LATE: 0.4},
    {Fault.STALLED: 0.1, Fault.LATE: 0.1},
    {Fault.PART_THROTTLED: 0.2, Fault.THROTTLED: 0.1},
    {Fault.KILLED_BEFORE: 0.08, Fault.KILLED_AFTER: 0.12},
    {Fault.EMPTY: 0.15, Fault.FAILED: 0.1},
    {Fault.DENIED: 0.06, Fault.LATE: 0.1, Fault.UNHEARD: 0.1, Fault.IN_THE_MIDST: 0.1},
)
_GAPS_S: Final = (0.002, 0.01, 0.05, 0.3, 2.0)


@dataclass(slots=True)
class _Message:
    id: str
    body: str
    request: Request | None
    is_done: bool = False
    deliveries: int = 0
    received: int = 0
    """How often it was delivered, also where that delivery has not ended."""
    under_way: int = 0


@dataclass(slots=True)
class _Business:
    id: str
    locations: list[str]
    variants: list[str]


@dataclass(slots=True)
class _People:
    """A caller and the ids that it knows."""

    businesses: list[_Business] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    """Rows from answers."""
    groups: list[tuple[Mapping[str, Any], ...]] = field(default_factory=list)
    """Groups from answers."""
    keyed: list[_Asked] = field(default_factory=list)
    families: int = 0


@dataclass(frozen=True, slots=True)
class _Backup:
    """The tables of stock and ledger as they stood when nothing was under way, and how much had happened until then."""

    items: Mapping[Place, Mapping[str, Any]]
    writes: int
    answered: int
    messages: int
    events: int


class History:
    """One seed's history; ``run`` lets it happen. ``steps`` counts calls to AWS and deliveries of messages."""

    def __init__(self, seed: int, *, parts: Parts | None = None, arrivals: int = ARRIVALS) -> None:
        self.seed = seed
        self.chance = Random(seed)
        self.scheduler = Scheduler()
        self.world = World.make(self.scheduler, self.chance, parts or Parts())
        self.record = Record()
        self._arrivals = arrivals
        self._people = _People()
        self._is_calm = False
        self._create = Function(self.world, API_TIMEOUT_S)
        self._reverse = Function(self.world, API_TIMEOUT_S)
        self._ingest = Function(self.world, QUEUE_TIMEOUT_S)
        self._authorize = Function(self.world, API_TIMEOUT_S)
        self._provision = Function(self.world, API_TIMEOUT_S)
        self._gateway: dict[tuple[str, str], tuple[float, bool]] = {}
        self._queue: list[_Message] = []
        self._senders = 0
        self._given_up: list[_Asked] = []
        self._problems: list[str] = []

    @property
    def steps(self) -> int:
        return self.world.weather.calls.total() + self.record.deliveries

    def run(self) -> History:
        """Let it happen, to the end of everything that was ever under way."""
        self.scheduler.spawn(self._open_shop)
        self.scheduler.run()
        if self.chance.random() < _RESTORES:
            self._let_arrive(self._arrivals // 2)
            self._lose_an_order()
            self._let_arrive(self._arrivals // 2)
        else:
            self._let_arrive(self._arrivals)
        self.scheduler.close()
        return self

    def problems(self) -> list[str]:
        """Every problem of the history, in words; none when it is correct."""
        return self._problems + self._judge()

    def digest(self) -> str:
        """A digest of this history: every write, every answer, every event, with their times."""
        return sha256(repr((self.world.database.journal, self.record, self.world.bus.taken)).encode()).hexdigest()

    def _let_arrive(self, arrivals: int) -> None:
        """Let so many come, in a weather that lasts for most of them, and all be settled that they want."""
        chance = self.chance
        self._is_calm = False
        self._given_up = []
        self.world.weather.change(chance.choice(_WEATHERS))
        self.world.bus.failing = chance.choice((0.0, 0.1, 0.3))
        mean_gap_s, at_s = chance.choice(_GAPS_S), 0.0
        for _ in range(arrivals):
            at_s += chance.expovariate(1 / mean_gap_s)
            if chance.random() < 0.02:
                at_s += chance.uniform(5, 120)
            self.scheduler.after(at_s, self._arrive)
        self.scheduler.after(at_s + 5, self._calm_down)
        self.scheduler.run()

    def _judge(self) -> list[str]:
        world = self.world
        return problems_of(world.database, self.record, world.bus.taken, cut_off=world.cut_off)

    # ------------------------------------------------------------------------------------------------------ a restore

    def _lose_an_order(self) -> None:
        """Restore the tables from a backup, under an environment that knows of an order made since.

        Another one gives its number out again, for the same quantity: what is known looks as if it were so still.
        """
        backup = self._back_up()
        self._let_arrive(_LOST_ARRIVALS)
        knowing, other = Environment(self.world), Environment(self.world)
        self._create.idle += [knowing, other]
        self.scheduler.spawn(partial(self._ask_once, self._order_of_one(), served_by=knowing))
        self.scheduler.run()
        self._problems += self._judge()
        self._restore(backup)

        def go_on() -> None:
            self._ask_once(self._order_of_one(), served_by=other)
            self._ask_once(self._order_of_one(), served_by=knowing)

        self.scheduler.spawn(go_on)
        self.scheduler.run()

    def _order_of_one(self) -> Request:
        business = self._people.businesses[1]
        return replace(
            self._new_request(Kind.CREATE),
            business_id=business.id,
            variant_id=business.variants[0],
            sku=None,
            location_id=business.locations[0],
            quantity_change=1,
            reason_code=None,
            expected_quantity=None,
            key=None,
        )

    def _back_up(self) -> _Backup:
        database, record = self.world.database, self.record
        return _Backup(
            items={place: item for place, item in database.items.items() if place[0] in (INVENTORY, LEDGER)},
            writes=len(database.journal),
            answered=len(record.answered),
            messages=len(record.messages),
            events=len(self.world.bus.taken),
        )

    def _restore(self, backup: _Backup) -> None:
        """Restore stock and ledger under the same names: the environments keep running and do not notice.

        What was answered since is judged by now, and no longer true. Of the catalog both are remembered: how it stood
        until now, for as long as that may be trusted, and how it stands again.
        """
        self.world.restores += 1
        database, record = self.world.database, self.record
        lost = database.journal[backup.writes :]
        del database.journal[backup.writes :]
        database.journal += [each for each in lost if _outlives_a_restore(each.place)]
        for place in [place for place in database.items if place[0] in (INVENTORY, LEDGER)]:
            if place not in backup.items:
                del database.items[place]
        for place, item in backup.items.items():
            if database.items.get(place) is not item:
                if _outlives_a_restore(place):
                    database.put(place, item, sender="restore")
                else:
                    database.items[place] = item
        # Under the key of a row that is gone there may be another one some day, under the same id but elsewhere.
        ids = {item["id"]["S"] for place, item in backup.items.items() if place[0] == LEDGER}
        self._people.rows = [row for row in self._people.rows if row["id"] in ids]
        self._people.groups = [rows for rows in self._people.groups if rows[0]["id"] in ids]
        del (
            record.answered[backup.answered :],
            record.messages[backup.messages :],
            self.world.bus.taken[backup.events :],
        )

    # ------------------------------------------------------------------------------------------------------ the scene

    def _open_shop(self) -> None:
        """Two businesses, one of which allows negative stock, and their tokens, all by the operators' own commands."""
        people = self._people
        for number, (locations, variants) in enumerate(((2, 2), (1, 1))):
            business = _Business(
                self._id(), [self._id() for _ in range(locations)], [self._id() for _ in range(variants)]
            )
            people.businesses.append(business)
            self._command("register_business", business, allow_negative_stock=number == 1)
            for place, location in enumerate(business.locations):
                self._command("register_location", business, location_id=location, default=place == 0)
            for place, variant in enumerate(business.variants):
                sku = MOVING_SKU if place == 1 else sku_of(variant)
                self._command("register_variant", business, variant_id=variant, sku=sku)
            for code, direction in DIRECTIONS.items():
                self._command("register_reason", business, reason_code=code, direction=direction)
        for _ in range(2):
            digest = self.chance.randbytes(32)
            token = Token(
                id=token_id_of(digest),
                digest=digest,
                subject="till",
                business_ids=frozenset(UUID(each.id) for each in people.businesses),
                scopes=frozenset(("adjustments:write", "adjustments:reverse")),
                issued_at=BEGINNING,
                expires_at=None,
                revoked_at=None,
            )
            people.tokens.append(token)
            self._provision.invoke(self._sender("o", API_TIMEOUT_S), partial(_put_token, token))

    def _arrive(self) -> None:
        """Start one more caller."""
        drawn = self.chance.random()
        for share, act in _ACTS:
            drawn -= share
            if drawn < 0:
                self.scheduler.spawn(partial(act, self))
                return

    def _calm_down(self) -> None:
        """The weather is fair from now on: what is open is asked for until it is settled."""
        self._is_calm = True
        self.world.weather.change({})
        self.world.bus.failing = 0.0
        for request in self._given_up:
            if self.chance.random() < 0.8:
                self.scheduler.spawn(partial(self._ask_until_settled, request))

    # -------------------------------------------------------------------------------------------------------- callers

    def _order(self) -> None:
        request = self._new_request(Kind.CREATE)
        self._ask(request)

    def _order_twice(self) -> None:
        """A caller that repeats its request before the answer arrives."""
        request = replace(self._new_request(Kind.CREATE), key=f"k{self._people.families}")
        for _ in range(2):
            self.scheduler.spawn(partial(self._ask, request))

    def _repeat(self) -> None:
        """A request of earlier, once more; at times with another content."""
        if not self._people.keyed:
            return
        request = self.chance.choice(self._people.keyed)
        self._ask(self._changed(request) if self.chance.random() < 0.25 else request)

    def _take_back(self) -> None:
        if not self._people.rows:
            return
        row = self.chance.choice(self._people.rows[-8:])
        request = replace(
            self._new_request(Kind.REVERSE),
            business_id=row["business_id"],
            variant_id=row["variant_id"],
            sku=None,
            location_id=row["location_id"],
            quantity_change=-row["delta"],
            reason_code=None,
            reference=None,
            expected_quantity=None,
            # Sometimes an id that does not exist.
            reverses=row["id"] if self.chance.random() < 0.97 else self._id(),
        )
        for _ in range(self.chance.choice((1, 1, 2))):
            self.scheduler.spawn(partial(self._ask, request))

    def _order_group(self) -> None:
        """A batch of lines for any stock items, counts among them, or a transfer; at times in one line."""
        self._ask(self._new_group())

    def _order_group_twice(self) -> None:
        request = replace(self._new_group(), key=f"k{self._people.families}")
        for _ in range(2):
            self.scheduler.spawn(partial(self._ask, request))

    def _order_each(self) -> None:
        """A batch of mode each; who finds a line that is not valid mends it, and sends the batch again."""
        batch = self._new_each()
        self._ask(batch)
        if batch.key is not None and any(not _is_valid(each) for each in batch.lines):
            self._ask(self._changed_each(batch))

    def _new_each(self) -> EachLine:
        chance = self.chance
        first = self._new_request(Kind.CREATE)
        business = self._business_of(first)
        lines = [self._new_request(Kind.CREATE, business) for _ in range(chance.choice((0, 1, 2, 3)))]
        return EachLine(
            tuple(self._as_line(replace(each, key=first.key, actor=first.actor)) for each in (first, *lines))
        )

    def _as_line(self, request: Request) -> Request:
        """The request as a line of a batch; at times it is a count, or not valid."""
        drawn = self.chance.random()
        if drawn < 0.1:
            return replace(request, quantity_change=0)
        if drawn < 0.2:
            counted = self._counted(self._business_of(request))
            return _of_lines(replace(request, kind=Kind.COUNT, expected_quantity=None), counted)
        return request

    def _changed_each(self, batch: EachLine) -> EachLine:
        """The same key with a line that was mended, or is another one, or with two lines that changed their places."""
        lines = [*batch.lines]
        place = next((number for number, each in enumerate(lines) if not _is_valid(each)), None)
        if place is not None:
            lines[place] = replace(lines[place], quantity_change=1)
        elif len(lines) > 1 and self.chance.random() < 0.5:
            one, other = self.chance.sample(range(len(lines)), 2)
            lines[one], lines[other] = _in_place_of(lines[one], lines[other]), _in_place_of(lines[other], lines[one])
        else:
            place = self.chance.randrange(len(lines))
            lines[place] = self._changed_request(lines[place])
        return EachLine(tuple(lines))

    def _count_stock(self) -> None:
        self._ask(self._new_count())

    def _new_count(self) -> Request:
        request = self._new_request(Kind.COUNT)
        return _of_lines(replace(request, expected_quantity=None), self._counted(self._business_of(request)))

    def _take_back_group(self) -> None:
        if not self._people.groups:
            return
        rows = self.chance.choice(self._people.groups[-6:])
        request = replace(
            self._new_request(Kind.REVERSE_GROUP),
            business_id=rows[0]["business_id"],
            sku=None,
            reason_code=None,
            reference=None,
            expected_quantity=None,
            reverses=rows[0]["id"],
            lines=tuple(_line_back(row) for row in reversed(rows) if row["delta"]),
        )
        for _ in range(self.chance.choice((1, 1, 2))):
            self.scheduler.spawn(partial(self._ask, request))

    def _new_group(self) -> Request:
        chance, request = self.chance, replace(self._new_request(Kind.GROUP), expected_quantity=None)
        business = self._business_of(request)
        if chance.random() < 0.4 and len(business.locations) > 1:
            taken = chance.choice(business.locations)
            (added,) = (each for each in business.locations if each != taken)
            variants = chance.sample(business.variants, chance.randint(1, len(business.variants)))
            moves = [(variant, chance.randint(1, 3), self._any_sku(variant)) for variant in variants]
            if all(sku == MOVING_SKU for _, _, sku in moves):
                # A transfer names no variant twice.
                del moves[1:]
            lines = [
                Line(variant, place, sign * moved, kind="transfer", sku=sku)
                for variant, moved, sku in moves
                for place, sign in ((taken, -1), (added, 1))
            ]
        else:
            lines = [self._any_line(business) for _ in range(chance.choice((1, 2, 2, 3, 5)))]
        return _of_lines(request, *lines)

    def _business_of(self, request: Request) -> _Business:
        (business,) = (each for each in self._people.businesses if each.id == request.business_id)
        return business

    def _any_line(self, business: _Business) -> Line:
        chance = self.chance
        if chance.random() < 0.15:
            return self._counted(business)
        variant, location = chance.choice(business.variants), chance.choice(business.locations)
        return Line(variant, location, chance.choice((-3, -2, -1, 1, 2, 3, 4)), sku=self._any_sku(variant))

    def _any_sku(self, variant_id: str) -> str | None:
        """What names a variant in place of its id, if anything does: its own SKU, or one that it may have by now."""
        drawn = self.chance.random()
        if drawn < 0.08:
            return MOVING_SKU
        return sku_of(variant_id) if drawn < 0.2 else None

    def _counted(self, business: _Business) -> Line:
        """A count of now, of some seconds ago, or of the very moment of a row that was answered."""
        chance = self.chance
        counted_at: str | None = None
        if chance.random() < 0.3 and self._people.rows:
            counted_at = chance.choice(self._people.rows[-8:])["created_at"]
        elif chance.random() < 0.5:
            counted_at = instant_text(BEGINNING + timedelta(seconds=self.scheduler.now_s - chance.uniform(-5, 20)))
        variant, location = chance.choice(business.variants), chance.choice(business.locations)
        return Line(variant, location, None, "count", chance.randrange(8), counted_at, sku=self._any_sku(variant))

    def _changed_group(self, request: Request) -> Request:
        """The same key with other lines, or with one more or less."""
        lines = request.lines
        last = lines[-1]
        match self.chance.randrange(5) if request.kind is not Kind.REVERSE_GROUP else 0:
            case 1 if last.quantity_change is not None and last.kind == "adjustment":
                return replace(request, lines=(*lines[:-1], replace(last, quantity_change=last.quantity_change + 5)))
            case 2 if request.is_group and last.kind != "transfer":
                return replace(
                    request,
                    lines=(
                        *lines,
                        replace(lines[0], kind="adjustment", quantity_change=1, counted_quantity=None, counted_at=None),
                    ),
                )
            case 3 if len(lines) > request.rows_per_line:
                return replace(request, lines=lines[: -request.rows_per_line])
            case 4:
                first = [replace(each, sku=_other_name(each)) for each in lines[: request.rows_per_line]]
                return replace(request, lines=(*first, *lines[request.rows_per_line :]))
            case _:
                return replace(request, version=request.version + 1)

    def _new_request(self, kind: Kind, business: _Business | None = None) -> Request:
        people, chance = self._people, self.chance
        people.families += 1
        business = business or people.businesses[chance.random() < 0.2]
        variant = business.variants[0] if chance.random() < 0.8 else chance.choice(business.variants)
        return Request(
            family=f"r{people.families}",
            version=0,
            kind=kind,
            business_id=business.id,
            variant_id=variant,
            location_id=None if chance.random() < 0.5 else chance.choice(business.locations),
            quantity_change=chance.choice((-4, -3, -2, -1, -1, 1, 2, 3, 4)),
            actor=chance.choice(("till", "web", "import")),
            reason_code=chance.choice((None, None, "damage", "found", *DIRECTIONS)),
            reference=chance.choice((None, None, "count 1", "count 2")),
            expected_quantity=chance.randrange(6) if chance.random() < 0.06 else None,
            key=f"k{people.families}" if chance.random() < 0.8 else None,
            sku=self._any_sku(variant),
        )

    def _changed[A: _Asked](self, asked: A) -> A:
        """The same key with another content: in one thing only, so that none of them may be overlooked."""
        if isinstance(asked, EachLine):
            return cast("A", self._changed_each(asked))
        return cast("A", self._changed_request(asked))

    def _changed_request(self, request: Request) -> Request:
        return self._changed_group(request) if request.lines else self._changed_single(request)

    def _changed_single(self, request: Request) -> Request:  # noqa: PLR0911  one for each thing
        chance = self.chance
        business = self._business_of(request)
        match 0 if request.kind is Kind.REVERSE else chance.randrange(7):
            case 0:
                return replace(request, version=request.version + 1)
            case 1:
                return replace(request, quantity_change=request.quantity_change + 5)
            case 2:
                return replace(request, reason_code="other")
            case 3:
                return replace(request, reference="count 3")
            case 4:
                return replace(request, expected_quantity=(request.expected_quantity or 0) + 1)
            case 5:
                return replace(request, sku=_other_name(request))
            case _:
                others = [each for each in (None, *business.locations) if each != request.location_id]
                return replace(request, location_id=chance.choice(others))

    def _ask(self, request: _Asked) -> None:
        """Ask, and again while the answer is unknown: who has a key may, and may at times get it wrong."""
        if request.key is not None:
            self._people.keyed.append(request)
        for _ in range(_TRIES_IN_A_STORM):
            answer = self._ask_once(request)
            if not isinstance(answer, Unknown):
                return
            if request.key is None:
                return
            self.scheduler.sleep(self.chance.random() * self.chance.choice((0.01, 1.0)))
            if self.chance.random() < 0.05:
                request = self._changed(request)
        if self._is_calm:
            self._ask_until_settled(request)
        else:
            self._given_up.append(request)

    def _ask_until_settled(self, request: _Asked) -> None:
        for _ in range(_TRIES_MAX):
            if not isinstance(self._ask_once(request), Unknown):
                return
            self.scheduler.sleep(self.chance.random())
        first = request.lines[0] if isinstance(request, EachLine) else request
        self._tell(first, "", self.scheduler.now_s, Failed("never settled"))

    def _ask_once(self, asked: _Asked, *, served_by: Environment | None = None) -> Answer | None:
        """One HTTP request, through the authorizer; None where that did not let it through."""
        token = self._people.tokens[self.chance.random() < 0.2]
        try:
            if not self._admits(token, asked.business_id):
                return None
        except NoAnswer:
            return Unknown()
        if isinstance(asked, EachLine):
            return self._settle_each(asked)
        return self._ask_alone(asked, served_by)

    def _ask_alone(self, request: Request, served_by: Environment | None) -> Answer:
        self.record.ask(request)
        begun_s, sender = self.scheduler.now_s, self._sender("i", API_TIMEOUT_S)
        # Some callers give up long before the function does.
        waits_s = self.chance.choice((0.02, 0.3, 2.0)) if self.chance.random() < 0.1 else None
        function, work = self._work(request)
        answer: Answer
        try:
            outcome: Outcome | GroupOutcome = function.invoke(
                sender,
                lambda served_by, remaining_s: work(served_by, budget_of(served_by.adjuster, remaining_s)),
                waits_s=waits_s,
                served_by=served_by,
            )
        except (TryAgain, NoAnswer):
            answer = Unknown()
        except ServiceError as error:
            answer = _refused(error)
        except Exception as error:  # noqa: BLE001  whatever else comes out is a fault of the service, unless of a denial
            answer = _failed(error)
        else:
            answer = self._created(outcome)
        self._tell(request, sender, begun_s, answer)
        return answer

    def _created(self, outcome: Outcome | GroupOutcome) -> Created:
        rows = outcome.adjustments if isinstance(outcome, GroupOutcome) else (outcome.adjustment,)
        answer = Created(tuple(map(_members, rows)), outcome.replayed)
        self._people.rows += answer.rows
        if isinstance(outcome, GroupOutcome):
            self._people.groups.append(answer.rows)
        return answer

    def _settle_each(self, batch: EachLine) -> Answer:
        """Ask for a batch of mode each; the answer to one of its lines, of one that is not settled if there is any."""
        for each in batch.lines:
            self.record.ask(each)
        begun_s, sender = self.scheduler.now_s, self._sender("i", API_TIMEOUT_S)
        lines = batch_request({"mode": "each", "lines": batch.bodies})
        assert isinstance(lines, list)
        caller = Caller(UUID(batch.business_id), batch.lines[0].actor)

        def work(served_by: Environment, remaining_s: Callable[[], float]) -> list[writes.LineResult]:
            budget = served_by.budget(remaining_s).reserve(writes.ANSWER_TIME_S)
            return writes.settle_each(
                lines, caller, batch.key, served_by.adjuster, budget=budget, at_once=served_by.at_once
            )

        try:
            answers = list(map(self._answer_of, self._create.invoke(sender, work)))
        except NoAnswer:
            answers = [Unknown()] * len(lines)
        for request, answer in zip(batch.lines, answers, strict=True):
            self._tell(request, sender, begun_s, answer)
        return next((each for each in answers if isinstance(each, Unknown)), answers[0])

    def _answer_of(self, result: writes.LineResult) -> Answer:
        match result:
            case Outcome():
                return self._created(result)
            case TryAgain():
                return Unknown()
            case ServiceError():
                return _refused(result)
            case Breakdown(error):
                return _failed(error)
        raise AssertionError(result)

    def _tell(self, request: Request, sender: str, begun_s: float, answer: Answer) -> None:
        self.record.answered.append(Answered(request, sender, begun_s, self.scheduler.now_s, answer))

    def _work(self, request: Request) -> tuple[Function, _Work]:
        match request.kind:
            case Kind.REVERSE:
                return self._reverse, self._reversal(request)
            case Kind.REVERSE_GROUP:
                return self._reverse, self._group_reversal(request)
            case Kind.GROUP:
                group = Group(_commands(request), request.rows_per_line)
                return self._create, lambda served_by, budget: served_by.adjuster.carry_out_group(group, budget)
            case Kind.COUNT:
                (command,) = _commands(request)
                return self._create, lambda served_by, budget: served_by.adjuster.carry_out(command, budget)
            case _:
                return self._create, self._adjustment(request)

    def _group_reversal(self, request: Request) -> _Work:
        assert request.reverses is not None
        reversal = GroupReversal(
            business_id=UUID(request.business_id),
            group_id=UUID(request.reverses),
            reason=request.reason,
            actor=request.actor,
            idempotency_key=request.key,
        )
        return lambda served_by, budget: carry_out_group(served_by.adjuster, reversal, budget)

    def _adjustment(self, request: Request) -> _Work:
        command = Command(
            business_id=UUID(request.business_id),
            variant_id=UUID(request.variant_id) if request.sku is None else None,
            sku=request.sku,
            quantity_change=request.quantity_change,
            reason=request.reason,
            actor=request.actor,
            location_id=None if request.location_id is None else UUID(request.location_id),
            reason_code=request.reason_code,
            reference=request.reference,
            expected_quantity=request.expected_quantity,
            idempotency_key=request.key,
        )
        return lambda served_by, budget: served_by.adjuster.carry_out(command, budget)

    def _reversal(self, request: Request) -> _Work:
        assert request.reverses is not None
        reversal = Reversal(
            business_id=UUID(request.business_id),
            adjustment_id=UUID(request.reverses),
            reason=request.reason,
            actor=request.actor,
            idempotency_key=request.key,
        )
        return lambda served_by, budget: carry_out(served_by.adjuster, reversal, budget)

    # ---------------------------------------------------------------------------------------------------- the gateway

    def _admits(self, token: Token, business_id: str) -> bool:
        """Call the authorizer, or use its cached answer."""
        scheduler, cached = self.scheduler, self._gateway.get((token.id, business_id))
        if cached is not None and scheduler.now_s < cached[0]:
            self.record.admitted.append(Admitted(token.id, scheduler.now_s, scheduler.now_s, cached[1]))
            return cached[1]
        asked_s = scheduler.now_s

        def decide(served_by: Environment, remaining_s: Callable[[], float]) -> object:
            known = served_by.budget(remaining_s).retry(lambda: served_by.access.find(token.id))
            return authorize(known, token.digest, UUID(business_id), served_by.clock.now())

        try:
            decision = self._authorize.invoke(self._sender("a", API_TIMEOUT_S), decide)
        except (StoreUnavailable, ClientError):
            raise NoAnswer from None
        granted = isinstance(decision, Grant)
        self.record.admitted.append(Admitted(token.id, asked_s, scheduler.now_s, granted))
        if granted:
            self._gateway[token.id, business_id] = (scheduler.now_s + AUTHORIZER_CACHE_S, granted)
        return granted

    # ------------------------------------------------------------------------------------------------------ the queue

    def _send(self) -> None:
        """A message or a few; at times one that repeats another request, or one that can't be carried out."""
        chance = self.chance
        for _ in range(chance.choice((1, 1, 3, 8))):
            request: Request | None = self._new_request(Kind.MESSAGE)
            drawn = chance.random()
            assert request is not None
            if drawn < 0.1 and self._people.keyed:
                earlier = chance.choice(self._people.keyed)
                if isinstance(earlier, Request) and earlier.kind in (Kind.CREATE, Kind.MESSAGE, Kind.GROUP, Kind.COUNT):
                    request = _as_message(earlier)
                    request = self._changed(request) if chance.random() < 0.25 else request
            elif drawn < 0.13:
                request = replace(request, quantity_change=0)
            elif drawn < 0.15:
                request = None
            elif drawn < 0.35:
                request = _as_message(self._new_group())
            elif drawn < 0.4:
                request = _as_message(self._new_count())
            self._queue.append(self._message(request))
        self.scheduler.after(chance.random(), self._deliver)

    def _message(self, request: Request | None) -> _Message:
        """A message that asks for it; one that can't be read for None."""
        message_id = self._id()
        received = int(self.chance.random() < _CUT_OFF)
        if request is None:
            return _Message(message_id, "not JSON", None, received=received)
        if request.key is None:
            request = replace(request, key=message_id)
        self.record.ask(request)
        self.record.messages.append(request)
        return _Message(message_id, json.dumps(request.payload), request, received=received)

    def _deliver(self) -> None:
        """Deliver some of the messages, in any order; at times one of them twice, at once or at the same time.

        Not at the same time where one of the two is a first delivery: that one can't know of a rejection meanwhile.
        """
        chance = self.chance
        if not self._queue:
            return
        chance.shuffle(self._queue)
        batch = [self._queue.pop() for _ in range(min(len(self._queue), chance.choice((1, 10, 10))))]
        if chance.random() < 0.1:
            batch.append(chance.choice(batch))
        again = [message for message in batch if message.received and chance.random() < _TWICE_AT_ONCE]
        self._hand_over(batch)
        if again:
            self._hand_over(again)
            self.scheduler.spawn(partial(self._restock, again[0]))
        if self._queue:
            self.scheduler.after(chance.random(), self._deliver)

    def _hand_over(self, batch: list[_Message]) -> None:
        """Let the function get a batch."""
        self.record.deliveries += len(batch)
        for message in batch:
            message.received += 1
            message.under_way += 1
        counts = {message.id: message.received for message in batch}
        self.scheduler.spawn(partial(self._carry_out, batch, counts))

    def _come_again(self, message: _Message) -> None:
        self.scheduler.spawn(partial(self._deliver_a_copy, message))

    def _deliver_a_copy(self, message: _Message) -> None:
        """Deliver a copy of a message that is done, at a time when no other delivery of it is under way."""
        if message.under_way or message in self._queue:
            return
        self.record.deliveries += 1
        message.under_way += 1
        self._restock(message)
        self.scheduler.spawn(partial(self._carry_out, [message], {message.id: 1}))

    def _restock(self, message: _Message) -> None:
        """At times let stock come in of what a message takes."""
        request = message.request
        if request is None or self.chance.random() >= _RESTOCKED:
            return
        of_lines: list[tuple[str, str | None]] = []
        of_lines += [(line.variant_id, line.location_id) for line in request.lines[:4]]
        places = of_lines or [(request.variant_id, request.location_id)]
        for variant_id, location_id in places:
            order = replace(self._new_request(Kind.CREATE), business_id=request.business_id, quantity_change=9)
            order = replace(order, variant_id=variant_id, location_id=location_id, sku=None)
            self._ask_once(replace(order, reason_code=None, expected_quantity=None, key=None))

    def _carry_out(self, batch: list[_Message], counts: Mapping[str, int]) -> None:
        sender = self._sender("b", QUEUE_TIMEOUT_S)
        self.record.batches[sender] = {each.id: each.request for each in batch if each.request is not None}

        def work(served_by: Environment, remaining_s: Callable[[], float]) -> set[str]:
            done = ingest(
                [
                    {
                        "messageId": message.id,
                        "body": message.body,
                        "attributes": {"ApproximateReceiveCount": str(counts[message.id])},
                    }
                    for message in batch
                ],
                served_by.adjuster,
                served_by.rejections,
                served_by.event_bus,
                budget=served_by.budget(remaining_s),
                at_once=served_by.at_once,
            )
            # Of two messages for one request one may fail where the other is applied.
            requests = self.record.batches[sender]
            results = [(requests.get(each.record["messageId"]), each.result) for each in done]
            no_failures = [request for request, result in results if not isinstance(result, Breakdown)]
            for request, result in results:
                if isinstance(result, Breakdown) and request is not None and request not in no_failures:
                    self._tell(request, sender, self.scheduler.now_s, _failed(result.error))
            return {each.record["messageId"] for each in done if each.is_done}

        try:
            done = self._ingest.invoke(sender, work)
        except NoAnswer:
            done = set()
        for message in batch:
            message.under_way -= 1
        for message in {message.id: message for message in batch}.values():
            message.deliveries += 1
            if message.id in done and self.chance.random() < _COPIED:
                self.scheduler.after(self.chance.uniform(*_COPIED_AFTER_S), partial(self._come_again, message))
            message.is_done = message.is_done or message.id in done
            to_the_dead_letter_queue = message.request is None and message.deliveries >= _UNREADABLE_DELIVERIES
            if message.deliveries > _DELIVERIES_MAX and not message.is_done:
                self._problems.append(f"a message that is never settled: {message.body}")
            elif message.id not in done and not to_the_dead_letter_queue:
                self.scheduler.after(VISIBILITY_S, partial(self._show_again, message))

    def _show_again(self, message: _Message) -> None:
        if not message.is_done:
            self.scheduler.spawn(partial(self._queue_again, message))

    def _queue_again(self, message: _Message) -> None:
        self._restock(message)
        self._queue.append(message)
        self.scheduler.after(self.chance.random(), self._deliver)

    # ------------------------------------------------------------------------------------------------------ operators

    def _change_catalog(self) -> None:
        chance = self.chance
        business = chance.choice(self._people.businesses)
        variant, location = chance.choice(business.variants), chance.choice(business.locations)
        match chance.randrange(6):
            case 0:
                self._command("deactivate_variant", business, variant_id=variant)
            case 5:
                self._command("deactivate_reason", business, reason_code=chance.choice([*DIRECTIONS]))
            case 1:
                self._command("deactivate_location", business, location_id=location)
            case 2:
                self._command("register_location", business, location_id=location, default=True)
            case _:
                for each in business.variants:
                    self._command("register_variant", business, variant_id=each)
                for each in business.locations:
                    self._command("register_location", business, location_id=each)
                for each in DIRECTIONS:
                    self._command("register_reason", business, reason_code=each)

    def _move_sku(self) -> None:
        """One variant gives its SKU up, and another one gets it. Then somebody asks again for what the SKU named."""
        business = self._people.businesses[0]
        giver, taker = self.chance.sample(business.variants, 2)
        self._command("register_variant", business, variant_id=giver, sku=sku_of(giver))
        self._command("register_variant", business, variant_id=taker, sku=MOVING_SKU)
        named = [each for each in self._people.keyed if isinstance(each, Request) and each.sku == MOVING_SKU]
        if named:
            self._ask(self.chance.choice(named))

    def _set_clocks(self) -> None:
        """Clocks are set right, or wrong: they move in either direction, also in the midst of an invocation."""
        for environment in self.world.environments:
            if self.chance.random() < 0.5:
                self._set_clock(environment, self.chance.uniform(-CLOCK_ERROR_MAX_S, CLOCK_ERROR_MAX_S))

    def _set_a_clock_far_back(self) -> None:
        """One environment's clock is set back, and it serves on. When the clock is as far again, all of that is old."""
        chance, business = self.chance, self._people.businesses[0]
        if not self._create.idle:
            return
        environment, variant = chance.choice(self._create.idle), business.variants[-1]
        order = replace(self._new_request(Kind.CREATE), business_id=business.id, location_id=None, quantity_change=1)
        order = replace(order, reason_code=None, expected_quantity=None, key=None, sku=None)
        self._ask_once(replace(order, variant_id=variant), served_by=environment)
        set_back_s = chance.uniform(*_FAR_BACK_S)
        self._set_clock(environment, environment.clock.error_s - set_back_s)
        is_idle = environment in self._create.idle
        another = replace(order, family=order.family + "a", variant_id=business.variants[0])
        answer = self._ask_once(another, served_by=environment)
        if not is_idle or not isinstance(answer, Created | Refused):
            # No function may have read that clock, so no effect can be demanded.
            self._set_clock(environment, environment.clock.error_s + set_back_s)
            return
        self._command("deactivate_variant", business, variant_id=variant)
        self.scheduler.sleep(set_back_s + chance.uniform(10, 30))
        self._ask_once(replace(order, family=order.family + "b", variant_id=variant), served_by=environment)
        self._command("register_variant", business, variant_id=variant)

    def _set_clock(self, environment: Environment, error_s: float) -> None:
        least_s, greatest_s = self.record.clock_errors_s
        self.record.clock_errors_s = min(least_s, error_s), max(greatest_s, error_s)
        environment.clock.error_s = error_s

    def _reorganise(self) -> None:
        """An order for a variant that few ask for, wherever the default location is. Meanwhile all of that changes.

        Its transaction may be late: then it lands in the changed world, or does not.
        """
        chance = self.chance
        if chance.random() < 0.5:
            self.world.weather.foretold["TransactWriteItems"] = Fault.LATE
        business = self._people.businesses[0]
        variant = business.variants[-1]
        request = replace(self._new_request(Kind.CREATE, business), variant_id=variant, location_id=None)
        request = replace(request, sku=chance.choice((None, None, None, MOVING_SKU)))
        self.scheduler.spawn(
            partial(self._ask, replace(request, quantity_change=1, reason_code=None, expected_quantity=None))
        )
        self.scheduler.sleep(chance.random())
        is_move, is_stop = chance.choice(((True, False), (False, True), (False, True), (True, True), (True, True)))
        if is_move:
            self._command("register_location", business, location_id=chance.choice(business.locations), default=True)
        if is_stop:
            self._command("deactivate_variant", business, variant_id=variant)
        for environment in self.world.environments:
            self._set_clock(environment, -CLOCK_ERROR_MAX_S if chance.random() < 0.5 else CLOCK_ERROR_MAX_S)
        if is_stop:
            self.scheduler.sleep(4 * chance.random())
            self._command("register_variant", business, variant_id=variant)

    def _revoke(self) -> None:
        self._command("revoke_token", None, token_id=self._people.tokens[1].id)

    def _command(self, command: str, business: _Business | None, **fields: Any) -> None:
        """One of the operators' commands. What is acknowledged has to be there, until another command ends it."""
        payload: dict[str, Any] = {"command": command, **fields}
        if business is not None:
            payload["business_id"] = business.id
            if command.startswith("register"):
                payload["name"] = "some"
        request = provision_request(payload)
        begun_s, sender = self.scheduler.now_s, self._sender("o", API_TIMEOUT_S)
        try:
            self._provision.invoke(
                sender,
                lambda served_by, remaining_s: served_by.provision.perform(request, served_by.budget(remaining_s)),
            )
        except (NoAnswer, StoreUnavailable):
            return
        except SkuTaken as error:
            self.record.skus_refused.append(
                SkuRefused(
                    sender, payload["business_id"], MOVING_SKU, str(error.variant_id), begun_s, self.scheduler.now_s
                )
            )
            return
        except Exception as error:  # noqa: BLE001  whatever else comes out is a fault of the service, unless of a denial
            if not _failed(error).is_denial:
                self._problems.append(f"{command} of {sender}: failed by {error!r}")
            return
        self.record.commanded.append(Commanded(command, sender, begun_s, self.scheduler.now_s, _leaves(payload)))

    # ---------------------------------------------------------------------------------------------------------- names

    def _id(self) -> str:
        return str(drawn_id(self.chance))

    def _sender(self, prefix: str, timeout_s: float) -> str:
        """A name for an invocation that begins now."""
        self._senders += 1
        sender = f"{prefix}{self._senders}"
        self.record.invocations[sender] = Invocation(self.scheduler.now_s, timeout_s)
        return sender


_ACTS: Final = (
    (0.17, History._order),
    (0.06, History._order_twice),
    (0.05, History._order_each),
    (0.09, History._order_group),
    (0.03, History._order_group_twice),
    (0.04, History._count_stock),
    (0.04, History._take_back_group),
    (0.12, History._repeat),
    (0.12, History._take_back),
    (0.14, History._send),
    (0.02, History._move_sku),
    (0.04, History._change_catalog),
    (0.015, History._set_clocks),
    (0.005, History._set_a_clock_far_back),
    (0.05, History._reorganise),
    (0.01, History._revoke),
)


def _line_back(row: Mapping[str, Any]) -> Line:
    return Line(row["variant_id"], row["location_id"], -row["delta"], "reversal", reverses=row["id"])


def _commands(request: Request) -> tuple[Command, ...]:
    """The lines of a group or a count as commands."""
    return tuple(
        Command(
            business_id=UUID(request.business_id),
            variant_id=UUID(line.variant_id) if line.sku is None else None,
            sku=line.sku,
            quantity_change=line.quantity_change,
            reason=request.reason,
            actor=request.actor,
            location_id=UUID(line.location_id),
            reason_code=request.reason_code,
            reference=request.reference,
            idempotency_key=request.key,
            kind=cast("RowKind", line.kind),
            counted_quantity=line.counted_quantity,
            counted_at=None if line.counted_at is None else parse_instant(line.counted_at),
        )
        for line in request.lines
    )


def _of_lines(request: Request, *lines: Line) -> Request:
    """The request with lines. Where a code stands for none in the body of a count or a transfer, it has that one."""
    kinds = {line.kind for line in lines}
    codes = [code for kind, code in (("transfer", "transfer"), ("count", "count_variance")) if kind in kinds]
    return replace(request, lines=lines, reason_code=request.reason_code or next(iter(codes), None))


def _is_valid(line: Request) -> bool:
    return bool(line.lines) or line.quantity_change != 0


def _in_place_of(line: Request, content: Request) -> Request:
    """A line of a batch with the content of another one, under its own number."""
    return replace(content, family=line.family, version=line.version)


def _refused(error: ServiceError) -> Refused:
    line = error.line if isinstance(error, Refusal) else None
    return Refused(type(error).__name__, error.facts() | ({} if line is None else {"line": line}))


def _other_name(named: Request | Line) -> str | None:
    """The variant's SKU where its id names it, and the other way round."""
    return sku_of(named.variant_id) if named.sku is None else None


def _as_message(request: Request) -> Request:
    return replace(request, kind=Kind.MESSAGE, is_batch=request.is_group)


def _put_token(token: Token, served_by: Environment, _: Callable[[], float]) -> None:
    served_by.access.put(token)


def _failed(error: Exception) -> Failed:
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return Failed(repr(error), is_denial=code in DENIALS)


def _outlives_a_restore(place: Place) -> bool:
    """Whether the earlier versions of an item count after a restore, as they may be remembered for a while."""
    return place[0] == ACCESS or place[1].startswith("BUSINESS#")


def _leaves(payload: Mapping[str, Any]) -> dict[Place, dict[str, Any]]:
    """What a command has to leave in the tables."""
    if payload["command"] == "revoke_token":
        return {(ACCESS, f"TOKEN#{payload['token_id']}", ""): {"revoked_at": None}}
    pk, (verb, _, kind) = f"BUSINESS#{payload['business_id']}", payload["command"].partition("_")
    if kind == "business":
        return {(INVENTORY, pk, "SETTINGS"): {"allow_negative_stock": {"BOOL": payload["allow_negative_stock"]}}}
    item_id = payload["reason_code" if kind == "reason" else f"{kind}_id"]
    left = {"active": {"BOOL": verb == "register"}} | ({"sku": {"S": payload["sku"]}} if "sku" in payload else {})
    leaves = {(INVENTORY, pk, f"{kind.upper()}#{item_id}"): left}
    if payload.get("default"):
        leaves[INVENTORY, pk, "SETTINGS"] = {"default_location_id": {"S": item_id}}
    return leaves


def _members(row: Adjustment) -> dict[str, Any]:
    """A row as it is answered to its caller."""
    return {
        "id": str(row.id),
        "business_id": str(row.business_id),
        "variant_id": str(row.variant_id),
        "location_id": str(row.location_id),
        "delta": row.delta,
        "reason": row.reason,
        "reason_code": row.reason_code,
        "reference": row.reference,
        "created_by": row.created_by,
        "sequence": row.sequence,
        "quantity_after": row.quantity_after,
        "created_at": instant_text(row.created_at),
        "reverses": None if row.reverses is None else str(row.reverses),
    }
