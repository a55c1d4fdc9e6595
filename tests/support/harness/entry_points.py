"""Every entry point as deployed, on tables, bus and queue in memory, for events of any shape.

Whatever comes in, the answer must be one that the contract knows, what leaves as an exception one that is documented,
and what is logged JSON, line by line, without anything of what was sent.
"""

from __future__ import annotations

import contextlib
import io
import json
from copy import replace
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from inventory.domain.errors import InternalError, TryAgain
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.responses import ERROR_ANSWERS
from tests.support.builders.domain import a_stock_item, an_adjustment
from tests.support.builders.ids import OTHER_LOCATION, OTHER_VARIANT
from tests.support.fakes.event_bus import MemoryBus
from tests.support.fakes.queries import QueriedTables
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE, committed
from tests.support.faults.wire import reply
from tests.support.harness.loading import Context, load_handler

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

MARK = "INJECTED"
"""Stands in whatever a caller wrote; no log line may hold it."""

SETTINGS = {
    "INVENTORY_TABLE": INVENTORY_TABLE,
    "LEDGER_TABLE": LEDGER_TABLE,
    "ACCESS_TABLE": "access-table",
    "EVENT_BUS": "the-bus",
    "DEAD_LETTER_QUEUE": "https://sqs.eu-central-1.amazonaws.com/000000000000/dead-end",
    "AUDIT_SEGMENTS": "24",
    "POWERTOOLS_METRICS_NAMESPACE": "InventoryAdjustments",
}
READ = {"ConsumedCapacity": {"TableName": "a-table", "CapacityUnits": 1.0}}
IDS_OF_RECORDS = {"message_id", "ledger_key", "sequence_number"}
"""What Lambda itself says of a record: they name it in the log, on one line."""
STATUSES = {200, 201, 304, 401, 403, 404, 409, 422}
DOCUMENTED = {
    answer.code: (kind.__name__ if answer.status != 422 else "InvalidRequest")
    for kind, answer in ERROR_ANSWERS.items()
    if kind not in {InternalError, TryAgain}
}
"""``errorType`` by code. The tables answer here, so nothing may be asked for again, and nothing is our own fault."""


@dataclass(frozen=True)
class Called:
    """What came of an event: an answer, or the exception that left the handler; and what was printed."""

    answer: Any
    raised: Exception | None
    lines: list[dict[str, Any]]


class EntryPoint:
    """One function, loaded once for many events."""

    def __init__(self, name: str, patch: pytest.MonkeyPatch) -> None:
        self.name = name
        self.module = load_handler(name, patch, **SETTINGS)
        WIRED.get(name, lambda _: None)(self.module)

    def call(self, event: object) -> Called:
        printed = io.StringIO()
        if hasattr(self.module, "logger"):
            self.module.logger.registered_handler.stream = printed
        answer, raised = None, None
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                answer = self.module.handler(event, Context())
            except Exception as error:  # noqa: BLE001  what may leave a handler is judged by the caller
                raised = error
        # CloudWatch ends a line at a line feed and at nothing else that Unicode has for one.
        lines = [json.loads(line) for line in printed.getvalue().split("\n") if line]
        assert all(isinstance(line, dict) for line in lines)
        return Called(answer, raised, lines)


def _wire_tables(client: Any) -> QueriedTables:
    tables = QueriedTables(client)
    tables.with_catalog()
    tables.with_variant(OTHER_VARIANT)
    tables.with_location(OTHER_LOCATION)
    tables.with_sku("BOOT-42", OTHER_VARIANT)
    tables.with_stock(a_stock_item(5, sequence=1))
    tables.with_history(an_adjustment())
    return tables


def _wire_adjuster(module: Any) -> None:
    _wire_tables(module.client)
    module.adjuster = replace(module.adjuster, sleep=lambda _: None)


def _wire_reader(module: Any) -> None:
    _wire_tables(module.client)
    module.reader = module.reader_on(module.lookups, module.index, module.stock_index)
    module.RetryBudget = partial(RetryBudget, sleep=lambda _: None)


