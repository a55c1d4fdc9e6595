"""Reads and exports of corrupt data: no row is left out silently, and all intact rows can still be read."""

from __future__ import annotations

import json
import sys
from copy import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.entrypoints.responses import adjustment_members
from inventory.queries.levels import INDEX_DELAY_MAX
from inventory.storage import keys
from tests.support.builders.domain import an_adjustment, history
from tests.support.builders.ids import ADJUSTMENT, BUSINESS, LOCATION, NOW, OTHER_VARIANT, VARIANT
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.harness.loading import Context
from tests.support.harness.read_service import LEVELS, LIST, ONE

if TYPE_CHECKING:
    from tests.support.harness.read_service import ReadService

OF_VARIANT = [("variant_id", str(VARIANT))]
OF_ITEM = [*OF_VARIANT, ("location_id", str(LOCATION))]
REVERSAL = UUID(int=99)

CORRUPT_ROWS: dict[str, dict[str, object]] = {
    "its delta is no integer": {"delta": {"N": "1.5"}},
    "its time is garbage": {"created_at": {"S": "2026-11-23T14:05:12"}},
    "its id is null": {"id": {"NULL": True}},
    "its reason is a number": {"reason": {"N": "1"}},
    "its place in time is another": {
        "created_at": {"S": "2026-11-23T14:05:12.123457Z"},
        "created_at_id": {"S": f"2026-11-23T14:05:12.123456Z#{UUID(int=3)}"},
    },
}
of_each_bend = pytest.mark.parametrize("tamper", CORRUPT_ROWS.values(), ids=CORRUPT_ROWS)


def key_of(number: int) -> str:
    return f"{BUSINESS}#{UUID(int=number)}"


def bend_row(reading: ReadService, number: int, members: dict[str, object]) -> None:
    reading.tables.items[LEDGER_TABLE, key_of(number), ""] |= members


