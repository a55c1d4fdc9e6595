"""The payloads of the provision function: one request model for each command of an operator."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, StringConstraints

from inventory.domain.api_tokens import BUSINESSES_MAX, ID_LENGTH, Scope
from inventory.domain.errors import InvalidRequest, ValidationEntry
from inventory.domain.model import ReasonCode
from inventory.schemas.base import RequestModel, validated
from inventory.schemas.fields import Cursor, Label
from inventory.schemas.instants import FromInstant
from inventory.schemas.problems import ENTRIES_SIZE_MAX_BYTES, bounded_entries

SCOPES_MAX: Final = 3
VARIANTS_MAX: Final = 500
"""Variants of one ``register_variants``."""

PAGE_MAX: Final = 100

_BUILT_IN: Final = frozenset(get_args(ReasonCode.__value__))


def _distinct[T](values: list[T]) -> list[T]:
    """Refuse a duplicate value, in any spelling. The operator probably meant another one."""
    if len(set(values)) != len(values):
        raise ValueError("must not name one twice")
    return values


def _not_null(value: object) -> object:
    if value is None:
        raise ValueError("must not be null; what is left out stays as it is")
    return value


def _not_built_in(code: str) -> str:
    if code in _BUILT_IN:
        raise ValueError("must not be a reason code that is built in")
    return code


type Optional[T] = Annotated[T | None, BeforeValidator(_not_null)]
"""A field that may be left out, but is not null."""

type TokenId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{ID_LENGTH}}}$")]

type OwnReasonCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$"), AfterValidator(_not_built_in)]
"""The code of a reason that a business registers."""

type PageSize = Annotated[int, Field(strict=True, ge=1, le=PAGE_MAX)]


class _CommandField(RequestModel):
    """The name of any command; the other fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    command: CommandName


class RegisterBusiness(RequestModel):
    """New settings of a business. What is left out of this and of the other registrations stays as it is."""

    command: Literal["register_business"]
    name: Optional[Label] = None
    business_id: Optional[UUID] = None
    allow_negative_stock: Optional[StrictBool] = None


class RegisterNewBusiness(RegisterBusiness):
    """A new business, which gets a new id."""

    name: Label


class RegisterLocation(RequestModel):
    """A location of a business. Adjustments without a location go to the ``default`` one."""

    command: Literal["register_location"]
    business_id: UUID
    name: Optional[Label] = None
    location_id: Optional[UUID] = None
    default: Optional[StrictBool] = None


class RegisterNewLocation(RegisterLocation):
    """A new location, which gets a new id."""

    name: Label


class VariantEntry(RequestModel):
    """What is registered of a variant. Null clears its name."""

    sku: Optional[Label] = None
    variant_id: Optional[UUID] = None
    name: Label | None = None


class NewVariantEntry(VariantEntry):
    """A variant that is named by its SKU alone. If no active variant has it, it gets a new id."""

    sku: Label


class RegisterVariant(RequestModel):
    """A variant of a business: the fields of ``VariantEntry``."""

    command: Literal["register_variant"]
    business_id: UUID
    sku: Optional[Label] = None
    variant_id: Optional[UUID] = None
    name: Label | None = None

    def variant(self) -> VariantEntry:
        """Return what is registered, without a name if that was left out."""
        return VariantEntry.model_construct(
            self.model_fields_set & VariantEntry.model_fields.keys(),
            sku=self.sku,
            variant_id=self.variant_id,
            name=self.name,
        )


class RegisterNewVariant(RegisterVariant):
    """A variant that is named by its SKU alone."""

    sku: Label


class RegisterVariants(RequestModel):
    """Many variants of a business. ``entries`` validates each of them."""

    command: Literal["register_variants"]
    business_id: UUID
    variants: Annotated[list[object], Field(min_length=1, max_length=VARIANTS_MAX)]

    def entries(self) -> list[VariantEntry]:
        """Validate each variant.

        Raises:
            InvalidRequest: with the errors of all of them.
        """
        entries: list[VariantEntry] = []
        problems: list[ValidationEntry] = []
        for position, value in enumerate(self.variants):
            model = NewVariantEntry if _is_new(value, "variant_id") else VariantEntry
            try:
                entries.append(validated(model, value))
            except InvalidRequest as error:
                problems += [moved(each, position) for each in error.entries]
        if problems:
            raise InvalidRequest(bounded_entries(problems, ENTRIES_SIZE_MAX_BYTES))
        return entries


