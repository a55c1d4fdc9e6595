"""The operators' commands: businesses, locations, variants and API tokens. Each may be repeated without harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inventory.domain.api_tokens import Token, digest_of, token_id_of
from inventory.domain.errors import Refusal, StoreUnavailable
from inventory.domain.timestamps import instant_text
from inventory.schemas.provisioning import (
    DeactivateLocation,
    DeactivateVariant,
    IssueToken,
    RegisterBusiness,
    RegisterLocation,
    RegisterVariant,
    RevokeToken,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.retry_budget import RetryBudget
    from inventory.schemas.provisioning import ProvisionRequest
    from inventory.storage.catalog import Catalog
    from inventory.storage.tokens import TokenTable

type CommandAnswer = dict[str, str]


@dataclass(frozen=True, slots=True)
class Provision:
    """What the commands work with; ``new_token`` makes the text of a token.

    An id, a token or a time is made once for a command, before the first attempt to write it: otherwise an attempt of
    unknown outcome would leave a second business behind. So is the name under which DynamoDB takes its attempts for
    one.
    """

    catalog: Catalog
    access: TokenTable
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    new_token: Callable[[], str]

    def perform(self, request: ProvisionRequest, budget: RetryBudget) -> CommandAnswer:
        """Carry out one command and return its answer.

        Raises:
            Refusal: for a business, location, variant or token that does not exist; then nothing was written.
            StoreUnavailable: where it could not be settled in time; the command may be repeated.
        """
        match request:
            case RegisterBusiness():
                answer = self._register_business(request, budget)
            case RegisterLocation():
                answer = self._register_location(request, budget)
            case RegisterVariant():
                answer = self._register_variant(request, budget)
            case DeactivateLocation():
                answer = self._deactivate_location(request, budget)
            case DeactivateVariant():
                answer = self._deactivate_variant(request, budget)
            case IssueToken():
                answer = self._issue_token(request, budget)
            case RevokeToken():
                answer = self._revoke_token(request, budget)
        return answer

    def _register_business(self, request: RegisterBusiness, budget: RetryBudget) -> CommandAnswer:
        business_id, now, token = request.business_id or self.new_id(), self.clock(), self._write_token()
        _written(
            budget,
            lambda: self.catalog.register_business(
                business_id,
                name=request.name,
                allow_negative_stock=bool(request.allow_negative_stock),
                now=now,
                token=token,
            ),
        )
        return {"business_id": str(business_id)}

    def _register_location(self, request: RegisterLocation, budget: RetryBudget) -> CommandAnswer:
        location_id, now, token = request.location_id or self.new_id(), self.clock(), self._write_token()
        _written(
            budget,
            lambda: self.catalog.register_location(
                request.business_id,
                location_id,
                name=request.name,
                default=bool(request.default),
                now=now,
                token=token,
            ),
        )
        return {"location_id": str(location_id)}

    def _register_variant(self, request: RegisterVariant, budget: RetryBudget) -> CommandAnswer:
        variant_id, now, token = request.variant_id or self.new_id(), self.clock(), self._write_token()
        _written(
            budget,
            lambda: self.catalog.register_variant(
                request.business_id, variant_id, sku=request.sku, name=request.name, now=now, token=token
            ),
        )
        return {"variant_id": str(variant_id)}

    def _deactivate_location(self, request: DeactivateLocation, budget: RetryBudget) -> CommandAnswer:
        now, token = self.clock(), self._write_token()
        _written(
            budget,
            lambda: self.catalog.deactivate_location(request.business_id, request.location_id, now=now, token=token),
        )
        return {}

    def _deactivate_variant(self, request: DeactivateVariant, budget: RetryBudget) -> CommandAnswer:
        now, token = self.clock(), self._write_token()
        _written(
            budget,
            lambda: self.catalog.deactivate_variant(request.business_id, request.variant_id, now=now, token=token),
        )
        return {}

    def _issue_token(self, request: IssueToken, budget: RetryBudget) -> CommandAnswer:
        text = self.new_token()
        digest = digest_of(text)
        token = Token(
            id=token_id_of(digest),
            digest=digest,
            subject=request.subject,
            business_ids=frozenset(request.business_ids),
            scopes=frozenset(request.scopes),
            issued_at=self.clock(),
            expires_at=request.expires_at,
            revoked_at=None,
        )
        budget.retry(lambda: self.catalog.require_businesses(token.business_ids))
        _written(budget, lambda: self.access.put(token))
        return {"token": text, "token_id": token.id}

    def _revoke_token(self, request: RevokeToken, budget: RetryBudget) -> CommandAnswer:
        now = self.clock()
        revoked_at = _written(budget, lambda: self.access.revoke(request.token_id, now))
        return {"revoked_at": instant_text(revoked_at)}

    def _write_token(self) -> str:
        """A name for one command's write, kept through all of its attempts."""
        return str(self.new_id())


def _written[T](budget: RetryBudget, write: Callable[[], T]) -> T:
    """Make one write until it is answered.

    An attempt that was not answered may be applied yet. So whatever should not be, as a permission that was taken away,
    says that the command failed only where it is met at once.
    """
    is_open = False

    def attempt() -> T:
        nonlocal is_open
        try:
            return write()
        except StoreUnavailable:
            is_open = True
            raise
        except Refusal:
            raise
        except Exception as error:
            if is_open:
                raise StoreUnavailable from error
            raise

    return budget.retry(attempt)
