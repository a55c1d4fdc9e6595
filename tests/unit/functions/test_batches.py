"""Batches over HTTP: all lines as one, or each on its own; what is answered, refused, and repeated."""

from __future__ import annotations

import json
from copy import replace
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.api import writes
from inventory.api.routes import CREATE_ADJUSTMENT, CREATE_BATCH
from inventory.domain.rules import keyed_id
from inventory.domain.timestamps import instant_text
from inventory.entrypoints.responses import adjustment_members
from inventory.storage.items import adjustment_of
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.builders.requests import a_body
from tests.support.faults.wire import broken, fault
from tests.support.harness.loading import Context

if TYPE_CHECKING:
    from tests.support.harness.write_service import Answer, Service

RESPONSE_SIZE_MAX_BYTES = 6 * 1024 * 1024
BODY_SIZE_MAX_BYTES = 4_500_000
KEY_PLACE = ("header", "idempotency-key")
NOT_ONE_OF_OURS = UUID(int=1)
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def shop(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The create function of a business with two variants, a SKU and two locations; ten of the first variant are there.

    Calls are made one after the other, so that tests can say what each of them meets.
    """
    service.tables.with_variant(OTHER_VARIANT)
    service.tables.with_location(OTHER_LOCATION)
    service.tables.with_sku("BOOT-42", OTHER_VARIANT)
    service.tables.with_stock(a_stock_item(10))
    monkeypatch.setattr(writes, "CALLS_AT_ONCE", 1)
    return service


def batch(service: Service, *lines: object, key: str | None = None, mode: object = ..., **event: Any) -> Answer:
    body = {"lines": list(lines)} | ({} if mode is ... else {"mode": mode})
    return service.post_to(CREATE_BATCH, body, key=key, **event)


def deltas(answer: Answer) -> list[int]:
    return [each["delta"] for each in answer.body["data"]]


def statuses(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.body
    assert [each["line"] for each in answer.body["data"]] == [*range(len(answer.body["data"]))]
    return [each["status"] for each in answer.body["data"]]


def in_ledger(service: Service) -> list[dict[str, object]]:
    return [adjustment_members(adjustment_of(row)) for row in service.tables.rows]


def kinds(entries: list[dict[str, Any]]) -> list[tuple[tuple[str | int, ...], str]]:
    return [(tuple(each["loc"]), each["type"]) for each in entries]


# --- atomic


def test_all_lines_are_one_group_in_their_order_with_its_own_url(shop: Service) -> None:
    lines = (a_body(), a_body(quantity_change=-7), a_body(variant_id=str(OTHER_VARIANT), quantity_change=3))

    answer = batch(shop, *lines, key="sheet", context=Context(aws_request_id="the-request"))

    group_id = str(keyed_id(BUSINESS, "sheet"))
    assert answer.status == 201
    assert answer.headers == {
        "Content-Type": "application/json",
        "x-request-id": "the-request",
        "Location": f"groups/{group_id}",
    }
    assert answer.body.keys() == {"group_id", "data"}
    assert answer.body["group_id"] == group_id == answer.body["data"][0]["id"]
    assert deltas(answer) == [5, -7, 3]
    assert [each["quantity_after"] for each in answer.body["data"]] == [15, 8, 3]
    assert [(each["group_id"], each["group_line"], each["group_size"]) for each in answer.body["data"]] == [
        (group_id, line, 3) for line in range(3)
    ]
    assert len({each["id"] for each in answer.body["data"]}) == 3
    assert in_ledger(shop) == answer.body["data"]
    assert len(shop.tables.requests["TransactWriteItems"]) == 1


def test_a_batch_of_one_line_is_a_group_of_one(shop: Service) -> None:
    (row,) = batch(shop, a_body()).body["data"]

    assert (row["group_id"], row["group_line"], row["group_size"]) == (row["id"], 0, 1)


def test_a_line_with_a_counted_quantity_is_a_count_from_what_the_line_before_left(shop: Service) -> None:
    answer = batch(shop, a_body(quantity_change=-4), {"variant_id": str(VARIANT), "counted_quantity": 7})

    assert deltas(answer) == [-4, 1]
    assert [each["kind"] for each in answer.body["data"]] == ["adjustment", "count"]


@pytest.mark.parametrize("mode", ["atomic", "each"])
def test_a_field_of_the_other_kind_of_line_may_be_null(shop: Service, mode: str) -> None:
    both = {"quantity_change": None, "counted_quantity": None, "counted_at": None}
    lines = (both | a_body(), both | {"variant_id": str(VARIANT), "counted_quantity": 15})

    answer = batch(shop, *lines, mode=mode)

    assert answer.status in {200, 201}
    assert [row["delta"] for row in in_ledger(shop)] == [5, 0]


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({"variant_id": str(NOT_ONE_OF_OURS)}, 404, {"code": "variant_not_found"}),
        ({"variant_id": ..., "sku": "no such"}, 404, {"code": "variant_not_found"}),
        ({"location_id": str(NOT_ONE_OF_OURS)}, 404, {"code": "location_not_found"}),
        ({"reason_code": "no_such"}, 404, {"code": "reason_not_found"}),
        (
            {"quantity_change": -16},
            409,
            {"code": "insufficient_stock", "quantity_on_hand": 15, "quantity_change": -16},
        ),
        ({"expected_quantity": 10}, 409, {"code": "stale_quantity", "quantity_on_hand": 15}),
    ],
    ids=["variant", "sku", "location", "reason code", "stock", "expected quantity"],
)
def test_a_refused_batch_names_its_first_refused_line_and_leaves_no_trace(
    shop: Service, changes: dict[str, object], status: int, detail: dict[str, object]
) -> None:
    refused = a_body(**changes)

    answer = batch(shop, a_body(), refused, refused, a_body(), key="sheet")

    assert answer.status == status
    assert answer.body["detail"].pop("message")
    assert answer.body["detail"] == detail | {"line": 1}
    assert shop.tables.rows == []
    assert batch(shop, a_body(), key="sheet").status == 201, "the key is free"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([a_body()] * 98, 201),
        ([a_body()] * 99, 422),
        ([a_body()] * 501, 422),
        ([a_body(), a_body(variant_id=str(VARIANT).upper())] * 49, 201),
        ([a_body(), a_body(location_id=str(LOCATION))] * 48 + [a_body()], 201),
        ([a_body(), a_body(location_id=str(LOCATION))] * 49, 422),
        ([a_body(variant_id=str(OTHER_VARIANT)), a_body(variant_id=..., sku="BOOT-42")] * 49, 422),
        ([], 422),
    ],
    ids=["98 of one", "99 of one", "501", "two spellings", "97 of two", "98 of two", "id and SKU", "none"],
)
def test_lines_and_distinct_stock_items_as_written_are_at_most_99(
    shop: Service, lines: list[object], status: int
) -> None:
    answer = batch(shop, *lines)

    assert answer.status == status, answer.body
    if status == 422:
        assert answer.problems == [(("body", "lines"), "value_error" if lines else "too_short")]
        assert shop.tables.rows == []


def test_49_lines_of_49_stock_items_fit_and_50_do_not(shop: Service) -> None:
    variants = [UUID(int=number) for number in range(50)]
    for variant in variants:
        shop.tables.with_variant(variant)
    lines = [a_body(variant_id=str(each)) for each in variants]

    assert batch(shop, *lines[:49]).status == 201
    assert batch(shop, *lines).problems == [(("body", "lines"), "value_error")]
    assert len(shop.tables.rows) == 49


def test_the_field_errors_of_all_lines_come_together(shop: Service) -> None:
    answer = batch(
        shop,
        a_body(quantity_change=0, colour="red"),
        a_body(),
        7,
        a_body(quantity_change=...),
        a_body(counted_quantity=3),
        {"sku": "BOOT-42", "variant_id": str(VARIANT), "counted_quantity": -1},
        mode="all",
    )

    assert answer.status == 422
    assert answer.problems == [
        (("body", "mode"), "literal_error"),
        (("body", "lines", 0, "quantity_change"), "value_error"),
        (("body", "lines", 0, "colour"), "extra_forbidden"),
        (("body", "lines", 2), "model_attributes_type"),
        (("body", "lines", 3, "quantity_change"), "missing"),
        (("body", "lines", 4, "quantity_change"), "extra_forbidden"),
        (("body", "lines", 5, "sku"), "value_error"),
        (("body", "lines", 5, "counted_quantity"), "greater_than_equal"),
    ]


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        ({}, ("body", "lines"), "missing"),
        ({"lines": None}, ("body", "lines"), "list_type"),
        ({"lines": {"0": a_body()}}, ("body", "lines"), "list_type"),
        ([a_body()], ("body",), "model_attributes_type"),
        ({"lines": [a_body()], "key": "x"}, ("body", "key"), "extra_forbidden"),
        (b'{"lines": [', ("body", "*"), "json_invalid"),
        (b"", ("body",), "missing"),
    ],
    ids=str,
)
def test_a_batch_that_is_none_is_invalid(shop: Service, body: object, place: tuple[str, ...], kind: str) -> None:
    assert shop.post_to(CREATE_BATCH, body).problems == [(place, kind)]


def test_instants_out_of_the_window_are_named_at_their_lines(shop: Service) -> None:
    late = instant_text(datetime.now(UTC) + timedelta(minutes=5))
    lines = (
        a_body(occurred_at=LONG_AGO),
        a_body(),
        {"variant_id": str(VARIANT), "counted_quantity": 3, "counted_at": late, "occurred_at": late},
    )

    answer = batch(shop, *lines)

    assert answer.problems == [
        (("body", "lines", 0, "occurred_at"), "value_error"),
        (("body", "lines", 2, "occurred_at"), "value_error"),
        (("body", "lines", 2, "counted_at"), "value_error"),
    ]
    assert shop.tables.rows == []


# --- one key is one request


def test_a_repeat_is_answered_with_the_original_group_whatever_was_deactivated_since(shop: Service) -> None:
    lines = (a_body(occurred_at=instant_text(datetime.now(UTC))), a_body(variant_id=str(OTHER_VARIANT)))
    first = batch(shop, *lines, key="sheet")
    shop.tables.with_variant(VARIANT, active=False)
    shop.module.adjuster = replace(shop.module.adjuster, clock=lambda: datetime.now(UTC) + timedelta(days=500))

    again = batch(shop, *lines, key="sheet")

    assert (again.status, again.body) == (201, first.body)
    assert again.headers == first.headers | {"Idempotent-Replayed": "true"}
    assert len(shop.tables.rows) == 2


ONE, TWO, THREE = a_body(), a_body(quantity_change=-2), a_body(variant_id=str(OTHER_VARIANT))


@pytest.mark.parametrize(
    "lines",
    [
        [ONE],
        [ONE, TWO, THREE],
        [TWO, ONE],
        [ONE, TWO | {"quantity_change": -3}],
        [ONE, TWO | {"reason": "another"}],
        [ONE, TWO | {"location_id": str(LOCATION)}],
        [ONE, {"variant_id": str(VARIANT), "counted_quantity": 13}],
    ],
    ids=["shortened", "lengthened", "reordered", "another quantity", "another reason", "location named", "a count"],
)
def test_a_key_of_a_batch_means_these_lines_in_this_order(shop: Service, lines: list[object]) -> None:
    batch(shop, ONE, TWO, key="sheet")

    answer = batch(shop, *lines, key="sheet")

    assert answer.problems == [(KEY_PLACE, "idempotency_key_reused")]
    assert len(shop.tables.rows) == 2


def test_the_same_lines_in_another_spelling_are_a_repeat(shop: Service) -> None:
    first = batch(shop, ONE, TWO, key="sheet")
    spelt = (
        {"reference": None, "counted_quantity": None} | ONE,
        TWO | {"variant_id": f"urn:uuid:{str(VARIANT).upper()}"},
    )

    again = batch(shop, *spelt, key="sheet", mode="atomic")

    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")


def test_a_key_is_of_a_batch_or_of_a_single_adjustment(shop: Service) -> None:
    batch(shop, ONE, key="of a batch".replace(" ", "-"))
    shop.post(ONE, headers=[("Idempotency-Key", "single")])

    assert shop.post(ONE, headers=[("Idempotency-Key", "of-a-batch")]).problems == [
        (KEY_PLACE, "idempotency_key_reused")
    ]
    assert batch(shop, ONE, key="single").problems == [(KEY_PLACE, "idempotency_key_reused")]
    assert batch(shop, ONE, key="of-a-batch", mode="each").body["data"][0]["status"] == 422
    assert len(shop.tables.rows) == 2


def test_a_lost_acknowledgement_is_settled_for_the_group_as_a_whole(shop: Service) -> None:
    shop.tables.answers_are_lost = True

    answer = batch(shop, ONE, TWO, THREE, key="sheet")

    assert answer.status == 201
    assert in_ledger(shop) == answer.body["data"]
    assert len(shop.tables.rows) == 3


def test_an_unknown_outcome_is_try_again_and_settled_by_the_repeat(shop: Service) -> None:
    shop.tables.meets("BatchGetItem", broken())
    assert batch(shop, ONE, TWO, key="sheet").status == 503
    shop.tables.meets("BatchGetItem", None)

    assert batch(shop, ONE, TWO, key="sheet").status == 201
    assert len(shop.tables.rows) == 2


# --- the order of checks


def test_what_is_not_valid_is_said_before_the_key_is_looked_at(shop: Service) -> None:
    batch(shop, ONE, key="sheet")

    assert batch(shop, a_body(quantity_change=0), key="sheet").problems == [
        (("body", "lines", 0, "quantity_change"), "value_error")
    ]


def test_a_used_key_is_said_before_instants_and_these_before_what_exists(shop: Service) -> None:
    batch(shop, ONE, key="sheet")
    unknown = a_body(variant_id=str(NOT_ONE_OF_OURS))

    assert batch(shop, unknown | {"occurred_at": LONG_AGO}, key="sheet").problems == [
        (KEY_PLACE, "idempotency_key_reused")
    ]
    assert batch(shop, unknown, a_body(occurred_at=LONG_AGO)).problems == [
        (("body", "lines", 1, "occurred_at"), "value_error")
    ]


# --- each line on its own


def test_each_line_has_its_own_result_and_hinders_no_other(shop: Service) -> None:
    answer = batch(
        shop,
        a_body(quantity_change=-4),
        a_body(quantity_change=0),
        a_body(quantity_change=-7),
        a_body(quantity_change=-6),
        {"sku": "BOOT-42", "counted_quantity": 3},
        a_body(occurred_at=LONG_AGO),
        a_body(reason_code="no_such"),
        "no line",
        mode="each",
    )

    assert statuses(answer) == [201, 422, 409, 201, 201, 422, 404, 422]
    first, invalid, refused, third, counted, early, unknown, none = answer.body["data"]
    assert first.keys() == {"line", "status", "replayed", "adjustment"}
    assert (first["replayed"], first["adjustment"]["quantity_after"]) == (False, 6)
    assert kinds(invalid["error"]) == [(("body", "lines", 1, "quantity_change"), "value_error")]
    assert refused["error"].pop("message")
    assert refused["error"] == {"code": "insufficient_stock", "quantity_on_hand": 6, "quantity_change": -7}
    assert third["adjustment"]["quantity_after"] == 0
    assert (counted["adjustment"]["kind"], counted["adjustment"]["delta"]) == ("count", 3)
    assert kinds(early["error"]) == [(("body", "lines", 5, "occurred_at"), "value_error")]
    assert unknown["error"]["code"] == "reason_not_found"
    assert kinds(none["error"]) == [(("body", "lines", 7), "model_attributes_type")]
    rows = [each["adjustment"] for each in answer.body["data"] if each["status"] == 201]
    assert sorted(in_ledger(shop), key=lambda row: str(row["id"])) == sorted(rows, key=lambda row: str(row["id"]))
    assert {(row["group_id"], row["group_line"], row["group_size"]) for row in rows} == {(None, None, None)}
    assert "Location" not in answer.headers


def test_lines_of_one_stock_item_are_merged(shop: Service) -> None:
    answer = batch(shop, *[a_body(quantity_change=1)] * 400, mode="each")

    assert statuses(answer) == [201] * 400
    assert [each["adjustment"]["quantity_after"] for each in answer.body["data"]] == [*range(11, 411)]
    assert len(shop.tables.requests["TransactWriteItems"]) == 5


def test_up_to_500_lines_are_taken(shop: Service) -> None:
    assert statuses(batch(shop, *[a_body()] * 500, mode="each")) == [201] * 500
    assert batch(shop, *[a_body()] * 501, mode="each").problems == [(("body", "lines"), "value_error")]
    assert batch(shop, mode="each").problems == [(("body", "lines"), "too_short")]


def test_a_repeat_under_the_key_replays_each_line(shop: Service) -> None:
    lines = (ONE, a_body(quantity_change=-99), THREE)
    first = batch(shop, *lines, key="sheet", mode="each")
    shop.tables.with_stock(a_stock_item(99))

    again = batch(shop, *lines, key="sheet", mode="each")

    assert statuses(first) == [201, 409, 201]
    assert statuses(again) == [201, 201, 201], "a line that wrote nothing is decided anew"
    assert [each["replayed"] for each in again.body["data"]] == [True, False, True]
    assert again.body["data"][0]["adjustment"] == first.body["data"][0]["adjustment"]
    assert len(shop.tables.rows) == 3


def test_without_a_key_a_repeat_is_a_new_request(shop: Service) -> None:
    for _ in range(2):
        batch(shop, ONE, THREE, mode="each")

    assert len(shop.tables.rows) == 4


def test_the_first_lines_key_is_the_key_itself_and_every_line_has_its_own(shop: Service) -> None:
    first = batch(shop, ONE, TWO, key="sheet", mode="each")

    assert shop.post(ONE, headers=[("Idempotency-Key", "sheet")]).body == first.body["data"][0]["adjustment"]
    moved = batch(shop, TWO, ONE, THREE, key="sheet", mode="each")
    assert statuses(moved) == [422, 422, 201], "line 2 was free"
    assert [kinds(each["error"]) for each in moved.body["data"][:2]] == [[(KEY_PLACE, "idempotency_key_reused")]] * 2
    assert len(shop.tables.rows) == 3


@dataclass
class UntilWrites(Context):
    """Has time until so many transactions were sent."""

    service: Any = None
    writes: int = 0

    def get_remaining_time_in_millis(self) -> int:
        return 10_000 if len(self.service.tables.requests["TransactWriteItems"]) < self.writes else 0


def test_what_is_not_settled_in_time_is_try_again_at_its_line_and_resumes_under_the_key(shop: Service) -> None:
    lines = (ONE, THREE, a_body(location_id=str(OTHER_LOCATION)), TWO)

    answer = batch(shop, *lines, key="sheet", mode="each", context=UntilWrites(service=shop, writes=1))

    assert sorted(statuses(answer)) == [201, 201, 503, 503]
    late = [each["error"]["code"] for each in answer.body["data"] if each["status"] == 503]
    assert late == ["try_again"] * 2
    again = batch(shop, *lines, key="sheet", mode="each")
    assert statuses(again) == [201] * 4
    assert [each["replayed"] for each in again.body["data"]] == [each == 201 for each in statuses(answer)]
    assert len(shop.tables.rows) == 4


def test_a_fault_is_an_internal_error_at_the_lines_that_met_it(shop: Service) -> None:
    shop.tables.meets("TransactWriteItems", fault("AccessDeniedException"), None)

    answer = batch(shop, ONE, THREE, mode="each")

    assert sorted(statuses(answer)) == [201, 500]
    (error,) = [each["error"] for each in answer.body["data"] if each["status"] == 500]
    assert error["code"] == "internal_error"
    assert "arn" not in json.dumps(answer.body)


def test_each_line_is_logged_and_they_are_counted_together(shop: Service) -> None:
    batch(shop, ONE, THREE, a_body(quantity_change=-99), a_body(quantity_change=0), mode="each")

    *lines, metrics = shop.printed()
    assert [(line["line"], line["code"]) for line in lines] == [
        (0, "created"),
        (1, "created"),
        (2, "insufficient_stock"),
        (3, "invalid_request"),
    ]
    assert (metrics["AdjustmentCreated"], metrics["InsufficientStock"], metrics["InvalidRequest"]) == (
        [2.0],
        [1.0],
        [1.0],
    )


# --- sizes


def sent_bytes(answer: Answer) -> int:
    """The size of a response as Lambda counts it: its body is a text in JSON."""
    body = json.dumps(answer.body, separators=(",", ":"), ensure_ascii=False)
    return len(json.dumps({"headers": answer.headers, "body": body}, ensure_ascii=False).encode())


@pytest.mark.parametrize("character", ["📦", '"', "\\"])
def test_500_lines_of_the_longest_texts_fit_into_request_and_answer(shop: Service, character: str) -> None:
    skus = [str(number).ljust(255, character) for number in range(500)]
    for number, sku in enumerate(skus):
        shop.tables.with_variant(UUID(int=number))
        shop.tables.with_sku(sku, UUID(int=number))
    instant = instant_text(datetime.now(UTC))
    lines = [
        a_body(variant_id=..., sku=sku, reason=character * 500, reference=character * 255, occurred_at=instant)
        for sku in skus
    ]
    body = json.dumps({"mode": "each", "lines": lines}, ensure_ascii=False).encode()

    answer = shop.post_to(CREATE_BATCH, body, key="k" * 255)

    assert len(body) < BODY_SIZE_MAX_BYTES
    assert statuses(answer) == [201] * 500
    assert sent_bytes(answer) < RESPONSE_SIZE_MAX_BYTES


@pytest.mark.parametrize("mode", ["atomic", "each"])
def test_the_errors_of_many_invalid_lines_fit_into_an_answer(shop: Service, mode: str) -> None:
    lines = [{f'{number:03}"{"x" * 200}': '"' * 500 for number in range(10)} for _ in range(500)]

    answer = batch(shop, *lines, mode=mode)

    assert sent_bytes(answer) < RESPONSE_SIZE_MAX_BYTES
    if mode == "each":
        assert statuses(answer) == [422] * 500
        assert all(each["error"] for each in answer.body["data"])
    else:
        assert answer.status == 422


def test_a_batch_and_its_slash_at_the_end_have_the_same_url(shop: Service) -> None:
    answer = batch(shop, ONE, key="sheet")
    with_slash = shop.post(
        {"lines": [ONE]},
        headers=[("Idempotency-Key", "sheet")],
        resource=CREATE_BATCH.path,
        path=f"{CREATE_BATCH.path}/",
    )

    assert answer.headers["Location"] == f"groups/{answer.body['group_id']}"
    assert with_slash.headers["Location"] == f"../groups/{answer.body['group_id']}"
    assert CREATE_BATCH.path.startswith(CREATE_ADJUSTMENT.path)
