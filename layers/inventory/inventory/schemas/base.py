"""The base of all request models, and the validation of a value against a model."""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.parser import parse
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from inventory.domain.errors import InvalidRequest, ValidationEntry
from inventory.schemas.problems import (
    ENTRIES_SIZE_MAX_BYTES,
    bounded_entries,
    echoable_fact,
    echoable_name,
    entry,
    lone_surrogate,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from pydantic.fields import FieldInfo

type Place = list[str | int]
"""Where a value is in a request, as a ``loc`` begins."""


class RequestModel(BaseModel):
    """A request that refuses unknown fields, because a misspelt one must not be ignored, and that can't be changed.

    A model's validator is made when it is first needed: few environments see requests of every kind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    @cache
    def names(cls) -> Mapping[str, FieldInfo]:
        """Give the fields by their names as a caller writes them, in their order."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @classmethod
    def broken_rules(cls, members: Mapping[str, object], place: Place) -> list[ValidationEntry]:  # noqa: ARG003
        """Make the entries of the rules about several fields; ``members`` are as they were sent.

        A validator of the whole model can't do that: pydantic calls it only where each field is valid, and all errors
        of a request are answered together.
        """
        return []


def validated[R: RequestModel](
    model: type[R],
    value: object,
    *,
    place: str = "body",
    line: int | None = None,
    entries_size_max_bytes: int = ENTRIES_SIZE_MAX_BYTES,
) -> R:
    """Validate a parsed JSON value, or the members of another ``place``: ``path`` or ``query``.

    ``line`` says which of the request's ``lines`` the value is.

    Raises:
        InvalidRequest: with the errors of the known fields in field order, and then of the unknown ones, as many as
            ``entries_size_max_bytes`` hold in JSON.
    """
    at: Place = [place] if line is None else [place, "lines", line]
    if not isinstance(value, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        raise InvalidRequest([entry(at, "model_attributes_type", message, given=value)])
    known = _known_fields(model, value)
    unknown = _unknown_fields(value, known, at) if model.model_config["extra"] == "forbid" else iter(())
    broken = model.broken_rules(known, at)
    try:
        request = parse(known, model)
    except ValidationError as error:
        broken += _entries(error, at, whole=value)
    if entries := bounded_entries(chain(_in_field_order(model, broken, at), unknown), entries_size_max_bytes):
        raise InvalidRequest(entries)
    return request


def _in_field_order(model: type[RequestModel], entries: list[ValidationEntry], place: Place) -> list[ValidationEntry]:
    """Sort entries by the fields that they are about. One about the whole, where there is any, is the only one."""
    if len(entries) <= 1:
        return entries
    order = [*model.names()]
    return sorted(entries, key=lambda each: order.index(str(each["loc"][len(place)])))


def invalid_entries(model: type[RequestModel], value: object, *, place: str) -> list[ValidationEntry]:
    """Give the errors of a value, an empty list for a valid one."""
    try:
        validated(model, value, place=place)
    except InvalidRequest as error:
        return error.entries
    return []


def value_entries(adapter: TypeAdapter[str] | TypeAdapter[UUID], text: str, place: Place) -> list[ValidationEntry]:
    """Give the errors of a text that is in the request's path or headers, an empty list for a valid one."""
    try:
        adapter.validate_python(text)
    except ValidationError as error:
        return list(_entries(error, place, whole=text))
    return []


def _known_fields(model: type[RequestModel], value: dict[str, object]) -> dict[str, object]:
    """Select the fields that a model has. pydantic does not get the others.

    A million unknown fields would fill the memory with errors, and pydantic fails on a name with half a surrogate pair.
    """
    names = model.names()
    if value.keys() <= names.keys():
        return value
    return {name: member for name, member in value.items() if name in names}


def _unknown_fields(value: dict[str, object], known: dict[str, object], place: Place) -> Iterator[ValidationEntry]:
    """Make the entries of the unknown fields, as pydantic does."""
    if len(known) == len(value):
        return
    for name, member in value.items():
        if name not in known:
            yield entry(
                [*place, echoable_name(name)], "extra_forbidden", "Extra inputs are not permitted", given=member
            )


def _entries(error: ValidationError, place: Place, *, whole: object) -> Iterator[ValidationEntry]:
    """Make the entries of pydantic's errors, as FastAPI does. The input of a missing field is ``whole``."""
    for each in error.errors(include_url=False):
        facts = lone_surrogate(each["input"]) if each["type"] == "string_unicode" else each.get("ctx", {})
        yield entry(
            [*place, *each["loc"]],
            each["type"],
            each["msg"],
            given=whole if each["type"] == "missing" else each["input"],
            ctx={name: echoable_fact(fact) for name, fact in facts.items()} or None,
        )
