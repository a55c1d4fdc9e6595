"""What the fuzzer calls: each target takes any bytes, and raises only where something does not hold.

Nothing here needs the fuzzer: `make test` runs each target over its corpus, so what once crashed is tested ever after.
"""

from __future__ import annotations

import base64
import contextlib
import json
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import jsonschema_rs

from inventory.api import authorizer, headers
from inventory.api.reads import answer
from inventory.api.requests import Caller, adjustment_command, is_api_event, reversal
from inventory.api.responses import refused
from inventory.api.routes import PROVE_LEVEL
from inventory.domain.api_tokens import well_formed
from inventory.domain.errors import InvalidRequest
from inventory.domain.model import Group
from inventory.domain.retry_budget import RetryBudget
from inventory.domain.uuids import parse_uuid
from inventory.entrypoints.messages import UnreadableMessage, read_message
from inventory.entrypoints.rejections import rejection
from inventory.queries.ledger_order import parse_position
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.base import validated
from inventory.schemas.json_parser import DEPTH_MAX, InvalidJSON, parse_json
from inventory.schemas.problems import ENTRIES_SIZE_MAX_BYTES
from inventory.schemas.reading import AdjustmentsQuery, LevelsQuery
from inventory.storage import cursors
from tests.support.builders.ids import ADJUSTMENT, BUSINESS
from tests.support.builders.requests import an_api_event
from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inventory.api.shapes import HeaderEvent
    from inventory.entrypoints.shapes import QueueRecord

CALLER: Final = Caller(business_id=BUSINESS, subject="till 4")
QUESTION: Final = {"list": "AdjustmentsQuery", "business_id": str(BUSINESS)}
_SIZE_MAX_BYTES: Final = ENTRIES_SIZE_MAX_BYTES + 1024


def json_text(data: bytes) -> None:
    """What we read as JSON the standard library reads too, and alike, with every number exact; and the other way."""
    ours: Any = None
    problem: InvalidJSON | None = None
    try:
        ours = parse_json(data)
    except InvalidJSON as error:
        problem = error
    try:
        theirs = json.loads(data.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_constant)
    except InvalidOperation:
        assert problem is not None or b"e" in data.lower(), "only an exponent can be too much for it"
    except (ValueError, RecursionError):
        assert problem is not None, "the standard library has this for no JSON"
    else:
        assert _alike(ours, theirs) if problem is None else _is_beyond_limits(data, theirs)
    if problem is not None:
        assert problem.message
        assert 0 <= problem.position <= len(data)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _is_beyond_limits(data: bytes, value: object) -> bool:
    return data.count(b"[") + data.count(b"{") > DEPTH_MAX or _has_long_number(value)


def _has_long_number(value: object) -> bool:
    match value:
        case Decimal():
            return value.adjusted() >= 4300
        case dict():
            return any(_has_long_number(each) for each in value.values())
        case list():
            return any(_has_long_number(each) for each in value)
        case _:
            return False


def _alike(ours: object, theirs: object) -> bool:
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(_alike(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_alike, ours, theirs))
    return ours == theirs


def creation(data: bytes) -> None:
    """A body is taken where the schema that is published takes it, and else answered with a list that can be sent."""
    event = an_api_event(data)
    try:
        command = adjustment_command(event, CALLER)
    except InvalidRequest as error:
        _check_answerable(error, {"body"})
        taken = False
    else:
        assert type(command.quantity_change) is int
        assert 0 < abs(command.quantity_change) <= 10**9
        assert command.business_id == BUSINESS
        taken = True
    with contextlib.suppress(InvalidJSON):
        body = parse_json(data)
        if _is_comparable(body):
            assert taken == _request_schema().is_valid(_as_doubles(body)), "the schema judges otherwise"


@cache
def _request_schema() -> jsonschema_rs.Validator:
    """The one that is published. It can't say that a text must show something."""
    components = json.loads((ROOT / "functions" / "describe_api" / "openapi.json").read_text(encoding="utf-8"))
    components = components["components"]
    return jsonschema_rs.Draft202012Validator(
        components["schemas"]["InventoryAdjustmentRequest"] | {"components": components},
        validate_formats=True,
    )


def _is_comparable(value: object) -> bool:
    """Whether the validator of schemas can judge: it knows neither half surrogate pairs nor numbers beyond doubles."""
    match value:
        case dict():
            return all(map(_is_comparable, [*value, *value.values()]))
        case list():
            return all(map(_is_comparable, value))
        case str():
            return _is_comparable_text(value)
        case Decimal():
            with contextlib.suppress(OverflowError, InvalidOperation):
                return Decimal(float(value)) == value and abs(value) < 10**15
            return False
        case _:
            return not isinstance(value, int) or abs(value) < 2**63


