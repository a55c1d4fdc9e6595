"""The body as a pydantic model, for the baselines whose frameworks validate by one."""

from __future__ import annotations

import unicodedata
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from tests.benchmarks.baselines.work import BIDIRECTIONAL, ReasonCode, Request, is_visible

QUANTITY_CHANGE_MAX = 1_000_000_000
QUANTITY_MAX = 2**53 - 1


def _exact_integer(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("must not be zero")
    return value


def _reason(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" and character not in "\t\n\r" for character in value):
        raise ValueError("must not contain control characters")
    return _visible(value)


def _label(value: str) -> str:
    if any(unicodedata.category(each) in {"Cc", "Zl", "Zp"} or each in BIDIRECTIONAL for each in value):
        raise ValueError("must not contain controls, separators, bidirectional overrides or isolates")
    return _visible(value)


def _visible(value: str) -> str:
    if not any(is_visible(character) for character in value):
        raise ValueError("must have at least one visible character")
    return value


type Integer = Annotated[int, BeforeValidator(_exact_integer), Field(strict=True)]
type Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Body(BaseModel):
    """The same fields and rules as our own request's."""

    model_config = ConfigDict(extra="forbid")

    variant_id: UUID
    quantity_change: Annotated[
        Integer, Field(ge=-QUANTITY_CHANGE_MAX, le=QUANTITY_CHANGE_MAX), AfterValidator(_not_zero)
    ]
    reason: Annotated[Text, Field(max_length=500), AfterValidator(_reason)]
    location_id: UUID | None = None
    reason_code: ReasonCode | None = None
    reference: Annotated[Text, Field(max_length=255), AfterValidator(_label)] | None = None
    expected_quantity: Annotated[Integer, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX)] | None = None

    def request(self, *, business_id: str, subject: str, idempotency_key: str | None) -> Request:
        """Translate, with what the gateway knows beside the body."""
        return Request(
            business_id=business_id,
            subject=subject,
            idempotency_key=idempotency_key,
            variant_id=str(self.variant_id),
            quantity_change=self.quantity_change,
            reason=self.reason,
            location_id=None if self.location_id is None else str(self.location_id),
            reason_code=self.reason_code,
            reference=self.reference,
            expected_quantity=self.expected_quantity,
        )
