"""The operators' commands: businesses, locations, variants and API tokens. Each can be repeated without harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inventory.domain.api_tokens import Token, digest_of, token_id_of
from inventory.domain.errors import Refusal, StoreUnavailable
from inventory.domain.timestamps import instant_text
from inventory.entrypoints.stock_indexing import indexed_page
from inventory.schemas.problems import cursor_at
from inventory.schemas.provisioning import (
    DeactivateLocation,
    DeactivateVariant,
    IndexStockItems,
    IssueToken,
    RegisterBusiness,
    RegisterLocation,
    RegisterVariant,
    RevokeToken,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.retry_budget import RetryBudget
    from inventory.schemas.provisioning import ProvisionRequest
    from inventory.storage.catalog import Catalog
    from inventory.storage.tokens import TokenTable

type CommandAnswer = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Provision:
    """Carries out the commands; ``new_token`` makes the text of an API token.

    The ids, the API token and the time of a command are made once, before the first attempt to write: otherwise an
    attempt of unknown outcome could leave a second business behind. The same holds for the write token, by which
    DynamoDB recognises the attempts of one write.
    """

    catalog: Catalog
    access: TokenTable
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    new_token: Callable[[], str]

    def perform(self, request: ProvisionRequest, budget: RetryBudget) -> CommandAnswer:
        """Carry out one command and return its answer.

        Raises:
            Refusal: the business, location, variant or token does not exist, and nothing was written.
            StoreUnavailable: not settled in time. The command can be repeated.
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
            case IndexStockItems():
                with cursor_at("body", "cursor"):
                    answer = indexed_page(self.catalog.stock_indexing(), request.cursor, budget)
        return answer

    def _register_business(self, request: RegisterBusiness, budget: RetryBudget) -> CommandAnswer:
        business_id = request.business_id or self.new_id()
        self._write(
            budget,
            lambda now, token: self.catalog.register_business(
                business_id,
                name=request.name,
                allow_negative_stock=bool(request.allow_negative_stock),
                now=now,
                token=token,
            ),
        )
        return {"business_id": str(business_id)}

    def _register_location(self, request: RegisterLocation, budget: RetryBudget) -> CommandAnswer:
        location_id = request.location_id or self.new_id()
        self._write(
            budget,
            lambda now, token: self.catalog.register_location(
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
        variant_id = request.variant_id or self.new_id()
        self._write(
            budget,
            lambda now, token: self.catalog.register_variant(
                request.business_id, variant_id, sku=request.sku, name=request.name, now=now, token=token
            ),
        )
        return {"variant_id": str(variant_id)}

    def _deactivate_location(self, request: DeactivateLocation, budget: RetryBudget) -> CommandAnswer:
        self._write(
            budget,
            lambda now, token: self.catalog.deactivate_location(
                request.business_id, request.location_id, now=now, token=token
            ),
        )
        return {}

    def _deactivate_variant(self, request: DeactivateVariant, budget: RetryBudget) -> CommandAnswer:
        self._write(
            budget,
            lambda now, token: self.catalog.deactivate_variant(
                request.business_id, request.variant_id, now=now, token=token
            ),
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

    def _write(self, budget: RetryBudget, write: Callable[[datetime, str], None]) -> None:
        """Write to the catalog: ``write`` takes the time and the write token of the command."""
        now, token = self.clock(), str(self.new_id())
        _written(budget, lambda: write(now, token))


def _written[T](budget: RetryBudget, write: Callable[[], T]) -> T:
    """Repeat one write until it is answered.

    An attempt without an answer may still be applied. After one, an error that is no refusal (a missing permission, for
    example) does not say that the command failed.
    """
    outcome_is_unknown = False

    def attempt() -> T:
        nonlocal outcome_is_unknown
        try:
            return write()
        except StoreUnavailable:
            outcome_is_unknown = True
            raise
        except Refusal:
            raise
        except Exception as error:
            if outcome_is_unknown:
                raise StoreUnavailable from error
            raise

    return budget.retry(attempt)
