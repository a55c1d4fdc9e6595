"""Paths of the local stack that are nobody's are answered as the API answers, not in S3's XML."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.emulator_process import UnknownPaths

STAGES = {"api1": ["local"]}
SIGNED = [(b"authorization", b"AWS4-HMAC-SHA256 Credential=test/20261128/us-east-1/s3/aws4_request")]


def answered(path: str, *, method: str = "GET", headers: Any = (), query: bytes = b"") -> list[dict[str, Any]]:
    """What is sent: nothing where the emulator itself answers, which is then ``emulator``."""
    sent: list[dict[str, Any]] = []

    async def emulator(*_: Any) -> None:
        sent.append({"type": "emulator"})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("no body is needed for this answer")

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "query_string": query}
    with pytest.raises(StopIteration):  # nothing is waited for, so no event loop is needed
        UnknownPaths(emulator, lambda: STAGES)(scope, receive, send).__await__().__next__()
    return sent


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/favicon.ico", "/api/v1/inventory/adjustments", "/_aws", "/_aws/", "/_aws/execute-api/api1"),
        *("/_aws/execute-api/api1/", "/_aws/execute-api/api1/other/x", "/_aws/execute-api/api2/local/x", "/restapis/x"),
    ],
)
def test_an_unknown_path_is_404_in_the_contracts_form(path: str) -> None:
    start, body = answered(path)
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert (start["status"], headers["content-type"]) == (404, "application/json")
    assert headers["content-length"] == str(len(body["body"]))
    assert headers["x-request-id"]
    detail = json.loads(body["body"])["detail"]
    assert detail["code"] == "not_found"
    assert "/_aws/execute-api/api1/local/api/v1/docs" in detail["message"]


def test_a_head_request_gets_no_body() -> None:
    _, body = answered("/", method="HEAD")
    assert body["body"] == b""


@pytest.mark.parametrize(
    "path",
    [
        "/_aws/execute-api/api1/local",
        "/_aws/execute-api/api1/local/api/v1/docs",
        "/restapis/api1/local/_user_request_/x",
    ],
)
def test_what_is_below_the_api_is_the_apis(path: str) -> None:
    assert answered(path) == [{"type": "emulator"}]


def test_services_of_aws_are_reached_by_signed_requests_and_the_emulators_own_paths_by_any() -> None:
    assert answered("/local-artifacts/key", headers=SIGNED) == [{"type": "emulator"}]
    assert answered("/local-artifacts/key", query=b"X-Amz-Signature=abc") == [{"type": "emulator"}]
    assert answered("/_ministack/health") == [{"type": "emulator"}]
