"""What a caller without HTTP adds to a body: what HTTP has in its headers."""

from __future__ import annotations

from uuid import UUID

from pydantic import ConfigDict

from inventory.schemas.base import RequestModel
from inventory.schemas.fields import IdempotencyKey, Label


class CallerFields(RequestModel):
    """The members at the top of a payload without HTTP. All others are the body of the same request over HTTP."""

    model_config = ConfigDict(extra="ignore")

    business_id: UUID
    idempotency_key: IdempotencyKey | None = None
    actor: Label | None = None
