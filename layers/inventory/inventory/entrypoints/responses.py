"""What callers are answered: the members of each answer, and for each error its status, code and detail."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.errors import (
    AdjustmentNotFound,
    AlreadyReversed,
    BusinessNotFound,
    CountSuperseded,
    ExportStopped,
    Forbidden,
    GroupNotFound,
    IdempotencyKeyReused,
    InstantOutOfWindow,
    InsufficientStock,
    InternalError,
    InvalidRequest,
    LocationNotFound,
    NoDefaultLocation,
    NothingToReverse,
    PartOfGroup,
    QuantityLimitExceeded,
    ReasonDirection,
    ReasonNotFound,
    Refusal,
    RejectedBefore,
    ServiceError,
    SkuTaken,
    StaleQuantity,
    TokenNotFound,
    TooManyReasons,
    TryAgain,
    Unauthorized,
    UnsupportedEncoding,
    VariantNotFound,
)
from inventory.domain.model import Outcome
from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import uuid_text
from inventory.schemas.problems import entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inventory.domain.errors import ValidationEntry
    from inventory.domain.model import Adjustment, GroupOutcome
    from inventory.entrypoints.shapes import BatchResponse
    from inventory.integrity.audit import AuditResult
    from inventory.integrity.proof import Proof

MASKED: Final = "dz_***"

_TO_MASK: Final = r"dz_[0-9A-Za-z]{8,}"
"""A token, or the rest of one in a field's name that was cut short."""


class ErrorAnswer(NamedTuple):
    """The HTTP status of an error, and the code in its body and in its log line."""

    status: int
    code: str


ERROR_ANSWERS: Final[dict[type[ServiceError], ErrorAnswer]] = {
    Unauthorized: ErrorAnswer(401, "unauthorized"),
    Forbidden: ErrorAnswer(403, "forbidden"),
    InvalidRequest: ErrorAnswer(422, "invalid_request"),
    IdempotencyKeyReused: ErrorAnswer(422, "idempotency_key_reused"),
    NothingToReverse: ErrorAnswer(422, "nothing_to_reverse"),
    InstantOutOfWindow: ErrorAnswer(422, "instant_out_of_window"),
    VariantNotFound: ErrorAnswer(404, "variant_not_found"),
    LocationNotFound: ErrorAnswer(404, "location_not_found"),
    ReasonNotFound: ErrorAnswer(404, "reason_not_found"),
    AdjustmentNotFound: ErrorAnswer(404, "adjustment_not_found"),
    GroupNotFound: ErrorAnswer(404, "group_not_found"),
    BusinessNotFound: ErrorAnswer(404, "business_not_found"),
    TokenNotFound: ErrorAnswer(404, "token_not_found"),
    InsufficientStock: ErrorAnswer(409, "insufficient_stock"),
    QuantityLimitExceeded: ErrorAnswer(409, "quantity_limit_exceeded"),
    StaleQuantity: ErrorAnswer(409, "stale_quantity"),
    NoDefaultLocation: ErrorAnswer(409, "no_default_location"),
    CountSuperseded: ErrorAnswer(409, "count_superseded"),
    ReasonDirection: ErrorAnswer(409, "reason_direction"),
    AlreadyReversed: ErrorAnswer(409, "already_reversed"),
    RejectedBefore: ErrorAnswer(409, "rejected_before"),
    SkuTaken: ErrorAnswer(409, "sku_taken"),
    TooManyReasons: ErrorAnswer(409, "too_many_reasons"),
    UnsupportedEncoding: ErrorAnswer(415, "unsupported_encoding"),
    PartOfGroup: ErrorAnswer(409, "part_of_group"),
    ExportStopped: ErrorAnswer(500, "export_stopped"),
    InternalError: ErrorAnswer(500, "internal_error"),
    TryAgain: ErrorAnswer(503, "try_again"),
}


def detail_of(error: ServiceError) -> object:
    """The ``detail`` of an error's body: a list of entries where the request was invalid, else code, message, facts."""
    if isinstance(error, InvalidRequest):
        return error.entries
    if isinstance(error, IdempotencyKeyReused):
        return [entry(["header", "idempotency-key"], "idempotency_key_reused", error.message, given=error.key)]
    if isinstance(error, NothingToReverse):
        return [_broken_rule(["path", error.parameter], error.message, given=None)]
    if isinstance(error, InstantOutOfWindow):
        return [
            _broken_rule(_place(each.line, each.field), each.rule, given=instant_text(each.given))
            for each in error.found
        ]
    line = error.line if isinstance(error, Refusal) else None
    named_line = {} if line is None else {"line": line}
    return {"code": ERROR_ANSWERS[type(error)].code, "message": error.message, **error.facts(), **named_line}