def _is_comparable_text(text: str) -> bool:
    """It takes one spelling of a UUID only, and does not trim the separators that Python does."""
    uuid = parse_uuid(text)
    return (uuid is None or text == str(uuid)) and text.isascii() and not set(text) & set("\x1c\x1d\x1e\x1f")


def _as_doubles(value: object) -> object:
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {name: _as_doubles(each) for name, each in value.items()}
        case list():
            return [_as_doubles(each) for each in value]
        case _:
            return value


def _check_answerable(error: InvalidRequest, places: set[str]) -> None:
    assert error.entries
    response = refused(error, request_id="id")
    assert response["statusCode"] == 422
    assert len(response["body"].encode()) < _SIZE_MAX_BYTES
    for each in json.loads(response["body"])["detail"]:
        assert each.keys() >= {"type", "loc", "msg"}
        assert each["loc"][0] in places


def api_event(data: bytes) -> None:
    """Any JSON for members of a gateway's event: it is none of the gateway's, or a command, or a list of problems."""
    with contextlib.suppress(InvalidJSON):
        changes = parse_json(data)
        event: object = an_api_event() | changes if isinstance(changes, dict) else changes
        if not is_api_event(event):
            return
        for translate in (adjustment_command, reversal):
            try:
                translate(event, CALLER)
            except InvalidRequest as error:
                _check_answerable(error, {"path", "query", "header", "body"})


def message(data: bytes) -> None:
    """A message of the queue is a request or unreadable, and its rejection can be published."""
    record: QueueRecord = {"messageId": "m-1", "body": data.decode("utf-8", "surrogateescape")}
    with contextlib.suppress(UnreadableMessage):
        request = read_message(record)
        try:
            command = request.requested()
        except InvalidRequest as error:
            json.loads(rejection(request, error))
        else:
            assert (command.lines[0] if isinstance(command, Group) else command).idempotency_key


def header_values(data: bytes) -> None:
    """Of any headers no value hides behind another, and what passes for a token or a business is one."""
    values = data.decode("latin-1").split("\n")
    event: HeaderEvent = {"headers": {"X-A": values[-1]}, "multiValueHeaders": {"x-A": values, "X-B": ["b"]}}
    found = headers.header(event, "x-a")
    assert found is not None
    assert found.count(", ") >= len(values) - 1
    token = authorizer.bearer_token(found)
    if well_formed(token):
        assert len(values) == 1
        assert found.lower().startswith("bearer ")
    business = parse_uuid(found)
    if business is not None:
        assert len(values) == 1
        assert business == validated(LevelsQuery, {"variant_id": found}, place="query").variant_id


def cursor(data: bytes) -> None:
    """A cursor is exactly an issued one, or invalid."""
    given = data.decode("latin-1")
    position = cursors.position(given, QUESTION)
    if position is not None:
        assert cursors.cursor(position, QUESTION) == given
        assert cursors.position(given, QUESTION | {"business_id": str(ADJUSTMENT)}) is None
    made = cursors.cursor(given, QUESTION)
    assert cursors.position(made, QUESTION) == given
    with contextlib.suppress(ValueError):
        assert parse_position(given).text() == given


def query_string(data: bytes) -> None:
    """Any parameters are a question or a list of what is wrong with them."""
    pairs = [pair.partition("=") for pair in data.decode("utf-8", "surrogateescape").split("&")]
    query = {name: value for name, _, value in pairs}
    models: tuple[type[AdjustmentsQuery | LevelsQuery], ...] = (AdjustmentsQuery, LevelsQuery)
    for model in models:
        try:
            question = validated(model, query, place="query")
        except InvalidRequest as error:
            _check_answerable(error, {"query"})
        else:
            assert 1 <= question.limit <= 100
    event = an_api_event() | {"resource": PROVE_LEVEL.path}
    event |= {"queryStringParameters": query, "pathParameters": {"variant_id": query.get("a", "")}}
    with contextlib.suppress(InvalidRequest):
        # The path lacks its second id: nothing is read.
        answer(event, UUID(int=0), None, RetryBudget(lambda: 0.0))  # type: ignore[arg-type]
        raise AssertionError("a path without a location was taken")


def base64_body(data: bytes) -> None:
    """A body that claims to be base64 is what was encoded, or refused."""
    text = data.decode("latin-1")
    event = an_api_event(text=text, isBase64Encoded=True)
    try:
        adjustment_command(event, CALLER)
    except InvalidRequest as error:
        _check_answerable(error, {"body"})
    else:
        validated(AdjustmentRequest, parse_json(base64.b64decode(text, validate=True)))


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "json": json_text,
    "creation": creation,
    "event": api_event,
    "message": message,
    "headers": header_values,
    "cursor": cursor,
    "query": query_string,
    "base64": base64_body,
}
