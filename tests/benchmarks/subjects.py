"""What is compared: our handlers and the baselines, and the requests that they get.

Every subject gets the same events, and its environment knows the business, the variant, the location and the stock item
before the first request that counts; where a variant is about something else it says so.
"""

from __future__ import annotations

import importlib
import os
import sys
from copy import replace
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from uuid import UUID, uuid5

from inventory.api.routes import CREATE_BATCH
from inventory.domain.api_tokens import Token, digest_of, token_id_of
from inventory.storage.stock_store import StockStore
from inventory.storage.tokens import TokenTable
from tests.benchmarks.baselines import work
from tests.support.builders.ids import BUSINESS, HEAD_HASH, SUBJECT, VARIANT
from tests.support.builders.requests import an_api_event
from tests.support.harness.loading import ROOT, Context, load_by_path, load_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    type Event = dict[str, Any]


class Lines(NamedTuple):
    """The lines of a batch: for so many stock items, one each, or all for one."""

    mode: str
    number: int
    is_of_one_item: bool = False


OURS: Final = "ours"
BATCH_OF_49: Final = "49 items"
SAME_ITEM_99: Final = "99 lines of one item, each"
BATCHES: Final[Mapping[str, Lines]] = {
    "1 item": Lines("atomic", 1),
    "10 items": Lines("atomic", 10),
    BATCH_OF_49: Lines("atomic", 49),
    # Of one stock item a batch of mode atomic takes 98 lines, as one operation is left for the link of its reversal.
    "98 lines of one item": Lines("atomic", 98, is_of_one_item=True),
    SAME_ITEM_99: Lines("each", 99, is_of_one_item=True),
}
"""Label to what a batch is made of."""
BASELINES: Final[Mapping[str, str]] = {
    "bare": "bare",
    "plain": "plain",
    "resolver": "resolver",
    "fastapi": "fastapi_mangum",
    "idempotency": "idempotency",
}
"""Label to module in ``baselines``."""

REQUESTS_OF_SAMPLE: Final = 50
ACCESS_TABLE: Final = "access-table"

SEEDED: Final = work.Stock(
    # So many that no figure gets another digit while it is measured: a request is as long each time.
    quantity=100_000_000,
    sequence=1_000_000,
    updated_at=datetime(2026, 11, 23, 14, 5, 9, 123456, tzinfo=UTC),
    head_hash=HEAD_HASH,
)
_NAMES: Final = UUID("a3b1a6f0-37c8-4c5e-9a3a-6b6f3d0c6f11")


class Subject(Protocol):
    """A handler that was made ready. ``clients`` are all that it calls DynamoDB with."""

    clients: list[Any]
    lines: int
    """How many changes each request asks for."""

    def asked(self, number: int) -> object:
        """What it is called with for the request of that number."""
        ...

    def call(self, asked: object) -> None:
        """Carry out one request; anything but the expected answer is an error."""
        ...

    def open(self) -> None:
        """Let happen what its requests take for granted."""
        ...

    def forget(self) -> None:
        """Empty the caches."""
        ...


@dataclass
class Handler:
    """A handler of API events whose answer must have this status."""

    module: Any
    clients: list[Any]
    ask: Callable[[int], Event]
    status: int = 201
    replayed: bool = False
    lines: int = 1

    def asked(self, number: int) -> object:
        return self.ask(number)

    def call(self, asked: object) -> None:
        response = self.module.handler(asked, Context())
        assert response["statusCode"] == self.status, response
        assert ("Idempotent-Replayed" in response.get("headers", ())) is self.replayed

    def open(self) -> None: ...

    def forget(self) -> None: ...


class Ours(Handler):
    """Our create function."""

    def __init__(self, ask: Callable[[int], Event], **expected: Any) -> None:
        module = load_by_path(ROOT / "functions" / "create_adjustment" / "handler.py", "handler")
        super().__init__(module, [module.client], ask, **expected)
        self.forget()

    def open(self) -> None:
        if self.replayed:
            for number in range(REQUESTS_OF_SAMPLE):
                assert self.module.handler(fresh(number), Context())["statusCode"] == self.status

    def forget(self) -> None:
        """Remember nothing; whatever is learnt stays as young as it is, or a long run would read the catalog again."""
        (client,) = self.clients
        store = StockStore(
            client,
            inventory_table=os.environ["INVENTORY_TABLE"],
            ledger_table=os.environ["LEDGER_TABLE"],
            time_s=SEEDED.updated_at.timestamp,
        )
        self.module.adjuster = replace(self.module.adjuster, store=store)


