"""What leads to calls beyond those of the samples in events/: refusals, groups, counts, messages, other reads.

A scenario fails where what it sends is not answered as it should be. Otherwise its calls would be missing unnoticed.
"""

from __future__ import annotations

import base64
import json
from copy import deepcopy
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import boto3

from inventory.api.routes import (
    CREATE_ADJUSTMENT,
    CREATE_BATCH,
    GET_ADJUSTMENT,
    GET_GROUP,
    LIST_ADJUSTMENTS,
    LIST_LEVELS,
    LIST_VARIANTS,
    RECORD_COUNT,
    REPORT_REASONS,
    REVERSE_GROUP,
    ROUTES,
    TRANSFER,
)
from inventory.storage.keys import sku_key, stock_item_key
from local.demo import SHOPS
from tests.support.harness.loading import load_event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inventory.api.routes import Route
    from inventory.storage.keys import ItemKey
    from tests.iam.recording import Recorder

BEYOND_ALL_STOCK: Final = -1_000_000
REFUSED_EVENT: Final = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "MalformedDetail", "ErrorMessage": "made up"}]}

SHOP: Final = SHOPS[0]
COUNTED_SHOP: Final = SHOPS[1]
"""Of it nothing but the opening stock was recorded, so each variant has one row."""

SKUS: Final = list(SHOP.skus)
VARIANTS: Final = list(SHOP.variant_ids.values())
LOCATIONS: Final = list(SHOP.location_ids.values())

_key_numbers: Final = count(1)


# ---------------------------------------------------------------------------------------------- tokens and operators


def a_token_is_looked_up_and_revoked(stack: Recorder) -> None:
    issued = invoked(stack, "provision", load_event("provision-issue-token"))
    event = load_event("authorizer")
    event["headers"]["Authorization"] = f"Bearer {issued['token']}"
    event["multiValueHeaders"]["Authorization"] = [event["headers"]["Authorization"]]
    invoked(stack, "authorizer", event)
    invoked(stack, "provision", {"command": "revoke_token", "token_id": issued["token_id"]})


def variants_from_before_the_claims_of_skus_claim_theirs(stack: Recorder) -> None:
    claim = sku_key(UUID(SHOP.business_id), SKUS[0])
    boto3.client("dynamodb").delete_item(TableName=inventory_table(stack), Key=key_of(claim))
    invoked(stack, "provision", load_event("provision-claim-skus"))


def a_variant_changes_its_sku(stack: Recorder) -> None:
    """The claim of the earlier SKU is deleted, in the transaction that puts the new one."""
    variant = {"command": "register_variant", "business_id": SHOP.business_id, "variant_id": VARIANTS[0]}
    invoked(stack, "provision", variant | {"sku": "RENAMED"})
    invoked(stack, "provision", variant | {"sku": SKUS[0]})


def a_variant_that_has_stock_is_deactivated_and_comes_back(stack: Recorder) -> None:
    business_id, variant_id = SHOP.business_id, VARIANTS[1]
    deactivate = {"command": "deactivate_variant", "business_id": business_id, "variant_id": variant_id}
    remaining = invoked(stack, "provision", deactivate)["stock"]
    assert {each["variant_id"] for each in remaining} == {variant_id}
    again = {"command": "register_variant", "business_id": business_id, "variant_id": variant_id, "sku": SKUS[1]}
    invoked(stack, "provision", again)


def stock_items_from_before_their_index_are_indexed(stack: Recorder) -> None:
    stock_item = stock_item_key(UUID(SHOP.business_id), UUID(VARIANTS[0]), UUID(LOCATIONS[0]))
    boto3.client("dynamodb").update_item(
        TableName=inventory_table(stack),
        Key=key_of(stock_item),
        UpdateExpression="REMOVE business_shard, location_variant",
    )
    assert invoked(stack, "provision", {"command": "index_stock_items"})["indexed"] == 1


# --------------------------------------------------------------------------------------------------------- refusals


def refused_creations_look_once_more_before_they_are_refused(stack: Recorder) -> None:
    direct = load_event("create-adjustment-direct") | {"quantity_change": BEYOND_ALL_STOCK}
    stack.invoke("create_adjustment", direct | {"idempotency_key": "beyond-all-stock"})
    assert_refused(stack, "InsufficientStock")
    invoked(stack, "create_adjustment", load_event("create-adjustment-direct"))


