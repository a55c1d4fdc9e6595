"""A function of the write path as deployed, on tables in memory: its own handler, client, serializer and parser."""

from __future__ import annotations

import json
import sys
from copy import replace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.builders.requests import an_api_event
from tests.support.fakes.queries import QueriedTables
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.harness.loading import Context, load_handler

if TYPE_CHECKING:
    import pytest

    from inventory.api.routes import Route

NAMESPACE = "InventoryAdjustments"


@dataclass(frozen=True)
class Answer:
    """A response, its body parsed."""

    status: int
    headers: dict[str, str]
    body: Any
    size_bytes: int

    @property
    def problems(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Where and what a 422 names, in its order; the position of a JSON error is written ``*``."""
        return [(place(each["loc"], each["type"]), each["type"]) for each in self.body["detail"]]

    @property
    def code(self) -> str:
        code: str = self.body["detail"]["code"]
        return code


def answer_of(response: Any) -> Answer:
    """What a handler answered, which must be a response that the gateway can pass on."""
    assert set(response) == {"statusCode", "headers", "body"}
    assert type(response["statusCode"]) is int
    assert all(type(value) is str for value in response["headers"].values())
    assert response["headers"]["Content-Type"] == "application/json"
    return Answer(
        status=response["statusCode"],
        headers=response["headers"],
        body=json.loads(response["body"], parse_constant=_no_constant),
        size_bytes=len(response["body"].encode()),
    )


def place(loc: list[str | int], kind: str) -> tuple[str | int, ...]:
    return (loc[0], "*") if kind == "json_invalid" else tuple(loc)


class Service:
    """One environment of the function, cold until its first request."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        *,
        function: str = "create_adjustment",
    ) -> None:
        self.module = load_handler(
            function,
            monkeypatch,
            INVENTORY_TABLE=INVENTORY_TABLE,
            LEDGER_TABLE=LEDGER_TABLE,
            POWERTOOLS_METRICS_NAMESPACE=NAMESPACE,
        )
        self.client = self.module.client
        self.tables = QueriedTables(self.client)
        self.pauses_s: list[float] = []
        self.module.adjuster = replace(self.module.adjuster, sleep=self.pauses_s.append)
        self._capsys = capsys

    def post(self, body: object = None, *, context: Context | None = None, **event: Any) -> Answer:
        """Send a request through the API."""
        return self._post(an_api_event(body, **event), context or Context())

    def post_to(
        self,
        route: Route,
        body: object,
        *,
        key: str | None = None,
        path: dict[str, str] | None = None,
        context: Context | None = None,
        **event: Any,
    ) -> Answer:
        """Send a request to a route, under an ``Idempotency-Key`` if there is one; ``path`` are its parameters."""
        return self.post(
            body,
            headers=None if key is None else [("Idempotency-Key", key)],
            context=context,
            resource=route.path,
            path=route.path.format(**(path or {})),
            pathParameters=path,
            **event,
        )

    def post_event(self, **members: object) -> Answer:
        """Send a valid request of which these members of the gateway's event are replaced as they stand."""
        return self._post(an_api_event() | members, Context())

    def _post(self, event: object, context: Context) -> Answer:
        """Hand an event over; the response must be one that the gateway can pass on."""
        return answer_of(self._call(event, context))

    def invoke(self, payload: object, *, context: Context | None = None) -> Any:
        """Invoke directly; what comes back has been through JSON, as Lambda's answer has."""
        return json.loads(json.dumps(self._call(payload, context or Context())))

    def _call(self, event: object, context: Context) -> Any:
        # pytest changes stdout between a fixture and its test; the logger would write to the one that it was made with.
        self.module.logger.registered_handler.stream = sys.stdout
        return self.module.handler(event, context)

    def printed(self) -> list[dict[str, Any]]:
        """Every line since the last look; each must be a JSON object."""
        printed = self._capsys.readouterr()
        assert printed.err == ""
        return [json.loads(line) for line in printed.out.splitlines()]


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
