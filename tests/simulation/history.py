"""A history: callers, senders and operators at work on the service, in one seed's weather, until all is settled."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from inventory.errors import ServiceError, StoreUnavailable, TryAgain
from inventory.groups import Fault as Breakdown
from inventory.ingest import ingest
from inventory.instants import instant_text
from inventory.model import Command
from inventory.provision_requests import provision_request
from inventory.reverse import Reversal, carry_out
from inventory.tokens import Grant, Token, authorize, token_id_of
from tests.simulation.environment import BEGINNING, drawn_id
from tests.simulation.faults import Fault
from tests.simulation.record import Admitted, Answer, Created, Failed, Kind, Record, Refused, Request, Told, Unknown
from tests.simulation.scheduler import Scheduler
from tests.simulation.service import API_TIMEOUT_S, CLOCK_ERROR_MAX_S, QUEUE_TIMEOUT_S, Function, NoAnswer, Parts, World
from tests.support.builders import tries_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inventory.adjust import Outcome
    from inventory.model import Adjustment
    from inventory.tries import Tries
    from tests.simulation.service import Environment

AUTHORIZER_CACHE_S: Final = 60.0
VISIBILITY_S: Final = 240.0
"""As the template sets it: a message that is not done is delivered again after that."""

ARRIVALS: Final = 60
_TRIES_IN_A_STORM: Final = 4
_TRIES_MAX: Final = 60
_UNREADABLE_DELIVERIES: Final = 3

_WEATHERS: Final[tuple[Mapping[Fault, float], ...]] = (
    {},
    dict.fromkeys(Fault, 0.004),
    dict.fromkeys(Fault, 0.015),
    dict.fromkeys(Fault, 0.03),
    {Fault.UNHEARD: 0.15, Fault.IN_THE_MIDST: 0.15},
    {Fault.LATE: 0.2, Fault.NOT_SENT: 0.05},
    {Fault.LATE: 0.4},
    {Fault.STALLED: 0.1, Fault.LATE: 0.1},
    {Fault.PART_THROTTLED: 0.2, Fault.THROTTLED: 0.1},
    {Fault.KILLED_BEFORE: 0.08, Fault.KILLED_AFTER: 0.12},
    {Fault.EMPTY: 0.15, Fault.FAILED: 0.1},
)
_GAPS_S: Final = (0.002, 0.01, 0.05, 0.3, 2.0)


@dataclass(slots=True)
class _Message:
    id: str
    body: str
    request: Request | None
    is_done: bool = False
    deliveries: int = 0


@dataclass(slots=True)
class _Business:
    id: str
    locations: list[str]
    variants: list[str]


@dataclass(slots=True)
class _People:
    """Who asks for what: the ids that they know."""

    businesses: list[_Business] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    """Rows that were told."""
    keyed: list[Request] = field(default_factory=list)
    families: int = 0


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
        self._given_up: list[Request] = []

    @property
    def steps(self) -> int:
        return self.world.weather.calls.total() + self.record.deliveries

    def run(self) -> History:
        """Let it happen, to the end of everything that was ever under way."""
        chance = self.chance
        self.scheduler.spawn(self._open_shop)
        self.scheduler.run()
        self.world.weather.change(chance.choice(_WEATHERS))
        self.world.bus.failing = chance.choice((0.0, 0.1, 0.3))
        mean_gap_s, at_s = chance.choice(_GAPS_S), 0.0
        for _ in range(self._arrivals):
            at_s += chance.expovariate(1 / mean_gap_s)
            if chance.random() < 0.02:
                at_s += chance.uniform(5, 120)
            self.scheduler.after(at_s, self._arrive)
        self.scheduler.after(at_s + 5, self._calm_down)
        self.scheduler.run()
        self.scheduler.close()
        return self

    def digest(self) -> str:
        """What tells this history from any other: every write, every answer, every event, with their times."""
        return sha256(repr((self.world.database.journal, self.record, self.world.bus.taken)).encode()).hexdigest()

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
            for variant in business.variants:
                self._command("register_variant", business, variant_id=variant)
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
            self._provision.invoke("operator", partial(_put_token, token))

    def _arrive(self) -> None:
        """One more who wants something."""
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
        """Somebody who does not wait for the answer before he asks again."""
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
            location_id=row["location_id"],
            quantity_change=-row["delta"],
            expected_quantity=None,
            reverses=row["id"],
        )
        for _ in range(self.chance.choice((1, 1, 2))):
            self.scheduler.spawn(partial(self._ask, request))

    def _new_request(self, kind: Kind) -> Request:
        people, chance = self._people, self.chance
        people.families += 1
        business = people.businesses[chance.random() < 0.2]
        return Request(
            family=f"r{people.families}",
            version=0,
            kind=kind,
            business_id=business.id,
            variant_id=business.variants[0] if chance.random() < 0.8 else chance.choice(business.variants),
            location_id=None if chance.random() < 0.5 else chance.choice(business.locations),
            quantity_change=chance.choice((-4, -3, -2, -1, -1, 1, 2, 3, 4)),
            expected_quantity=chance.randrange(6) if chance.random() < 0.06 else None,
            key=f"k{people.families}" if chance.random() < 0.8 else None,
        )

    def _changed(self, request: Request) -> Request:
        """The same key with another content."""
        if request.kind is Kind.REVERSE:
            return request
        version = request.version + 1
        change = request.quantity_change + 5 * version
        return replace(request, version=version, quantity_change=change)

    def _ask(self, request: Request) -> None:
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

    def _ask_until_settled(self, request: Request) -> None:
        for _ in range(_TRIES_MAX):
            if not isinstance(self._ask_once(request), Unknown):
                return
            self.scheduler.sleep(self.chance.random())
        self._tell(request, "", self.scheduler.now_s, Failed("never settled"))

    def _ask_once(self, request: Request) -> Answer | None:
        """One HTTP request, through the authorizer; None where that did not let it through."""
        token = self._people.tokens[self.chance.random() < 0.2]
        try:
            if not self._admits(token, request.business_id):
                return None
        except NoAnswer:
            return Unknown()
        begun_s, sender = self.scheduler.now_s, self._sender("i")
        # Some callers lose patience long before the function does.
        waits_s = self.chance.choice((0.02, 0.3, 2.0)) if self.chance.random() < 0.1 else None
        function, work = (
            (self._reverse, self._reversal(request))
            if request.kind is Kind.REVERSE
            else (self._create, self._adjustment(request))
        )
        answer: Answer
        try:
            outcome: Outcome = function.invoke(
                sender,
                lambda served_by, remaining_s: work(served_by, tries_of(served_by.adjuster, remaining_s)),
                waits_s=waits_s,
            )
        except (TryAgain, NoAnswer):
            answer = Unknown()
        except ServiceError as error:
            answer = Refused(type(error).__name__, error.facts())
        except Exception as error:  # noqa: BLE001  whatever else comes out is a fault of the service
            answer = Failed(repr(error))
        else:
            answer = Created(_members(outcome.adjustment), outcome.replayed)
            self._people.rows.append(answer.row)
        self._tell(request, sender, begun_s, answer)
        return answer

    def _tell(self, request: Request, sender: str, begun_s: float, answer: Answer) -> None:
        self.record.requests[request.reason] = request
        self.record.told.append(Told(request, sender, begun_s, self.scheduler.now_s, answer))

    def _adjustment(self, request: Request) -> Callable[[Environment, Tries], Outcome]:
        self.record.requests[request.reason] = request
        command = Command(
            business_id=UUID(request.business_id),
            variant_id=UUID(request.variant_id),
            quantity_change=request.quantity_change,
            reason=request.reason,
            actor="till",
            location_id=None if request.location_id is None else UUID(request.location_id),
            expected_quantity=request.expected_quantity,
            idempotency_key=request.key,
        )
        return lambda served_by, tries: served_by.adjuster.carry_out(command, tries)

    def _reversal(self, request: Request) -> Callable[[Environment, Tries], Outcome]:
        assert request.reverses is not None
        self.record.requests[request.reason] = request
        reversal = Reversal(
            business_id=UUID(request.business_id),
            adjustment_id=UUID(request.reverses),
            reason=request.reason,
            actor="till",
            idempotency_key=request.key,
        )
        return lambda served_by, tries: carry_out(served_by.adjuster, reversal, tries)

    # ---------------------------------------------------------------------------------------------------- the gateway

    def _admits(self, token: Token, business_id: str) -> bool:
        """Ask the authorizer, or remember what it said."""
        scheduler, cached = self.scheduler, self._gateway.get((token.id, business_id))
        if cached is not None and scheduler.now_s < cached[0]:
            self.record.admitted.append(Admitted(token.id, scheduler.now_s, scheduler.now_s, cached[1]))
            return cached[1]
        asked_s = scheduler.now_s

        def decide(served_by: Environment, remaining_s: Callable[[], float]) -> object:
            known = served_by.patience(remaining_s).settle(lambda: served_by.access.find(token.id))
            return authorize(known, token.digest, UUID(business_id), served_by.clock.now())

        try:
            decision = self._authorize.invoke("authorizer", decide)
        except StoreUnavailable:
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
                if earlier.kind is not Kind.REVERSE:
                    request = replace(earlier, kind=Kind.MESSAGE)
            elif drawn < 0.13:
                request = replace(request, quantity_change=0)
            elif drawn < 0.15:
                request = None
            message_id = self._id()
            if request is None:
                self._queue.append(_Message(message_id, "not JSON", None))
            else:
                if request.key is None:
                    request = replace(request, key=message_id)
                self.record.requests.setdefault(request.reason, request)
                self.record.messages.append(request.reason)
                self._queue.append(_Message(message_id, _body(request), request))
        self.scheduler.after(chance.random(), self._deliver)

    def _deliver(self) -> None:
        """Hand some of the messages over, in any order; at times one of them twice, at the same time."""
        chance = self.chance
        if not self._queue:
            return
        chance.shuffle(self._queue)
        batch = [self._queue.pop() for _ in range(min(len(self._queue), chance.choice((1, 10, 10))))]
        self.record.deliveries += len(batch)
        self.scheduler.spawn(partial(self._carry_out, batch))
        again = [message for message in batch if chance.random() < 0.05]
        if again:
            self.record.deliveries += len(again)
            self.scheduler.spawn(partial(self._carry_out, again))
        if self._queue:
            self.scheduler.after(chance.random(), self._deliver)

    def _carry_out(self, batch: list[_Message]) -> None:
        sender = self._sender("b")
        readable = [message.request.reason for message in batch if message.request is not None]
        self.record.batches[sender] = (self.scheduler.now_s, readable)

        def work(served_by: Environment, remaining_s: Callable[[], float]) -> set[str]:
            done = ingest(
                [{"messageId": message.id, "body": message.body} for message in batch],
                served_by.adjuster,
                served_by.event_bus,
                patience=served_by.patience(remaining_s),
                at_once=served_by.at_once,
            )
            for message, each in zip(batch, done, strict=True):
                if isinstance(each.result, Breakdown) and message.request is not None:
                    self._tell(message.request, sender, self.scheduler.now_s, Failed(repr(each.result.error)))
            return {each.record["messageId"] for each in done if each.is_done}

        try:
            done = self._ingest.invoke(sender, work)
        except NoAnswer:
            done = set()
        for message in batch:
            message.deliveries += 1
            message.is_done = message.is_done or message.id in done
            to_the_dead_end = message.request is None and message.deliveries >= _UNREADABLE_DELIVERIES
            if message.id not in done and not to_the_dead_end:
                self.scheduler.after(VISIBILITY_S, partial(self._show_again, message))

    def _show_again(self, message: _Message) -> None:
        if not message.is_done:
            self._queue.append(message)
            self.scheduler.after(self.chance.random(), self._deliver)

    # ------------------------------------------------------------------------------------------------------ operators

    def _change_catalog(self) -> None:
        chance = self.chance
        business = chance.choice(self._people.businesses)
        variant, location = chance.choice(business.variants), chance.choice(business.locations)
        match chance.randrange(5):
            case 0:
                self._command("deactivate_variant", business, variant_id=variant)
            case 1:
                self._command("deactivate_location", business, location_id=location)
            case 2:
                self._command("register_location", business, location_id=location, default=True)
            case _:
                for each in business.variants:
                    self._command("register_variant", business, variant_id=each)
                for each in business.locations:
                    self._command("register_location", business, location_id=each)

    def _set_clocks(self) -> None:
        """Clocks are set right, or wrong: they move in either direction, also in the midst of an invocation."""
        for environment in self.world.environments:
            if self.chance.random() < 0.5:
                environment.clock.error_s = self.chance.uniform(-CLOCK_ERROR_MAX_S, CLOCK_ERROR_MAX_S)

    def _reorganise(self) -> None:
        """An order for a variant that few ask for, wherever the default location is. Meanwhile all of that changes."""
        chance = self.chance
        business = self._people.businesses[0]
        variant = business.variants[-1]
        request = replace(self._new_request(Kind.CREATE), business_id=business.id, variant_id=variant, location_id=None)
        self.scheduler.spawn(partial(self._ask, replace(request, quantity_change=1, expected_quantity=None)))
        self.scheduler.sleep(chance.random())
        is_stop = chance.random() < 0.7
        if is_stop:
            self._command("deactivate_variant", business, variant_id=variant)
        else:
            self._command("register_location", business, location_id=chance.choice(business.locations), default=True)
        for environment in self.world.environments:
            environment.clock.error_s = -CLOCK_ERROR_MAX_S if chance.random() < 0.5 else CLOCK_ERROR_MAX_S
        if is_stop:
            self.scheduler.sleep(4 * chance.random())
            self._command("register_variant", business, variant_id=variant)

    def _revoke(self) -> None:
        self._command("revoke_token", None, token_id=self._people.tokens[1].id)

    def _command(self, command: str, business: _Business | None, **fields: Any) -> None:
        """One of the operators' commands. Nobody waits for how it ends: what it leaves is there for all to see."""
        payload: dict[str, Any] = {"command": command, **fields}
        if business is not None:
            payload["business_id"] = business.id
            if command.startswith("register"):
                payload["sku" if command == "register_variant" else "name"] = "some"
        request = provision_request(payload)
        with suppress(NoAnswer, StoreUnavailable):
            self._provision.invoke(
                "operator",
                lambda served_by, remaining_s: served_by.provision.perform(request, served_by.patience(remaining_s)),
            )

    # ---------------------------------------------------------------------------------------------------------- names

    def _id(self) -> str:
        return str(drawn_id(self.chance))

    def _sender(self, prefix: str) -> str:
        self._senders += 1
        return f"{prefix}{self._senders}"


