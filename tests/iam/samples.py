"""What the recorded stack is asked for: the demo data, every sample in events/, and what else leads to a call.

A new sample is taken from its folder. ``recorded`` is run once and kept for all tests.
"""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID, uuid4

import boto3

from inventory.api.routes import LIST_ADJUSTMENTS, LIST_LEVELS, ROUTES
from inventory.domain.model import Command
from inventory.domain.retry_budget import RetryBudget
from inventory.storage.keys import stock_item_key
from local.demo import SHOPS
from tests.iam.deployed import deployed
from tests.iam.recording import Recorder
from tests.support.harness.loading import ROOT, load_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.iam.recording import Answer, Call

SAMPLES: Final = sorted(path.stem for path in (ROOT / "events").glob("*.json"))
BEYOND_ALL_STOCK: Final = -1_000_000
LAST: Final = ("provision-deactivate", "provision-revoke")
"""Samples that take away what others need."""

REFUSED_EVENT: Final = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "MalformedDetail", "ErrorMessage": "made up"}]}


class Recorded(NamedTuple):
    """All calls and answers in their order, and the answer to each sample."""

    calls: list[Call]
    answers: list[Answer]
    samples: dict[str, Answer]


@cache
def recorded() -> Recorded:
    """Run everything on a stack in memory."""
    with Recorder(deployed()) as stack:
        _fill(stack)
        samples = {}
        for sample in _in_order(SAMPLES):
            stack.invoke(folder_of(sample), load_event(sample))
            samples[sample] = stack.answers[-1]
        for scenario in SCENARIOS:
            scenario(stack)
        return Recorded(stack.calls, stack.answers, samples)


def folder_of(sample: str) -> str:
    """The function that a sample's name begins with."""
    (folder,) = [
        each.folder for each in deployed().functions.values() if sample.startswith(each.folder.replace("_", "-"))
    ]
    return folder


def _in_order(samples: list[str]) -> Iterator[str]:
    """Writes before what reads them, and last what takes away."""
    first = ("provision", "create", "ingest", "reverse")

    def rank(sample: str) -> tuple[bool, int, str]:
        return (
            sample.startswith(LAST),
            next((place for place, name in enumerate(first) if sample.startswith(name)), len(first)),
            sample,
        )

    yield from sorted(samples, key=rank)


def _fill(stack: Recorder) -> None:
    for shop in SHOPS:
        for command in shop.registrations():
            stack.invoke("provision", command)
        for sku in shop.variant_ids:
            stack.invoke("create_adjustment", shop.opening_stock(sku))


# -------------------------------------------------------------------------------- scenarios beyond what the samples do


def a_token_is_looked_up_and_revoked(stack: Recorder) -> None:
    issued = stack.invoke("provision", load_event("provision-issue-token"))
    event = load_event("authorizer")
    event["headers"]["Authorization"] = f"Bearer {issued['token']}"
    event["multiValueHeaders"]["Authorization"] = [event["headers"]["Authorization"]]
    stack.invoke("authorizer", event)
    stack.invoke("provision", {"command": "revoke_token", "token_id": issued["token_id"]})


def refused_creations_look_once_more_before_they_are_refused(stack: Recorder) -> None:
    direct = load_event("create-adjustment-direct") | {"quantity_change": BEYOND_ALL_STOCK}
    stack.invoke("create_adjustment", direct | {"idempotency_key": "beyond-all-stock"})
    stack.invoke("create_adjustment", load_event("create-adjustment-direct"))


def refused_reversals_look_once_more(stack: Recorder) -> None:
    event = load_event("reverse-adjustment-api")
    stack.invoke("reverse_adjustment", with_key(event, "another-key"))
    stack.invoke("reverse_adjustment", with_key(event, load_event("create-adjustment-direct")["idempotency_key"]))


