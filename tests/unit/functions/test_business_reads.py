"""The GET routes that look at a whole business, through the function's own handler: levels, catalog, report, feed."""

from __future__ import annotations

from copy import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.api.routes import GET_GROUP, LIST_LOCATIONS, LIST_REASONS, LIST_VARIANTS, REPORT_REASONS, ROUTES
from inventory.domain.hash_chain import canonical_members
from inventory.domain.model import BUILT_IN_REASON_CODES
from inventory.domain.rules import group_row_id, keyed_id
from inventory.domain.timestamps import instant_text
from inventory.entrypoints.responses import adjustment_members
from inventory.queries import level_pages, reason_report
from inventory.queries.ledger_order import parse_position
from inventory.schemas.business_reading import REPORT_CURSOR_LENGTH_MAX
from inventory.storage import cursors, keys
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import (
    BUSINESS,
    LOCATION,
    NOW,
    OTHER_BUSINESS,
    OTHER_LOCATION,
    OTHER_VARIANT,
    VARIANT,
)
from tests.support.builders.requests import an_authorizer_context
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.faults.wire import broken
from tests.support.harness.loading import Context
from tests.support.harness.read_service import LEVELS, LIST, ReadService

if TYPE_CHECKING:
    from tests.support.harness.write_service import Answer

VARIANTS, LOCATIONS, REASONS = LIST_VARIANTS.path, LIST_LOCATIONS.path, LIST_REASONS.path
REPORT = REPORT_REASONS.path
NOBODYS_VARIANT = UUID(int=77)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> ReadService:
    service = ReadService(monkeypatch, capsys)
    service.tables.with_catalog()
    return service


def register(service: ReadService, sku: str, variant_id: UUID = VARIANT, business_id: UUID = BUSINESS) -> None:
    """A variant with its SKU's claim, as an operator's command leaves them."""
    variant: Any = {"active": {"BOOL": True}, "sku": {"S": sku}, "name": {"S": f"Name of {sku}"}}
    service.tables._put_inventory(keys.business(business_id), keys.variant(variant_id), variant)
    service.tables.with_sku(sku, variant_id, business_id=business_id)


def stock(service: ReadService, variant: int, location_id: UUID, quantity: int, **members: Any) -> UUID:
    variant_id = UUID(int=variant)
    row = an_adjustment(
        id=UUID(int=variant * 1_000 + location_id.int % 1_000),
        variant_id=variant_id,
        location_id=location_id,
        delta=quantity,
        quantity_after=quantity,
        **members,
    )
    service.tables.with_history(row)
    return variant_id


def shown(answer: Answer) -> dict[tuple[str, str], int]:
    assert answer.status == 200, answer.body
    return {(each["variant_id"], each["location_id"]): each["quantity"] for each in answer.body["data"]}


def all_pages(service: ReadService, resource: str, query: list[tuple[str, str]]) -> list[list[Any]]:
    found: list[list[Any]] = []
    cursor: str | None = None
    while not found or cursor is not None:
        page = service.get(resource, query if cursor is None else [*query, ("cursor", cursor)])
        assert page.status == 200, page.body
        found.append(page.body["data"])
        cursor = page.body["next_cursor"]
    return found


# --- levels of a business --------------------------------------------------------------------------------------------


@pytest.fixture
def stocked(reading: ReadService) -> ReadService:
    """Twenty variants at one location, every other one at a second; the quantity is the variant's number less ten."""
    for number in range(1, 21):
        stock(reading, number, LOCATION, number - 10)
        if number % 2:
            stock(reading, number, OTHER_LOCATION, number - 10)
    return reading


def test_levels_of_a_business_are_all_its_stock_items(stocked: ReadService) -> None:
    answer = stocked.get(LEVELS)

    assert len(shown(answer)) == len(answer.body["data"]) == 30
    assert answer.body["next_cursor"] is None
    assert {*answer.body["data"][0]} == {
        "variant_id",
        "location_id",
        "quantity",
        "sequence",
        "updated_at",
        "sku",
        "counted_at",
    }


