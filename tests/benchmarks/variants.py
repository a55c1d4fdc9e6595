"""What is compared: the same adjustments of one hot item, each handled on its own, or together in groups.

Every variant carries out the same list of requests, and leaves the same ledger, to the byte (a test says so).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Final, Protocol, cast, override
from uuid import UUID, uuid5

from inventory.adjusting.loop import Adjuster
from inventory.aws.clients import dynamodb_client
from inventory.domain.model import Command, Outcome
from inventory.entrypoints.messages import MessageRequest
from inventory.storage.rejections import RejectionMarkers
from inventory.storage.stock_store import StockStore
from tests.benchmarks.environments import Emulated, Skew, Skewed, Stubbed
from tests.benchmarks.first_request_worker import First
from tests.benchmarks.histories import Axis
from tests.benchmarks.history_worker import Grown, Kind
from tests.benchmarks.meters import Work, work_of
from tests.benchmarks.reading_worker import Reading
from tests.benchmarks.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.benchmarks.transport import Transport
from tests.support.builders.domain import budget_of
from tests.support.builders.ids import BUSINESS, VARIANT
from tests.support.harness.loading import ROOT, Context, load_by_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inventory.domain.model import Snapshot
    from inventory.entrypoints.shapes import BatchResponse, QueueRecord

SIZES: Final = (1, 10, 50, 99)
_BEGIN: Final = datetime(2026, 11, 23, 14, 5, 9, tzinfo=UTC)
_NAMES: Final = UUID("a3b1a6f0-37c8-4c5e-9a3a-6b6f3d0c6f11")
_MINUTE_S: Final = 60.0
_LOOKS_MAX: Final = 1_000


class Variant(Protocol):
    """One way to carry out requests."""

    work: Work

    def prepare(self, passes: int) -> None:
        """Make ready so many passes over the requests."""
        ...

    def run(self) -> None:
        """Carry out what was made ready."""
        ...


def variant(name: str) -> Variant:
    """Make a variant by its name.

    Of merging: ``adjuster:alone``, ``adjuster:<size>`` or ``handler:<size>``. Of single requests:
    ``stubbed:<subject>``, ``emulated:<subject>`` or ``skewed``, and with samples of one request ``single:<subject>``;
    the first one after a start ``first:<subject>``;
    upon a history ``grown:<kind>:<axis>:<rows>`` or ``read:<read>``.
    """
    entry, _, detail = name.partition(":")
    if entry not in _MADE:
        raise ValueError(name)
    return _MADE[entry](detail)


def requests_of_sample(size: str) -> int:
    """How many requests one sample of a variant carries out: about as many for each, and whole groups only."""
    return 99 if size == "99" else 100


@dataclass
class _Clock:
    """Goes on by a millisecond a look, and back to the beginning for each sample: so all samples are the same."""

    looks: int = 0
    times: list[datetime] = field(
        default_factory=lambda: [_BEGIN + timedelta(milliseconds=look) for look in range(_LOOKS_MAX)]
    )

    def now(self) -> datetime:
        self.looks += 1
        return self.times[self.looks]


class _StoreOfHotItems(StockStore):
    """An item that is hot is moved by others too, and so it is read before each decision."""

    @override
    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        return None


@dataclass
class _Bench:
    """The write path on a stubbed transport."""

    clock: _Clock = field(default_factory=_Clock)
    transport: Transport = field(init=False)
    adjuster: Adjuster = field(init=False)
    rejections: RejectionMarkers = field(init=False)

    def __post_init__(self) -> None:
        client = dynamodb_client(None)
        self.transport = Transport(client)
        # The catalog stays as young as it is: what is compared are the calls that each request costs for ever.
        store = _StoreOfHotItems(
            client, inventory_table=INVENTORY_TABLE, ledger_table=LEDGER_TABLE, time_s=_BEGIN.timestamp
        )
        self.adjuster = Adjuster(store, self.clock.now, _no_new_id, lambda: 0.0, _no_pause, _no_level)
        self.rejections = RejectionMarkers(
            client, inventory_table=INVENTORY_TABLE, ledger_table=LEDGER_TABLE, clock=self.clock.now
        )
        # The first request of an environment reads the catalog; it is none of those that are compared.
        (opening,) = _commands([_message(-1)])
        _require_settled(self.adjuster.carry_out(opening, budget_of(self.adjuster, _a_minute)))
        self.transport.begin_recording()


class _OfMerging:
    """Passes over the same requests; all but the first one meet what that was answered."""

    transport: Transport
    work: Work

    def __init__(self) -> None:
        self._passes = 0

    def sample(self) -> None:
        raise NotImplementedError

    def record(self, requests: int) -> None:
        """Make the first pass, and one that is played back."""
        self.sample()
        self.work = work_of(self.transport, requests)
        self.prepare(1)
        self.run()

    def prepare(self, passes: int) -> None:
        self._passes = passes

    def run(self) -> None:
        for _ in range(self._passes):
            self.transport.rewind()
            self.sample()


class _OfAdjuster(_OfMerging):
    """The one use case by itself, with commands that were read before."""

    def __init__(self, size: int | None, messages: list[QueueRecord]) -> None:
        super().__init__()
        self._size = size
        self._commands = _commands(messages)
        self._bench = _Bench()
        self.transport = self._bench.transport
        self.record(len(messages))

    def sample(self) -> None:
        self._bench.clock.looks = 0
        adjuster = self._bench.adjuster
        if self._size is None:
            for command in self._commands:
                _require_settled(adjuster.carry_out(command, budget_of(adjuster, _a_minute)))
            return
        for group in batched(self._commands, self._size, strict=True):
            for result in adjuster.adjust_all(group, remaining_s=_a_minute):
                _require_settled(result)


class _Module(Protocol):
    adjuster: Adjuster
    rejections: RejectionMarkers
    handler: Callable[[object, Context], BatchResponse]


class _OfHandler(_OfMerging):
    """The whole function, as Lambda calls it: messages, validation, groups, log lines and metrics."""

    def __init__(self, size: int, messages: list[QueueRecord]) -> None:
        super().__init__()
        self._batches = [{"Records": list(batch)} for batch in batched(messages, size, strict=True)]
        self._bench = _Bench()
        self.transport = self._bench.transport
        os.environ |= {
            "POWERTOOLS_SERVICE_NAME": "ingest_adjustments",
            "POWERTOOLS_METRICS_NAMESPACE": "InventoryAdjustments",
            "INVENTORY_TABLE": INVENTORY_TABLE,
            "LEDGER_TABLE": LEDGER_TABLE,
            "EVENT_BUS": "events",
        }
        self._module = cast("_Module", load_by_path(ROOT / "functions" / "ingest_adjustments" / "handler.py"))
        self._module.adjuster, self._module.rejections = self._bench.adjuster, self._bench.rejections
        self.record(len(messages))

    def sample(self) -> None:
        self._bench.clock.looks = 0
        for batch in self._batches:
            answer = self._module.handler(batch, Context(remaining_ms=30_000))
            assert answer == {"batchItemFailures": []}


def _messages(count: int) -> list[QueueRecord]:
    return [_message(number) for number in range(count)]


def _message(number: int) -> QueueRecord:
    """A request as a point of sale might send it, delivered for the first time; the message's id is its key."""
    payload = {
        "business_id": str(BUSINESS),
        "variant_id": str(VARIANT),
        "quantity_change": 1 + number % 3,
        "reason": "Received from the supplier",
        "reason_code": "receipt_correction",
        "reference": f"PO-{2000 + number}",
        "actor": "receiving-desk",
    }
    return {
        "messageId": str(uuid5(_NAMES, f"message {number}")),
        "body": json.dumps(payload),
        "attributes": {"ApproximateReceiveCount": "1"},
    }