def refused_messages_are_published(stack: Recorder) -> None:
    batch = load_event("ingest-adjustments")
    record = batch["Records"][0]
    for change in ({"quantity_change": BEYOND_ALL_STOCK}, {"variant_id": str(uuid4())}):
        body = load_event("create-adjustment-direct") | {"idempotency_key": str(uuid4())} | change
        message = record | {"body": json.dumps(body), "messageId": str(uuid4())}
        stack.invoke("ingest_adjustments", {"Records": [message]})


def counts_of_an_earlier_moment_read_the_level_as_of_it(stack: Recorder) -> None:
    shop = SHOPS[1]
    for folder, variant_id in zip(("create_adjustment", "ingest_adjustments"), shop.variant_ids.values(), strict=False):
        adjuster = stack.modules[folder].adjuster
        count = Command(
            business_id=UUID(shop.business_id),
            variant_id=UUID(variant_id),
            quantity_change=None,
            reason="Counted before the opening stock arrived",
            actor="stock-count-app",
            kind="count",
            counted_quantity=1,
            counted_at=datetime.now(UTC) - timedelta(hours=1),
        )
        adjuster.carry_out(count, RetryBudget(lambda: 60.0, adjuster.sleep, adjuster.fraction))


def stock_items_from_before_their_index_are_indexed(stack: Recorder) -> None:
    shop = SHOPS[0]
    variant_id, location_id = next(iter(shop.variant_ids.values())), shop.default_location_id
    pk, sk = stock_item_key(UUID(shop.business_id), UUID(variant_id), UUID(location_id))
    boto3.client("dynamodb").update_item(
        TableName=stack.stack.physical_name("InventoryTable"),
        Key={"pk": {"S": pk}, "sk": {"S": sk}},
        UpdateExpression="REMOVE business_shard, location_variant",
    )
    stack.invoke("provision", {"command": "index_stock_items"})


def everything_is_read_in_other_ways(stack: Recorder) -> None:
    """Each list without any parameter, and with those that lead to another index."""
    shop = SHOPS[0]
    variant_id, location_id = next(iter(shop.variant_ids.values())), shop.default_location_id
    for route in ROUTES:
        if route.function == "read_inventory" and "{" not in route.path:
            stack.invoke(route.function, a_read(route.path))
    for query in (
        {"variant_id": variant_id},
        {"location_id": location_id},
        {"variant_id": variant_id, "location_id": location_id},
        {"sku": next(iter(shop.skus))},
        {"order": "asc"},
        {"order": "asc", "variant_id": variant_id},
    ):
        stack.invoke("read_inventory", a_read(LIST_ADJUSTMENTS.path, **query))
    for query in ({"location_id": location_id}, {"variant_id": variant_id, "as_of": "2026-11-23T14:05:09Z"}):
        stack.invoke("read_inventory", a_read(LIST_LEVELS.path, **query))


def rows_that_the_bus_refuses_go_to_the_dead_letter_queue(stack: Recorder) -> None:
    with stack.answered("eventbridge", "PutEvents", REFUSED_EVENT):
        stack.invoke("publish_adjustments", load_event("publish-adjustments"))


def the_whole_audit(stack: Recorder) -> None:
    stack.invoke("audit_ledger", {"segment": 0, "segments": 1})


SCENARIOS: Final = (
    a_token_is_looked_up_and_revoked,
    refused_creations_look_once_more_before_they_are_refused,
    refused_reversals_look_once_more,
    refused_messages_are_published,
    counts_of_an_earlier_moment_read_the_level_as_of_it,
    stock_items_from_before_their_index_are_indexed,
    everything_is_read_in_other_ways,
    rows_that_the_bus_refuses_go_to_the_dead_letter_queue,
    the_whole_audit,
)


def a_read(path: str, **query: str) -> Any:
    """An API event that reads what is at this path."""
    event = load_event("read-inventory-levels")
    event["requestContext"] |= {"resourcePath": path}
    return event | {
        "resource": path,
        "path": path,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
    }


def with_key(event: Any, key: str) -> Any:
    """An API event with another idempotency key."""
    event = deepcopy(event)
    event["headers"]["Idempotency-Key"] = key
    event["multiValueHeaders"]["Idempotency-Key"] = [key]
    return event