class RegisterReason(RequestModel):
    """A reason code of a business's own."""

    command: Literal["register_reason"]
    business_id: UUID
    reason_code: OwnReasonCode
    name: Optional[Label] = None
    direction: Optional[Literal["increase", "decrease", "any"]] = None


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


class DeactivateReason(RequestModel):
    """The end of adjustments with a reason code of the business's own."""

    command: Literal["deactivate_reason"]
    business_id: UUID
    reason_code: OwnReasonCode


class ClaimSkus(RequestModel):
    """Claims the SKUs of active variants that were registered before SKUs were claimed."""

    command: Literal["claim_skus"]
    business_id: UUID
    cursor: Cursor | None = None


class ListBusinesses(RequestModel):
    """A page of all businesses."""

    command: Literal["list_businesses"]
    limit: PageSize = PAGE_MAX
    cursor: Cursor | None = None


class ListOfBusiness(RequestModel):
    """A page of a business's locations, variants or reasons."""

    command: Literal["list_locations", "list_variants", "list_reasons"]
    business_id: UUID
    limit: PageSize = PAGE_MAX
    cursor: Cursor | None = None


class ListTokens(RequestModel):
    """A page of all tokens, or of those that are good for one business."""

    command: Literal["list_tokens"]
    business_id: UUID | None = None
    limit: PageSize = PAGE_MAX
    cursor: Cursor | None = None


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
    | RegisterVariants
    | RegisterReason
    | DeactivateLocation
    | DeactivateVariant
    | DeactivateReason
    | ClaimSkus
    | ListBusinesses
    | ListOfBusiness
    | ListTokens
    | IssueToken
    | RevokeToken
    | IndexStockItems
)

type CommandName = Literal[
    "register_business",
    "register_location",
    "register_variant",
    "register_variants",
    "register_reason",
    "deactivate_location",
    "deactivate_variant",
    "deactivate_reason",
    "claim_skus",
    "list_businesses",
    "list_locations",
    "list_variants",
    "list_reasons",
    "list_tokens",
    "issue_token",
    "revoke_token",
    "index_stock_items",
]

COMMAND_MODELS: Final[dict[CommandName, type[ProvisionRequest]]] = {
    "register_business": RegisterBusiness,
    "register_location": RegisterLocation,
    "register_variant": RegisterVariant,
    "register_variants": RegisterVariants,
    "register_reason": RegisterReason,
    "deactivate_location": DeactivateLocation,
    "deactivate_variant": DeactivateVariant,
    "deactivate_reason": DeactivateReason,
    "claim_skus": ClaimSkus,
    "list_businesses": ListBusinesses,
    "list_locations": ListOfBusiness,
    "list_variants": ListOfBusiness,
    "list_reasons": ListOfBusiness,
    "list_tokens": ListTokens,
    "issue_token": IssueToken,
    "revoke_token": RevokeToken,
    "index_stock_items": IndexStockItems,
}

NEW_MODELS: Final[dict[CommandName, tuple[str, type[ProvisionRequest]]]] = {
    "register_business": ("business_id", RegisterNewBusiness),
    "register_location": ("location_id", RegisterNewLocation),
    "register_variant": ("variant_id", RegisterNewVariant),
}
"""The models of registrations without an id, and which id. What is required for a new one is required there."""


def provision_request(payload: object) -> ProvisionRequest:
    """Validate a payload with the model of its command.

    pydantic's discriminated union would add the command to each ``loc``, and repeat it in messages at any length.

    Raises:
        InvalidRequest: with the errors of all fields, in field order.
    """
    command = validated(_CommandField, payload).command
    id_name, new_model = NEW_MODELS.get(command, ("command", COMMAND_MODELS[command]))
    return validated(new_model if _is_new(payload, id_name) else COMMAND_MODELS[command], payload)


def _is_new(value: object, id_name: str) -> bool:
    return isinstance(value, dict) and id_name not in value


def moved(each: ValidationEntry, position: int) -> ValidationEntry:
    """Move an entry about a variant to its place in the payload."""
    return {**each, "loc": ["body", "variants", position, *each["loc"][1:]]}