@pytest.mark.parametrize("limit", [1, 9, 10, 11, 100])
@pytest.mark.parametrize("location_id", [None, LOCATION, OTHER_LOCATION])
def test_pages_of_levels_hold_each_stock_item_once(stocked: ReadService, limit: int, location_id: UUID | None) -> None:
    query = [("limit", str(limit))] + ([] if location_id is None else [("location_id", str(location_id))])
    pages = all_pages(stocked, LEVELS, query)

    there = [(each["variant_id"], each["location_id"]) for page in pages for each in page]
    wanted = {None: 30, LOCATION: 20, OTHER_LOCATION: 10}[location_id]
    assert len(set(there)) == len(there) == wanted
    assert all(len(page) == limit for page in pages[:-1]), "without filters pages are full"
    assert pages[-1], "the last page is not empty"


@pytest.mark.parametrize(
    ("query", "quantities"),
    [
        ([("quantity_at_most", "-8")], [-9, -9, -8]),
        ([("quantity_at_least", "9")], [9, 9, 10]),
        ([("quantity_at_most", "1"), ("quantity_at_least", "0")], [0, 1, 1]),
        ([("quantity_at_most", "-100")], []),
        ([("quantity_at_most", "-8"), ("location_id", str(OTHER_LOCATION))], [-9]),
    ],
)
def test_levels_are_found_by_their_quantity(
    stocked: ReadService, query: list[tuple[str, str]], quantities: list[int]
) -> None:
    assert sorted(shown(stocked.get(LEVELS, query)).values()) == quantities
    paged = all_pages(stocked, LEVELS, [*query, ("limit", "2")])
    assert sorted(each["quantity"] for page in paged for each in page) == quantities


