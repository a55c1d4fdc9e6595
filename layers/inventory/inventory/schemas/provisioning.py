"""The payloads of the provision function: one request model for each command of an operator."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StringConstraints

from inventory.domain.api_tokens import BUSINESSES_MAX, ID_LENGTH, Scope
from inventory.schemas.base import RequestModel, validated
from inventory.schemas.fields import Label
from inventory.schemas.instants import FromInstant
from inventory.schemas.reading import Cursor

SCOPES_MAX: Final = 3


def _distinct[T](values: list[T]) -> list[T]:
    """Refuse a duplicate value, in any spelling. The operator probably meant another one."""
    if len(set(values)) != len(values):
        raise ValueError("must not name one twice")
    return values


type CommandName = Literal[
    "register_business",
    "register_location",
    "register_variant",
    "deactivate_location",
    "deactivate_variant",
    "issue_token",
    "revoke_token",
    "index_stock_items",
]

type TokenId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{ID_LENGTH}}}$")]


class _CommandField(RequestModel):
    """The name of any command; the other fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    command: CommandName


class RegisterBusiness(RequestModel):
    """A new business, or new settings of an existing one. Without ``business_id`` it gets a new id."""

    command: Literal["register_business"]
    name: Label
    business_id: UUID | None = None
    allow_negative_stock: StrictBool | None = None


class RegisterLocation(RequestModel):
    """A location of a business. Adjustments without a location go to the ``default`` one."""

    command: Literal["register_location"]
    business_id: UUID
    name: Label
    location_id: UUID | None = None
    default: StrictBool | None = None


class RegisterVariant(RequestModel):
    """A variant of a business."""

    command: Literal["register_variant"]
    business_id: UUID
    sku: Label
    variant_id: UUID | None = None
    name: Label | None = None


class DeactivateLocation(RequestModel):
    """The end of adjustments at a location."""

    command: Literal["deactivate_location"]
    business_id: UUID
    location_id: UUID


class DeactivateVariant(RequestModel):
    """The end of adjustments of a variant."""

    command: Literal["deactivate_variant"]
    business_id: UUID
    variant_id: UUID


class IssueToken(RequestModel):
    """A new API token. ``expires_at`` can be in the past: such a token is useless, but harmless."""

    command: Literal["issue_token"]
    subject: Label
    business_ids: Annotated[list[UUID], Field(min_length=1, max_length=BUSINESSES_MAX), AfterValidator(_distinct)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=SCOPES_MAX), AfterValidator(_distinct)]
    expires_at: FromInstant | None = None


class RevokeToken(RequestModel):
    """The end of an API token."""

    command: Literal["revoke_token"]
    token_id: TokenId


class IndexStockItems(RequestModel):
    """Put stock items from before their index into it, a page at a time; it may be repeated."""

    command: Literal["index_stock_items"]
    cursor: Cursor | None = None


type ProvisionRequest = (
    RegisterBusiness
    | RegisterLocation
    | RegisterVariant
    | DeactivateLocation
    | DeactivateVariant
    | IssueToken
    | RevokeToken
    | IndexStockItems
)

COMMAND_MODELS: Final[dict[CommandName, type[ProvisionRequest]]] = {
    "register_business": RegisterBusiness,
    "register_location": RegisterLocation,
    "register_variant": RegisterVariant,
    "deactivate_location": DeactivateLocation,
    "deactivate_variant": DeactivateVariant,
    "issue_token": IssueToken,
    "revoke_token": RevokeToken,
    "index_stock_items": IndexStockItems,
}


def provision_request(payload: object) -> ProvisionRequest:
    """Validate a payload with the model of its command.

    pydantic's discriminated union would add the command to each ``loc``, and repeat it in messages at any length.

    Raises:
        InvalidRequest: with the errors of all fields, in field order.
    """
    command = validated(_CommandField, payload).command
    return validated(COMMAND_MODELS[command], payload)