def refused_reversals_look_once_more(stack: Recorder) -> None:
    event = load_event("reverse-adjustment-api")
    stack.invoke("reverse_adjustment", with_key(event, "another-key"))
    assert_refused(stack, 409)
    stack.invoke("reverse_adjustment", with_key(event, load_event("create-adjustment-direct")["idempotency_key"]))
    assert_refused(stack, 422)


def refused_groups_look_once_more(stack: Recorder) -> None:
    """At all of their stock items and rows, in one transaction."""
    lines = [a_line(0), a_line(1, quantity_change=BEYOND_ALL_STOCK)]
    stack.invoke("create_adjustment", a_post(CREATE_BATCH, {"lines": lines}))
    assert_refused(stack, 409)
    moved = a_transfer(lines=[{"variant_id": VARIANTS[0], "quantity": 1_000_000}])
    stack.invoke("create_adjustment", a_post(TRANSFER, moved))
    assert_refused(stack, 409)


def refused_messages_are_published(stack: Recorder) -> None:
    for change in ({"quantity_change": BEYOND_ALL_STOCK}, {"variant_id": str(uuid4())}):
        assert "PutEvents" in operations_for_message(stack, load_event("create-adjustment-direct") | change)
    lines = [a_line(0), a_line(1, quantity_change=BEYOND_ALL_STOCK)]
    assert "PutEvents" in operations_for_message(stack, {"business_id": SHOP.business_id, "lines": lines})


def messages_that_were_delivered_before_are_applied_unless_they_were_rejected(stack: Recorder) -> None:
    for payload in (load_event("create-adjustment-direct"), {"business_id": SHOP.business_id, "lines": [a_line(0)]}):
        assert "PutEvents" not in operations_for_message(stack, payload, receive_count=2)


# ------------------------------------------------------------------------------- groups, counts, reasons of a business


def groups_are_created_read_and_reversed(stack: Recorder) -> None:
    batch = {"lines": [a_line(0), {"sku": SKUS[1], "quantity_change": 2, "reason": "Found"}, a_counted_line(2)]}
    for route, body in ((CREATE_BATCH, batch), (CREATE_BATCH, {"lines": [a_line(0)]}), (TRANSFER, a_transfer())):
        event = a_post(route, body)
        created = invoked(stack, "create_adjustment", event)
        assert invoked(stack, "create_adjustment", event) == created
        path = {"group_id": created["group_id"]}
        assert invoked(stack, "read_inventory", a_read(GET_GROUP, path=path)) == created
        for row in created["data"]:
            invoked(stack, "read_inventory", a_read(GET_ADJUSTMENT, path={"id": row["id"]}))
        taken_back = a_post(REVERSE_GROUP, {"reason": "Recorded twice"}, path=path)
        invoked(stack, "reverse_adjustment", taken_back)
        invoked(stack, "reverse_adjustment", taken_back)
        stack.invoke("reverse_adjustment", a_post(REVERSE_GROUP, {"reason": "Once more"}, path=path))
        assert_refused(stack, 409)


def lines_are_settled_one_by_one(stack: Recorder) -> None:
    lines = [a_line(0), a_line(0), a_line(1, quantity_change=BEYOND_ALL_STOCK), a_counted_line(2), {"sku": "UNKNOWN"}]
    settled = invoked(stack, "create_adjustment", a_post(CREATE_BATCH, {"mode": "each", "lines": lines}))
    assert [each["status"] for each in settled["data"]] == [201, 201, 409, 201, 422]


def a_reason_of_the_business_is_given(stack: Recorder) -> None:
    reason = load_event("provision-register-reason")
    invoked(stack, "provision", reason)
    given = a_line(0, quantity_change=-1, reason_code=reason["reason_code"])
    invoked(stack, "create_adjustment", a_post(CREATE_ADJUSTMENT, given))
    assert "PutEvents" not in operations_for_message(stack, given | {"business_id": SHOP.business_id})
    stack.invoke("create_adjustment", a_post(CREATE_ADJUSTMENT, given | {"reason_code": "never_registered"}))
    assert_refused(stack, 404)


