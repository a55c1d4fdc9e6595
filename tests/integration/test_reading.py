"""Reading on a real engine: pages and instants are exact while many write, and what a request costs does not grow."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched, cycle
from threading import Barrier, Event
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from inventory.domain import retry_budget
from inventory.domain.retry_budget import RetryBudget
from inventory.domain.rules import stock_after
from inventory.domain.timestamps import instant_text
from inventory.queries import reader as readers
from inventory.queries.adjustments import AdjustmentFilter
from inventory.queries.ledger_order import Position
from inventory.queries.levels import LevelFilter
from inventory.queries.reason_report import ROWS_LOOKED_AT_MAX, ReasonReports, ReportQuery
from inventory.storage import keys
from inventory.storage.items import ledger_item, stock_index_attributes
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.lookups import Lookups
from inventory.storage.stock_index import StockIndex
from tests.support.builders.domain import an_adjustment
from tests.support.harness.emulated_tables import Tables, create_tables
from tests.support.harness.shop import AMPLE_S, Shop, environment
from tests.support.pages import rows, section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Adjustment
    from inventory.queries.levels import Level
    from inventory.queries.reader import Reader
    from tests.support.harness.emulator import Clients

AMPLE_BUDGET = RetryBudget(lambda: AMPLE_S)
WRITERS = 16
KIB = 1024


def reader_on(client: DynamoDBClient, tables: Tables, at_once: AtOnce = map) -> Reader:
    lookups = Lookups(client, inventory_table=tables.inventory, ledger_table=tables.ledger)
    index = DynamoDBLedgerIndex(client, tables.ledger)
    return readers.reader_on(lookups, index, StockIndex(client, tables.inventory), at_once)


def all_pages(reader: Reader, business_id: UUID, wanted: AdjustmentFilter, limits: Iterator[int]) -> list[Adjustment]:
    found: list[Adjustment] = []
    below: Position | None = None
    while True:
        page = reader.adjustments(business_id, wanted, below=below, limit=next(limits), budget=AMPLE_BUDGET)
        found += [each.adjustment for each in page.adjustments]
        if page.next_position is None:
            return found
        below = page.next_position


# ------------------------------------------------------------------------------------------- while many are writing


@dataclass
class Bustle:
    """Writers that go on until ``stop`` is set; ``acknowledged`` are the rows whose answers have arrived."""

    shop: Shop
    clients: Clients
    acknowledged: list[Adjustment] = field(default_factory=list)
    _stop: Event = field(default_factory=Event)
    _started: Barrier = field(default_factory=lambda: Barrier(WRITERS + 1))

    def write(self, number: int) -> None:
        """Adjust both variants at both locations in turn, on a machine whose clock is up to three seconds off."""
        service = environment(
            self.clients.make(read_timeout_s=60),
            self.shop.tables,
            sleep=time.sleep,
            clock_ahead=timedelta(seconds=number % 7 - 3),
        )
        places = cycle(
            (variant_id, location_id)
            for variant_id in (self.shop.variant_id, self.shop.other_variant_id)
            for location_id in (self.shop.location_id, self.shop.other_location_id)
        )
        self._started.wait()
        while not self._stop.is_set():
            variant_id, location_id = next(places)
            code = "damage" if number % 2 else "found"
            command = self.shop.command(1, variant_id=variant_id, location_id=location_id, reason_code=code)
            self.acknowledged.append(service.adjust(command).adjustment)

    def during[T](self, read: Callable[[], T]) -> T:
        """Read while all of them write."""
        with ThreadPoolExecutor(WRITERS) as threads:
            writing = [threads.submit(self.write, number) for number in range(WRITERS)]
            try:
                self._started.wait()
                while len(self.acknowledged) < 4 * WRITERS:
                    time.sleep(0.01)
                return read()
            finally:
                self._stop.set()
                for each in writing:
                    each.result()


@pytest.fixture
def bustle(shop: Shop, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Bustle:
    # The number of retries on a busy item does not matter here.
    monkeypatch.setattr(retry_budget, "ATTEMPTS_MAX", 1_000_000)
    return Bustle(shop, clients)


@pytest.mark.parametrize(("by_variant", "code"), [(False, None), (True, None), (False, "damage"), (True, "damage")])
def test_pages_under_concurrent_writes_hold_every_acknowledged_row_once_and_in_order(
    bustle: Bustle,
    clients: Clients,
    by_variant: bool,  # noqa: FBT001
    code: Any,
) -> None:
    shop = bustle.shop
    wanted = AdjustmentFilter(variant_id=shop.variant_id if by_variant else None, reason_code=code)

    def page_twice() -> list[tuple[list[Adjustment], list[Adjustment]]]:
        with ThreadPoolExecutor(8) as threads:
            reader = reader_on(clients.make(read_timeout_s=60), shop.tables, threads.map)
            return [
                (list(bustle.acknowledged), all_pages(reader, shop.business_id, wanted, cycle([limit])))
                for limit in (7, 100)
            ]

    for acknowledged, found in bustle.during(page_twice):
        there = {row.id for row in acknowledged if wanted.includes(row)}
        places = [Position(row.created_at, row.id) for row in found]
        assert places == sorted(set(places), reverse=True), "newest first, none twice"
        assert there <= {row.id for row in found}, "every row that was acknowledged before the first page"
        assert all(wanted.includes(row) for row in found)
    assert {row.id for row in shop.tables.rows()} == {row.id for row in bustle.acknowledged}


def test_levels_of_an_instant_are_the_same_during_and_after_concurrent_writes(bustle: Bustle, clients: Clients) -> None:
    shop = bustle.shop

    def ask() -> list[tuple[datetime, list[Level]]]:
        reader = reader_on(clients.make(read_timeout_s=60), shop.tables)
        answers = []
        for each in range(12):
            # Up to an item's last row its past is settled; a writer whose clock is behind may still add above it.
            as_of = min(
                bustle.acknowledged[-1 - each].created_at,
                *(newest(bustle.acknowledged, place).created_at for place in places),
            )
            answers.append((as_of, levels(reader, shop, as_of)))
        return answers

    places = [
        (shop.variant_id, shop.location_id),
        (shop.variant_id, shop.other_location_id),
    ]
    during = bustle.during(ask)

    reader = reader_on(clients.make(read_timeout_s=60), shop.tables)
    rows = shop.tables.rows()
    for as_of, found in during:
        assert found == levels(reader, shop, as_of)
        for level in found:
            place = (level.variant_id, level.location_id)
            until = [row for row in rows if (row.variant_id, row.location_id) == place and row.created_at <= as_of]
            assert (level.quantity, level.sequence) == (sum(row.delta for row in until), len(until))
        assert {level.location_id for level in found} == {
            row.location_id for row in rows if row.variant_id == shop.variant_id and row.created_at <= as_of
        }


def newest(rows: list[Adjustment], place: tuple[UUID, UUID]) -> Adjustment:
    return max((row for row in list(rows) if (row.variant_id, row.location_id) == place), key=lambda row: row.sequence)


def levels(reader: Reader, shop: Shop, as_of: datetime | None) -> list[Level]:
    wanted = LevelFilter(shop.variant_id, as_of=as_of)
    page = reader.levels(shop.business_id, wanted, after=None, limit=100, budget=AMPLE_BUDGET)
    assert page.next_after is None
    return list(page.levels)


def test_levels_of_now_are_the_stock_items(shop: Shop, clients: Clients) -> None:
    service = environment(clients.make(), shop.tables)
    for location_id in (shop.location_id, shop.other_location_id, shop.location_id):
        service.adjust(shop.command(3, location_id=location_id))

    found = levels(reader_on(clients.make(), shop.tables), shop, None)

    assert {level.location_id: (level.quantity, level.sequence) for level in found} == {
        shop.location_id: (6, 2),
        shop.other_location_id: (3, 1),
    }


# --------------------------------------------------------------------------------------------------------- the price


@dataclass
class Meter:
    """Read units of one client's calls, by DynamoDB's rules from the sizes of what was read.

    The engine under test counts none for BatchGetItem. A Query costs half a unit for each 4 KiB of all that it read
    together, twice that when it is strongly consistent; of a BatchGetItem each item costs for itself, also where it is
    not there.
    """

    units: float = 0
    calls: Counter[str] = field(default_factory=Counter)

    def read_by(self, client: DynamoDBClient) -> Meter:
        client.meta.events.register("after-call.dynamodb.Query", self._queried)
        client.meta.events.register("before-call.dynamodb.BatchGetItem", self._asked)
        client.meta.events.register("after-call.dynamodb.BatchGetItem", self._found)
        client.meta.events.register("before-call.dynamodb.Query", self._queries)
        return self

    def _queries(self, params: dict[str, Any], **_: object) -> None:
        self._consistent = json.loads(params["body"]).get("ConsistentRead", False)

    def _queried(self, parsed: dict[str, Any], **_: object) -> None:
        blocks = max(1, -(-sum(map(size_bytes, parsed["Items"])) // (4 * KIB)))
        self.units += blocks if self._consistent else blocks / 2
        self.calls["Query"] += 1

    def _asked(self, params: dict[str, Any], **_: object) -> None:
        wanted = json.loads(params["body"])["RequestItems"].values()
        assert all(each["ConsistentRead"] for each in wanted)
        self._wanted = sum(len(each["Keys"]) for each in wanted)

    def _found(self, parsed: dict[str, Any], **_: object) -> None:
        found = [item for items in parsed["Responses"].values() for item in items]
        self.units += sum(-(-size_bytes(item) // (4 * KIB)) for item in found) + self._wanted - len(found)
        self.calls["BatchGetItem"] += 1


def size_bytes(item: dict[str, dict[str, Any]]) -> int:
    """As DynamoDB counts: names and texts in UTF-8, two digits of a number a byte and one more."""
    size = 0
    for name, typed in item.items():
        ((kind, value),) = typed.items()
        size += len(name.encode())
        match kind:
            case "S":
                size += len(value.encode())
            case "N":
                size += (len(value.lstrip("-")) + 1) // 2 + 1
            case _:
                size += 1
    return size


@dataclass(frozen=True)
class Archive:
    """A business with a long history of two variants at two locations, in turn, a second apart."""

    tables: Tables
    business_id: UUID
    places: list[tuple[UUID, UUID]]
    rows: list[Adjustment]

    @property
    def middle(self) -> Adjustment:
        return self.rows[len(self.rows) // 2]


BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SHORT, LONG = 100, 10_000


@pytest.fixture(scope="module")
def archives(onlooker: DynamoDBClient) -> dict[int, Archive]:
    """Histories of both lengths, written by the test: the entry point does not matter here."""
    return {count: an_archive(onlooker, count) for count in (SHORT, LONG)}


def an_archive(client: DynamoDBClient, count: int) -> Archive:
    tables, business_id = create_tables(client), UUID(int=count)
    # The same variants in both, and so the same shards.
    places = [(UUID(int=variant), UUID(int=location)) for variant in (1, 2) for location in (11, 12)]
    rows = []
    for number in range(count):
        variant_id, location_id = places[number % 4]
        rows.append(
            an_adjustment(
                id=uuid4(),
                business_id=business_id,
                variant_id=variant_id,
                location_id=location_id,
                sequence=number // 4 + 1,
                quantity_after=(number // 4 + 1) * 5,
                created_at=BEGINNING + timedelta(seconds=number),
                reason="Damaged in transit",
                reason_code="damage" if number % 10 == 0 else "found",
                reference="CC-2026-11-23",
            )
        )
    for batch in batched(rows, 25, strict=False):
        puts: Any = [{"PutRequest": {"Item": ledger_item(row)}} for row in batch]
        assert not client.batch_write_item(RequestItems={tables.ledger: puts})["UnprocessedItems"]
    for row in rows[-4:]:
        stock = stock_after(row)
        client.put_item(
            TableName=tables.inventory,
            Item={
                "pk": {"S": keys.stock(business_id, row.variant_id)},
                "sk": {"S": str(row.location_id)},
                "quantity": {"N": str(stock.quantity)},
                "sequence": {"N": str(stock.sequence)},
                "updated_at": {"S": instant_text(stock.updated_at)},
                "head_hash": {"S": stock.head_hash},
                **stock_index_attributes(row.stock_item_id),
            },
        )
    return Archive(tables, business_id, places, rows)


def listing(wanted: Callable[[Archive], AdjustmentFilter], limit: int = 20) -> Callable[[Reader, Archive], int]:
    def ask(reader: Reader, archive: Archive) -> int:
        page = reader.adjustments(archive.business_id, wanted(archive), below=None, limit=limit, budget=AMPLE_BUDGET)
        return len(page.adjustments)

    return ask


def levels_of(*, location: bool, as_of: bool) -> Callable[[Reader, Archive], int]:
    def ask(reader: Reader, archive: Archive) -> int:
        variant_id, location_id = archive.places[0]
        wanted = LevelFilter(
            variant_id, location_id if location else None, archive.middle.created_at if as_of else None
        )
        page = reader.levels(archive.business_id, wanted, after=None, limit=100, budget=AMPLE_BUDGET)
        return len(page.levels)

    return ask


def one(reader: Reader, archive: Archive) -> int:
    assert reader.adjustment(archive.business_id, archive.middle.id, budget=AMPLE_BUDGET).adjustment == archive.middle
    return 1


def of_variant(archive: Archive, **others: Any) -> AdjustmentFilter:
    return AdjustmentFilter(variant_id=archive.places[0][0], **others)


def of_item(archive: Archive) -> AdjustmentFilter:
    return of_variant(archive, location_id=archive.places[0][1])


def feed(*, from_middle: bool) -> Callable[[Reader, Archive], int]:
    def ask(reader: Reader, archive: Archive) -> int:
        after = archive.middle if from_middle else archive.rows[-1]
        position = Position(after.created_at, after.id)
        page = reader.feed(archive.business_id, AdjustmentFilter(), after=position, limit=20, budget=AMPLE_BUDGET)
        assert len(page.adjustments) == (20 if from_middle else 0)
        return len(page.adjustments)

    return ask


def levels_of_all(*, location: bool) -> Callable[[Reader, Archive], int]:
    def ask(reader: Reader, archive: Archive) -> int:
        wanted = LevelFilter(location_id=archive.places[0][1] if location else None)
        page = reader.levels(archive.business_id, wanted, after=None, limit=100, budget=AMPLE_BUDGET)
        assert len(page.levels) == (2 if location else 4)
        return len(page.levels)

    return ask


def report(reader: Reader, archive: Archive) -> int:
    page = ReasonReports(reader.lookups, reader.history.index).page(
        archive.business_id, ReportQuery(), None, {}, now=datetime.now(UTC), budget=AMPLE_BUDGET
    )
    assert page.rows == min(len(archive.rows), ROWS_LOOKED_AT_MAX)
    return page.rows


def of_key(reader: Reader, archive: Archive) -> int:
    page = reader.adjustments(
        archive.business_id,
        AdjustmentFilter(),
        idempotency_key="unknown",
        below=None,
        limit=20,
        budget=AMPLE_BUDGET,
    )
    return len(page.adjustments)


REQUESTS: dict[str, Callable[[Reader, Archive], int]] = {
    "one adjustment": one,
    "20 adjustments of the business": listing(lambda _: AdjustmentFilter()),
    "20 of a variant": listing(of_variant),
    "20 of a variant at a location": listing(of_item),
    "20 from the middle of the history on": listing(lambda a: AdjustmentFilter(created_to=a.middle.created_at)),
    "20 by a reason code that one row in ten has": listing(lambda _: AdjustmentFilter(reason_code="damage")),
    "none by a reference that no row has": listing(lambda _: AdjustmentFilter(reference="CC-0")),
    "20 of the feed, from the middle of the history on": feed(from_middle=True),
    "the feed when there is nothing new": feed(from_middle=False),
    "what an unknown idempotency key has made": of_key,
    "the report by reason, its first request": report,
    "levels of the business's four stock items": levels_of_all(location=False),
    "levels of a location with two of them": levels_of_all(location=True),
    "levels of a variant at two locations": levels_of(location=False, as_of=False),
    "the same as of the middle of the history": levels_of(location=False, as_of=True),
    "the level at one location": levels_of(location=True, as_of=False),
    "the same as of then": levels_of(location=True, as_of=True),
}


@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_request_costs_the_documented_read_units_for_any_length_of_history(
    request_name: str, archives: dict[int, Archive], clients: Clients
) -> None:
    measured = []
    for archive in archives.values():
        client = clients.make(read_timeout_s=60)
        meter = Meter().read_by(client)
        REQUESTS[request_name](reader_on(client, archive.tables), archive)
        measured.append(f"{meter.units:g} ({meter.calls.total()})")

    assert figures().get(request_name) == measured


def test_the_page_lists_every_request_that_is_measured_and_no_other() -> None:
    assert list(figures()) == list(REQUESTS)


def figures() -> dict[str, list[str]]:
    """The page's table of read units, by request."""
    return {request: units for request, *units in rows(section("docs/api.md", "Pagination"))[1:]}
