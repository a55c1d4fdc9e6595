"""The function that reads, on the tables of a history, in a worker's process: pages of a list, a proof, an export."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

from inventory.api.routes import LIST_ADJUSTMENTS, PROVE_LEVEL
from tests.benchmarks.meters import Work
from tests.benchmarks.reading import ROWS
from tests.benchmarks.transport import Body
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT
from tests.support.builders.requests import an_api_event, an_authorizer_context
from tests.support.harness.loading import ROOT, Context, load_by_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest

_PAGE_ROWS: Final = 100


class Reading:
    """An environment that reads the whole history, again and again."""

    def __init__(self, read: str) -> None:
        self._module: Any = load_by_path(ROOT / "functions" / "read_inventory" / "handler.py", "handler")
        self._transport = _Playback(self._module.client)
        passes: dict[str, Callable[[], None]] = {
            "list": self._list,
            "proof": self._prove,
            "export as NDJSON": partial(self._export, "ndjson"),
            "export as CSV": partial(self._export, "csv"),
        }
        self._pass = passes[read]
        self._passes = 0
        self._pass()
        self.work: Work = Work(requests=ROWS, calls=self._transport.calls)
        self.prepare(1)
        self.run()

    def prepare(self, passes: int) -> None:
        self._passes = passes

    def run(self) -> None:
        for _ in range(self._passes):
            self._pass()

    def _list(self) -> None:
        cursor, rows = None, 0
        while True:
            query = {"variant_id": str(VARIANT), "limit": str(_PAGE_ROWS)} | ({"cursor": cursor} if cursor else {})
            page = self._get(LIST_ADJUSTMENTS.path, query=query)
            rows += len(page["data"])
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert rows == ROWS

    def _prove(self) -> None:
        path = {"variant_id": str(VARIANT), "location_id": str(LOCATION)}
        proof = self._get(PROVE_LEVEL.path, path=path)
        assert (proof["verified"], proof["rows"]) == (True, ROWS), proof

    def _export(self, written_as: str) -> None:
        payload: dict[str, object] = {"command": "export", "business_id": str(BUSINESS), "format": written_as}
        while True:
            page = self._module.handler(payload, Context())
            if page["next_cursor"] is None:
                break
            payload["cursor"] = page["next_cursor"]

    def _get(self, route: str, *, path: dict[str, str] | None = None, query: dict[str, str] | None = None) -> Any:
        event = an_api_event(text=None, authorizer=an_authorizer_context(scopes="adjustments:read"))
        event |= {"httpMethod": "GET", "resource": route, "path": route, "pathParameters": path}
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in (query or {}).items()}
        response = self._module.handler(event, Context())
        assert response["statusCode"] == 200, response
        return json.loads(response["body"])


class _Playback:
    """Sends each call once, and answers the same call from memory afterwards. ``calls`` counts the different ones."""

    def __init__(self, client: Any) -> None:
        self._session = URLLib3Session()
        self._answers: dict[tuple[str, bytes], tuple[int, Any, bytes]] = {}
        client.meta.events.register("before-send.dynamodb", self._answer)

    @property
    def calls(self) -> int:
        return len(self._answers)

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        assert isinstance(request.body, bytes)
        asked = event_name, request.body
        if asked not in self._answers:
            answer = self._session.send(request)
            self._answers[asked] = answer.status_code, answer.headers, answer.content
        status, headers, content = self._answers[asked]
        return AWSResponse(request.url, status, headers, Body(content))