def counts_of_an_earlier_moment_read_the_level_as_of_it(stack: Recorder) -> None:
    """A row after the one that the instant names; with the opening stock there are two before."""
    business_id = COUNTED_SHOP.business_id
    for way, sku in zip(("api", "direct", "queue"), COUNTED_SHOP.skus, strict=True):
        found = {"sku": sku, "quantity_change": 1, "reason": "Found"}
        first, _ = (
            invoked(stack, "create_adjustment", a_post(CREATE_ADJUSTMENT, found, business_id=business_id))
            for _ in range(2)
        )
        counted = {"sku": sku, "counted_quantity": first["quantity_after"], "counted_at": first["created_at"]}
        calls_before = len(stack.calls)
        match way:
            case "api":
                invoked(stack, "create_adjustment", a_post(RECORD_COUNT, counted, business_id=business_id))
            case "direct":
                invoked(stack, "create_adjustment", counted | {"business_id": business_id})
            case "queue":
                assert "PutEvents" not in operations_for_message(stack, counted | {"business_id": business_id})
        assert "Query" in {call.operation for call in stack.calls[calls_before:]}


def counts_of_now_are_recorded(stack: Recorder) -> None:
    counted = {"sku": SKUS[2], "counted_quantity": 7}
    invoked(stack, "create_adjustment", a_post(RECORD_COUNT, counted))
    assert "PutEvents" not in operations_for_message(stack, counted | {"business_id": SHOP.business_id})


def groups_without_http_are_applied(stack: Recorder) -> None:
    for body in ({"lines": [a_line(0), a_line(0), a_counted_line(1)]}, a_transfer()):
        payload = body | {"business_id": SHOP.business_id}
        invoked(stack, "create_adjustment", payload | {"idempotency_key": a_key()})
        operations = operations_for_message(stack, payload)
        assert "TransactWriteItems" in operations
        assert "PutEvents" not in operations


# ------------------------------------------------------------------------------------------- reads, events, the audit


def everything_is_read_in_other_ways(stack: Recorder) -> None:
    """Each list without any parameter, and with those that lead to other items, or to another index."""
    lists = [each for each in ROUTES if each.function == "read_inventory" and "{" not in each.path]
    for route in lists:
        invoked(stack, "read_inventory", a_read(route))
    variant, location = {"variant_id": VARIANTS[0]}, {"location_id": LOCATIONS[0]}
    named: list[dict[str, str]] = [variant, location, variant | location, {"sku": SKUS[0]}]
    for route in (LIST_ADJUSTMENTS, LIST_LEVELS, REPORT_REASONS):
        for query in named:
            invoked(stack, "read_inventory", a_read(route, query))
    for query in named:
        invoked(stack, "read_inventory", a_read(LIST_ADJUSTMENTS, query | {"order": "asc"}))
    for query in (
        {"idempotency_key": load_event("create-adjustment-direct")["idempotency_key"]},
        {"group_id": str(uuid4())},
        *({"kind": kind} for kind in ("adjustment", "count", "transfer", "reversal")),
    ):
        invoked(stack, "read_inventory", a_read(LIST_ADJUSTMENTS, query))
    for query in ({"quantity_at_most": "10"}, variant | {"as_of": "2026-11-23T14:05:09Z"}):
        invoked(stack, "read_inventory", a_read(LIST_LEVELS, query))
    invoked(stack, "read_inventory", a_read(LIST_VARIANTS, {"sku": SKUS[0]}))


def rows_that_the_bus_refuses_go_to_the_dead_letter_queue(stack: Recorder) -> None:
    with stack.answered("eventbridge", "PutEvents", REFUSED_EVENT):
        invoked(stack, "publish_adjustments", load_event("publish-adjustments"))


def the_whole_audit(stack: Recorder) -> None:
    invoked(stack, "audit_ledger", {"segment": 0, "segments": 1})


SCENARIOS: Final = (
    a_token_is_looked_up_and_revoked,
    variants_from_before_the_claims_of_skus_claim_theirs,
    a_variant_changes_its_sku,
    a_variant_that_has_stock_is_deactivated_and_comes_back,
    stock_items_from_before_their_index_are_indexed,
    refused_creations_look_once_more_before_they_are_refused,
    refused_reversals_look_once_more,
    refused_groups_look_once_more,
    refused_messages_are_published,
    messages_that_were_delivered_before_are_applied_unless_they_were_rejected,
    groups_are_created_read_and_reversed,
    lines_are_settled_one_by_one,
    a_reason_of_the_business_is_given,
    counts_of_an_earlier_moment_read_the_level_as_of_it,
    counts_of_now_are_recorded,
    groups_without_http_are_applied,
    everything_is_read_in_other_ways,
    rows_that_the_bus_refuses_go_to_the_dead_letter_queue,
    the_whole_audit,
)


