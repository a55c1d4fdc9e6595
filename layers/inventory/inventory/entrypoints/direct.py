"""Direct invocation: a payload as the command, or the group of commands, that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from inventory.domain.errors import InvalidRequest
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.base import validated
from inventory.schemas.direct import CallerFields
from inventory.schemas.problems import bounded_entries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol
    from uuid import UUID

    from inventory.domain.model import Command, Group

    class Build(Protocol):
        """Makes the domain's request of a valid body."""

        def __call__(self, *, business_id: UUID, actor: str, idempotency_key: str) -> Command | Group:
            """Make it."""
            ...


DIRECT_ACTOR: Final = "direct-invocation"
"""``created_by`` of an adjustment whose payload names no actor: IAM says only that the invoker may invoke."""

DIRECT_ENTRIES_SIZE_MAX_BYTES: Final = 32 * 1024
"""Of the entries for one invalid payload, some 300 unknown fields. They must fit into a dead-letter message or an event
beside the payload, and a batch of the queue can hold a thousand payloads."""

_OF_A_TRANSFER: Final = frozenset({"from_location_id", "to_location_id"})
_OF_A_GROUP_OR_COUNT: Final = _OF_A_TRANSFER | {"lines", "counted_quantity", "counted_at"}


def requested(payload: object, *, default_key: str, default_actor: str = DIRECT_ACTOR) -> Command | Group:
    """Translate a payload; ``default_key`` and ``default_actor`` stand in where it names none.

    ``default_key`` must be the same each time that the same request is delivered.

    Raises:
        InvalidRequest: with the errors of ``CallerFields``, then those of the body.
    """
    try:
        caller = validated(CallerFields, payload)
    except InvalidRequest as error:
        raise _with_those_of_the_body(error, payload) from None
    return _build(cast("Mapping[str, object]", payload))(
        business_id=caller.business_id,
        actor=caller.actor or default_actor,
        idempotency_key=caller.idempotency_key or default_key,
    )


def _with_those_of_the_body(error: InvalidRequest, payload: object) -> InvalidRequest:
    if not isinstance(payload, dict):
        return error
    try:
        _build(payload)
    except InvalidRequest as of_the_body:
        return InvalidRequest(bounded_entries(error.entries + of_the_body.entries, DIRECT_ENTRIES_SIZE_MAX_BYTES))
    return error


def _build(payload: Mapping[str, object]) -> Build:
    """Validate the body in a payload as what it asks for.

    Raises:
        InvalidRequest: with its errors.
    """
    body = {name: member for name, member in payload.items() if name not in CallerFields.model_fields}
    if body.keys().isdisjoint(_OF_A_GROUP_OR_COUNT):
        request = validated(AdjustmentRequest, body, entries_size_max_bytes=DIRECT_ENTRIES_SIZE_MAX_BYTES)
        return request.command
    # Most payloads are one adjustment, and need none of these models.
    from inventory.schemas import groups  # noqa: PLC0415

    if not body.keys().isdisjoint(_OF_A_TRANSFER):
        transfer = groups.transfer_request(body, entries_size_max_bytes=DIRECT_ENTRIES_SIZE_MAX_BYTES)
        return transfer.group
    if "lines" in body:
        batch = groups.atomic_batch_request(body, entries_size_max_bytes=DIRECT_ENTRIES_SIZE_MAX_BYTES)
        return batch.group
    return groups.change_request(body, entries_size_max_bytes=DIRECT_ENTRIES_SIZE_MAX_BYTES).command
