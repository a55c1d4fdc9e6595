"""Batches, counts, transfers and groups through the API's own routes, the queue and the bus."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from inventory.api.routes import CREATE_BATCH, GET_GROUP, LIST_LEVELS, RECORD_COUNT, REVERSE_GROUP, TRANSFER
from tests.e2e.inbox import subscribed
from tests.e2e.service import assert_ledger_matches
from tests.support.harness.event_schemas import assert_event

if TYPE_CHECKING:
    import httpx

    from inventory.api.routes import Route
    from tests.e2e.service import Business, Service

WRITES = {CREATE_BATCH, RECORD_COUNT, TRANSFER}


def post(
    business: Business, route: Route, body: object, *, key: str | None = None, token: str | None = None, **path: str
) -> httpx.Response:
    headers = business.headers() if key is None else business.headers(**{"Idempotency-Key": key})
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return business.service.post(body, headers, path=route.path.format(**path))


def batch(business: Business, *lines: object, key: str | None = None, **fields: object) -> httpx.Response:
    return post(business, CREATE_BATCH, {"lines": list(lines), **fields}, key=key)


def move(business: Business, quantity: int, *, back: bool = False, **fields: object) -> httpx.Response:
    """Transfer the variant from the default location to the other one, or back."""
    places = [business.location_id, business.other_location_id]
    there, here = places if back else places[::-1]
    lines = [{"variant_id": business.variant_id, "quantity": quantity}]
    body = {"from_location_id": here, "to_location_id": there, "reason": "Restock", "lines": lines} | fields
    return post(business, TRANSFER, body)


def reverse(business: Business, group_id: str, *, token: str | None = None) -> httpx.Response:
    return post(business, REVERSE_GROUP, {"reason": "Another shop's"}, token=token, group_id=group_id)


def get(business: Business, route: Route, *, token: str | None = None, **path: str) -> httpx.Response:
    headers = business.headers() | ({} if token is None else {"Authorization": f"Bearer {token}"})
    return business.service.http.get(business.service.base_url + route.path.format(**path), headers=headers)


def levels(business: Business) -> dict[str, dict[str, Any]]:
    """The levels of the variant, by location."""
    url = business.service.base_url + LIST_LEVELS.path
    query = {"variant_id": business.variant_id}
    answer = business.service.http.get(url, params=query, headers=business.headers()).json()
    return {each["location_id"]: each for each in answer["data"]}


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["detail"]["code"]


def test_a_batch_is_read_at_its_own_url_and_reversed_as_a_whole(business: Business) -> None:
    business.opened_with(10)
    lines = (business.body(5), business.body(-12), {"variant_id": business.variant_id, "counted_quantity": 4})
    made = batch(business, *lines, key="sheet")

    group = business.service.http.get(made.url.join(made.headers["location"]), headers=business.headers())
    again = batch(business, *lines, key="sheet")
    reversal = reverse(business, made.json()["group_id"])

    assert made.status_code == 201
    assert [row["quantity_after"] for row in made.json()["data"]] == [15, 3, 4]
    assert group.json() == made.json()
    assert (again.json(), again.headers["idempotent-replayed"]) == (made.json(), "true")
    assert [row["delta"] for row in reversal.json()["data"]] == [-1, 12, -5]
    assert business.stock() == (10, 7)
    opened = [row for row in business.listed() if row["kind"] == "adjustment" and row["group_id"] is None]
    assert_ledger_matches(business, opened + made.json()["data"] + reversal.json()["data"])


def test_a_refused_batch_leaves_no_row(business: Business) -> None:
    answer = batch(business, business.body(5), business.body(-6), business.body(1))

    assert refused(answer) == (409, "insufficient_stock")
    assert answer.json()["detail"]["line"] == 1
    assert business.ledger_ids() == []


def test_each_line_on_its_own_is_answered_by_itself_and_replayed(business: Business) -> None:
    lines = [business.body(5), business.body(0), business.body(-6), business.body(-5)]

    first, again = (batch(business, *lines, key="sheet", mode="each") for _ in range(2))

    assert (first.status_code, again.status_code) == (200, 200)
    assert [each["status"] for each in first.json()["data"]] == [201, 422, 409, 201]
    assert [each.get("replayed") for each in again.json()["data"]] == [True, None, None, True]
    assert business.stock() == (0, 2)


def test_500_lines_are_settled_in_one_request(business: Business) -> None:
    answer = batch(business, *[business.body(1)] * 500, mode="each")

    assert Counter(each["status"] for each in answer.json()["data"]) == {201: 500}
    assert business.stock() == (500, 500)


def test_of_twenty_concurrent_reversals_of_a_group_one_succeeds_and_the_others_get_its_id(business: Business) -> None:
    made = batch(business, business.body(5), business.body(7), business.body(2, location_id=business.other_location_id))
    group_id = made.json()["group_id"]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: reverse(business, group_id), range(20)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
    (reversal,) = [answer.json() for answer in answers if answer.status_code == 201]
    others = [answer.json()["detail"] for answer in answers if answer.status_code == 409]
    assert {(each["code"], each["reversed_by"]) for each in others} == {("already_reversed", reversal["group_id"])}
    assert len(business.ledger_ids()) == 6
    assert {each["quantity"] for each in levels(business).values()} == {0}


def test_twenty_concurrent_batches_with_one_key_are_one(business: Business) -> None:
    lines = (business.body(5), business.body(2, location_id=business.other_location_id))

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: batch(business, *lines, key="once"), range(20)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(business.ledger_ids()) == 2


def test_concurrent_transfers_lose_nothing_between_two_places(business: Business) -> None:
    business.opened_with(50)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: move(business, 1 + number % 7, back=number % 2 == 1), range(40)))

    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert any(answer.status_code == 201 for answer in answers)
    moved = [row for answer in answers if answer.status_code == 201 for row in answer.json()["data"]]
    assert sum(row["delta"] for row in moved) == 0
    assert sum(each["quantity"] for each in levels(business).values()) == 50
    assert {row["id"] for row in moved} <= set(business.ledger_ids())


def test_a_late_count_keeps_what_was_sold_since_and_a_later_one_supersedes_it(business: Business) -> None:
    business.opened_with(20)
    seen = levels(business)[business.location_id]["updated_at"]
    business.adjust(-4)
    counted: dict[str, object] = {"variant_id": business.variant_id, "counted_at": seen}

    answer = post(business, RECORD_COUNT, counted | {"counted_quantity": 18})
    late = post(business, RECORD_COUNT, counted | {"counted_quantity": 19})

    assert (answer.json()["delta"], answer.json()["quantity_after"]) == (-2, 14)
    assert refused(late) == (409, "count_superseded")
    assert late.json()["detail"]["counted_through"] == answer.json()["created_at"]
    assert levels(business)[business.location_id]["counted_at"] == seen


def test_groups_and_their_places_of_another_business_are_unknown(service: Service, business: Business) -> None:
    other = service.new_business()
    group_id = batch(other, other.body(5)).json()["group_id"]
    foreign_line = business.body(1, variant_id=other.variant_id)

    assert refused(get(business, GET_GROUP, group_id=group_id)) == (404, "group_not_found")
    assert refused(reverse(business, group_id)) == (404, "group_not_found")
    assert refused(batch(business, business.body(1), foreign_line)) == (404, "variant_not_found")
    assert refused(move(business, 1, to_location_id=other.location_id)) == (404, "location_not_found")
    assert business.ledger_ids() == []
    assert other.stock() == (5, 1)


@pytest.mark.parametrize("scope", ["adjustments:read", "adjustments:write", "adjustments:reverse"])
def test_each_route_needs_its_scope(service: Service, business: Business, scope: str) -> None:
    group_id = batch(business, business.body(5)).json()["group_id"]
    token = service.issue_token([business.id], (scope,))["token"]

    statuses = {route.path: post(business, route, {}, token=token).status_code for route in WRITES}
    reading = get(business, GET_GROUP, token=token, group_id=group_id).status_code
    reversing = reverse(business, group_id, token=token).status_code

    assert set(statuses.values()) == ({422} if scope == "adjustments:write" else {403})
    assert reading == (200 if scope == "adjustments:read" else 403)
    assert reversing == (201 if scope == "adjustments:reverse" else 403)


def test_messages_carry_batches_transfers_and_counts_and_each_row_is_an_event(
    service: Service, business: Business
) -> None:
    business.opened_with(10)
    by_message: dict[str, object] = {"business_id": business.id, "actor": "importer"}
    line = {"variant_id": business.variant_id}
    payloads = [
        by_message | {"lines": [business.body(5), business.body(1, location_id=business.other_location_id)]},
        by_message
        | {"from_location_id": business.location_id, "to_location_id": business.other_location_id, "reason": "Restock"}
        | {"lines": [line | {"quantity": 3}]},
        by_message | line | {"location_id": business.other_location_id, "counted_quantity": 2},
    ]
    with subscribed(service, ["InventoryAdjusted"], {"business_id": [business.id]}) as inbox:
        for payload, rows_so_far in zip(payloads, (2, 4, 5), strict=True):
            service.queues.send_message(
                QueueUrl=service.outputs["AdjustmentRequestsQueueUrl"], MessageBody=json.dumps(payload)
            )
            inbox.wait_for(rows_so_far)
        events = inbox.collect()

    for event in events:
        assert_event(event, "inventory-adjusted")
    rows = sorted((event["detail"] for event in events), key=lambda row: str(row["created_at"]))
    assert Counter(row["kind"] for row in rows) == {"adjustment": 2, "transfer": 2, "count": 1}
    assert Counter(row["group_size"] for row in rows) == {2: 4, None: 1}
    assert {place: each["quantity"] for place, each in levels(business).items()} == {
        business.location_id: 12,
        business.other_location_id: 2,
    }


def test_a_rejected_batch_is_one_event_that_names_its_line(service: Service, business: Business) -> None:
    payload = {"business_id": business.id, "lines": [business.body(5), business.body(-6)]}
    with subscribed(service, ["InventoryAdjustmentRejected"], {"request": {"business_id": [business.id]}}) as inbox:
        sent = service.queues.send_message(
            QueueUrl=service.outputs["AdjustmentRequestsQueueUrl"], MessageBody=json.dumps(payload)
        )
        (event,) = inbox.wait_for(1)

    assert_event(event, "inventory-adjustment-rejected")
    assert event["detail"]["message_id"] == sent["MessageId"]
    assert event["detail"]["request"] == payload
    assert event["detail"]["error"]["type"] == "InsufficientStock"
    assert event["detail"]["error"]["detail"]["line"] == 1
    assert business.ledger_ids() == []