# ------------------------------------------------------------------------------------------------ invoking a function


def invoked(stack: Recorder, folder: str, event: Any) -> Any:
    """What a function answers to this event, which it carries out; of an API event the answer's body."""
    value = stack.invoke(folder, event)
    answer = stack.answers[-1]
    assert answer.succeeded, answer
    return json.loads(value["body"]) if isinstance(value, dict) and "statusCode" in value else value


def assert_refused(stack: Recorder, how: int | str) -> None:
    """The last invocation has this status, or has raised an error of this name."""
    answer: Any = stack.answers[-1]
    outcome = answer.value["statusCode"] if answer.raised is None else type(answer.raised).__name__
    assert outcome == how, answer


def operations_for_message(stack: Recorder, payload: Mapping[str, object], *, receive_count: int = 1) -> list[str]:
    """The operations that the queue's function calls for one message, which is done with."""
    record = load_event("ingest-adjustments")["Records"][0]
    record["attributes"]["ApproximateReceiveCount"] = str(receive_count)
    body = json.dumps({**payload, "idempotency_key": a_key()})
    before = len(stack.calls)
    answer = invoked(stack, "ingest_adjustments", {"Records": [record | {"body": body, "messageId": str(uuid4())}]})
    assert answer == {"batchItemFailures": []}
    return [call.operation for call in stack.calls[before:]]


# ------------------------------------------------------------------------------------------------------------- events


def a_read(route: Route, query: Mapping[str, str] | None = None, *, path: Mapping[str, str] | None = None) -> Any:
    """An API event that reads what is at this route."""
    event = _at(route, load_event("read-inventory-levels"), path or {})
    several = {name: [value] for name, value in (query or {}).items()}
    return event | {"queryStringParameters": dict(query or {}), "multiValueQueryStringParameters": several}


def a_post(
    route: Route, body: Mapping[str, object], *, path: Mapping[str, str] | None = None, business_id: str | None = None
) -> Any:
    """An API event that sends this body there, under a key of its own."""
    event = with_key(_at(route, load_event("create-adjustment-api"), path or {}), a_key())
    if business_id is not None:
        event["headers"]["x-business-id"] = event["requestContext"]["authorizer"]["business_id"] = business_id
        event["multiValueHeaders"]["x-business-id"] = [business_id]
    return event | {"body": base64.b64encode(json.dumps(body).encode()).decode()}


def _at(route: Route, event: Any, path: Mapping[str, str]) -> Any:
    event["requestContext"] |= {"resourcePath": route.path, "httpMethod": route.method}
    event["requestContext"]["authorizer"]["scopes"] = route.scope
    return event | {
        "resource": route.path,
        "path": route.path.format_map(path),
        "httpMethod": route.method,
        "pathParameters": dict(path) or None,
    }


def with_key(event: Any, key: str) -> Any:
    """An API event with another idempotency key."""
    event = deepcopy(event)
    event["headers"]["Idempotency-Key"] = key
    event["multiValueHeaders"]["Idempotency-Key"] = [key]
    return event


def a_key() -> str:
    """An idempotency key that nothing else has."""
    return f"scenario-{next(_key_numbers)}"


def a_line(variant: int, **changes: object) -> dict[str, object]:
    """A line that adds a little of one of the shop's variants."""
    return {"variant_id": VARIANTS[variant], "quantity_change": 1, "reason": "Found", **changes}


def a_counted_line(variant: int) -> dict[str, object]:
    """A line that counts one of the shop's variants."""
    return {"variant_id": VARIANTS[variant], "counted_quantity": 40}


def a_transfer(*, lines: Sequence[Mapping[str, object]] | None = None) -> dict[str, object]:
    """The body of a transfer between the shop's locations."""
    moved = [{"variant_id": VARIANTS[0], "quantity": 2}, {"sku": SKUS[1], "quantity": 1}]
    return {
        "from_location_id": LOCATIONS[0],
        "to_location_id": LOCATIONS[1],
        "reason": "Sold out on the shop floor",
        "lines": moved if lines is None else lines,
    }


def inventory_table(stack: Recorder) -> str:
    """The name of the inventory table."""
    return stack.stack.physical_name("InventoryTable")


def key_of(key: ItemKey) -> dict[str, Any]:
    """A key of the inventory table as DynamoDB takes it."""
    pk, sk = key
    return {"pk": {"S": pk}, "sk": {"S": sk}}