_ACTS: Final = (
    (0.40, History._order),
    (0.08, History._order_twice),
    (0.12, History._repeat),
    (0.12, History._take_back),
    (0.16, History._send),
    (0.04, History._change_catalog),
    (0.02, History._set_clocks),
    (0.05, History._reorganise),
    (0.01, History._revoke),
)


def _put_token(token: Token, served_by: Environment, _: Callable[[], float]) -> None:
    served_by.access.put(token)


def _body(request: Request) -> str:
    members: dict[str, Any] = {
        "business_id": request.business_id,
        "variant_id": request.variant_id,
        "quantity_change": request.quantity_change,
        "reason": request.reason,
        "location_id": request.location_id,
        "expected_quantity": request.expected_quantity,
        "idempotency_key": request.key,
    }
    return json.dumps(members)


def _members(row: Adjustment) -> dict[str, Any]:
    """A row as its caller is told it."""
    return {
        "id": str(row.id),
        "business_id": str(row.business_id),
        "variant_id": str(row.variant_id),
        "location_id": str(row.location_id),
        "delta": row.delta,
        "reason": row.reason,
        "sequence": row.sequence,
        "quantity_after": row.quantity_after,
        "created_at": instant_text(row.created_at),
        "reverses": None if row.reverses is None else str(row.reverses),
    }