def test_a_page_looks_at_so_many_stock_items_and_may_be_short(
    stocked: ReadService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(level_pages, "STOCK_ITEMS_EXAMINED_MAX", 4)
    pages = all_pages(stocked, LEVELS, [("quantity_at_least", "9")])

    assert [len(page) for page in pages].count(0) > 3
    assert sorted(each["quantity"] for page in pages for each in page) == [9, 9, 10]


def test_levels_of_a_variant_are_found_by_its_sku_and_name_it(reading: ReadService) -> None:
    register(reading, "MUG-RED")
    reading.tables.with_history(an_adjustment())

    answer = reading.get(LEVELS, [("sku", " MUG-RED ")])

    assert [(each["variant_id"], each["sku"]) for each in answer.body["data"]] == [(str(VARIANT), "MUG-RED")]
    unknown = reading.get(LEVELS, [("sku", "MUG-BLUE")])
    assert (unknown.status, unknown.body["detail"]["code"]) == (404, "variant_not_found")


def test_an_unknown_location_without_any_stock_is_not_found(reading: ReadService) -> None:
    assert reading.get(LEVELS, [("location_id", str(LOCATION))]).body == {"data": [], "next_cursor": None}
    unknown = reading.get(LEVELS, [("location_id", str(OTHER_LOCATION))])
    assert (unknown.status, unknown.body["detail"]["code"]) == (404, "location_not_found")


def test_an_empty_business_has_no_levels(reading: ReadService) -> None:
    assert reading.get(LEVELS).body == {"data": [], "next_cursor": None}


def test_an_altered_stock_item_ends_a_page_before_it_and_is_never_skipped(stocked: ReadService) -> None:
    complete = stocked.get(LEVELS).body["data"]
    sixth = complete[5]
    place = INVENTORY_TABLE, keys.stock(BUSINESS, UUID(sixth["variant_id"])), sixth["location_id"]
    stocked.tables.items[place]["quantity"] = {"S": "many"}

    page = stocked.get(LEVELS)

    assert page.body["data"] == complete[:5]
    after = stocked.get(LEVELS, [("cursor", page.body["next_cursor"])])
    assert (after.status, after.body["detail"]["code"]) == (500, "internal_error")


@pytest.mark.parametrize("attribute", ["location_variant", "business_shard"])
def test_an_altered_entry_of_the_index_is_never_skipped(stocked: ReadService, attribute: str) -> None:
    complete = stocked.get(LEVELS).body["data"]
    place = INVENTORY_TABLE, keys.stock(BUSINESS, UUID(complete[0]["variant_id"])), complete[0]["location_id"]
    entry = stocked.tables.items[place]
    old = entry[attribute]["S"]
    entry[attribute] = {"S": f"{old[:-1]}{'0' if old[-1] != '0' else '1'}"}

    answers = [stocked.get(LEVELS)]
    while answers[-1].status == 200 and answers[-1].body["next_cursor"] is not None:
        answers.append(stocked.get(LEVELS, [("cursor", answers[-1].body["next_cursor"])]))

    assert (answers[-1].status, answers[-1].body["detail"]["code"]) == (500, "internal_error")


@pytest.mark.parametrize("position", ["", "#", str(LOCATION), f"{LOCATION}#x", f"{LOCATION}#{VARIANT.hex}"])
def test_a_forged_cursor_of_a_businesss_levels_is_refused(stocked: ReadService, position: str) -> None:
    question = {"list": "LevelsQuery", "business_id": str(BUSINESS)}
    answer = stocked.get(LEVELS, [("cursor", cursors.cursor(position, question))])

    assert (answer.status, answer.problems) == (422, [(("query", "cursor"), "value_error")])


def test_a_cursor_of_a_business_is_refused_for_one_of_its_locations(stocked: ReadService) -> None:
    cursor = stocked.get(LEVELS, [("limit", "1")]).body["next_cursor"]
    for query in ([("location_id", str(LOCATION))], [("quantity_at_most", "5")], [("variant_id", str(VARIANT))]):
        assert stocked.get(LEVELS, [*query, ("cursor", cursor)]).status == 422


# --- the catalog -----------------------------------------------------------------------------------------------------


def test_variants_are_listed_as_registered_and_found_by_sku(reading: ReadService) -> None:
    register(reading, "MUG-RED")
    reading.tables.with_variant(OTHER_VARIANT, active=False)
    red = {"variant_id": str(VARIANT), "sku": "MUG-RED", "name": "Name of MUG-RED", "active": True}
    other = {"variant_id": str(OTHER_VARIANT), "sku": None, "name": None, "active": False}

    assert sorted(reading.get(VARIANTS).body["data"], key=str) == sorted([red, other], key=str)
    assert reading.get(VARIANTS, [("sku", "MUG-RED")]).body == {"data": [red], "next_cursor": None}
    assert reading.get(VARIANTS, [("sku", "mug-red")]).body == {"data": [], "next_cursor": None}


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_variants_come_in_pages(reading: ReadService, limit: int) -> None:
    for number in range(7):
        register(reading, f"V-{number}", UUID(int=number, version=4))
    pages = all_pages(reading, VARIANTS, [("limit", str(limit))])

    ids = [each["variant_id"] for page in pages for each in page]
    assert ids == sorted(set(ids))
    assert len(ids) == 8
    assert all(len(page) == limit for page in pages[:-1])


def test_locations_are_listed_with_the_default_one(reading: ReadService) -> None:
    reading.tables.with_location(OTHER_LOCATION, active=False)

    assert {each["location_id"]: each for each in reading.get(LOCATIONS).body["data"]} == {
        str(LOCATION): {"location_id": str(LOCATION), "name": None, "default": True, "active": True},
        str(OTHER_LOCATION): {"location_id": str(OTHER_LOCATION), "name": None, "default": False, "active": False},
    }


def register_reason(service: ReadService, code: str, *, active: bool = True) -> None:
    members: Any = {"reason_code": {"S": code}, "name": {"S": code.title()}, "direction": {"S": "decrease"}}
    _, sort_key = keys.reason_key(BUSINESS, code)
    service.tables._put_inventory(keys.business(BUSINESS), sort_key, members | {"active": {"BOOL": active}})


def test_reasons_are_the_built_in_ones_and_then_the_registered_ones(reading: ReadService) -> None:
    register_reason(reading, "tasting")
    register_reason(reading, "gift", active=False)

    found = reading.get(REASONS).body["data"]

    assert {each["reason_code"] for each in found if each["built_in"]} == BUILT_IN_REASON_CODES
    assert found[10:] == [
        {"reason_code": "gift", "name": "Gift", "direction": "decrease", "active": False, "built_in": False},
        {"reason_code": "tasting", "name": "Tasting", "direction": "decrease", "active": True, "built_in": False},
    ]
    pages = all_pages(reading, REASONS, [("limit", "5")])
    assert ([len(page) for page in pages], [each for page in pages for each in page]) == ([5, 5, 2], found)


def test_every_code_of_a_business_with_the_most_of_them_is_listed(reading: ReadService) -> None:
    for number in range(100):
        register_reason(reading, f"code_{number:02}")
    assert sum(map(len, all_pages(reading, REASONS, []))) == 110


# --- the report by reason --------------------------------------------------------------------------------------------


def history_with_reversals() -> list[Any]:
    """+5 damage (reversed, and its reversal too), −3 theft (reversed), +1 without a code; a second apart."""
    first, second, third, fourth, fifth, sixth = (UUID(int=each) for each in range(1, 7))
    rows = [
        (first, 5, "damage", None),
        (second, -3, "theft", None),
        (third, -5, None, first),
        (fourth, 3, None, second),
        (fifth, 5, None, third),
        (sixth, 1, None, None),
    ]
    quantity, found = 0, []
    for sequence, (row_id, delta, code, reverses) in enumerate(rows, 1):
        quantity += delta
        found.append(
            an_adjustment(
                id=row_id,
                delta=delta,
                reason_code=code,
                reverses=reverses,
                sequence=sequence,
                quantity_after=quantity,
                created_at=NOW + timedelta(seconds=sequence),
            )
        )
    return found


def sums(code: str | None, *values: int) -> dict[str, Any]:
    return {"reason_code": code} | dict(zip(reason_report.MEASURES, values, strict=True))


def test_the_report_sums_by_reason_with_reversals_under_the_reason_that_they_take_back(reading: ReadService) -> None:
    reading.tables.with_history(*history_with_reversals())

    assert reading.get(REPORT).body == {
        "data": [sums("damage", 1, 5, 0, 0, 0), sums("theft", 1, 0, 3, 0, 3), sums(None, 1, 1, 0, 0, 0)],
        "rows": 6,
        "complete": True,
        "next_cursor": None,
    }


def test_a_reversal_counts_in_its_own_period_under_a_reason_of_an_earlier_one(reading: ReadService) -> None:
    reading.tables.with_history(*history_with_reversals())
    query = [("from", instant_text(NOW + timedelta(seconds=3))), ("to", instant_text(NOW + timedelta(seconds=5)))]

    answer = reading.get(REPORT, query).body

    assert answer["data"] == [sums("damage", 0, 0, 0, 5, 0), sums("theft", 0, 0, 0, 0, 3)]
    later = reading.get(REPORT, [("from", instant_text(NOW + timedelta(seconds=5)))]).body
    assert later["data"] == [sums("damage", 0, 0, 0, -5, 0), sums(None, 1, 1, 0, 0, 0)]


def test_a_long_report_goes_on_with_the_sums_so_far(reading: ReadService, monkeypatch: pytest.MonkeyPatch) -> None:
    reading.tables.with_history(*history_with_reversals())
    whole = reading.get(REPORT).body
    monkeypatch.setattr(reason_report, "ROWS_LOOKED_AT_MAX", 2)

    first = reading.get(REPORT)
    second = reading.get(REPORT, [("cursor", first.body["next_cursor"])])
    third = reading.get(REPORT, [("cursor", second.body["next_cursor"])])

    assert [each.body["complete"] for each in (first, second, third)] == [False, False, True]
    assert [each.body["rows"] for each in (first, second, third)] == [2, 4, 6]
    assert first.body["data"] == [sums("damage", 1, 5, 0, 0, 0), sums("theft", 1, 0, 3, 0, 0)]
    assert third.body == whole


def test_the_report_of_a_variant_by_its_sku_and_of_a_location(reading: ReadService) -> None:
    register(reading, "MUG-RED")
    reading.tables.with_history(*history_with_reversals())
    stock(reading, 9, LOCATION, 40, reason_code="found")

    assert reading.get(REPORT, [("sku", "MUG-RED")]).body["rows"] == 6
    assert reading.get(REPORT, [("location_id", str(LOCATION))]).body["rows"] == 7
    assert reading.get(REPORT, [("location_id", str(OTHER_LOCATION))]).body["data"] == []
    assert reading.get(REPORT, [("sku", "MUG")]).status == 404


@pytest.mark.parametrize(
    "position",
    [
        "",
        "[]",
        "{}",
        "[" * 20_000,
        '["x","y",0,{}]',
        '["2026-11-23T14:05:09.123456Z#00000000-0000-0000-0000-000000000000","2026-11-23T14:05:09Z",0,{}]',
        '["2026-11-23T14:05:09.123456Z#00000000-0000-0000-0000-000000000000","2026-11-23T14:05:09.000000Z",true,{}]',
        '["2026-11-23T14:05:09.123456Z#00000000-0000-0000-0000-000000000000","2026-11-23T14:05:09.000000Z",1,{"a":[1]}]',
        '["2026-11-23T14:05:09.123456Z#00000000-0000-0000-0000-000000000000","2026-11-23T14:05:09.000000Z",1,{"a":1}]',
        '["2026-11-23T14:05:09.123456Z#00000000-0000-0000-0000-000000000000","2026-11-23T14:05:09.000000Z",1,[1]]',
        "x" * 1_000_000,
    ],
    ids=range(11),
)
def test_a_forged_cursor_of_a_report_is_refused_and_never_a_fault(reading: ReadService, position: str) -> None:
    question = {"list": "AdjustmentReasonsQuery", "business_id": str(BUSINESS)}
    answer = reading.get(REPORT, [("cursor", cursors.compressed_cursor(position, question))])

    assert (answer.status, answer.problems) == (422, [(("query", "cursor"), "value_error")])


@pytest.mark.parametrize("cursor", ["x", "AAAA", "ü", "A" * 200])
def test_an_invented_cursor_of_a_report_is_refused(reading: ReadService, cursor: str) -> None:
    answer = reading.get(REPORT, [("cursor", cursor)])
    assert (answer.status, answer.problems) == (422, [(("query", "cursor"), "value_error")])


def test_a_cursor_of_a_report_of_another_period_or_business_is_refused(
    reading: ReadService, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading.tables.with_history(*history_with_reversals())
    monkeypatch.setattr(reason_report, "ROWS_LOOKED_AT_MAX", 2)
    cursor = reading.get(REPORT).body["next_cursor"]

    assert reading.get(REPORT, [("from", instant_text(NOW)), ("cursor", cursor)]).status == 422
    other = an_authorizer_context(business_id=str(OTHER_BUSINESS), scopes="adjustments:read")
    headers = {"Authorization": "Bearer dz_secret", "x-business-id": str(OTHER_BUSINESS)}
    assert reading.get(REPORT, [("cursor", cursor)], authorizer=other, headers=headers).status in {403, 422}


def test_the_cursor_of_the_longest_report_fits_into_a_request() -> None:
    codes = [f"{number:02}{number * 7919**9:038x}"[:40] for number in range(110)]
    of_code = tuple(2**53 - 1 - number * 9973 for number in range(5))
    so_far = reason_report._SoFar(None, NOW, 10**9, dict.fromkeys([*codes, None], of_code))
    cursor = reason_report._cursor(parse_position(_position()), so_far, {"business_id": str(BUSINESS)})

    assert len(cursor) <= REPORT_CURSOR_LENGTH_MAX
    assert reason_report._read_cursor(cursor, {"business_id": str(BUSINESS)}).sums == so_far.sums


def _position() -> str:
    return f"{instant_text(NOW)}#{VARIANT}"


@pytest.mark.parametrize("query", [[("from", "now")], [("to", "1")], [("created_from", "2026-01-01T00:00:00Z")]])
def test_an_invalid_period_is_reported_at_its_name(reading: ReadService, query: list[tuple[str, str]]) -> None:
    answer = reading.get(REPORT, query)
    assert (answer.status, [loc for loc, _ in answer.problems]) == (422, [("query", query[0][0])])


def test_a_reversal_of_a_row_that_is_gone_is_an_internal_error(reading: ReadService) -> None:
    reading.tables.with_history(*history_with_reversals())
    del reading.tables.items[LEDGER_TABLE, keys.ledger(BUSINESS, UUID(int=1)), ""]

    answer = reading.get(REPORT)

    assert (answer.status, answer.body["detail"]["code"]) == (500, "internal_error")


# --- the feed and other filters of the list --------------------------------------------------------------------------


def settle(service: ReadService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a day pass."""
    module = service.module
    monkeypatch.setattr(module, "reader", replace(module.reader, clock=lambda: NOW + timedelta(days=1)))


def test_the_feed_is_oldest_first_and_never_ends(reading: ReadService, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = history_with_reversals()
    reading.tables.with_history(*rows)
    settle(reading, monkeypatch)
    found: list[str] = []
    cursor: str | None = None
    for _ in range(5):
        query = [("order", "asc"), ("limit", "4")]
        answer = reading.get(LIST, query if cursor is None else [*query, ("cursor", cursor)])
        found += [each["id"] for each in answer.body["data"]]
        cursor = answer.body["next_cursor"]
        assert answer.body["settled_to"] == instant_text(NOW + timedelta(days=1, seconds=-60))

    assert found == [str(row.id) for row in rows]
    assert cursor is not None


def test_the_feed_of_an_empty_business_has_a_cursor_too(reading: ReadService) -> None:
    first = reading.get(LIST, [("order", "asc")])
    second = reading.get(LIST, [("order", "asc"), ("cursor", first.body["next_cursor"])])

    assert first.body["data"] == second.body["data"] == []
    assert first.body["next_cursor"] == second.body["next_cursor"] is not None


def test_a_cursor_is_good_for_its_order_only(reading: ReadService) -> None:
    reading.tables.with_history(*history_with_reversals())
    newest = reading.get(LIST, [("limit", "1")]).body["next_cursor"]
    oldest = reading.get(LIST, [("order", "asc")]).body["next_cursor"]

    assert reading.get(LIST, [("order", "asc"), ("cursor", newest)]).status == 422
    assert reading.get(LIST, [("cursor", oldest)]).status == 422
    assert reading.get(LIST, [("order", "desc"), ("cursor", newest)]).status == 200


def test_what_a_key_has_made_is_read_from_the_ledger_itself(reading: ReadService) -> None:
    row = an_adjustment(id=keyed_id(BUSINESS, "delivery-7"))
    reading.tables.with_row(row)
    reading.tables.meets("Query", broken())

    assert [each["id"] for each in reading.get(LIST, [("idempotency_key", "delivery-7")]).body["data"]] == [str(row.id)]
    assert reading.get(LIST, [("idempotency_key", "delivery-8")]).body == {"data": [], "next_cursor": None}
    other = [("idempotency_key", "delivery-7"), ("variant_id", str(OTHER_VARIANT))]
    assert reading.get(LIST, other).body["data"] == []
    refused = reading.get(LIST, [("idempotency_key", "a b")])
    assert (refused.status, refused.problems) == (422, [(("query", "idempotency_key"), "value_error")])


@pytest.mark.parametrize("name", ["reference", "created_by"])
def test_texts_are_compared_after_normalization(reading: ReadService, name: str) -> None:
    composed, decomposed = "Caf\u00e9", "Cafe\u0301"
    reading.tables.with_history(an_adjustment(**{name: decomposed}))

    for asked in (composed, decomposed):
        assert [each[name] for each in reading.get(LIST, [(name, asked)]).body["data"]] == [decomposed]
    assert reading.get(LIST, [(name, "Cafe")]).body["data"] == []


def test_rows_are_found_by_kind_and_by_a_registered_reason_code(reading: ReadService) -> None:
    reading.tables.with_history(an_adjustment(reason_code="tasting", kind="count", counted_quantity=5))

    assert len(reading.get(LIST, [("kind", "count"), ("reason_code", "tasting")]).body["data"]) == 1
    assert reading.get(LIST, [("kind", "transfer")]).body["data"] == []
    assert reading.get(LIST, [("kind", "theft")]).status == 422


# --- tenancy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", [LEVELS, VARIANTS, LOCATIONS, REPORT, LIST])
def test_nothing_of_another_business_is_ever_shown(reading: ReadService, resource: str) -> None:
    tables = reading.tables
    for key in [each for each in tables.items if "#" in each[1] and each[2].startswith(("VARIANT#", "LOCATION#"))]:
        del tables.items[key]
    register(reading, "MUG-RED", NOBODYS_VARIANT, business_id=OTHER_BUSINESS)
    tables.with_location(OTHER_LOCATION, business_id=OTHER_BUSINESS)
    tables.with_history(an_adjustment(business_id=OTHER_BUSINESS))

    assert reading.get(resource).body["data"] == []
    if resource in {LEVELS, LIST, REPORT}:
        assert reading.get(resource, [("sku", "MUG-RED")]).status == 404
    if resource == VARIANTS:
        assert reading.get(resource, [("sku", "MUG-RED")]).body["data"] == []


def test_every_list_refuses_unknown_parameters_and_cursors(reading: ReadService) -> None:
    for route in ROUTES:
        if route.function == "read_inventory" and "{" not in route.path:
            assert reading.get(route.path, [("x", "1")]).problems == [(("query", "x"), "extra_forbidden")]
            assert reading.get(route.path, [("cursor", "x")]).problems == [(("query", "cursor"), "value_error")]


def test_no_time_is_try_again(stocked: ReadService) -> None:
    for resource in (LEVELS, VARIANTS, LOCATIONS, REASONS, REPORT):
        assert stocked.get(resource, context=Context(remaining_ms=100)).status == 503


def test_the_errors_of_parameters_come_in_the_order_of_their_names_as_they_are_sent(reading: ReadService) -> None:
    both = [("to", "null"), ("variant_id", str(VARIANT)), ("sku", "0"), ("from", "yesterday")]

    assert reading.get(REPORT, both).problems == [
        (("query", "from"), "datetime_from_date_parsing"),
        (("query", "to"), "datetime_from_date_parsing"),
        (("query", "sku"), "value_error"),
    ]


# --- rows of a group, and what their hashes are made of --------------------------------------------------------------


def test_a_group_is_read_with_its_rows_in_order_and_a_list_with_what_their_hashes_are_made_of(
    reading: ReadService,
) -> None:
    group_id = keyed_id(BUSINESS, "delivery")
    rows = [
        an_adjustment(
            id=group_row_id(group_id, line), location_id=location_id, group_id=group_id, group_line=line, group_size=2
        )
        for line, location_id in enumerate((LOCATION, OTHER_LOCATION))
    ]
    reading.tables.with_history(*rows)

    group = reading.get(GET_GROUP.path, path={"group_id": str(group_id)})
    listed = reading.get(LIST, [("location_id", str(OTHER_LOCATION)), ("include", "chain")])

    assert (group.status, group.body) == (200, {"group_id": str(group_id), "data": list(map(adjustment_members, rows))})
    assert listed.status == 200, listed.body
    chain = canonical_members(rows[1]) | {"hash": rows[1].hash}
    assert listed.body["data"] == [adjustment_members(rows[1]) | {"chain": chain}]