def pages(reading: ReadService, route: str, query: list[tuple[str, str]]) -> tuple[list[dict[str, Any]], int]:
    """What is on all pages as far as they come, and the status of the page after them."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = reading.get(route, [*query, *([] if cursor is None else [("cursor", cursor)])])
        if answer.status != 200:
            return found, answer.status
        found += answer.body["data"]
        cursor = answer.body["next_cursor"]
        if cursor is None:
            return found, 200


def listed(reading: ReadService, query: list[tuple[str, str]]) -> tuple[list[int], int]:
    """The ids on all pages, and the last status."""
    found, status = pages(reading, LIST, query)
    return [UUID(each["id"]).int for each in found], status


def faults(reading: ReadService) -> list[dict[str, Any]]:
    return [each for each in reading.printed() if each.get("level") == "ERROR"]


# --- lists -----------------------------------------------------------------------------------------------------------


@of_each_bend
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_list_comes_down_to_an_item_that_is_no_row_and_stops_there_by_its_key(
    reading: ReadService, tamper: dict[str, object], limit: int
) -> None:
    reading.tables.with_history(*history(5))
    reading.tables.with_history(*history(2, first=8, variant_id=OTHER_VARIANT))
    bend_row(reading, 3, tamper)

    assert listed(reading, [("limit", str(limit))]) == ([9, 8, 5, 4], 500)

    (fault,) = faults(reading)
    assert (fault["message"], fault["problem"], fault["ledger_key"]) == ("corrupt data", "RowUnreadable", key_of(3))


@pytest.mark.parametrize("query", [OF_VARIANT, OF_ITEM])
def test_a_list_of_a_variant_stops_there_too(reading: ReadService, query: list[tuple[str, str]]) -> None:
    reading.tables.with_history(*history(5))
    bend_row(reading, 3, {"delta": {"N": "1.5"}})

    assert listed(reading, query) == ([5, 4], 500)


@pytest.mark.parametrize("query", [[], OF_VARIANT])
def test_what_lies_behind_it_is_found_by_its_time(reading: ReadService, query: list[tuple[str, str]]) -> None:
    reading.tables.with_history(*history(5))
    bend_row(reading, 3, {"delta": {"N": "1.5"}})

    assert listed(reading, [*query, ("created_to", "2026-11-23T14:05:12.123456Z")]) == ([2, 1], 200)


def test_other_stock_items_and_other_businesses_do_not_notice(reading: ReadService) -> None:
    reading.tables.with_history(*history(3), *history(2, first=4, variant_id=OTHER_VARIANT))
    bend_row(reading, 3, {"delta": {"N": "1.5"}})

    assert listed(reading, [("variant_id", str(OTHER_VARIANT))]) == ([5, 4], 200)


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_an_item_whose_place_is_no_time_stops_the_list_where_its_partition_has_it(
    reading: ReadService, limit: int
) -> None:
    reading.tables.with_history(*history(5))
    bend_row(reading, 3, {"created_at_id": {"S": "2026-11-23T14:05:12.1#?"}})

    assert listed(reading, [("limit", str(limit))]) == ([5, 4], 500)


def test_two_copies_of_a_row_are_two_rows_and_their_reversal_is_read_once(reading: ReadService) -> None:
    reading.tables.with_history(*history(2))
    copy = dict(reading.tables.items[LEDGER_TABLE, key_of(2), ""])
    reading.tables.items[LEDGER_TABLE, "elsewhere", ""] = copy | {"pk": {"S": "elsewhere"}}
    reading.tables.with_link(UUID(int=2), REVERSAL)

    answer = reading.get(LIST)

    assert [(UUID(each["id"]).int, each.get("reversed_by")) for each in answer.body["data"]] == [
        (2, str(REVERSAL)),
        (2, str(REVERSAL)),
        (1, None),
    ]


# --- one adjustment, and reversal links ------------------------------------------------------------------------------


@of_each_bend
def test_an_adjustment_that_is_no_row_is_our_fault_by_its_key(reading: ReadService, tamper: dict[str, object]) -> None:
    reading.tables.with_history(*history(3))
    bend_row(reading, 3, tamper)

    status = reading.get(ONE, path={"id": str(UUID(int=3))}).status

    if "created_at_id" in tamper:
        assert status == 200  # it can be read, and where an index has it is no part of it
    else:
        assert status == 500
        assert [each["ledger_key"] for each in faults(reading)] == [key_of(3)]


@pytest.mark.parametrize(
    "tamper", [{}, {"reversal_id": {"N": "1"}}, {"reversal_id": {"S": "x"}}, {"reversal_id": None}]
)
def test_a_link_that_names_no_reversal_is_ignored(reading: ReadService, tamper: dict[str, Any]) -> None:
    row = an_adjustment()
    reading.tables.with_history(row)
    reading.tables.with_link(ADJUSTMENT, REVERSAL)
    link = reading.tables.items[INVENTORY_TABLE, f"REVERSAL#{BUSINESS}#{ADJUSTMENT}", "REVERSAL"]
    link.pop("reversal_id")
    link |= {name: member for name, member in tamper.items() if member is not None}

    assert reading.get(ONE, path={"id": str(ADJUSTMENT)}).body == adjustment_members(row)
    assert reading.get(LIST).body["data"] == [adjustment_members(row)]


# --- levels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "status"), [(INDEX_DELAY_MAX, 503), (INDEX_DELAY_MAX + timedelta(seconds=1), 500)])
def test_an_old_gap_is_corrupt_data_and_not_try_again(reading: ReadService, age: timedelta, status: int) -> None:
    reading.tables.with_history(*history(3))
    del reading.tables.items[LEDGER_TABLE, key_of(2), ""]
    reading.module.reader = replace(reading.module.reader, clock=lambda: NOW + timedelta(seconds=3) + age)

    answer = reading.get(LEVELS, [*OF_ITEM, ("as_of", "2026-11-23T14:05:11.500000Z")])

    assert answer.status == status
    logged = [(each["problem"], each["variant_id"], each["location_id"]) for each in faults(reading)]
    assert logged == ([("RowMissing", str(VARIANT), str(LOCATION))] if status == 500 else [])


CORRUPT_STOCK: dict[str, dict[str, object]] = {
    "its quantity is no integer": {"quantity": {"N": "1.5"}},
    "its time has no offset": {"updated_at": {"S": "2026-11-23T14:05:12"}},
    "its head is gone": {"head_hash": {"NULL": True}},
}
of_each_corrupt_stock_item = pytest.mark.parametrize("tamper", CORRUPT_STOCK.values(), ids=CORRUPT_STOCK)
PLACES = [UUID(int=number) for number in (1, 2, 3)]


def bend_stock_item(reading: ReadService, location_id: UUID, tamper: dict[str, object]) -> tuple[str, str]:
    """Three locations hold the variant; what one of them holds can't be read. Returns its key."""
    for place in PLACES:
        reading.tables.with_history(an_adjustment(id=place, location_id=place))
    key = keys.stock(BUSINESS, VARIANT), str(location_id)
    reading.tables.items[INVENTORY_TABLE, *key] |= tamper
    return key


