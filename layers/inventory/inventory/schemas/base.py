"""What every request model has in common, and how a value is validated against one."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.parser import parse
from pydantic import (
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
)

from inventory.domain.errors import InvalidRequest, ValidationEntry
from inventory.schemas.problems import ENTRIES_SIZE_MAX_BYTES, bounded_entries, echoable_fact, echoable_name, entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID


class RequestModel(BaseModel):
    """What every request has in common: no unknown field (a misspelt one must not pass in silence), no change later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def validated[R: RequestModel](
    model: type[R], value: object, *, place: str = "body", entries_size_max_bytes: int = ENTRIES_SIZE_MAX_BYTES
) -> R:
    """Validate a parsed JSON value, or the members of another ``place``: ``path`` or ``query``.

    Of what is wrong with it as much is told as ``entries_size_max_bytes`` hold, in JSON.

    Raises:
        InvalidRequest: with every field's error, in field order, and then every unknown field.
    """
    if not isinstance(value, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        raise InvalidRequest([entry([place], "model_attributes_type", message, given=value)])
    known = _known_fields(model, value)
    unknown = _unknown_fields(value, known, place) if model.model_config["extra"] == "forbid" else iter(())
    try:
        request = parse(known, model)
    except ValidationError as error:
        wrong = chain(_entries(error, [place], whole=value), unknown)
        raise InvalidRequest(bounded_entries(wrong, entries_size_max_bytes)) from None
    if refused := bounded_entries(unknown, entries_size_max_bytes):
        raise InvalidRequest(refused)
    return request


def problems(model: type[RequestModel], value: object, *, place: str) -> list[ValidationEntry]:
    """What is wrong with a value; nothing where it is valid."""
    try:
        validated(model, value, place=place)
    except InvalidRequest as error:
        return error.entries
    return []


def value_entries(
    adapter: TypeAdapter[str] | TypeAdapter[UUID], text: str, place: list[str | int]
) -> list[ValidationEntry]:
    """What is wrong with a value outside of the body."""
    try:
        adapter.validate_python(text)
    except ValidationError as error:
        return list(_entries(error, place, whole=text))
    return []


def _known_fields(model: type[RequestModel], value: dict[str, object]) -> dict[str, object]:
    """The fields that a model has: it is not shown others.

    A million of them would fill the memory with errors, of which few can be told, and half a surrogate pair in the name
    of one would hide all other errors.
    """
    if value.keys() <= model.model_fields.keys():
        return value
    return {name: member for name, member in value.items() if name in model.model_fields}


def _unknown_fields(value: dict[str, object], known: dict[str, object], place: str) -> Iterator[ValidationEntry]:
    """Render the others as pydantic does."""
    if len(known) == len(value):
        return
    for name, member in value.items():
        if name not in known:
            yield entry([place, echoable_name(name)], "extra_forbidden", "Extra inputs are not permitted", given=member)


def _entries(error: ValidationError, place: list[str | int], *, whole: object) -> Iterator[ValidationEntry]:
    """Render what pydantic found as FastAPI does. Of what is missing, ``whole`` is the input."""
    for each in error.errors(include_url=False):
        yield entry(
            [*place, *each["loc"]],
            each["type"],
            each["msg"],
            given=whole if each["type"] == "missing" else each["input"],
            ctx={name: echoable_fact(fact) for name, fact in each["ctx"].items()} if "ctx" in each else None,
        )