def _place(line: int | None, field: str) -> list[str | int]:
    return ["body", field] if line is None else ["body", "lines", line, field]


def _broken_rule(place: list[str | int], rule: str, *, given: str | None) -> ValidationEntry:
    """Make an entry as pydantic does where a value breaks a rule of our own."""
    broken = entry(place, "value_error", f"Value error, {rule}", given=given, ctx={"error": rule})
    if given is None:
        del broken["input"]
    return broken


def detail_without_input(error: ServiceError) -> object:
    """The same without ``input``: for a log or an event, as what the caller sent may hold a secret."""
    return without_input(detail_of(error))


def without_input(detail: object) -> object:
    """Leave ``input`` out of each entry of a detail, if it is a list."""
    if not isinstance(detail, list):
        return detail
    return [{name: member for name, member in each.items() if name != "input"} for each in detail]


def raised(error: ServiceError) -> Exception:
    """Make the exception to raise: Lambda answers its class name as ``errorType`` and its text as ``errorMessage``.

    The text is the JSON of HTTP's ``detail``, made safe for the log, as Lambda logs what a function raises: without
    ``input``, and with tokens masked. ``loc`` still holds the names of unknown fields, which the caller needs.
    """
    kind: type[Exception] = type(error_type(error), (Exception,), {})
    return kind(re.sub(_TO_MASK, MASKED, json.dumps(detail_without_input(error))))


def error_type(error: ServiceError) -> str:
    """The name of an error for callers without HTTP: the code in CamelCase, which is the name of its class.

    It is ``InvalidRequest`` for each error that HTTP answers with 422.
    """
    invalid = ERROR_ANSWERS[type(error)].status == HTTPStatus.UNPROCESSABLE_ENTITY
    return InvalidRequest.__name__ if invalid else type(error).__name__


def batch_response(identifiers: Iterable[str]) -> BatchResponse:
    """Make the response from the identifiers of the records that are not done."""
    return {"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]}


def adjustment_members(adjustment: Adjustment) -> dict[str, object]:
    """An adjustment as every caller sees it: in the body of a 201, in a direct answer, in an event's detail."""
    return {
        "id": uuid_text(adjustment.id),
        "business_id": uuid_text(adjustment.business_id),
        "variant_id": uuid_text(adjustment.variant_id),
        "delta": adjustment.delta,
        "correction_reason": adjustment.reason,
        "location_id": uuid_text(adjustment.location_id),
        "created_at": instant_text(adjustment.created_at),
        "quantity_after": adjustment.quantity_after,
        "sequence": adjustment.sequence,
        "reason_code": adjustment.reason_code,
        "reference": adjustment.reference,
        "created_by": adjustment.created_by,
        "reverses": None if adjustment.reverses is None else uuid_text(adjustment.reverses),
        "kind": adjustment.kind,
        "group_id": None if adjustment.group_id is None else uuid_text(adjustment.group_id),
        "group_line": adjustment.group_line,
        "group_size": adjustment.group_size,
        "counted_quantity": adjustment.counted_quantity,
        "counted_at": None if adjustment.counted_at is None else instant_text(adjustment.counted_at),
        "sku": adjustment.sku,
        "occurred_at": None if adjustment.occurred_at is None else instant_text(adjustment.occurred_at),
    }


def outcome_members(outcome: Outcome | GroupOutcome) -> dict[str, object]:
    """What a request has become: the adjustment; or the group, whose adjustments are in the order of the lines."""
    if isinstance(outcome, Outcome):
        return adjustment_members(outcome.adjustment)
    return {"group_id": uuid_text(outcome.group_id), "data": [adjustment_members(row) for row in outcome.adjustments]}


def proof_members(proof: Proof) -> dict[str, object]:
    """A proof as callers see it."""
    problem = proof.first_problem
    return {
        "variant_id": str(proof.variant_id),
        "location_id": str(proof.location_id),
        "verified": proof.verified,
        "rows": proof.rows,
        "sum": proof.sum,
        "quantity": proof.quantity,
        "sequence": proof.sequence,
        "head_hash": proof.head_hash,
        "first_problem": None if problem is None else {"sequence": problem.sequence, "kind": problem.kind.value},
        "next_cursor": proof.next_cursor,
    }


def audit_members(result: AuditResult) -> dict[str, object]:
    """The findings of an audit, as its invoker sees them."""
    return {
        "rows": result.rows,
        "stock_items": result.stock_items,
        "problem_count": result.mismatch_count,
        "problems": [
            {
                "kind": each.kind.value,
                "business_id": each.business_id,
                "variant_id": each.variant_id,
                "location_id": each.location_id,
                "sequence": each.sequence,
                "adjustment_id": each.adjustment_id,
                "key": each.key,
            }
            for each in result.mismatches
        ],
        "next": result.next_position,
    }
