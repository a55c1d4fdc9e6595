"""The read function as deployed, on tables in memory: its own handler, client, serializer and parser."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from inventory.api.routes import GET_ADJUSTMENT, LIST_ADJUSTMENTS, LIST_LEVELS
from inventory.domain.retry_budget import RetryBudget
from inventory.queries.reader import reader_on
from tests.support.builders.ids import BUSINESS, GATEWAY_REQUEST_ID
from tests.support.builders.requests import an_authorizer_context
from tests.support.fakes.queries import QueriedTables
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.harness.loading import Context, load_handler
from tests.support.harness.write_service import NAMESPACE, Answer, answer_of

if TYPE_CHECKING:
    import pytest

LIST, ONE, LEVELS = LIST_ADJUSTMENTS.path, GET_ADJUSTMENT.path, LIST_LEVELS.path


def a_get_event(
    resource: str,
    query: list[tuple[str, str]] | None = None,
    *,
    path: dict[str, str] | None = None,
    authorizer: dict[str, str] | None = None,
    **changes: object,
) -> Any:
    """A GET as API Gateway hands it over: nulls where nothing was sent, and of several values the last one."""
    several: dict[str, list[str]] = {}
    for name, value in query or []:
        several.setdefault(name, []).append(value)
    headers = {"Authorization": "Bearer dz_secret", "x-business-id": str(BUSINESS)}
    return {
        "resource": resource,
        "path": resource.replace("{id}", (path or {}).get("id", "")),
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in several.items()} or None,
        "multiValueQueryStringParameters": several or None,
        "pathParameters": path,
        "requestContext": {
            "requestId": GATEWAY_REQUEST_ID,
            "authorizer": an_authorizer_context(scopes="adjustments:read") if authorizer is None else authorizer,
        },
        "body": None,
        "isBase64Encoded": False,
    } | changes


class ReadService:
    """One environment of the function; its calls are made one after another, and it does not really wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.module = load_handler(
            "read_inventory",
            monkeypatch,
            INVENTORY_TABLE=INVENTORY_TABLE,
            LEDGER_TABLE=LEDGER_TABLE,
            POWERTOOLS_METRICS_NAMESPACE=NAMESPACE,
        )
        self.tables = QueriedTables(self.module.client)
        self.pauses_s: list[float] = []
        self.module.reader = reader_on(self.module.lookups, self.module.index, self.module.stock_index)
        self.module.RetryBudget = partial(RetryBudget, sleep=self.pauses_s.append)
        self._capsys = capsys

    def get(
        self, resource: str, query: list[tuple[str, str]] | None = None, *, context: Context | None = None, **event: Any
    ) -> Answer:
        """Ask through the API; the response must be one that the gateway can pass on."""
        # pytest changes stdout between a fixture and its test; the logger would write to the one that it was made with.
        self.module.logger.registered_handler.stream = sys.stdout
        response = self.module.handler(a_get_event(resource, query, **event), context or Context())
        return answer_of(response)

    def printed(self) -> list[dict[str, Any]]:
        """Every line since the last look; each must be a JSON object."""
        printed = self._capsys.readouterr()
        assert printed.err == ""
        return [json.loads(line) for line in printed.out.splitlines()]