def _commands(messages: list[QueueRecord]) -> list[Command]:
    requested = [MessageRequest(json.loads(each["body"]), each["messageId"]).requested() for each in messages]
    return [each for each in requested if isinstance(each, Command)]


def _require_settled(result: object) -> None:
    assert isinstance(result, Outcome)
    assert (result.replayed, result.attempts) == (False, 1)


def _a_minute() -> float:
    return _MINUTE_S


def _no_new_id() -> UUID:
    raise AssertionError("every request here has a key")


def _no_level(*_: object) -> int:
    raise AssertionError("nothing here is a count")


def _no_pause(seconds: float) -> None:
    raise AssertionError(f"nothing here contends, yet a pause of {seconds} s")


def _grown(detail: str) -> Variant:
    kind, axis, length = detail.split(":")
    return Grown(Kind[kind], Axis[axis], int(length))


def _of_adjuster(size: str) -> Variant:
    messages = _messages(requests_of_sample(size))
    return _OfAdjuster(None if size == "alone" else int(size), messages)


def _of_handler(size: str) -> Variant:
    return _OfHandler(int(size), _messages(requests_of_sample(size)))


_MADE: Final[Mapping[str, Callable[[str], Variant]]] = {
    "stubbed": Stubbed,
    "single": lambda name: Stubbed(name, sample=1),
    "emulated": Emulated,
    "skewed": lambda _: Skewed(Skew()),
    "first": First,
    "read": Reading,
    "grown": _grown,
    "adjuster": _of_adjuster,
    "handler": _of_handler,
}