def _wire_ingest(module: Any) -> None:
    _wire_adjuster(module)
    module.at_once = map
    MemoryBus(module.events)


def _wire_publish(module: Any) -> None:
    MemoryBus(module.events)
    module.queues.meta.events.register("before-send.sqs.SendMessage", lambda **_: reply({"MessageId": "1"}))
    module.RetryBudget = partial(RetryBudget, sleep=lambda _: None)


def _wire_authorizer(module: Any) -> None:
    module.client.meta.events.register("before-send.dynamodb.GetItem", lambda **_: reply(READ))
    module.RetryBudget = partial(RetryBudget, sleep=lambda _: None)


def _wire_provision(module: Any) -> None:
    """Each command is carried out; what is read says that a business exists."""
    settings = {"Item": {"pk": {"S": "BUSINESS#"}, "allow_negative_stock": {"BOOL": False}}}
    revoked = {"Attributes": {"revoked_at": {"S": "2026-11-23T14:05:09.123456Z"}}}
    answers: dict[str, Callable[[], Any]] = {
        "GetItem": lambda: reply(settings | READ),
        "BatchGetItem": lambda: reply(
            {"Responses": {INVENTORY_TABLE: [settings["Item"]]}, "UnprocessedKeys": {}, "ConsumedCapacity": []}
        ),
        "PutItem": lambda: reply(READ),
        "Query": lambda: reply({"Items": []} | READ),
        "Scan": lambda: reply({"Items": []} | READ),
        "UpdateItem": lambda: reply(revoked | READ),
        "TransactWriteItems": committed,
    }
    for operation, answer in answers.items():
        module.client.meta.events.register(f"before-send.dynamodb.{operation}", lambda answer=answer, **_: answer())
    module.RetryBudget = partial(RetryBudget, sleep=lambda _: None)


def _wire_audit(module: Any) -> None:
    module.client.meta.events.register("before-send.dynamodb.Scan", lambda **_: reply({"Items": []} | READ))


WIRED: dict[str, Callable[[Any], None]] = {
    "create_adjustment": _wire_adjuster,
    "reverse_adjustment": _wire_adjuster,
    "read_inventory": _wire_reader,
    "ingest_adjustments": _wire_ingest,
    "publish_adjustments": _wire_publish,
    "authorizer": _wire_authorizer,
    "provision": _wire_provision,
    "audit_ledger": _wire_audit,
}


def assert_is_an_answer_of_http(called: Called) -> None:
    """A proxy response with a status of the contract and a body in its form; nothing left the handler."""
    assert called.raised is None
    response = called.answer
    assert response.keys() >= {"statusCode", "headers", "body"}
    assert isinstance(response["statusCode"], int)
    assert response["statusCode"] in STATUSES
    for name, value in response["headers"].items():
        assert type(value) is str
        assert value.isprintable(), name
    response["body"].encode()
    if response["statusCode"] >= 400:
        detail = json.loads(response["body"])["detail"]
        if response["statusCode"] == 422:
            assert detail
            assert all(each.keys() >= {"loc", "msg", "type"} for each in detail)
        else:
            assert detail.keys() >= {"code", "message"}
    assert (response["statusCode"] == 401) == ("WWW-Authenticate" in response["headers"])


def assert_is_documented(error: Exception) -> None:
    """An error of a direct invocation: its name and its detail, as JSON, are those of the table of errors."""
    detail = json.loads(str(error))
    code = "invalid_request" if isinstance(detail, list) else detail["code"]
    assert type(error).__name__ == DOCUMENTED[code]
    assert error.__suppress_context__
    assert error.__cause__ is None


def assert_nothing_sent_is_logged(called: Called) -> None:
    for line in called.lines:
        logged = {name: value for name, value in line.items() if name not in IDS_OF_RECORDS}
        assert MARK not in json.dumps(logged)
        assert line.get("level") not in {"ERROR", "CRITICAL"}, line
