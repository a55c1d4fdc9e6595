"""From a caller's request id to the line, the ledger row and the event."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business

WITHIN_S = 20


def lines_of(stack: LocalStack, request_id: str) -> list[dict[str, Any]]:
    """The request's own lines, as soon as there is one: the emulator writes them down a moment after the answer."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        log = stack.places.functions_log.read_text(encoding="utf-8", errors="replace")
        found = [line[line.index("{") :] for line in log.splitlines() if request_id in line and '"code":' in line]
        if found or time.monotonic() > deadline:
            return [json.loads(line) for line in found]
        time.sleep(0.1)


def test_the_request_id_of_an_answer_finds_its_log_line_and_ledger_row(
    local_stack: LocalStack, business: Business
) -> None:
    answer = business.adjust(5)

    (line,) = lines_of(local_stack, answer.headers["x-request-id"])

    assert (line["code"], line["business_id"], line["attempts"]) == ("created", business.id, 1)
    assert line["gateway_request_id"] not in {"", answer.headers["x-request-id"]}
    assert 0 < line["duration_ms"] < 10_000
    assert [row["pk"]["S"] for row in business.ledger()] == [f"{business.id}#{line['adjustment_id']}"]
    assert line["adjustment_id"] == answer.json()["id"]


def test_a_rejection_has_one_log_line(local_stack: LocalStack, business: Business) -> None:
    answer = business.adjust(-5)

    (line,) = lines_of(local_stack, answer.headers["x-request-id"])

    assert (line["code"], line["business_id"]) == ("insufficient_stock", business.id)
