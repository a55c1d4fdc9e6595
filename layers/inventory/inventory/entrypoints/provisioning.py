"""The operators' commands. Each can be repeated without harm.

A command reads what it is about, decides and writes, and does so again if another writer was faster. Ids, API tokens
and times are made once, before the first attempt: otherwise an attempt of unknown outcome could leave a second business
behind. An attempt after such a one finds what that one wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from inventory.domain.api_tokens import Token, digest_of, mint, token_id_of
from inventory.domain.errors import InvalidRequest
from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import uuid_text
from inventory.entrypoints.catalog_commands import CatalogCommands
from inventory.entrypoints.responses import ERROR_ANSWERS
from inventory.entrypoints.settling import settled
from inventory.entrypoints.variant_commands import VariantCommands
from inventory.schemas.problems import cursor_at
from inventory.schemas.provisioning import (
    ClaimSkus,
    DeactivateLocation,
    DeactivateReason,
    DeactivateVariant,
    IndexStockItems,
    IssueToken,
    ListBusinesses,
    ListOfBusiness,
    ListTokens,
    RegisterBusiness,
    RegisterLocation,
    RegisterReason,
    RegisterVariant,
    RegisterVariants,
    RevokeToken,
    moved,
)
from inventory.storage.catalog import Catalog
from inventory.storage.catalog_scan import CatalogScan
from inventory.storage.lookups import Lookups
from inventory.storage.tokens import TokenTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.domain.errors import ServiceError
    from inventory.domain.retry_budget import RetryBudget
    from inventory.schemas.provisioning import ProvisionRequest

type CommandAnswer = Mapping[str, object]

REMAINING_MAX: Final = 100
"""Stock items that the answer to a deactivation names."""

_READ_AT_ONCE: Final = 100
"""Stock items that are read at once."""


@dataclass(frozen=True, slots=True)
class Provision:
    """Carries out the commands; ``new_token`` makes the text of an API token."""

    catalog: Catalog
    access: TokenTable
    lookups: Lookups
    scan: CatalogScan
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    new_token: Callable[[], str]

    def perform(self, request: ProvisionRequest, budget: RetryBudget) -> CommandAnswer:
        """Carry out one command and return its answer.

        Raises:
            InvalidRequest: something is missing that a new item needs, or the cursor is not one of this list.
            Refusal: the catalog does not allow it, and nothing was written.
            StoreUnavailable: not settled in time. The command can be repeated.
        """
        match request:
            case RegisterBusiness() | RegisterLocation() | RegisterReason():
                return self._register(request, budget)
            case RegisterVariant() | RegisterVariants() | ClaimSkus():
                return self._on_variants(request, budget)
            case DeactivateLocation() | DeactivateVariant() | DeactivateReason():
                return self._deactivate(request, budget)
            case ListBusinesses() | ListOfBusiness() | ListTokens():
                return self._list(request, budget)
            case IssueToken() | RevokeToken():
                return self._on_tokens(request, budget)
            case IndexStockItems():
                from inventory.entrypoints.stock_indexing import indexed_page  # noqa: PLC0415  needed once a stack

                with cursor_at("body", "cursor"):
                    return indexed_page(self.catalog.stock_indexing(), request.cursor, budget)

    @property
    def _variants(self) -> VariantCommands:
        return VariantCommands(self.catalog, self.clock, self.new_id)

    def _on_variants(
        self, request: RegisterVariant | RegisterVariants | ClaimSkus, budget: RetryBudget
    ) -> CommandAnswer:
        match request:
            case RegisterVariant():
                variant_id = self._variants.register(request.business_id, request.variant(), budget)
                return {"variant_id": uuid_text(variant_id)}
            case RegisterVariants():
                registered = self._variants.register_many(request.business_id, request.entries(), budget)
                return {"variants": [_registered(*each) for each in enumerate(registered)]}
            case ClaimSkus():
                with cursor_at("body", "cursor"):
                    return self._variants.claim_page(request, self.lookups, budget)

    def _register(
        self, request: RegisterBusiness | RegisterLocation | RegisterReason, budget: RetryBudget
    ) -> CommandAnswer:
        commands = CatalogCommands(self.catalog, self.lookups, self.clock)
        match request:
            case RegisterBusiness():
                business_id = request.business_id or self.new_id()
                commands.register_business(business_id, request, budget)
                return {"business_id": uuid_text(business_id)}
            case RegisterLocation():
                location_id = request.location_id or self.new_id()
                commands.register_location(location_id, request, budget)
                return {"location_id": uuid_text(location_id)}
            case RegisterReason():
                commands.register_reason(request, budget)
                return {"reason_code": request.reason_code}

    def _deactivate(
        self, request: DeactivateLocation | DeactivateVariant | DeactivateReason, budget: RetryBudget
    ) -> CommandAnswer:
        commands = CatalogCommands(self.catalog, self.lookups, self.clock)
        match request:
            case DeactivateReason():
                commands.deactivate_reason(request.business_id, request.reason_code, budget)
                return {}
            case DeactivateLocation():
                commands.deactivate_location(request.business_id, request.location_id, budget)
                return {"stock": self.remaining(request.business_id, budget, location_id=request.location_id)}
            case DeactivateVariant():
                self._variants.deactivate(request.business_id, request.variant_id, budget)
                return {"stock": self.remaining(request.business_id, budget, variant_id=request.variant_id)}

    def remaining(
        self,
        business_id: UUID,
        budget: RetryBudget,
        *,
        variant_id: UUID | None = None,
        location_id: UUID | None = None,
    ) -> list[dict[str, object]]:
        """Read the first stock items, of a variant or at a location, whose quantity is not 0."""
        from inventory.queries.levels import LevelFilter  # noqa: PLC0415  needed after a deactivation only
        from inventory.queries.stock_items import StockItems  # noqa: PLC0415

        stock_items = StockItems(self.lookups, self.catalog.stock_index())
        wanted = LevelFilter(variant_id=variant_id, location_id=location_id)
        found = stock_items.wanted(business_id, wanted, None, _READ_AT_ONCE, budget)
        remaining = ((stock_item_id, stock) for stock_item_id, stock in found if stock.quantity != 0)
        return [
            {
                "variant_id": uuid_text(stock_item_id.variant_id),
                "location_id": uuid_text(stock_item_id.location_id),
                "quantity": stock.quantity,
            }
            for stock_item_id, stock in islice(remaining, REMAINING_MAX)
        ]

    def _list(self, request: ListBusinesses | ListOfBusiness | ListTokens, budget: RetryBudget) -> CommandAnswer:
        from inventory.entrypoints.catalog_listing import CatalogListing  # noqa: PLC0415  rarely needed

        listing = CatalogListing(self.lookups, self.scan)
        with cursor_at("body", "cursor"):
            match request:
                case ListBusinesses():
                    return listing.businesses(request, budget)
                case ListTokens():
                    return listing.tokens(request, budget)
                case ListOfBusiness():
                    return listing.of_business(request, budget)

    def _on_tokens(self, request: IssueToken | RevokeToken, budget: RetryBudget) -> CommandAnswer:
        return (
            self._issue_token(request, budget)
            if isinstance(request, IssueToken)
            else self._revoke_token(request, budget)
        )

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
        budget.retry(partial(self.catalog.require_businesses, token.business_ids))
        settled(budget, partial(self._put, token))
        return {"token": text, "token_id": token.id}

    def _put(self, token: Token) -> bool:
        self.access.put(token)
        return True

    def _revoke_token(self, request: RevokeToken, budget: RetryBudget) -> CommandAnswer:
        revoked_at = settled(budget, partial(self.access.revoke, request.token_id, self.clock()))
        return {"revoked_at": instant_text(revoked_at)}


def provision_on_dynamodb(client: DynamoDBClient, *, inventory_table: str, access_table: str) -> Provision:
    """Make what carries out the commands on the tables, with real clocks and real randomness."""
    # No command reads the ledger, or may.
    lookups = Lookups(client, inventory_table=inventory_table, ledger_table="none")
    return Provision(
        catalog=Catalog(client, inventory_table),
        access=TokenTable(client, access_table),
        lookups=lookups,
        scan=CatalogScan(client, inventory_table, access_table),
        clock=partial(datetime.now, UTC),
        new_id=uuid4,
        new_token=mint,
    )


def logged(answer: CommandAnswer) -> dict[str, str]:
    """Select what a log line may show of an answer: ids, codes and times, but no token and nothing that is listed."""
    return {
        name: value for name, value in answer.items() if isinstance(value, str) and name not in {"token", "next_cursor"}
    }


def _registered(position: int, registered: UUID | ServiceError) -> CommandAnswer:
    """One variant of the answer: its id, or its error."""
    if isinstance(registered, UUID):
        return {"variant_id": uuid_text(registered)}
    error: dict[str, object] = {
        "code": ERROR_ANSWERS[type(registered)].code,
        "message": registered.message,
        **registered.facts(),
    }
    if isinstance(registered, InvalidRequest):
        error |= {"detail": [moved(each, position) for each in registered.entries]}
    return {"error": error}
