"""Groups over HTTP: they are read whole, and reversed whole and once; a part of one is not reversed alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inventory.api.routes import CREATE_BATCH, GET_GROUP, REVERSE_ADJUSTMENT, REVERSE_GROUP
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import OTHER_BUSINESS, OTHER_VARIANT, VARIANT
from tests.support.builders.requests import a_body, an_authorizer_context
from tests.support.faults.wire import broken
from tests.support.harness.read_service import ReadService
from tests.support.harness.write_service import Service

if TYPE_CHECKING:
    from tests.support.harness.write_service import Answer

REASON = {"reason": "The sheet of another shop"}
LINES = (a_body(), a_body(quantity_change=-2), a_body(variant_id=str(OTHER_VARIANT), quantity_change=3))


class Shop:
    """The create, reverse and read functions on the same tables."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.creating = Service(monkeypatch, capsys)
        self.reversing = Service(monkeypatch, capsys, function="reverse_adjustment")
        self.reading = ReadService(monkeypatch, capsys)
        self.tables = self.creating.tables
        self.reversing.tables.items = self.reading.tables.items = self.tables.items
        self.tables.with_catalog()
        self.tables.with_variant(OTHER_VARIANT)

    def batch(self, *lines: object) -> dict[str, Any]:
        answer = self.creating.post_to(CREATE_BATCH, {"lines": list(lines)})
        assert answer.status == 201, answer.body
        group: dict[str, Any] = answer.body
        return group

    def reverse_group(self, group_id: str, *, key: str | None = None, **event: Any) -> Answer:
        return self.reversing.post_to(REVERSE_GROUP, REASON, key=key, path={"group_id": group_id}, **event)

    def reverse(self, adjustment_id: str) -> Answer:
        return self.reversing.post_to(REVERSE_ADJUSTMENT, REASON, path={"id": adjustment_id})

    def group(self, group_id: str, **event: Any) -> Answer:
        return self.reading.get(GET_GROUP.path, path={"group_id": group_id}, **event)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(monkeypatch, capsys)


def test_a_group_is_read_as_it_was_answered_and_later_with_its_reversals(shop: Shop) -> None:
    made = shop.batch(*LINES)

    assert shop.group(made["group_id"]).body == made
    assert shop.group(made["group_id"].upper()).body == made
    reversal = shop.reverse_group(made["group_id"])
    by = {row["reverses"]: row["id"] for row in reversal.body["data"]}
    assert shop.group(made["group_id"]).body["data"] == [row | {"reversed_by": by[row["id"]]} for row in made["data"]]


@pytest.mark.parametrize("which", ["single", "of each", "later row", "unknown"])
def test_what_is_no_group_is_not_found(shop: Shop, which: str) -> None:
    single = shop.creating.post().body["id"]
    each = shop.creating.post_to(CREATE_BATCH, {"mode": "each", "lines": [a_body()]}).body["data"][0]["adjustment"][
        "id"
    ]
    later = shop.batch(*LINES)["data"][1]["id"]
    named = {"single": single, "of each": each, "later row": later, "unknown": str(VARIANT)}[which]

    for answer in (shop.group(named), shop.reverse_group(named)):
        assert (answer.status, answer.code) == (404, "group_not_found")


def test_a_group_of_another_business_is_not_found(shop: Shop) -> None:
    group_id = shop.batch(*LINES)["group_id"]
    other = {"authorizer": an_authorizer_context(business_id=str(OTHER_BUSINESS)), "headers": None}
    headers = {"Authorization": "Bearer dz_secret", "x-business-id": str(OTHER_BUSINESS)}
    as_other = other | {"headers": headers, "multiValueHeaders": {name: [value] for name, value in headers.items()}}

    answer = shop.group(group_id, **as_other)

    assert (answer.status, answer.code) == (404, "group_not_found")


def test_a_reversal_takes_back_every_row_last_to_first_as_a_group(shop: Shop) -> None:
    made = shop.batch(*LINES)

    answer = shop.reverse_group(made["group_id"])

    assert answer.status == 201
    assert answer.headers["Location"] == f"../{answer.body['group_id']}"
    assert answer.body["group_id"] == answer.body["data"][0]["id"]
    assert [(row["reverses"], row["delta"]) for row in answer.body["data"]] == [
        (row["id"], -row["delta"]) for row in reversed(made["data"])
    ]
    assert {row["kind"] for row in answer.body["data"]} == {"reversal"}
    assert len(shop.reversing.tables.requests["TransactWriteItems"]) == 1


