"""Lists of what is registered, what remains after a deactivation, and reason codes, through the provision function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain.model import StockItemId
from inventory.domain.retry_budget import CALL_BUDGET_S
from inventory.storage.items import stock_index_attributes
from tests.support.harness.loading import Context
from tests.support.harness.provision_service import (
    BUSINESS,
    DEACTIVATE_LOCATION,
    DEACTIVATE_REASON,
    DEACTIVATE_VARIANT,
    ISSUE_TOKEN,
    LIST_BUSINESSES,
    LIST_LOCATIONS,
    LIST_REASONS,
    LIST_TOKENS,
    LIST_VARIANTS,
    LOCATION,
    NOW_TEXT,
    OTHER_BUSINESS,
    OTHER_LOCATION,
    REGISTER_BUSINESS,
    REGISTER_LOCATION,
    REGISTER_REASON,
    REGISTER_VARIANT,
    REGISTER_VARIANTS,
    REVOKE_TOKEN,
    VARIANT,
    Command,
)

if TYPE_CHECKING:
    from tests.support.harness.provision_service import Service


def pages(service: Service, command: Command, **fields: object) -> list[list[Any]]:
    """All pages of a list."""
    found: list[list[Any]] = []
    cursor: object = ...
    while cursor is not None:
        page = service.do(command, cursor=cursor, **fields)
        assert page.keys() == {"data", "next_cursor"}
        found.append(page["data"])
        cursor = page["next_cursor"]
    return found


def stock(service: Service, variant_id: str, location_id: str, quantity: int) -> None:
    """A stock item, as an adjustment leaves it."""
    item: Any = {
        "pk": {"S": f"STOCK#{BUSINESS}#{variant_id}"},
        "sk": {"S": location_id},
        "quantity": {"N": str(quantity)},
        "sequence": {"N": "1"},
        "updated_at": {"S": NOW_TEXT},
        "head_hash": {"S": "0" * 64},
        **stock_index_attributes(StockItemId(UUID(BUSINESS), UUID(variant_id), UUID(location_id))),
    }
    service.client.put_item(TableName="inventory", Item=item)


# --- lists


def test_businesses_are_listed_page_by_page_each_once(service: Service) -> None:
    ids = [str(UUID(int=number)) for number in range(1, 8)]
    for each in ids:
        service.do(REGISTER_BUSINESS, business_id=each, allow_negative_stock=each == ids[0])
        service.do(REGISTER_LOCATION, business_id=each)
    found = pages(service, LIST_BUSINESSES, limit=3)
    assert [len(page) for page in found] == [3, 3, 1]
    expected = [{"business_id": each, "name": "Roasters", "allow_negative_stock": each == ids[0]} for each in ids]
    assert sorted((entry for page in found for entry in page), key=lambda entry: str(entry["business_id"])) == expected


def test_a_full_page_at_the_end_of_the_list_has_no_next_one(shop: Service) -> None:
    shop.do(REGISTER_BUSINESS, business_id=OTHER_BUSINESS)
    assert [len(page) for page in pages(shop, LIST_BUSINESSES, limit=2)] == [2]


def test_a_list_of_businesses_goes_on_where_its_time_was_up(shop: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inventory.storage.catalog_scan._SCANNED_MAX", 1)
    shop.do(REGISTER_LOCATION)
    shop.do(REGISTER_BUSINESS, business_id=OTHER_BUSINESS)
    found, cursor, calls = list[Any](), None, 0
    while cursor is not None or not calls:
        context = Context(remaining_ms=int(CALL_BUDGET_S * 1000) + 1)
        page = shop.invoke(LIST_BUSINESSES | {"cursor": cursor}, context)
        found, cursor, calls = found + page["data"], page["next_cursor"], calls + 1
    assert {entry["business_id"] for entry in found} == {BUSINESS, OTHER_BUSINESS}
    assert len(found) == 2


def test_locations_and_variants_are_listed_as_registered(shop: Service) -> None:
    shop.do(REGISTER_LOCATION, default=True)
    shop.do(REGISTER_LOCATION, location_id=OTHER_LOCATION, name="Shop")
    shop.do(DEACTIVATE_LOCATION, location_id=OTHER_LOCATION)
    assert pages(shop, LIST_LOCATIONS, limit=1) == [
        [{"location_id": LOCATION, "name": "Warehouse", "default": True, "active": True}],
        [{"location_id": OTHER_LOCATION, "name": "Shop", "default": False, "active": False}],
    ]
    shop.do(REGISTER_VARIANT)
    assert shop.do(LIST_VARIANTS) == {
        "data": [{"variant_id": VARIANT, "sku": "BEANS-1", "name": None, "active": True}],
        "next_cursor": None,
    }


def test_a_large_catalog_is_listed_each_variant_once(shop: Service) -> None:
    registered = shop.do(REGISTER_VARIANTS, variants=[{"sku": str(number)} for number in range(120)])["variants"]
    found = pages(shop, LIST_VARIANTS)
    assert [len(page) for page in found] == [100, 20]
    assert {entry["variant_id"] for page in found for entry in page} == {each["variant_id"] for each in registered}


def test_tokens_are_listed_without_the_token(shop: Service) -> None:
    shop.do(REGISTER_BUSINESS, business_id=OTHER_BUSINESS)
    mine = shop.do(ISSUE_TOKEN, expires_at="2027-01-01T00:00:00+01:00")
    other = shop.do(ISSUE_TOKEN, business_ids=[OTHER_BUSINESS])
    shop.do(REVOKE_TOKEN, token_id=mine["token_id"])
    (entry,) = shop.do(LIST_TOKENS, business_id=BUSINESS)["data"]
    assert entry == {
        "token_id": mine["token_id"],
        "subject": "till 4",
        "business_ids": [BUSINESS],
        "scopes": ["adjustments:write"],
        "expires_at": "2026-12-31T23:00:00.000000Z",
        "revoked_at": NOW_TEXT,
    }
    listed = [entry["token_id"] for page in pages(shop, LIST_TOKENS, limit=1) for entry in page]
    assert sorted(listed) == sorted([mine["token_id"], other["token_id"]])
    assert mine["token"] not in shop.log.getvalue()


@pytest.mark.parametrize("command", [LIST_BUSINESSES, LIST_TOKENS, LIST_LOCATIONS, LIST_VARIANTS, LIST_REASONS])
def test_a_cursor_is_good_for_its_own_list_only(shop: Service, command: Command) -> None:
    for each in (LOCATION, OTHER_LOCATION):
        shop.do(REGISTER_LOCATION, location_id=each)
    cursor = shop.do(LIST_LOCATIONS, limit=1)["next_cursor"]
    for given in [cursor] * (command is not LIST_LOCATIONS) + [cursor[:-2], "x"]:
        name, entries = shop.refused(command, cursor=given)
        assert (name, [(each["loc"], each["type"]) for each in entries]) == (
            "InvalidRequest",
            [(["body", "cursor"], "value_error")],
        )


# --- reasons


def test_reasons_are_listed_after_those_that_are_built_in(shop: Service) -> None:
    assert shop.do(REGISTER_REASON, direction="decrease") == {"reason_code": "sample"}
    shop.do(REGISTER_REASON, reason_code="gift", name="Gift")
    assert shop.do(DEACTIVATE_REASON, reason_code="gift") == {}
    found = pages(shop, LIST_REASONS, limit=6)
    assert [len(page) for page in found] == [6, 6]
    reasons = found[0] + found[1]
    assert [each["built_in"] for each in reasons] == [True] * 10 + [False] * 2
    assert {each["direction"] for each in reasons[:10]} == {"any"}
    assert reasons[10:] == [
        {"reason_code": "gift", "name": "Gift", "direction": "any", "active": False, "built_in": False},
        {"reason_code": "sample", "name": "Sample", "direction": "decrease", "active": True, "built_in": False},
    ]


def test_registering_a_reason_again_keeps_what_is_left_out(shop: Service) -> None:
    shop.do(REGISTER_REASON, direction="decrease")
    shop.do(DEACTIVATE_REASON)
    shop.do(REGISTER_REASON, name="Samples")
    assert shop.catalog()["REASON#sample"] == {
        "reason_code": "sample",
        "name": "Samples",
        "direction": "decrease",
        "active": True,
    }
    shop.do(REGISTER_REASON, name=..., direction="any")
    assert shop.catalog()["REASON#sample"]["direction"] == "any"


def test_a_new_reason_needs_a_name(shop: Service) -> None:
    name, entries = shop.refused(REGISTER_REASON, name=...)
    assert (name, [(each["loc"], each["type"]) for each in entries]) == (
        "InvalidRequest",
        [(["body", "name"], "missing")],
    )


def test_a_business_has_a_hundred_reasons_at_most_inactive_ones_included(shop: Service) -> None:
    for number in range(100):
        shop.do(REGISTER_REASON, reason_code=f"reason_{number}")
    shop.do(DEACTIVATE_REASON, reason_code="reason_7")
    assert shop.refused(REGISTER_REASON) == (
        "TooManyReasons",
        {
            "code": "too_many_reasons",
            "message": "This business has registered 100 reason codes, and may not have more.",
        },
    )
    shop.do(REGISTER_REASON, reason_code="reason_7", name="Another name")
    assert sum(len(page) for page in pages(shop, LIST_REASONS)) == 110


# --- what remains


def test_a_deactivated_location_answers_what_remains_there(stocked: Service) -> None:
    other = str(UUID(int=1))
    stock(stocked, VARIANT, LOCATION, 7)
    stock(stocked, other, LOCATION, 0)
    stock(stocked, VARIANT, OTHER_LOCATION, 9)
    remaining = [{"variant_id": VARIANT, "location_id": LOCATION, "quantity": 7}]
    for _ in range(2):
        assert stocked.do(DEACTIVATE_LOCATION) == {"stock": remaining}


def test_a_deactivated_variant_answers_where_some_of_it_remains(stocked: Service) -> None:
    stock(stocked, VARIANT, LOCATION, -3)
    stock(stocked, VARIANT, OTHER_LOCATION, 0)
    remaining = [{"variant_id": VARIANT, "location_id": LOCATION, "quantity": -3}]
    assert stocked.do(DEACTIVATE_VARIANT) == {"stock": remaining}


def test_the_first_hundred_that_remain_are_answered(stocked: Service) -> None:
    for number in range(110):
        stock(stocked, VARIANT, str(UUID(int=number + 1)), number % 110)
    answer = stocked.do(DEACTIVATE_VARIANT)["stock"]
    assert [each["quantity"] for each in answer] == [*range(1, 101)]