class Batch(Ours):
    """Our create function, and batches. Each must be settled as a whole, and nothing may be a replay."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(lambda number: batch(number, lines), status=200 if lines.mode == "each" else 201)
        self.lines = lines.number

    def call(self, asked: object) -> None:
        response = self.module.handler(asked, Context())
        assert response["statusCode"] == self.status, response
        assert "Idempotent-Replayed" not in response.get("headers", ())
        # In the body of mode ``each`` every line has a status of its own; it is not read while this is measured.
        assert '"error"' not in response["body"]


class Bare:
    """The bare call; its parts are made before it is measured."""

    lines = 1

    def __init__(self, ask: Callable[[int], Event]) -> None:
        self._module = _baseline("bare")
        self._plain = _baseline("plain")
        self._ask = ask
        self.clients = [self._module.client]

    def asked(self, number: int) -> object:
        row, stock = work.new_row(self._plain.valid_request(self._ask(number), str(BUSINESS), SUBJECT))
        work.remember(row)
        return work.typed_parts(row, stock)

    def call(self, asked: object) -> None:
        self._module.handler(asked, Context())

    def open(self) -> None: ...

    def forget(self) -> None: ...


class Authorizer:
    """Our authorizer and a good token."""

    lines = 1

    def __init__(self) -> None:
        self._module: Any = load_by_path(ROOT / "functions" / "authorizer" / "handler.py", "handler")
        self._event = load_event("authorizer")
        self.clients = [self._module.client]

    def asked(self, number: int) -> object:
        return self._event

    def call(self, asked: object) -> None:
        policy = self._module.handler(asked, Context())
        assert policy["policyDocument"]["Statement"][0]["Effect"] == "Allow"

    def open(self) -> None:
        digest = digest_of(self._event["headers"]["Authorization"].removeprefix("Bearer "))
        businesses = frozenset({UUID(self._event["headers"]["x-business-id"])})
        token = Token(
            token_id_of(digest),
            digest,
            SUBJECT,
            businesses,
            frozenset({"adjustments:write"}),
            SEEDED.updated_at,
            None,
            None,
        )
        TokenTable(self.clients[0], ACCESS_TABLE).put(token)

    def forget(self) -> None: ...


def fresh(number: int, *, variant_id: UUID = VARIANT, quantity_change: int = 3) -> Event:
    """A request as a point of sale might send it, under a key that no other number has."""
    event: Event = an_api_event(_change(variant_id, quantity_change), headers=_headers(number))
    return event


def batch(number: int, lines: Lines) -> Event:
    """The same changes as lines of one request, under a key that no other number has."""
    variants = [VARIANT if lines.is_of_one_item else variant(place) for place in range(lines.number)]
    body = {"mode": lines.mode, "lines": [_change(each, 3) for each in variants]}
    path = CREATE_BATCH.path
    event: Event = an_api_event(body, headers=_headers(number), resource=path, path=path)
    return event


def _change(variant_id: UUID, quantity_change: int) -> dict[str, object]:
    return {
        "variant_id": str(variant_id),
        "quantity_change": quantity_change,
        "reason": "Received from the supplier",
        "reason_code": "receipt_correction",
        "reference": "PO-2026-11-23",
    }


def _headers(number: int) -> list[tuple[str, str]]:
    return [("Content-Type", "application/json"), ("Idempotency-Key", f"till-4-{number:012d}")]


def refused(number: int) -> Event:
    """One that asks for more than there is."""
    return fresh(number, quantity_change=-1_000_000_000)


def elsewhere(number: int) -> Event:
    """A request for another stock item than all others of its sample."""
    return fresh(number, variant_id=variant(number % REQUESTS_OF_SAMPLE))


def repeated(number: int) -> Event:
    """One of the first sample's requests again."""
    return fresh(number % REQUESTS_OF_SAMPLE)


def variant(number: int) -> UUID:
    """One of many variants."""
    return uuid5(_NAMES, f"variant {number}")


def subject(name: str) -> Subject:
    """Make a subject by its label; ours also by what its requests meet."""
    if name in _MADE:
        return _MADE[name]()
    if name in BATCHES:
        return Batch(BATCHES[name])
    module = _baseline(BASELINES[name])
    persistence = [module.persistence.client] if name == "idempotency" else []
    return Handler(module, [module.client, *persistence], fresh)


_MADE: Final[Mapping[str, Callable[[], Subject]]] = {
    OURS: lambda: Ours(fresh),
    "ours, unknown": lambda: Ours(elsewhere),
    "ours, replay": lambda: Ours(repeated, replayed=True),
    "ours, refused": lambda: Ours(refused, status=409),
    "authorizer": Authorizer,
    "bare": lambda: Bare(fresh),
}


def _baseline(module: str) -> Any:
    """Import a baseline afresh, as a cold start would: with a client of its own."""
    name = f"tests.benchmarks.baselines.{module}"
    sys.modules.pop(name, None)
    return importlib.import_module(name)