def leveled(reading: ReadService, query: list[tuple[str, str]]) -> tuple[list[int], int]:
    """The locations on all pages, and the last status."""
    found, status = pages(reading, LEVELS, [*OF_VARIANT, *query])
    return [UUID(each["location_id"]).int for each in found], status


@of_each_corrupt_stock_item
@pytest.mark.parametrize("limit", ["1", "2", "100"])
@pytest.mark.parametrize("corrupt", PLACES, ids=str)
def test_levels_come_down_to_a_stock_item_that_can_not_be_read_and_stop_there_by_its_key(
    reading: ReadService, tamper: dict[str, object], limit: str, corrupt: UUID
) -> None:
    pk, sk = bend_stock_item(reading, corrupt, tamper)

    assert leveled(reading, [("limit", limit)]) == ([each.int for each in PLACES if each < corrupt], 500)

    (fault,) = faults(reading)
    logged = (fault["message"], fault["problem"], fault["stock_item"], fault["location_id"])
    assert logged == ("corrupt data", "StockItemUnreadable", pk, sk)


@of_each_corrupt_stock_item
def test_the_level_of_another_location_stays_within_reach(reading: ReadService, tamper: dict[str, object]) -> None:
    bend_stock_item(reading, PLACES[0], tamper)

    assert leveled(reading, [("location_id", str(PLACES[1]))]) == ([2], 200)
    assert leveled(reading, [("location_id", str(PLACES[0]))]) == ([], 500)


def test_a_stock_item_under_no_location_can_not_be_read(reading: ReadService) -> None:
    pk, sk = bend_stock_item(reading, PLACES[0], {})
    item = reading.tables.items.pop((INVENTORY_TABLE, pk, sk))
    reading.tables.items[INVENTORY_TABLE, pk, "elsewhere"] = item | {"sk": {"S": "elsewhere"}}

    assert leveled(reading, []) == ([2, 3], 500)


# --- exports ---------------------------------------------------------------------------------------------------------


def exported(reading: ReadService, **fields: object) -> tuple[list[int], str, dict[str, object]]:
    """The ids that an export holds, and by which error it ends."""
    reading.module.logger.registered_handler.stream = sys.stdout
    reading.tables.with_business()
    command = {"command": "export", "business_id": str(BUSINESS), "created_to": "2026-11-23T15:00:00Z"} | fields
    found: list[int] = []
    while True:
        try:
            page = reading.module.handler(command, Context())
        except Exception as error:  # noqa: BLE001  its class is made when it is raised
            detail: dict[str, object] = json.loads(str(error))
            return found, type(error).__name__, detail
        found += [UUID(json.loads(line)["id"]).int for line in page["text"].splitlines()]
        if page["next_cursor"] is None:
            return found, "", {}
        command["cursor"] = page["next_cursor"]


@of_each_bend
@pytest.mark.parametrize("fields", [{}, {"variant_id": str(VARIANT)}])
def test_an_export_holds_the_rows_before_it_and_ends_by_naming_its_key(
    reading: ReadService, tamper: dict[str, object], fields: dict[str, object]
) -> None:
    reading.tables.with_history(*history(5))
    bend_row(reading, 3, tamper)
    reading.module.exporter = replace(reading.module.exporter, clock=lambda: NOW + timedelta(days=1))

    ids, error, detail = exported(reading, **fields)

    assert (ids, error) == ([1, 2], "ExportStopped")
    assert (detail["code"], detail["ledger_key"]) == ("export_stopped", key_of(3))
    assert [each["ledger_key"] for each in faults(reading)] == [key_of(3)]


def test_an_export_that_ends_before_it_is_whole(reading: ReadService) -> None:
    reading.tables.with_history(*history(5))
    bend_row(reading, 3, {"delta": {"N": "1.5"}})
    reading.module.exporter = replace(reading.module.exporter, clock=lambda: NOW + timedelta(days=1))

    assert exported(reading, created_to="2026-11-23T14:05:12Z")[:2] == ([1, 2], "")
    assert exported(reading, created_from="2026-11-23T14:05:13Z")[:2] == ([4, 5], "")
