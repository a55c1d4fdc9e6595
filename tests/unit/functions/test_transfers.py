"""Transfers over HTTP and directly: two rows for each line, all in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.api.routes import TRANSFER
from inventory.domain.rules import keyed_id
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_LOCATION, OTHER_VARIANT, VARIANT

if TYPE_CHECKING:
    from tests.support.harness.write_service import Answer, Service

KEY_PLACE = ("header", "idempotency-key")


@pytest.fixture
def shop(service: Service) -> Service:
    """Ten of one variant at the default location, none of another one, and a second location."""
    service.tables.with_variant(OTHER_VARIANT)
    service.tables.with_sku("BOOT-42", OTHER_VARIANT)
    service.tables.with_location(OTHER_LOCATION)
    service.tables.with_stock(a_stock_item(10))
    return service


def a_line(**changes: object) -> dict[str, object]:
    members = {"variant_id": str(VARIANT), "quantity": 4} | changes
    return {name: value for name, value in members.items() if value is not ...}


def a_transfer(**changes: object) -> dict[str, object]:
    members: dict[str, object] = {
        "from_location_id": str(LOCATION),
        "to_location_id": str(OTHER_LOCATION),
        "reason": "Restock",
        "lines": [a_line()],
    }
    return {name: value for name, value in (members | changes).items() if value is not ...}


def transfer(service: Service, *, key: str | None = None, **changes: Any) -> Answer:
    return service.post_to(TRANSFER, a_transfer(**changes), key=key)


def sides(answer: Answer) -> list[tuple[str, str, int]]:
    return [(each["variant_id"], each["location_id"], each["delta"]) for each in answer.body["data"]]


def test_each_line_is_the_row_that_takes_and_the_row_that_adds_in_one_transaction(shop: Service) -> None:
    shop.tables.with_stock(a_stock_item(3), variant_id=OTHER_VARIANT)

    answer = transfer(shop, key="move", lines=[a_line(), a_line(variant_id=..., sku="BOOT-42", quantity=3)])

    assert answer.status == 201
    assert answer.headers["Location"] == f"adjustments/groups/{keyed_id(BUSINESS, 'move')}"
    assert sides(answer) == [
        (str(VARIANT), str(LOCATION), -4),
        (str(VARIANT), str(OTHER_LOCATION), 4),
        (str(OTHER_VARIANT), str(LOCATION), -3),
        (str(OTHER_VARIANT), str(OTHER_LOCATION), 3),
    ]
    assert [
        (each["kind"], each["reason_code"], each["group_line"], each["group_size"]) for each in answer.body["data"]
    ] == [("transfer", "transfer", line, 4) for line in range(4)]
    assert [each["sku"] for each in answer.body["data"]] == [None, None, "BOOT-42", "BOOT-42"]
    assert len(shop.tables.requests["TransactWriteItems"]) == 1


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        (
            {"lines": [a_line(), a_line(variant_id=str(OTHER_VARIANT), quantity=1)]},
            409,
            {"code": "insufficient_stock", "quantity_on_hand": 0, "quantity_change": -1, "line": 1},
        ),
        (
            {"lines": [a_line(expected_quantity=9)]},
            409,
            {"code": "stale_quantity", "quantity_on_hand": 10, "line": 0},
        ),
        (
            {"to_location_id": str(UUID(int=1))},
            404,
            {"code": "location_not_found", "location_id": str(UUID(int=1)), "line": 0},
        ),
        (
            {"from_location_id": str(UUID(int=1))},
            404,
            {"code": "location_not_found", "location_id": str(UUID(int=1)), "line": 0},
        ),
        (
            {"to_location_id": str(UUID(int=1)), "lines": [a_line(quantity=99)]},
            404,
            {"code": "location_not_found", "location_id": str(UUID(int=1)), "line": 0},
        ),
        (
            {"from_location_id": str(UUID(int=1)), "to_location_id": str(UUID(int=2))},
            404,
            {"code": "location_not_found", "location_id": str(UUID(int=1)), "line": 0},
        ),
        ({"lines": [a_line(), a_line(variant_id=str(UUID(int=1)))]}, 404, {"code": "variant_not_found", "line": 1}),
        ({"reason_code": "no_such"}, 404, {"code": "reason_not_found", "line": 0}),
    ],
    ids=["stock", "expected quantity", "to", "from", "to before stock", "from before to", "variant", "reason code"],
)
def test_a_refused_transfer_names_its_line_and_moves_nothing(
    shop: Service, changes: dict[str, Any], status: int, detail: dict[str, object]
) -> None:
    answer = transfer(shop, **changes)

    assert answer.status == status
    assert answer.body["detail"].pop("message")
    assert answer.body["detail"] == detail
    assert shop.tables.rows == []


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"to_location_id": str(LOCATION)}, [(("body", "to_location_id"), "value_error")]),
        ({"to_location_id": str(LOCATION).upper()}, [(("body", "to_location_id"), "value_error")]),
        ({"to_location_id": ...}, [(("body", "to_location_id"), "missing")]),
        ({"from_location_id": None}, [(("body", "from_location_id"), "uuid_type")]),
        ({"reason": ...}, [(("body", "reason"), "missing")]),
        ({"lines": []}, [(("body", "lines"), "too_short")]),
        ({"lines": [a_line(variant_id=str(UUID(int=n))) for n in range(25)]}, [(("body", "lines"), "too_long")]),
        ({"lines": [a_line(quantity=0)]}, [(("body", "lines", 0, "quantity"), "greater_than_equal")]),
        ({"lines": [a_line(quantity=10**9 + 1)]}, [(("body", "lines", 0, "quantity"), "less_than_equal")]),
        ({"lines": [a_line(quantity=1.5)]}, [(("body", "lines", 0, "quantity"), "int_type")]),
        ({"lines": [a_line(location_id=str(LOCATION))]}, [(("body", "lines", 0, "location_id"), "extra_forbidden")]),
        ({"lines": [a_line(variant_id=...)]}, [(("body", "lines", 0, "variant_id"), "missing")]),
        ({"lines": [a_line(sku="x")]}, [(("body", "lines", 0, "sku"), "value_error")]),
        (
            {"lines": [a_line(), a_line(variant_id=str(VARIANT).upper())]},
            [(("body", "lines", 1, "variant_id"), "value_error")],
        ),
        (
            {"lines": [a_line(variant_id=..., sku="x"), a_line(variant_id=..., sku=" x")]},
            [(("body", "lines", 1, "sku"), "value_error")],
        ),
        ({"occurred_at": "2020-01-01T00:00:00Z"}, [(("body", "occurred_at"), "value_error")]),
        (
            {"from_location_id": "x", "lines": [a_line(quantity=0), 7]},
            [
                (("body", "from_location_id"), "uuid_parsing"),
                (("body", "lines", 0, "quantity"), "greater_than_equal"),
                (("body", "lines", 1), "model_attributes_type"),
            ],
        ),
    ],
    ids=str,
)
def test_each_field_of_a_transfer_is_validated(shop: Service, changes: dict[str, Any], problems: list[object]) -> None:
    assert transfer(shop, **changes).problems == problems
    assert shop.tables.rows == []


def test_24_lines_are_one_transaction(shop: Service) -> None:
    variants = [UUID(int=number) for number in range(24)]
    for variant in variants:
        shop.tables.with_variant(variant)
        shop.tables.with_stock(a_stock_item(1), variant_id=variant)

    answer = transfer(shop, lines=[a_line(variant_id=str(each), quantity=1) for each in variants])

    assert (answer.status, len(answer.body["data"])) == (201, 48)
    assert len(shop.tables.requests["TransactWriteItems"]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": [a_line(quantity=5)]},
        {"lines": [a_line(), a_line(variant_id=str(OTHER_VARIANT), quantity=1)]},
        {"reason": "another"},
        {"from_location_id": str(OTHER_LOCATION), "to_location_id": str(LOCATION)},
    ],
    ids=["quantity", "lines", "reason", "direction"],
)
def test_one_key_is_one_transfer(shop: Service, changes: dict[str, Any]) -> None:
    first = transfer(shop, key="move")

    again = transfer(shop, key="move", reference=None, reason_code=None)
    other = transfer(shop, key="move", **changes)

    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert other.problems == [(KEY_PLACE, "idempotency_key_reused")]
    assert len(shop.tables.rows) == 2


def test_a_transfer_and_a_batch_are_invoked_directly_with_the_same_bodies(shop: Service) -> None:
    caller: dict[str, Any] = {"business_id": str(BUSINESS), "actor": "importer"}
    moved = shop.invoke(a_transfer() | caller | {"idempotency_key": "move"})
    batch = shop.invoke(caller | {"lines": [{"variant_id": str(VARIANT), "counted_quantity": 6}]})

    assert moved["group_id"] == str(keyed_id(BUSINESS, "move"))
    assert [each["delta"] for each in moved["data"]] == [-4, 4]
    assert [(each["kind"], each["delta"]) for each in batch["data"]] == [("count", 0)]
    assert {each["created_by"] for each in moved["data"] + batch["data"]} == {"importer"}