def test_a_group_is_reversed_at_most_once_and_a_reversal_can_be_reversed(shop: Shop) -> None:
    made = shop.batch(*LINES)
    reversal = shop.reverse_group(made["group_id"]).body

    answer = shop.reverse_group(made["group_id"])

    assert (answer.status, answer.code) == (409, "already_reversed")
    assert answer.body["detail"]["reversed_by"] == reversal["data"][0]["id"]
    assert [row["delta"] for row in shop.reverse_group(reversal["group_id"]).body["data"]] == [5, -2, 3]


def test_a_repeat_of_a_reversal_is_answered_as_the_first(shop: Shop) -> None:
    made, other = shop.batch(*LINES), shop.batch(*LINES)

    first, again = (shop.reverse_group(made["group_id"], key="oops") for _ in range(2))

    assert (again.status, again.body) == (201, first.body)
    assert again.headers == first.headers | {"Idempotent-Replayed": "true"}
    assert shop.reverse_group(other["group_id"], key="oops").problems == [
        (("header", "idempotency-key"), "idempotency_key_reused")
    ]


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_row_of_a_group_of_several_is_not_reversed_alone(shop: Shop, line: int) -> None:
    made = shop.batch(*LINES)

    answer = shop.reverse(made["data"][line]["id"])

    assert (answer.status, answer.code) == (409, "part_of_group")
    assert answer.body["detail"]["group_id"] == made["group_id"]


@pytest.mark.parametrize("first", ["alone", "as a group"])
def test_a_group_of_one_is_reversed_either_way_and_once(shop: Shop, first: str) -> None:
    group_id = shop.batch(a_body())["group_id"]
    if first == "alone":
        made, refused = shop.reverse(group_id), shop.reverse_group(group_id)
    else:
        made, refused = shop.reverse_group(group_id), shop.reverse(group_id)

    assert made.status == 201
    assert (refused.status, refused.code) == (409, "already_reversed")


def test_rows_of_delta_0_are_left_out_and_where_nothing_is_left_there_is_nothing_to_reverse(shop: Shop) -> None:
    zero = {"variant_id": str(OTHER_VARIANT), "counted_quantity": 0}
    some, none = shop.batch(zero, a_body()), shop.batch(zero)

    assert [row["delta"] for row in shop.reverse_group(some["group_id"]).body["data"]] == [-5]
    assert shop.reverse_group(none["group_id"]).problems == [(("path", "group_id"), "value_error")]
    assert shop.reverse(none["group_id"]).problems == [(("path", "id"), "value_error")]


def test_a_reversal_that_the_stock_does_not_allow_takes_nothing_back(shop: Shop) -> None:
    made = shop.batch(*LINES)
    shop.creating.post(a_body(quantity_change=-2))
    before = len(shop.tables.rows)

    answer = shop.reverse_group(made["group_id"])

    assert (answer.status, answer.code) == (409, "insufficient_stock")
    assert len(shop.tables.rows) == before
    shop.tables.with_stock(a_stock_item(50))
    assert shop.reverse_group(made["group_id"]).status == 201


def test_an_id_that_is_none_is_invalid_with_the_other_errors(shop: Shop) -> None:
    answer = shop.reversing.post_to(REVERSE_GROUP, {"reason": ""}, key="ä", path={"group_id": "x"})

    assert answer.problems == [
        (("path", "group_id"), "uuid_parsing"),
        (("header", "idempotency-key"), "value_error"),
        (("body", "reason"), "string_too_short"),
    ]
    assert shop.group("x").problems == [(("path", "group_id"), "uuid_parsing")]


def test_a_group_that_can_not_be_read_now_is_try_again(shop: Shop) -> None:
    group_id = shop.batch(*LINES)["group_id"]
    for tables in (shop.reading.tables, shop.reversing.tables):
        for operation in ("BatchGetItem", "TransactGetItems"):
            tables.meets(operation, broken())

    assert shop.group(group_id).status == 503
    assert shop.reverse_group(group_id).status == 503


def test_a_reversal_whose_acknowledgement_was_lost_is_settled(shop: Shop) -> None:
    group_id = shop.batch(*LINES)["group_id"]
    shop.reversing.tables.answers_are_lost = True

    answer = shop.reverse_group(group_id)

    assert answer.status == 201
    assert len(shop.tables.rows) == 6
