"""The POST routes of batches, transfers and counts: from the event to the use case, from its result to the response.

A function loads this module with the first such request: most environments never see one, and their start is shorter.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from inventory.adjusting.merging import Fault, adjust_many
from inventory.api.requests import keyed_request
from inventory.api.responses import created, settled
from inventory.api.routes import CREATE_BATCH, RECORD_COUNT, TRANSFER
from inventory.domain.errors import InstantOutOfWindow, InvalidRequest
from inventory.domain.model import Command, Group, Outcome
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.applying import apply
from inventory.entrypoints.responses import ERROR_ANSWERS, adjustment_members, detail_of
from inventory.entrypoints.telemetry import each_reported, report_error, report_outcome
from inventory.schemas.base import validated
from inventory.schemas.groups import AtomicLines, CountRequest, batch_request, transfer_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inventory.adjusting.loop import Adjuster, Result
    from inventory.api.requests import Caller
    from inventory.api.shapes import ApiEvent, Response
    from inventory.domain.concurrency import AtOnce
    from inventory.entrypoints.telemetry import Invocation
    from inventory.schemas.groups import ChangeRequest

    type Lines = Sequence[ChangeRequest | InvalidRequest]
    type LineResult = Result | InvalidRequest | Fault

CALLS_AT_ONCE: Final = 8

ANSWER_TIME_S: Final = 1.0
"""Seconds of an invocation that are reserved for the answer to lines that are settled one by one."""


def answer(event: ApiEvent, caller: Caller, adjuster: Adjuster, invocation: Invocation) -> Response:
    """Carry out a request by its route, and answer it.

    Raises:
        InvalidRequest: the request is not valid.
        Refusal: it is refused as a whole; nothing was written.
        TryAgain: the outcome is unknown, or the time was too short.
    """
    key, request = _READ_BY_PATH[event["resource"]](event, caller)
    if isinstance(request, Command | Group):
        return created(event, apply(request, adjuster, invocation), request_id=invocation.context.aws_request_id)
    budget = RetryBudget(invocation.remaining_s, adjuster.sleep, adjuster.fraction).reserve(ANSWER_TIME_S)
    with ThreadPoolExecutor(CALLS_AT_ONCE) as threads:
        results = settle_each(request, caller, key, adjuster, budget=budget, at_once=threads.map)
    return settled(_report_each(results, invocation), request_id=invocation.context.aws_request_id)


def _count(event: ApiEvent, caller: Caller) -> tuple[str | None, Command]:
    key, request = keyed_request(event, lambda body: validated(CountRequest, body))
    return key, request.command(business_id=caller.business_id, actor=caller.subject, idempotency_key=key)


def _transfer(event: ApiEvent, caller: Caller) -> tuple[str | None, Group]:
    key, transfer = keyed_request(event, transfer_request)
    return key, transfer.group(business_id=caller.business_id, actor=caller.subject, idempotency_key=key)


def _batch(event: ApiEvent, caller: Caller) -> tuple[str | None, Group | Lines]:
    key, batch = keyed_request(event, batch_request)
    if isinstance(batch, AtomicLines):
        return key, batch.group(business_id=caller.business_id, actor=caller.subject, idempotency_key=key)
    return key, batch


_READ_BY_PATH: Final[Mapping[str, Callable[[ApiEvent, Caller], tuple[str | None, Command | Group | Lines]]]] = {
    CREATE_BATCH.path: _batch,
    RECORD_COUNT.path: _count,
    TRANSFER.path: _transfer,
}


def settle_each(
    lines: Lines, caller: Caller, key: str | None, adjuster: Adjuster, *, budget: RetryBudget, at_once: AtOnce
) -> list[LineResult]:
    """Apply the valid lines, as if each had been sent alone, and return what became of every line."""
    commands = {
        index: line.command(business_id=caller.business_id, actor=caller.subject, idempotency_key=key, key_line=index)
        for index, line in enumerate(lines)
        if not isinstance(line, InvalidRequest)
    }
    applied = adjust_many(adjuster, [*commands.values()], budget=budget, at_once=at_once)
    results = dict(zip(commands, applied, strict=True))
    return [line if isinstance(line, InvalidRequest) else results[index] for index, line in enumerate(lines)]


def _report_each(results: Sequence[LineResult], invocation: Invocation) -> list[dict[str, object]]:
    """Log each line by its result, count them together, and make their members of the answer."""
    numbered = ((line, (line, result)) for line, result in enumerate(results))
    return [
        {"line": line} | _line_members(line, result, invocation)
        for line, result in each_reported(numbered, "line", invocation)
    ]


def _line_members(line: int, result: LineResult, invocation: Invocation) -> dict[str, object]:
    if isinstance(result, Outcome):
        report_outcome(result, invocation)
        return {"status": 201, "replayed": result.replayed, "adjustment": adjustment_members(result.adjustment)}
    error = report_error(_error_of(result), invocation)
    if isinstance(error, InstantOutOfWindow):
        error = InstantOutOfWindow([each._replace(line=line) for each in error.found])
    return {"status": ERROR_ANSWERS[type(error)].status, "error": detail_of(error)}


def _error_of(result: LineResult) -> Exception:
    if isinstance(result, Fault):
        return result.error
    if isinstance(result, Exception):
        return result
    raise AssertionError("a line that is settled on its own has the result of a group")
